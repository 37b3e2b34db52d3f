"""From the output to the pixels: what is drawn at every layer, against the arrays; and what dragging and playing cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.guards import JS
from xaiwidgets import LRP, HeatmapOverlay, load
from xaiwidgets.demo import Shapes
from xaiwidgets.lrp import LayerMaps
from xaiwidgets.plots.overlays import Look, Pane, composed
from xaiwidgets.widgets.heatmap.depth import upsampled

from .files import save
from .real import _content, open_real
from .standin import StandIn
from .test_every_widget import AXE
from .test_heatmap_layout import CONTRAST

pytestmark = pytest.mark.browser
SIDE = 64
# From the top of the page: a picture in one column sticks to the window.
MOVED = """() => (scrollTo(0, 0), Object.fromEntries(
    [...document.querySelectorAll(".xw :is(button, select, input, canvas, summary, [role=radiogroup], .xw-colorbar)")]
    .filter((e) => e.checkVisibility() && !e.closest(".xw-layer-chip"))
    .map((e, i) => [i, (({x, y, width, height}) => [x, y, width, height])(e.getBoundingClientRect())])))"""


@dataclass(frozen=True)
class Known:
    """What Python says: a page's content with every layer, the same without, and the arrays themselves."""

    content: dict[str, Any]
    ordinary: dict[str, Any]
    found: LayerMaps
    pixels: torch.Tensor

    def drawn(self, name: str, scale: float | None = None) -> np.ndarray:
        """The colours at every pixel, (SIDE, SIDE, 3), as figures have them."""
        values = self.found.maps[name][0]
        end = float(values.abs().max()) if scale is None else scale
        pane = Pane(name, self.pixels, upsampled(values, (SIDE, SIDE)), (-end, end), signed=True)
        return composed(pane, Look()) * 255


@pytest.fixture(scope="module")
def known() -> Known:
    model = load("demo:shapes-cnn")
    x = torch.stack([Shapes(2)[i][0] for i in range(2)])
    content = _content(HeatmapOverlay(LRP(model), x, depth="features.conv3"))
    content["state"]["depth"] = None
    ordinary = {**content, "messages": [m for m in content["messages"] if m["content"]["type"] != "layers"]}
    return Known(content, ordinary, LRP(model).depth(x[:1]), model.pixels(x)[0])


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def new(width: int = 1400, height: int = 800, still: bool = False, dark: bool = False) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce" if still else "no-preference",
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        return context.new_page()

    yield new
    for context in contexts:
        context.close()


def canvas(widget: StandIn) -> np.ndarray:
    """What is drawn at the middle of every pixel of the picture, (SIDE, SIDE, 3)."""
    widget.settle()
    script = """(side) => {
        const c = document.querySelector(".xw-frame canvas");
        const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
        const at = (i, n) => Math.floor(((i + 0.5) * n) / side);
        const out = [];
        for (let y = 0; y < side; y++) for (let x = 0; x < side; x++)
            for (let k = 0; k < 3; k++) out.push(data[4 * (at(y, c.height) * c.width + at(x, c.width)) + k]);
        return out;
    }"""
    return np.array(widget.page.evaluate(script, SIDE), float).reshape(SIDE, SIDE, 3)


def assert_alike(seen: np.ndarray, drawn: np.ndarray, said: str = "") -> None:
    """But for the rounding of opacities to bytes, and values at the border between two of the 256 steps of colour: the first step above
    zero is nine levels."""
    apart = np.abs(seen - drawn)
    assert apart.mean() <= 1, said
    assert np.quantile(apart, 0.99) <= 4, said
    assert apart.max() <= 9, said


def slider(widget: StandIn) -> Locator:
    return widget.root.get_by_role("slider", name="Depth")


def messages(widget: StandIn) -> tuple[int, int]:
    return len(widget.sent), len(widget.saved)


def test_every_layer_is_drawn_as_the_arrays_say(known: Known, open_page: Callable[..., Page]) -> None:
    widget = open_real(open_page(), "heatmap", known.content)
    ordinary = canvas(widget)
    names = known.found.names
    slider(widget).focus()
    widget.page.keyboard.press("Home")
    for i, name in enumerate(names):
        expect(slider(widget)).to_have_attribute(
            "aria-valuetext", re.compile(f"^{'pixels' if name == 'input' else name}, ")
        )
        seen = canvas(widget)
        assert_alike(seen, known.drawn(name), name)
        nearest = min(names, key=lambda other: np.abs(seen - known.drawn(other)).mean())
        assert nearest == name or np.allclose(known.drawn(nearest), known.drawn(name), atol=3), (
            "no other layer's picture"
        )
        if name == "input":
            assert np.array_equal(seen, ordinary), "the ordinary heatmap, exactly"
        else:
            height, width = known.found.maps[name].shape[1:]
            share = float(known.found.pictured[0, i])  # type: ignore[index]
            chip = widget.root.locator(".xw-layer-chip")
            expect(chip).to_have_text(f"{name} · {height} × {width} · {share:.0%}".replace("%", " %"))
        widget.page.keyboard.press("ArrowRight")
    expect(widget.root.locator(".xw-layer-chip")).to_have_count(0)
    assert widget.errors == []


