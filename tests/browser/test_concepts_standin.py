"""The concept browser in a real browser, on a stand-in model: looks, files, keys, silence and trouble."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect
from torch import Tensor

from tests.widgets.conftest import until
from xaiwidgets import CRP, ConceptBrowser, ImageModel, ReferenceIndex
from xaiwidgets.demo import Shapes

from .files import save
from .standin import STATIC, StandIn
from .standin_concepts import INSIDE, RELEVANCE, UNITS, open_browser

pytestmark = pytest.mark.browser
Open = Callable[..., StandIn]

CUT_OFF = """() => [...document.querySelectorAll(".xw :is(button, label, select, input, canvas, .xw-value, h3, figcaption)")]
    .filter((e) => !e.closest(".xw-hidden, .xw-rows"))
    .filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
    })
    .map((e) => e.outerHTML.slice(0, 90))"""


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Open]:
    """Opens browsers; closes them, and fails on whatever the console called an error."""
    opened: list[StandIn] = []

    def start(**options: Any) -> StandIn:
        opened.append(open_browser(chromium, **options))
        return opened[-1]

    yield start
    for widget in opened:
        widget.page.context.close()
    assert [error for widget in opened for error in widget.errors] == []


def rows(widget: StandIn) -> Locator:
    return widget.root.get_by_role("listbox", name="Concepts").get_by_role("option")


def order(widget: StandIn) -> list[int]:
    return [int(n) for n in rows(widget).evaluate_all("all => all.map(e => e.dataset.concept)")]


def sorted_units(values: Any) -> list[int]:
    return sorted(range(len(values)), key=lambda unit: -abs(values[unit]))


class TestList:
    def test_ranked_with_signed_shares(self, browse: Open) -> None:
        widget = browse()
        assert order(widget) == sorted_units(RELEVANCE)
        total = abs(RELEVANCE).sum()
        expect(rows(widget).first).to_contain_text(f"{RELEVANCE[2] / total:.0%}".replace("%", " %"))
        expect(rows(widget).nth(2)).to_contain_text("−")
        expect(rows(widget).nth(2).locator(".xw-share")).to_have_attribute("data-sign", "minus")
        widget.root.get_by_role("radio", name="Activation").click()
        assert order(widget) == sorted_units(RELEVANCE[::-1])

    def test_box_by_pointer_and_by_keys(self, browse: Open) -> None:
        widget = browse()
        widget.rest()
        area = widget.root.locator(".xw-box-layer")
        box = area.bounding_box()
        assert box is not None

        def point(share: float) -> tuple[float, float]:
            return box["x"] + share * box["width"], box["y"] + share * box["height"]

        widget.drag(point(0.25), point(0.5))
        expect(widget.root.get_by_role("heading", name=re.compile("Inside the box"))).to_be_visible()
        assert order(widget) == sorted_units(INSIDE)
        widget.page.wait_for_function("model.saved.length > 0")
        assert [list(entry) for entry in widget.saved] == [["box"]], "one write, after the gesture"
        left, top, right, bottom = widget.saved[0]["box"]
        assert (left, top) == (12, 12)
        assert 23 <= right <= 25
        assert 23 <= bottom <= 25
        # Taken by its middle it moves, by its corner it grows.
        widget.drag(point(0.375), point(0.5))
        widget.page.wait_for_function("model.saved.length > 1")
        moved = widget.saved[1]["box"]
        assert (moved[2] - moved[0], moved[3] - moved[1]) == (right - left, bottom - top)
        assert moved[0] > left
        corner = (box["x"] + moved[2] / 48 * box["width"], box["y"] + moved[3] / 48 * box["height"])
        widget.drag(corner, point(1.3))
        widget.page.wait_for_function("model.saved.length > 2")
        assert widget.saved[2]["box"] == [moved[0], moved[1], 48, 48]
        area.press("Escape")
        expect(widget.root.get_by_text("Drag a box to ask")).to_be_visible()
        area.press("Enter")
        expect(area).to_have_attribute("aria-label", re.compile(r"^Box 16 by 16 pixels at column 16, row 16"))
        # A click beside it takes it away.
        widget.page.mouse.click(*point(0.05))
        expect(widget.root.get_by_text("Drag a box to ask")).to_be_visible()
        assert order(widget) == sorted_units(RELEVANCE)

    def test_while_dragging_one_question_is_under_way(self, browse: Open) -> None:
        widget = browse()
        widget.page.evaluate("window.delay = 60")
        area = widget.root.locator(".xw-box-layer").bounding_box()
        assert area is not None
        start = (area["x"] + 5, area["y"] + 5)
        widget.drag(start, (start[0] + 150, start[1] + 150), steps=40)
        widget.rest()
        assert widget.page.evaluate("window.most.region") == 1, "asked again only when the last one is answered"
        regions = [message for message in widget.sent if message.get("want", {}).get("kind") == "region"]
        boxes = [message["want"]["box"] for message in regions]
        assert 2 <= len(boxes) <= 30
        assert boxes[-1] == widget.page.evaluate("model.state.box")
        expect(widget.root.locator("[data-region]")).to_have_attribute("data-region", ",".join(map(str, boxes[-1])))

    def test_keys_go_through_the_list(self, browse: Open) -> None:
        widget = browse()
        rows(widget).first.focus()
        widget.page.keyboard.press("ArrowDown")
        expect(rows(widget).nth(1)).to_be_focused()
        expect(rows(widget).nth(1)).to_have_attribute("aria-selected", "true")
        widget.page.keyboard.press("End")
        expect(rows(widget).nth(UNITS - 1)).to_have_attribute("aria-selected", "true")
        widget.page.wait_for_function(f"model.state.concept === {sorted_units(RELEVANCE)[-1]}")


class TestConcept:
    def test_references_cropped_whole_faded_and_plain(self, browse: Open) -> None:
        widget = browse()
        grid = widget.root.get_by_role("group", name="Reference images")
        expect(grid.locator("canvas")).to_have_count(8)
        part = grid.locator(".xw-reference-part").first

        def corner() -> list[int]:
            widget.settle()
            return part.locator("canvas").evaluate("c => [...c.getContext('2d').getImageData(1, 1, 1, 1).data]")

        faded = corner()
        widget.root.get_by_role("radio", name="Plain").click()
        plain = corner()
        assert sum(faded[:3]) < 0.6 * sum(plain[:3]), "dark where the concept is not"
        widget.root.get_by_role("radio", name="Heatmap").click()
        assert corner() != plain
        expect(grid.locator(".xw-reference").first).to_contain_text("ring")
        widget.root.get_by_role("checkbox", name="Crop").uncheck()
        widget.page.wait_for_function("model.saved.some(s => s.crop === false)")

    def test_names_are_text_never_markup(self, browse: Open) -> None:
        label = {"layer": "conv1", "concept": 4, "name": "<b>bold</b>", "note": "<script>1</script>"}
        widget = browse(traits={"labels": [label], "title": "<i>t</i>"})
        expect(widget.root.get_by_role("button", name="Go down to <b>bold</b>")).to_be_visible()
        box = widget.root.get_by_role("combobox", name="Class")
        box.click()
        box.fill("onerror")
        expect(widget.root.get_by_role("listbox", name="Class").get_by_role("option")).to_have_text(
            "<img src=x onerror=alert(1)>"
        )
        assert widget.root.locator("img, script, h2 i, .xw-node b").count() == 0
        box.press("Escape")
        search = widget.root.get_by_role("combobox", name="Search")
        search.fill("script")
        search.press("Enter")
        expect(widget.root.get_by_role("textbox", name=re.compile("^Name"))).to_have_value("<b>bold</b>")

    def test_walk_by_keyboard(self, browse: Open) -> None:
        widget = browse()
        down = widget.root.get_by_role("button", name=re.compile("^Go down to channel 4"))
        down.focus()
        widget.page.keyboard.press("Enter")
        expect(widget.root.get_by_role("region", name="Concept", exact=True)).to_have_attribute("data-layer", "conv1")
        trail = widget.root.get_by_role("navigation", name="Way down")
        expect(trail).to_contain_text("star")
        expect(trail).to_contain_text("channel 2 conv2")
        trail.get_by_role("button", name="Up").press("Enter")
        expect(widget.root.get_by_role("region", name="Concept", exact=True)).to_have_attribute("data-layer", "conv2")


class TestTrouble:
    def test_no_index_says_what_to_do(self, browse: Open) -> None:
        widget = browse(traits={"layer": "head", "index_info": None})
        note = widget.root.get_by_role("note")
        expect(note).to_contain_text("No reference index")
        expect(note).to_contain_text("ReferenceIndex.build(crp, dataset")
        other = browse(traits={"layer": "head"})
        expect(other.root.get_by_role("note")).to_contain_text("does not cover head")

    def test_an_index_without_images_shows_samples(self, browse: Open) -> None:
        widget = browse(traits={"index_info": {"samples": 9, "pictures": False}})
        expect(widget.root.get_by_text("The index holds no images")).to_be_visible()

    def test_an_error_is_text_and_the_picture_stays(self, browse: Open) -> None:
        widget = browse()
        before = order(widget)
        widget.update(status={"state": "error", "message": "out of <b>memory</b>", "hint": "take fewer"})
        expect(widget.root.get_by_role("alert")).to_contain_text("out of <b>memory</b>")
        assert order(widget) == before
        widget.root.get_by_role("button", name="Dismiss").click()
        expect(widget.root.get_by_role("alert")).to_have_count(0)

    def test_stop_and_go_on(self, browse: Open) -> None:
        widget = browse(only=lambda content: content["type"] != "tiles")
        widget.page.wait_for_function("model.sent.some(m => m.want?.kind === 'tiles')")
        widget.update(status={"state": "running", "done": 3, "total": 14, "unit": "concepts pictured"})
        expect(widget.root.get_by_text("3 of 14 concepts pictured")).to_be_visible()
        expect(widget.root.locator(".xw-thumb[data-state=coming]").first).to_be_attached()
        widget.root.get_by_role("button", name="Stop").click()
        assert widget.sent[-1] == {"type": "stop"}
        widget.update(status={"state": "stopped", "done": 3, "total": 14, "unit": "concepts pictured"})
        expect(widget.root.locator(".xw-thumb[data-state=coming]")).to_have_count(0)
        asked = len(widget.sent)
        widget.root.get_by_role("button", name="Go on").click()
        widget.page.wait_for_function(f"model.sent.slice({asked}).some(m => m.want?.kind === 'tiles')")

    def test_a_kernel_that_never_answers(self, browse: Open) -> None:
        widget = browse(respond=False)
        assert [message["type"] for message in widget.sent] == ["ready"]
        expect(widget.root.get_by_text("no picture was saved")).to_be_visible()
        expect(widget.root.get_by_text("not saved here: it needs a kernel").first).to_be_visible()

    def test_damaged_messages_change_nothing(self, browse: Open) -> None:
        widget = browse()
        before = order(widget)
        want = {"kind": "ranking", "image": 0, "target": None, "against": None, "layer": "conv2"}
        widget.receive({"content": {"type": "ranking", "want": want, "units": 99}, "buffers": ["AAAA", "AAAA"]})
        widget.receive({"content": {"type": "from the future"}, "buffers": []})
        assert order(widget) == before
        assert len(widget.errors) == 1
        assert "a message could not be read" in widget.errors.pop()

    def test_removing_the_view_and_the_model_frees_them(self, browse: Open) -> None:
        widget = browse()
        widget.page.evaluate("disposeView()")
        expect(widget.page.locator(".xw")).to_have_count(0)
        widget.page.evaluate("disposeModel()")
        assert widget.page.evaluate("model.listenerCount") == 0


class TestFiles:
    def test_png_and_svg(self, browse: Open, tmp_path: Path) -> None:
        widget = browse()
        with Image.open(save(widget.root, "PNG", tmp_path)) as image:
            assert image.width > 1500
        root = ElementTree.parse(save(widget.root, "SVG", tmp_path)).getroot()
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts[0] == "Concepts of a stand-in"
        assert "star, 93 %" in texts
        assert "RelMax references" in texts
        assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 10

    def test_html_without_kernel_shows_what_was_seen(self, browse: Open, tmp_path: Path) -> None:
        code = {"_esm": (STATIC / "concepts.js").read_text(), "_css": (STATIC / "concepts.css").read_text()}
        widget = browse(traits=code)
        rows(widget).nth(1).click()
        expect(rows(widget).nth(1)).to_have_attribute("aria-selected", "true")
        widget.rest()
        path = self.offline(widget, tmp_path)
        page = widget.page.context.new_page()
        page.context.set_offline(True)
        page.goto(path.as_uri())
        saved = StandIn(page)
        expect(rows(saved)).to_have_count(UNITS)
        assert order(saved) == sorted_units(RELEVANCE)
        expect(rows(saved).nth(1)).to_have_attribute("aria-selected", "true")
        expect(saved.root.locator(".xw-reference canvas")).to_have_count(8)
        rows(saved).first.click()
        expect(saved.root.get_by_role("region", name="Concept", exact=True)).to_have_attribute("data-concept", "2")
        expect(saved.root.locator(".xw-own .xw-frame")).to_have_attribute("data-stale", "false")
        # What was not seen says so.
        rows(saved).nth(5).click()
        expect(saved.root.locator(".xw-own")).to_contain_text("not saved here: it needs a kernel")
        expect(saved.root.get_by_text("following a concept needs a kernel")).to_be_visible()
        expect(saved.root.get_by_role("textbox", name=re.compile("^Name"))).to_have_attribute("readonly", "")
        saved.root.get_by_role("radio", name="Activation").click()
        assert order(saved) == sorted_units(RELEVANCE[::-1])

    def offline(self, widget: StandIn, folder: Path) -> Path:
        """Saves as HTML while no kernel answers."""
        widget.page.evaluate("() => { model.respond = () => undefined; }")
        widget.root.get_by_role("button", name="Save").click()
        with widget.page.expect_download(timeout=25_000) as waiting:
            widget.root.get_by_role("menuitem", name="HTML").first.click()
        target = folder / waiting.value.suggested_filename
        waiting.value.save_as(target)
        return target


class TestLook:
    @pytest.mark.parametrize("width", [420, 600, 860, 1100, 1600])
    def test_nothing_is_cut_off(self, browse: Open, width: int) -> None:
        widget = browse(width=width, traits={"box": [8, 8, 30, 30]})
        expect(widget.root.locator(".xw-reference canvas")).to_have_count(8)
        widget.settle()
        assert widget.page.evaluate(CUT_OFF) == []
        assert widget.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_dark(self, browse: Open) -> None:
        widget = browse(dark=True)
        expect(widget.root).to_have_attribute("data-xw-theme", "dark")

    def test_every_control_has_a_name(self, browse: Open) -> None:
        widget = browse(traits={"trail": [["conv1", 2]]})
        nameless = widget.page.evaluate(
            """() => [...document.querySelectorAll(".xw :is(button, input, select, textarea, [role=option], [role=application])")]
                .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length))
                .map((e) => e.outerHTML)"""
        )
        assert nameless == []


class TestSavedNotebook:
    def test_a_notebook_without_its_kernel_shows_what_it_showed(
        self, chromium: Browser, browse: Open, cnn: ImageModel, x: Tensor, tmp_path: Path
    ) -> None:
        crp, data = CRP(cnn), Shapes(24)
        index = ReferenceIndex.build(crp, data, tmp_path / "index", layers=["features.conv6"], progress=False)
        made = ConceptBrowser(crp, x, index=index, dataset=data)
        assert made.wait(60)
        until(lambda: len(made.snapshot) > 0)
        traits = {name: made.get_state(name)[name] for name in made.keys if not name.startswith("_")}
        traits |= {"snapshot": base64.b64encode(made.snapshot).decode(), "layout": None}
        concept = made.selection["concept"]
        made.close()
        widget = browse(traits=traits, respond=False)
        expect(widget.root.locator(".xw-reference canvas")).to_have_count(8)
        expect(rows(widget)).to_have_count(20)
        expect(rows(widget).first.locator("canvas").first).to_be_visible()
        expect(widget.root.get_by_role("region", name="Concept", exact=True)).to_have_attribute(
            "data-concept", str(concept)
        )
        expect(widget.root.locator(".xw-own .xw-frame")).to_have_attribute("data-stale", "false")
        expect(widget.root.locator(".xw-node")).not_to_have_count(0)
        expect(widget.root.get_by_text("Kernel not connected: showing the saved picture")).to_be_visible()
        rows(widget).nth(3).click()
        expect(widget.root.locator(".xw-own")).to_contain_text("not saved here: it needs a kernel")
