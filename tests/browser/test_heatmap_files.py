"""Saved pictures of the heatmap widget against what is on screen: the browser's own, and Python's."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page

from xaiwidgets import RELAX, HeatmapOverlay, ImageModel
from xaiwidgets.lrp import LRP
from xaiwidgets.plots.overlays import composed

from .files import save
from .standin import StandIn, known_maps, lrp_messages, lrp_state
from .still import REST, still

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]

VIEWS: dict[str, dict[str, Any]] = {
    "grey": {"method": "LRP"},
    "colour, zoomed": {"method": "LRP", "picture": "colour", "zoom": [2.0, 0.375, 0.625]},
    "alone, clipped": {"method": "LRP", "picture": "none", "clip": 95.0, "colormap": "purple_orange"},
    "cut": {"show": "u_relax", "threshold": 0.4, "colormap": "magma"},
    "faded, fixed": {"show": "u_relax", "filter_mode": "fade", "scale": "fixed", "fixed_range": [0.5, 1.0]},
}
SIDE = 64


def read(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def sized(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    return np.asarray(Image.fromarray(picture.astype(np.uint8)).resize((side, side), Image.Resampling.BOX)).astype(
        float
    )


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(sized(one).ravel(), sized(other).ravel())[0, 1])


def on_screen(page: Page) -> np.ndarray:
    page.mouse.move(1, 1)
    still(page)
    return read(page.locator(".xw-heatmap .xw-frame").first.screenshot())


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_python_draws_what_is_on_screen(
    chromium: Browser, cnn: ImageModel, x: torch.Tensor, tmp_path: Path, view: str
) -> None:
    explainers = {"RELAX": RELAX(cnn, n_masks=256), "LRP": LRP(cnn)}
    w = HeatmapOverlay(explainers, x, **VIEWS[view])
    try:
        path = w.save(tmp_path / "page.html")
        [pane] = w._panes()
        look = w._look()
    finally:
        w.close()
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(".xw-frame canvas")
    # The chip that says how far it is zoomed is no part of the map.
    page.add_style_tag(content=".xw-zoom-chip { display: none; }")
    screen = on_screen(page)
    context.close()
    drawn = 255 * composed(pane, look)
    left, top, size = (round(share * SIDE) for share in look.part)
    part = np.kron(drawn[top : top + size, left : left + size], np.ones((8, 8, 1)))
    assert alike(part, screen) >= 0.98
    assert np.abs(sized(part) - sized(screen)).mean() < 8, "the same colours, not only the same shapes"


@pytest.mark.parametrize("state", [{}, {"picture": "colour", "zoom": [2, 0.5, 0.5]}, {"overlay": "outlines"}])
def test_the_browsers_png_is_what_is_on_screen(standin: Start, tmp_path: Path, state: dict[str, Any]) -> None:
    widget = standin(state=lrp_state(title="", **state), messages=lrp_messages(), width=1000)
    widget.page.add_style_tag(content=".xw-zoom-chip { display: none; }")
    screen = on_screen(widget.page)
    svg = save(widget.root, "SVG", tmp_path).read_text(encoding="utf-8")
    found = re.search(r'href="data:image/png;base64,([^"]+)"', svg)
    assert found
    assert alike(read(base64.b64decode(found[1])), screen) >= 0.98
    assert read(save(widget.root, "PNG", tmp_path).read_bytes()).shape[1] == 2 * (360 + 32)


def test_a_saved_page_steps_only_to_what_it_holds(
    chromium: Browser, cnn: ImageModel, x: torch.Tensor, tmp_path: Path
) -> None:
    w = HeatmapOverlay({"LRP": LRP(cnn), "RELAX": RELAX(cnn, n_masks=128)}, x)
    try:
        assert w.wait(60)
        w.image = 1
        one, every = w.save(tmp_path / "one.html"), w.save(tmp_path / "all.html", images="all")
    finally:
        w.close()
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    # One image alone needs no choice.
    for path, count in ((one, 0), (every, 3)):
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector(".xw-frame canvas")
        assert page.get_by_role("listbox", name="Images").get_by_role("option").count() == count
        assert page.get_by_role("radio", name="RELAX").count() == 0, "a method that was not computed"
        assert re.search(r"saved \d{4}-\d\d-\d\d", page.locator(".xw-method").inner_text())
        page.get_by_role("combobox", name="Class").click()
        assert page.get_by_role("listbox", name="Class").get_by_role("option").count() == 1
        page.keyboard.press("Escape")
        for option in page.get_by_role("listbox", name="Images").get_by_role("option").all():
            option.click()
            still(page, REST)
            assert page.get_by_text("needs a kernel").count() == 0
    context.close()


def test_numbers_are_taken_along(standin: Start, tmp_path: Path) -> None:
    widget = standin()
    maps = {name: values.astype(np.float32) for name, values in known_maps().items()}
    array = np.load(save(widget.root, ".npy", tmp_path))
    assert array.dtype == np.dtype("<f4")
    assert np.array_equal(array, maps["importance"])
    path = save(widget.root, "CSV", tmp_path)
    assert path.read_text().splitlines()[0] == "row,column,importance,importance: standard error"
    rows = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float64)
    assert rows.shape == (224 * 224, 4)
    assert np.array_equal(rows[:, :2].astype(int), np.argwhere(np.ones((224, 224))))
    assert np.allclose(rows[:, 2].reshape(224, 224), maps["importance"], rtol=1e-6)
    assert np.allclose(rows[:, 3], maps["standard_error"].ravel(), rtol=1e-6)
    # Of several maps beside each other all, each once: two views show the importance.
    widget.root.get_by_role("radio", name="Side by side").click()
    stack = np.load(save(widget.root, ".npy", tmp_path))
    assert np.array_equal(stack, np.stack([maps["importance"], maps["uncertainty"]]))


def test_the_value_at_a_pixel_is_copied(standin: Start) -> None:
    widget = standin()
    page = widget.page
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), { id: 'paste' }))")

    def pasted() -> str:
        page.locator("#paste").fill("")
        page.locator("#paste").focus()
        page.keyboard.press("Control+V")
        text: str = page.locator("#paste").input_value()
        return text

    page.mouse.click(*widget.frame_point(0.4, 0.4))
    read = widget.root.locator(".xw-tooltip b").inner_text()
    assert re.fullmatch(r"0\.\d+ ± 0\.012", read)
    widget.root.locator(".xw-frame").first.focus()
    page.keyboard.press("c")
    widget.settle()
    assert pasted() == read
    # The pinned value stands in the caption as a button of its own.
    page.mouse.move(2, 2)
    before = widget.root.locator(".xw-frame").first.bounding_box()
    button = widget.root.get_by_role("button", name=f"Copy {read}")
    button.click()
    widget.settle()
    assert pasted() == read
    assert widget.root.locator(".xw-frame").first.bounding_box() == before
    widget.page.get_by_text(f"copied {read}").wait_for()