def test_on_one_scale_a_colour_is_relevance_for_an_area(known: Known, open_page: Callable[..., Page]) -> None:
    widget = open_real(open_page(), "heatmap", known.content, depth="features.conv3", depth_scale="total")
    end = float(known.found.heatmap[0].abs().max())
    assert_alike(canvas(widget), known.drawn("features.conv3", 4 * end), "four pixels a cell")
    expect(widget.root.locator(".xw-sentence").first).to_contain_text("equal relevance for equal areas")
    widget.update(depth=None)
    assert_alike(canvas(widget), known.drawn("input"), "the pixels on the scale that they have")


def test_dragging_says_nothing_until_it_ends(known: Known, open_page: Callable[..., Page]) -> None:
    widget = open_real(open_page(), "heatmap", known.content)
    before = messages(widget)
    box = slider(widget).bounding_box()
    assert box is not None
    mouse, middle = widget.page.mouse, box["y"] + box["height"] / 2
    widget.page.evaluate("performance.clearMeasures()")
    mouse.move(box["x"] + box["width"] - 7, middle)
    mouse.down()
    shown = []
    for i in range(1, 41):
        mouse.move(box["x"] + box["width"] - 7 - i / 40 * (box["width"] - 14), middle)
        widget.settle()
        shown.append(slider(widget).get_attribute("aria-valuetext"))
    assert len(set(shown)) == len(known.found.names), "every layer on the way"
    widget.page.wait_for_timeout(700)
    assert messages(widget) == before
    assert_alike(canvas(widget), known.drawn(known.found.names[0]))
    mouse.up()
    widget.page.wait_for_function("model.saved.length > 0")
    assert widget.saved == [{"depth": known.found.names[0]}]
    assert len(widget.sent) == before[0], "the layers were there"
    draws = sorted(entry["work"] for entry in widget.measures())
    assert len(draws) >= len(known.found.names) - 1
    assert draws[len(draws) // 2] < 16, "a frame"


def test_playing_goes_all_the_way_and_is_told_once(known: Known, open_page: Callable[..., Page]) -> None:
    widget = open_real(open_page(), "heatmap", known.content)
    widget.page.evaluate(
        """() => { window.seen = []; const chip = () => document.querySelector(".xw-layer-chip")?.textContent ?? "pixels";
            new MutationObserver(() => seen.at(-1) === chip() || seen.push(chip()))
            .observe(document.querySelector(".xw"), { subtree: true, childList: true, characterData: true }); }"""
    )
    widget.root.get_by_role("button", name=re.compile("^Play the way")).click()
    expect(widget.root.get_by_role("button", name="Pause")).to_be_visible()
    expect(widget.root.get_by_role("button", name=re.compile("^Play the way"))).to_be_visible()
    seen = [text.split(" · ")[0] for text in widget.page.evaluate("seen")]
    assert seen == [*known.found.names[:-1], "pixels"]
    widget.page.wait_for_timeout(500)
    assert widget.saved == [], "it ended where it began"
    widget.root.get_by_role("button", name=re.compile("^Play the way")).click()
    # In the page itself, so that it does not end before the click, however slow the machine.
    widget.page.wait_for_function(
        """() => {
            const { valueAsNumber: place, max } = document.querySelector(".xw-depth input[type=range]");
            const pause = document.querySelector(".xw-play[aria-label=Pause]");
            if (!pause || place < 1 || place >= Number(max)) return false;
            pause.click();
            return true;
        }""",
        polling="raf",
    )
    widget.page.wait_for_function("model.saved.length > 0")
    assert len(widget.saved) == 1
    assert widget.saved[0]["depth"] in known.found.names[1:]


def test_with_little_movement_layers_change_slowly(known: Known, open_page: Callable[..., Page]) -> None:
    widget = open_real(open_page(still=True), "heatmap", known.content)
    play = widget.root.get_by_role("button", name=re.compile("^Play the way"))
    # By the page's own clock: a slow machine makes it later, never sooner.
    rested = play.evaluate(
        """async (play) => {
            const value = () => Number(document.querySelector(".xw-depth input[type=range]").value);
            const until = async (there) => { while (value() !== there) await new Promise((done) => setTimeout(done, 5)); };
            play.click();
            await until(0);
            const begin = performance.now();
            await until(1);
            return performance.now() - begin;
        }"""
    )
    assert rested > 1000


def test_layers_are_asked_for_when_somebody_reaches_for_them(known: Known, open_page: Callable[..., Page]) -> None:
    widget = open_real(open_page(), "heatmap", known.ordinary)
    [layers] = [m for m in known.content["messages"] if m["content"]["type"] == "layers"]
    line = widget.root.locator(".xw-depth-place")
    expect(line).to_have_text("press play, or drag left to the output")
    widget.root.get_by_role("button", name=re.compile("^Play the way")).click()
    expect(line).to_have_text("computing every layer…")
    slider(widget).press("ArrowLeft")
    asked = [message for message in widget.sent if message["type"] == "depth"]
    assert asked == [{"type": "depth", "image": 0, "method": "LRP", "target": None, "against": None, "parameters": {}}]
    expect(widget.root.locator(".xw-layer-chip")).to_have_count(0)
    widget.root.get_by_role("button", name=re.compile("^Play the way")).click()
    widget.receive(layers)
    expect(slider(widget)).to_have_value("0")
    expect(slider(widget)).to_have_value("2")
    assert widget.errors == []


@pytest.mark.parametrize("width", [640, 1000, 1400])
def test_nothing_moves_on_the_way(known: Known, open_page: Callable[..., Page], width: int) -> None:
    widget = open_real(open_page(width), "heatmap", known.ordinary)
    before = widget.page.evaluate(MOVED)
    [layers] = [m for m in known.content["messages"] if m["content"]["type"] == "layers"]
    long = {"content": {**layers["content"]}, "buffers": layers["buffers"]}
    first, *others = layers["content"]["layers"]
    long["content"]["layers"] = [
        {**first, "name": "encoder.layers.encoder_layer_11.self_attention.out_proj" * 2},
        *others,
    ]
    slider(widget).press("ArrowLeft")
    places = [widget.page.evaluate(MOVED)]
    widget.receive(long)
    for key in ("Home", "ArrowRight", "End"):
        slider(widget).press(key)
        widget.settle()
        places.append(widget.page.evaluate(MOVED))
    for place in places:
        assert place.keys() == before.keys()
        assert max(abs(a - b) for k in before for a, b in zip(place[k], before[k], strict=True)) <= 2


@pytest.mark.parametrize("dark", [False, True])
def test_all_can_be_read_and_reached(known: Known, open_page: Callable[..., Page], dark: bool) -> None:
    widget = open_real(open_page(height=720, dark=dark), "heatmap", known.content, depth="features.conv3")
    for part in (slider(widget), widget.root.locator(".xw-play"), widget.root.get_by_role("button", name="Save")):
        expect(part).to_be_in_viewport(ratio=1)
    expect(widget.root.locator(".xw-frame")).to_be_in_viewport(ratio=1)
    assert widget.page.evaluate(CONTRAST) == []
    widget.page.add_script_tag(path=JS / "node_modules" / "axe-core" / "axe.min.js")
    assert widget.page.evaluate(AXE) == []
    widget.root.get_by_role("button", name="What is “Depth”?").click()
    expect(widget.root.get_by_role("note")).to_contain_text("Relevance flows from the output down to the pixels")
    expect(widget.root.get_by_role("note").get_by_role("link")).to_have_text("Bach et al. 2015")


def test_files_have_the_layer_that_is_on_screen(known: Known, open_page: Callable[..., Page], tmp_path: Path) -> None:
    widget = open_real(open_page(), "heatmap", known.content, depth="features.conv3")
    seen = canvas(widget)
    with Image.open(save(widget.root, "PNG", tmp_path)) as image:
        picture = np.asarray(image.convert("RGB")).astype(float)
    top = 2 * (16 + 14 + 8)
    area = picture[top : top + 720, 32 : 32 + 720]
    at = ((np.arange(SIDE) + 0.5) / SIDE * 720).astype(int)
    assert np.corrcoef(area[at][:, at].ravel(), seen.ravel())[0, 1] >= 0.98
    assert "Relevance at features.conv3 · 32 × 32" in save(widget.root, "SVG", tmp_path).read_text(encoding="utf-8")
    values = np.load(save(widget.root, ".npy", tmp_path))
    expected = upsampled(known.found.maps["features.conv3"][0], (SIDE, SIDE)).numpy()
    assert np.abs(values - expected).max() <= np.ptp(expected) / 1000


def test_a_saved_page_goes_all_the_way(known: Known, open_page: Callable[..., Page], tmp_path: Path) -> None:
    model = load("demo:shapes-cnn")
    x = torch.stack([Shapes(2)[i][0] for i in range(2)])
    w = HeatmapOverlay(LRP(model), x, depth="features.conv3")
    try:
        page = open_page()
        page.goto(w.save(tmp_path / "page.html").as_uri())
    finally:
        w.close()
    chip = page.locator(".xw-layer-chip")
    expect(chip).to_contain_text("features.conv3 · 32 × 32")
    way = page.get_by_role("slider", name="Depth")
    way.press("Home")
    expect(chip).to_contain_text(known.found.names[0])
    widget = StandIn(page)
    assert_alike(canvas(widget), known.drawn(known.found.names[0]))
    way.press("End")
    assert_alike(canvas(widget), known.drawn("input"))
    page.goto(_without_layers(tmp_path).as_uri())
    expect(page.get_by_role("slider", name="Depth")).to_be_disabled()
    expect(page.locator(".xw-depth-place")).to_have_text("the layers were not saved here")


def _without_layers(folder: Path) -> Path:
    plain = HeatmapOverlay(LRP(load("demo:shapes-cnn")), torch.stack([Shapes(2)[i][0] for i in range(2)]))
    try:
        return plain.save(folder / "plain.html")
    finally:
        plain.close()
