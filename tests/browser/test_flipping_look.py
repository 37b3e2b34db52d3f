"""The flipping viewer in a real browser without a kernel: saved pages, themes, widths, names, keys, the saved notebook."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from xaiwidgets import FlippingViewer, GradientXInput, ImageModel, load
from xaiwidgets.demo import Shapes

from .standin import STATIC
from .still import still
from .test_heatmap_look import CUT_OFF

pytestmark = pytest.mark.browser
METHODS = ("gradient × input", "noise", "the object mask, as drawn", "edges", "<b>bold</b>", "sixth")
Open = Callable[..., Page]

PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="flipping.css">
<style>body { margin: 8px; font-family: sans-serif; }</style><div id="widget"></div>
<script type="module">
import widget, { StandInModel } from "./flipping.js";
window.start = (state) => {
  window.model = new StandInModel(state);
  const instance = widget();
  window.disposeModel = instance.initialize({ model });
  window.disposeView = instance.render({ model, el: document.getElementById("widget") });
};
window.loaded = true;
</script>"""


@pytest.fixture(scope="module")
def viewer(cnn: ImageModel) -> Iterator[FlippingViewer]:
    """Six methods on four images, computed."""
    batch = Shapes(4).batch(range(4))
    torch.manual_seed(0)
    maps = {name: torch.rand(4, 64, 64) for name in METHODS}
    maps["the object mask, as drawn"] = batch.masks.float()
    explanations: dict[str, Any] = {**maps, "gradient × input": GradientXInput(cnn)}
    made = FlippingViewer(cnn, batch.x, explanations, perturb="mean", step=3, title="A <i>title</i>")
    assert made.wait(120)
    yield made
    made.close()


@pytest.fixture(scope="module")
def saved(viewer: FlippingViewer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return viewer.save(tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    contexts = []
    problems: list[str] = []

    def start(url: str, width: int = 1300, dark: bool = False) -> Page:
        scheme: Any = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(url)
        expect(page.locator(".xw-chart .xw-curve").first).to_be_attached()
        return page

    yield start
    for context in contexts:
        context.close()
    assert problems == []


@pytest.mark.parametrize("width", [400, 600, 1100, 1600])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_or_overlaps(saved: Path, open_page: Open, width: int, dark: bool) -> None:
    page = open_page(saved.as_uri(), width, dark)
    expect(page.locator(".xw-flipping")).to_have_attribute("data-xw-theme", "dark" if dark else "light")
    # The table may be scrolled sideways where it is narrow; all else fits.
    cut = [what for what in page.evaluate(CUT_OFF) if "checkbox" not in what and "Area under" not in what]
    assert [what for what in cut if "LeRF area" not in what and "equal, whose" not in what] == []
    overlapping = page.evaluate(
        """() => {
            const boxes = [...document.querySelectorAll(".xw-flip-pictures .xw-pane, .xw-curves, .xw-table-frame, .xw-footer")]
                .map((e) => e.getBoundingClientRect());
            let found = 0;
            boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
                if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found++;
            }));
            return found;
        }"""
    )
    assert overlapping == 0


def test_user_text_is_text(saved: Path, open_page: Open) -> None:
    page = open_page(saved.as_uri())
    expect(page.get_by_role("heading")).to_have_text("A <i>title</i>")
    expect(page.get_by_role("button", name="<b>bold</b>")).to_be_visible()
    expect(page.locator(".xw-flipping :is(h2 i, .xw-chip b)")).to_have_count(0)


def test_methods_are_told_apart_without_colour(saved: Path, open_page: Open) -> None:
    page = open_page(saved.as_uri())
    looks = page.evaluate(
        """() => [...document.querySelectorAll(".xw-legend .xw-swatch")].map((swatch) => [
            swatch.querySelector("line").getAttribute("stroke-dasharray"), swatch.querySelector("path").getAttribute("d")].join())"""
    )
    assert len(looks) == 7
    assert len(set(looks)) == 7


@pytest.mark.parametrize("dark", [False, True])
def test_lines_stand_out_from_the_ground(saved: Path, open_page: Open, dark: bool) -> None:
    """Three to one against the ground, as WCAG asks of figures."""
    page = open_page(saved.as_uri(), dark=dark)
    colours = page.evaluate(
        """() => [...document.querySelectorAll(".xw-legend .xw-swatch line")].map((line) => getComputedStyle(line).stroke)
            .concat(getComputedStyle(document.querySelector(".xw-flipping")).backgroundColor)"""
    )

    def luminance(text: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", text)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ground = luminance(colours[-1])
    for colour in colours[:-1]:
        light, deep = max(luminance(colour), ground), min(luminance(colour), ground)
        assert (light + 0.05) / (deep + 0.05) >= 3, colour


def test_every_control_has_a_name_and_is_reached_by_tab(saved: Path, open_page: Open) -> None:
    page = open_page(saved.as_uri())
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(".xw-flipping :is(button, input, select, [role=application])")]
            .filter((e) => !(e.getAttribute("aria-label") || e.innerText?.trim() || e.labels?.length || e.getAttribute("aria-labelledby")))
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    page.locator("body").click(position={"x": 2, "y": 2})
    reached = set()
    for _ in range(45):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.getAttribute('aria-roledescription') ?? document.activeElement.tagName"
            )
        )
    assert {"curves", "picture", "INPUT", "BUTTON"} <= reached


