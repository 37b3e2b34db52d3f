"""The heatmap widget in a real browser: files it saves, themes, widths, names and the tab order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from .files import save
from .standin import (
    STATIC,
    StandIn,
    known_snapshot,
    lrp_messages,
    lrp_state,
)

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]

CUT_OFF = """() => [...document.querySelectorAll(".xw :is(button, label, select, input, canvas, .xw-ticks span span)")]
    .filter((e) => !e.closest(".xw-hidden"))
    .filter((e) => {
        const box = e.getBoundingClientRect();
        const outside = box.right > innerWidth + 0.5 || box.left < -0.5;
        return outside || (e.tagName === "BUTTON" && e.scrollWidth > e.clientWidth + 1);
    })
    .map((e) => e.outerHTML.slice(0, 80))"""


class TestSaving:
    def test_png_has_picture_legend_and_twice_the_size(self, standin: Start, tmp_path: Path) -> None:
        widget = standin(state={"title": "Two views", "show": "side_by_side"})
        path = save(widget.root, "PNG", tmp_path)
        assert path.name == "two-views.png"
        with Image.open(path) as image:
            assert image.width == 2 * (4 * 360 + 3 * 24 + 32), "the picture itself, and the three views"
            colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
        assert (colours == 255).all(axis=1).mean() > 0.1
        assert (np.ptp(colours, axis=1) > 100).mean() > 0.05

    def test_svg_has_vector_labels(self, standin: Start, tmp_path: Path) -> None:
        widget = standin(state={"title": "A <b> & c", "show": "u_relax", "threshold": 0.5})
        root = ElementTree.parse(save(widget.root, "SVG", tmp_path)).getroot()
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts[:2] == ["A <b> & c", "U-RELAX (cosine), surest 50 %"]
        assert re.fullmatch(r"RELAX \(3000 masks\) · \d{4}-\d\d-\d\d", texts[-1] or "")
        assert "0.7" in texts
        assert len(list(root.iter("{http://www.w3.org/2000/svg}stop"))) == 33

    def test_html_comes_from_python_when_it_answers(self, standin: Start, tmp_path: Path) -> None:
        widget = standin()
        widget.page.evaluate(
            """() => { model.respond = (m) => m.type === "export" &&
                model.receive({ type: "export", id: m.id, format: "html", name: "page.html" }, [btoa("<p>hello")]) }"""
        )
        path = save(widget.root, "HTML", tmp_path)
        assert (path.name, path.read_text()) == ("page.html", "<p>hello")

    def test_python_error_while_saving_is_shown(self, standin: Start) -> None:
        widget = standin()
        widget.page.evaluate(
            """() => { model.respond = (m) => m.type === "export" &&
                model.receive({ type: "export", id: m.id, format: "html", name: "", error: "disk full" }, []) }"""
        )
        widget.root.get_by_role("button", name="Save").click()
        widget.root.get_by_role("menuitem", name="HTML").first.click()
        expect(widget.root.get_by_role("alert")).to_contain_text("disk full")

    def test_html_without_kernel_is_the_same_widget_offline(self, standin: Start, tmp_path: Path) -> None:
        code = {"_esm": (STATIC / "heatmap.js").read_text(), "_css": (STATIC / "heatmap.css").read_text()}
        snapshot = known_snapshot()
        state = {"snapshot": snapshot, "title": "</script>Offline", "opacity": 1.0, "show": "u_relax", "threshold": 0.5}
        widget = standin(answer=False, state=state | code)
        path = save(widget.root, "HTML", tmp_path)
        page = widget.page.context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.context.set_offline(True)
        page.goto(path.as_uri())
        saved = StandIn(page)
        expect(page.get_by_role("heading")).to_have_text("</script>Offline")
        red, _, blue = saved.pixel(0.42, 0.45)
        assert red > 200
        assert blue < 90
        expect(page.get_by_text("Kernel not connected")).to_have_count(0)
        saved.drag(saved.track_point(0.5), saved.track_point(0.2))
        expect(page.get_by_role("slider", name="Uncertainty threshold")).to_have_attribute(
            "aria-valuenow", re.compile("^(19|20|21)$")
        )
        assert problems == []


class TestLook:
    def test_dark_by_preference_by_switch_and_by_jupyter(self, standin: Start) -> None:
        dark = standin(dark=True)
        expect(dark.root).to_have_attribute("data-xw-theme", "dark")
        for wanted in ("light", "dark"):
            dark.root.get_by_role("button", name=re.compile("Theme")).click()
            expect(dark.root).to_have_attribute("data-xw-theme", wanted)
        jupyter = standin(body={"jpThemeLight": "false"})
        expect(jupyter.root).to_have_attribute("data-xw-theme", "dark")
        expect(jupyter.root).to_have_attribute("data-xw-host", "jupyter")
        jupyter.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
        expect(jupyter.root).to_have_attribute("data-xw-theme", "light")

    @pytest.mark.parametrize("width", [400, 600, 1100, 1600])
    @pytest.mark.parametrize("show", ["u_relax", "side_by_side"])
    def test_nothing_is_cut_off(self, standin: Start, width: int, show: str) -> None:
        widget = standin(width=width, state={"show": show, "images": 4})
        overflow = widget.page.evaluate(CUT_OFF)
        assert overflow == []
        panel, frame = (widget.root.locator(name).first.bounding_box() for name in (".xw-panel", ".xw-frame"))
        assert panel is not None
        assert frame is not None
        below = panel["y"] > frame["y"] + frame["height"]
        assert below == (width <= 600)

    def test_every_control_has_a_name_and_a_place_in_the_tab_order(self, standin: Start) -> None:
        widget = standin(state=lrp_state(images=2), messages=lrp_messages())
        nameless = widget.page.evaluate(
            """() => [...document.querySelectorAll(".xw :is(button, input, select, [role=slider], [role=application])")]
                .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length))
                .map((e) => e.outerHTML)"""
        )
        assert nameless == []
        reached = set()
        for _ in range(30):
            widget.page.keyboard.press("Tab")
            reached.add(
                widget.page.evaluate("document.activeElement.getAttribute('role') ?? document.activeElement.tagName")
            )
        assert {"application", "radio", "combobox", "INPUT", "SELECT", "BUTTON"} <= reached

    def test_notes_stand_under_the_picture(self, standin: Start) -> None:
        picture, maps = lrp_messages()
        maps["content"]["notes"] = [["Conservation", "99.8 % of the logit"], ["into ε", "0.2 %"], ["more", "to say"]]
        widget = standin(state=lrp_state(), messages=[picture, maps])
        line = widget.root.locator("summary.xw-notes-line")
        expect(line).to_have_text("Conservation 99.8 % of the logit · into ε 0.2 % · 1 more")
        expect(widget.root.get_by_role("cell", name="to say")).not_to_be_visible()
        line.click()
        expect(widget.root.get_by_role("cell", name="to say")).to_be_visible()
