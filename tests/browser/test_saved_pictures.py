"""Saved pictures of the concept browser and the flipping viewer against what is on screen: the same map, colours and mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page

from xaiwidgets import FlippingViewer, ImageModel
from xaiwidgets.demo import Shapes

from .files import save
from .real import _content, open_real
from .standin import StandIn
from .standin_concepts import open_browser
from .still import still
from .test_heatmap_files import alike, read, sized

pytestmark = pytest.mark.browser
SVG = "{http://www.w3.org/2000/svg}"
LOOKS: list[dict[str, Any]] = [{}, {"picture": "colour"}, {"picture": "none"}, {"overlay": "outlines"}]
COARSE = 16
Area = tuple[float, float, float, float]


def areas(svg: Path) -> tuple[float, list[Area]]:
    """The width of a figure, and where its pictures are: left, top, width, height."""
    root = ElementTree.parse(svg).getroot()
    found: list[Area] = []

    def walk(element: ElementTree.Element, x: float, y: float, size: tuple[float, float] | None) -> None:
        moved = re.fullmatch(r"translate\(([-\d.]+),? ([-\d.]+)\)", element.get("transform", ""))
        x, y = (x + float(moved[1]), y + float(moved[2])) if moved else (x, y)
        at = (x + float(element.get("x", 0)), y + float(element.get("y", 0)))
        if element.tag == f"{SVG}image":
            # Within a frame of its own it fills that.
            width, height = size or (float(element.get("width", 0)), float(element.get("height", 0)))
            found.append((*at, width, height))
        if element.tag == f"{SVG}svg" and element is not root:
            x, y = at
            size = (float(element.get("width", 0)), float(element.get("height", 0)))
        for child in element:
            walk(child, x, y, size)

    walk(root, 0, 0, None)
    return float(root.get("width", 0)), found


def saved(widget: StandIn, folder: Path) -> list[np.ndarray]:
    """The pictures in the PNG that the Save menu gives, cut out where the SVG has them."""
    width, places = areas(save(widget.root, "SVG", folder))
    picture = read(save(widget.root, "PNG", folder).read_bytes())
    scale = picture.shape[1] / width
    cut = [[round(scale * side) for side in (x, y, x + w, y + h)] for x, y, w, h in places]
    return [picture[top:bottom, left:right] for left, top, right, bottom in cut]


def screen(canvas: Locator) -> np.ndarray:
    canvas.page.mouse.move(1, 1)
    canvas.scroll_into_view_if_needed()
    still(canvas.page)
    return read(canvas.screenshot())


def inner(picture: np.ndarray) -> np.ndarray:
    """Without its edge: on screen that has round corners, and may fall between two pixels."""
    rows, columns = (round(0.04 * size) for size in picture.shape[:2])
    return picture[rows:-rows, columns:-columns]


def same(one: np.ndarray, other: np.ndarray, what: str, *, lines: bool = False) -> None:
    """``lines``: what is drawn in lines, which are as many pixels wide in a picture of another size: alike in the large."""
    one, other = inner(one), inner(other)
    if lines:
        coarse = [sized(picture, COARSE) for picture in (one, other)]
        assert np.corrcoef(coarse[0].ravel(), coarse[1].ravel())[0, 1] >= 0.95, what
        return
    assert alike(one, other) >= 0.98, what
    assert np.abs(sized(one) - sized(other)).mean() < 8, f"{what}: the same colours, not only the same shapes"


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_concept_browsers_png_is_what_is_on_screen(chromium: Browser, tmp_path: Path, look: dict[str, Any]) -> None:
    widget = open_browser(chromium, traits={"look": "heatmap", "crop": False, "colormap": "purple_orange", **look})
    try:
        widget.rest()
        # What says where the box is and how to draw one is no part of the map.
        widget.page.add_style_tag(content=".xw-box-layer, .xw-box { visibility: hidden; }")
        pictures = saved(widget, tmp_path)
        assert len(pictures) == 10
        lines = "overlay" in look
        same(pictures[0], screen(widget.root.locator(".xw-image .xw-frame canvas").first), "the class", lines=lines)
        same(pictures[1], screen(widget.root.locator(".xw-detail .xw-frame canvas").first), "the concept", lines=lines)
        for i in (0, 7):
            part = screen(widget.root.locator(".xw-reference-part canvas").nth(i))
            same(pictures[2 + i], part, f"reference {i}", lines=lines)
        assert widget.errors == []
    finally:
        widget.page.context.close()


@pytest.fixture(scope="module")
def flipping(cnn: ImageModel) -> dict[str, Any]:
    batch = Shapes(1).batch(range(1))
    y, x = torch.meshgrid(torch.linspace(-2, 2, 64), torch.linspace(-2, 2, 64), indexing="ij")
    heat = {"waves": (torch.sin(3 * x) * torch.cos(2 * y))[None]}
    return _content(FlippingViewer(cnn, batch.x, heat, perturb="mean", patch=16, step=4))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1300, "height": 1000}, accept_downloads=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("step", [0, 2])
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_flipping_viewers_png_is_what_is_on_screen(
    flipping: dict[str, Any], page: Page, tmp_path: Path, look: dict[str, Any], step: int
) -> None:
    widget = open_real(page, "flipping", flipping, step=step, method="waves", **look)
    widget.rest()
    kinds = [pane for pane in ("heat", "morf", "lerf") if widget.root.locator(f'[data-pane="{pane}"]').count()]
    assert kinds[0] == "heat"
    pictures = saved(widget, tmp_path)
    shown = [screen(widget.root.locator(f'[data-pane="{pane}"] canvas')) for pane in kinds]
    # At a step the patches that it flips are framed, in the heatmap as well.
    same(pictures[0], shown[0], "the heatmap", lines="overlay" in look or step > 0)
    frames = [canvas for pane, canvas in zip(kinds[1:], shown[1:], strict=True) if _is_there(widget, pane)]
    assert len(pictures) == 1 + len(frames)
    for picture, frame in zip(pictures[1:], frames, strict=True):
        same(picture, frame, "what the model saw", lines=step > 0)


def _is_there(widget: StandIn, pane: str) -> bool:
    """Whether the frame of this step is known: without a kernel it need not be."""
    return bool(widget.root.locator(f'[data-pane="{pane}"] canvas').get_attribute("data-shown"))