def test_keys_go_through_steps_methods_and_patches(saved: Path, open_page: Open) -> None:
    page = open_page(saved.as_uri())
    slider = page.get_by_role("slider", name="Step")
    page.locator(".xw-chart").first.focus()
    for key, step in (("Home", 0), ("ArrowRight", 1), ("End", 9), ("ArrowLeft", 8)):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"^step {step} of 9"))
    expect(page.locator("[data-pane='heat'] .xw-caption")).to_contain_text("gradient")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-pane='heat'] .xw-caption")).to_contain_text("noise")
    expect(page.locator("p[aria-live='polite']")).to_have_text(re.compile("step 8 of 9.*noise MoRF .* LeRF"))
    page.locator("[data-pane='heat'] .xw-frame").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    page.locator(".xw-chart").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^step 2 of 9"))
    page.keyboard.press(" ")


def state_of(viewer: FlippingViewer, **more: Any) -> dict[str, Any]:
    left_out = ("layout", "tabbable", "tooltip")
    state = {name: getattr(viewer, name) for name in viewer.keys if not name.startswith("_") and name not in left_out}
    return {**state, "snapshot": base64.b64encode(viewer.snapshot).decode(), **more}


@pytest.fixture
def standing(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A page on a stand-in model that answers nothing, as in a notebook opened without its kernel."""
    contexts = []

    def start(state: dict[str, Any]) -> Page:
        context = chromium.new_context(viewport={"width": 1300, "height": 1000}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()

        def serve(route: Any) -> None:
            name = route.request.url.rsplit("/", 1)[-1]
            if name == "page.html":
                route.fulfill(body=PAGE, content_type="text/html")
            elif (STATIC / name).is_file():
                kind = "text/css" if name.endswith("css") else "text/javascript"
                route.fulfill(path=STATIC / name, content_type=kind)
            else:
                route.fulfill(status=204)

        page.route("http://standin.test/**", serve)
        page.goto("http://standin.test/page.html")
        page.wait_for_function("window.loaded === true")
        json.dumps(state)
        page.evaluate("(state) => start(state)", state)
        return page

    yield start
    for context in contexts:
        context.close()


def test_a_saved_notebook_shows_its_curves_and_stays_usable(
    viewer: FlippingViewer, standing: Callable[..., Page], tmp_path: Path
) -> None:
    viewer.snapshot = viewer._snapshot()
    page = standing(state_of(viewer, scope="mean"))
    expect(page.locator(".xw-chart .xw-line")).to_have_count(14)
    expect(page.get_by_text("Kernel not connected: showing the saved picture")).to_be_visible()
    expect(page.get_by_role("combobox", name="Hide with")).to_be_disabled()
    frame = page.locator("[data-pane='morf'] canvas")
    expect(frame).to_have_attribute("data-shown", "0/3")
    # A step whose frame was not saved: its flipped patches are hatched, and that is said.
    page.get_by_role("slider", name="Step").fill("5")
    expect(page.get_by_text("flipped patches are hatched").first).to_be_visible()
    expect(frame).to_have_attribute("data-shown", "")
    page.get_by_role("button", name="Save").click()
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name="CSV").click()
    waiting.value.save_as(tmp_path / "curves.csv")
    assert len((tmp_path / "curves.csv").read_text().splitlines()) == 1 + (6 * 2 + 3) * 10
    assert page.evaluate("model.sent.map((m) => m.type)") == ["ready"]


def test_a_view_that_goes_away_leaves_nothing(viewer: FlippingViewer, standing: Callable[..., Page]) -> None:
    page = standing(state_of(viewer))
    page.evaluate("disposeView()")
    assert page.evaluate("document.querySelectorAll('.xw').length") == 0
    page.evaluate("disposeModel()")
    assert page.evaluate("model.listenerCount") == 0


def test_nothing_saved_is_said(viewer: FlippingViewer, standing: Callable[..., Page]) -> None:
    page = standing(
        state_of(viewer, snapshot="", status={"state": "running", "done": 3, "total": 90, "unit": "frames"})
    )
    expect(page.get_by_text("waiting for the first points")).to_be_visible()
    expect(page.get_by_text("no curves were saved here")).to_be_visible()
    expect(page.locator(".xw-progress-text")).to_contain_text("stopped")


def test_python_errors_are_shown_as_text_and_dismissed(viewer: FlippingViewer, standing: Callable[..., Page]) -> None:
    status = {"state": "error", "message": "'<i>mine</i>' gave a heatmap with NaN", "hint": "ValueError in results.py"}
    page = standing(state_of(viewer, status=status))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("'<i>mine</i>' gave a heatmap with NaN")
    expect(alert.locator("i")).to_have_count(0)
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)


@pytest.mark.parametrize("size", [(48, 80), (50, 34)])
def test_other_shapes_keep_their_proportions(size: tuple[int, int], open_page: Open, tmp_path: Path) -> None:
    model = load("demo:shapes-cnn")
    x = torch.nn.functional.interpolate(Shapes(1).batch([0]).x, size=size)
    viewer = FlippingViewer(model, x, {"a": x.abs().sum(1)}, patch=11, perturb="gray", order="lerf", step=1)
    assert viewer.wait(120)
    page = open_page(viewer.save(tmp_path / "page.html").as_uri())
    viewer.close()
    for pane in ("heat", "lerf"):
        box = page.locator(f"[data-pane='{pane}'] canvas").bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(size[1] / size[0], abs=0.02)
    still(page)
    expect(page.locator("[data-pane='lerf'] canvas")).to_have_attribute("data-shown", "0/1")


def test_curves_end_where_all_is_grey_and_say_so(viewer: FlippingViewer, standing: Callable[..., Page]) -> None:
    viewer.snapshot = viewer._snapshot()
    page = standing(state_of(viewer))
    expect(page.locator(".xw-all-grey")).to_have_count(2)
    ends = page.evaluate(
        """() => [...document.querySelectorAll(".xw-panel-chart")].map((panel) => {
            const grey = panel.querySelector(".xw-all-grey line").getBoundingClientRect().x;
            const last = (path) => { const at = path.getPointAtLength(path.getTotalLength());
                return at.x + path.ownerSVGElement.getBoundingClientRect().x; };
            const hundred = [...panel.querySelectorAll(".xw-axes > text")].find((t) => t.textContent === "100 %");
            const box = hundred.getBoundingClientRect();
            return [panel.querySelector(".xw-all-grey text").textContent, grey, box.x + box.width / 2,
                [...panel.querySelectorAll(".xw-curve")].map(last)];
        })"""
    )
    assert len(ends) == 2
    for said, grey, hundred, lasts in ends:
        assert said == "all grey"
        assert 6 < grey - hundred < 20
        assert lasts == [pytest.approx(grey, abs=1)] * len(lasts)


def test_frames_of_patches_have_a_legend(viewer: FlippingViewer, standing: Callable[..., Page]) -> None:
    viewer.snapshot = viewer._snapshot()
    page = standing(state_of(viewer))
    key = page.locator(".xw-frame-key")
    expect(key).to_have_text("hidden by this step:most relevant firstleast relevant first")
    colours = key.locator("i").evaluate_all("all => all.map((i) => getComputedStyle(i).borderTopColor)")
    assert colours == ["rgb(255, 176, 0)", "rgb(76, 201, 255)"]
    near = """([pane, rgb]) => {
        const c = document.querySelector(`[data-pane="${pane}"] canvas`), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        let n = 0;
        for (let i = 0; i < d.length; i += 4) n += rgb.every((v, k) => Math.abs(d[i + k] - v) < 12);
        return n;
    }"""
    assert page.evaluate(near, ["morf", [255, 176, 0]]) > 100
    assert page.evaluate(near, ["morf", [76, 201, 255]]) == 0
    assert page.evaluate(near, ["lerf", [76, 201, 255]]) > 100


@pytest.mark.parametrize("width", [700, 1300])
def test_tooltips_do_not_cover_what_they_read(
    viewer: FlippingViewer, standing: Callable[..., Page], width: int
) -> None:
    viewer.snapshot = viewer._snapshot()
    page = standing(state_of(viewer))
    page.set_viewport_size({"width": width, "height": 1000})
    still(page)
    covered = """() => {
        const tip = document.querySelector(".xw-reading").getBoundingClientRect();
        const points = [...document.querySelectorAll(".xw-panel-chart:has(.xw-reading) .xw-cursor circle")];
        return points.filter((p) => { const b = p.getBoundingClientRect();
            return b.right > tip.left && b.left < tip.right && b.bottom > tip.top && b.top < tip.bottom; }).length;
    }"""
    for panel in range(2):
        chart = page.locator(".xw-chart").nth(panel)
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        assert box is not None
        for share in (0.15, 0.3, 0.6, 0.85):
            page.mouse.click(box["x"] + share * box["width"], box["y"] + 60)
            expect(page.locator(".xw-reading")).to_be_visible()
            assert page.evaluate(covered) == 0, (panel, share)
    # A press near the line of chance puts that on screen, which has no heatmap.
    page.locator(".xw-chip").first.click()
    frame = page.locator("[data-pane='heat'] .xw-frame")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    for u, v in ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9), (0.9, 0.9)):
        page.mouse.move(box["x"] + u * box["width"], box["y"] + v * box["height"])
        tip = page.locator(".xw-patch-reading").bounding_box()
        widget = page.locator(".xw-flipping").bounding_box()
        assert tip is not None
        assert widget is not None
        assert tip["y"] >= box["y"] + box["height"], "below the picture"
        assert tip["x"] >= widget["x"] - 1
        assert tip["x"] + tip["width"] <= widget["x"] + widget["width"] + 1


def test_curves_that_say_little_are_said(viewer: FlippingViewer, standing: Callable[..., Page]) -> None:
    viewer.snapshot = viewer._snapshot()
    page = standing(state_of(viewer))
    line = page.locator(".xw-sentence")
    expect(line).to_contain_text("The sooner the score falls with the most relevant first, the better the heatmap.")
    expect(line).to_have_attribute("data-caution", "false")
