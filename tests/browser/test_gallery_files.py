"""The gallery's saved pictures against what is on screen: every tile, the colours of its signs on the one scale, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from tests.widgets.conftest import Recorded
from xaiwidgets import LRP, ImageModel
from xaiwidgets.plots.overlays import composed

from .files import save
from .real import _content, open_real
from .standin import StandIn
from .test_heatmap_files import read, sized
from .test_overlay_signs import OBJECTS, at_pixels, solid
from .test_saved_pictures import LOOKS, SVG, areas, inner, same

pytestmark = pytest.mark.browser
SIDE = 64
ACROSS = 8
STRENGTHS = np.linspace(0.15, 1, 9)
"""Of the maps, one an image: on one scale the first are pale."""
BLOCKS = np.array([[1, -0.4, 0.7, -1], [-0.6, 0.9, -0.2, 0.5], [0.8, -1, 0.6, -0.7], [-0.3, 0.4, -0.8, 1]])
MAPS = np.stack([s * np.roll(np.kron(BLOCKS, np.ones((16, 16))), 16 * i, 1) for i, s in enumerate(STRENGTHS)])
BOUND = float(np.abs(MAPS).max())
WRONG = 3


def made(cnn: ImageModel) -> Recorded:
    """An overlay that shows nine maps with both signs everywhere, on objects of every colour."""
    colours = list(OBJECTS.values())
    pictures = [Image.fromarray(solid(colours[i % len(colours)], SIDE)) for i in range(len(STRENGTHS))]
    x = cnn.prepare(pictures)
    labels = cnn.output(x).argmax(1).tolist()
    labels[WRONG] = (labels[WRONG] + 1) % 8
    given = LRP(cnn)(x, 1)
    # Its heatmap is the sum over channels.
    third = given.relevance.new_tensor(MAPS)[:, None].expand(-1, 3, -1, -1) / 3
    widget = Recorded(replace(given, relevance=third), x, model=cnn, labels=labels, show="gallery", title="All of them")
    widget._finish(range(1))
    return widget


@pytest.fixture(scope="module")
def content(cnn: ImageModel) -> dict[str, Any]:
    return _content(made(cnn))


@pytest.fixture(scope="module")
def overlay(cnn: ImageModel) -> Iterator[Recorded]:
    widget = made(cnn)
    yield widget
    widget.close()


@pytest.fixture
def show(chromium: Browser, content: dict[str, Any]) -> Iterator[Callable[..., StandIn]]:
    contexts = []

    def start(**traits: Any) -> StandIn:
        # Tiles are small, and rarely begin at a whole pixel: at twice the density that matters half as much.
        size: Any = {"width": 1400, "height": 1000}
        context = chromium.new_context(viewport=size, device_scale_factor=2, accept_downloads=True)
        contexts.append(context)
        page: Page = context.new_page()
        page.set_default_timeout(20_000)
        return open_real(page, "heatmap", content, **traits)

    yield start
    for context in contexts:
        context.close()


def tiles(widget: StandIn) -> list[Locator]:
    widget.page.mouse.move(1, 1)
    widget.settle()
    return widget.root.locator(".xw-gallery-frame canvas").all()


def screen(tile: Locator) -> np.ndarray:
    return read(tile.screenshot())


def cut(picture: np.ndarray, scale: float, place: tuple[float, float, float, float]) -> np.ndarray:
    left, top, width, height = (round(scale * side) for side in place)
    return picture[top : top + height, left : left + width]


def share_of_signs(seen: np.ndarray, values: np.ndarray) -> float:
    """Of the pixels over 10 % of the one scale, off the edges of blocks: how many have the hue of their sign."""
    around = np.pad(np.sign(values), 1)
    shifts = [around[i : i + SIDE, j : j + SIDE] for i in range(3) for j in range(3)]
    strong = (np.abs(values) > 0.1 * BOUND) & np.all([shift == np.sign(values) for shift in shifts], axis=0)
    assert strong.sum() > 100, "too few to say"
    redness = seen[..., 0].astype(float) - seen[..., 2]
    return float((redness * np.sign(values) > 6)[strong].mean())


@pytest.mark.parametrize("look", [*LOOKS, {"colormap": "purple_orange"}], ids=str)
def test_every_saved_tile_is_the_one_on_screen(
    show: Callable[..., StandIn], tmp_path: Path, look: dict[str, Any]
) -> None:
    widget = show(**look)
    # The mark of right and wrong on a tile is no part of its map.
    widget.page.add_style_tag(content=".xw-verdict { visibility: hidden; }")
    svg = save(widget.root, "SVG", tmp_path)
    width, places = areas(svg)
    picture = read(save(widget.root, "PNG", tmp_path).read_bytes())
    scale = picture.shape[1] / width
    assert len(places) == len(MAPS) == len(tiles(widget))
    assert len({top for _, top, _, _ in places}) == 2, "eight in a row"
    lines = "overlay" in look
    for i, (tile, place) in enumerate(zip(tiles(widget), places, strict=True)):
        saved, shown = cut(picture, scale, place), screen(tile)
        same(saved, shown, f"image {i + 1}", lines=lines)
        others = [other for j, other in enumerate(MAPS) if not np.array_equal(np.sign(other), np.sign(MAPS[i]))]
        if lines:
            continue
        for seen in (saved, shown):
            assert share_of_signs(at_pixels(seen), MAPS[i]) >= 0.99, f"image {i + 1}"
            assert share_of_signs(at_pixels(seen), others[0]) < 0.9, "of another image it would not be"
    assert widget.errors == []


def test_the_scale_is_one_and_is_that_on_screen(show: Callable[..., StandIn], tmp_path: Path) -> None:
    widget = show()
    root = ElementTree.parse(save(widget.root, "SVG", tmp_path)).getroot()
    [ramp] = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}defs") is not None]
    bar = ramp.find(f"{SVG}rect")
    assert bar is not None
    wide = float(bar.get("width", 0))
    ticks = [(float(text.get("x", 0)) / wide, text.text or "") for text in ramp.iter(f"{SVG}text")]
    assert len(ticks) >= 3
    for at, said in ticks:
        assert float(said.replace("−", "-")) == pytest.approx((2 * at - 1) * BOUND, abs=0.01 * BOUND)
    said = widget.root.locator(".xw-gallery .xw-colorbar").get_attribute("aria-label") or ""
    ends = [float(end.replace("−", "-")) for end in re.findall(r"[−-]?[\d.]+", said.split("from")[1])]
    assert ends == pytest.approx([-BOUND, BOUND], rel=0.02)


def test_what_stands_above_each_is_said_of_it(
    show: Callable[..., StandIn], content: dict[str, Any], tmp_path: Path
) -> None:
    widget = show()
    root = ElementTree.parse(save(widget.root, "SVG", tmp_path)).getroot()
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    names = [text for text in texts if re.fullmatch(r"Image \d+.*", text)]
    assert [re.match(r"Image (\d+)", name)[1] for name in names] == [str(i + 1) for i in range(len(STRENGTHS))]  # type: ignore[index]
    marks = [text for text in texts if text.endswith(("✓", "✗"))]
    assert [i for i, text in enumerate(marks) if text.endswith("✗")] == [WRONG]
    shown = widget.root.locator(".xw-gallery-tile .xw-film-name").all_inner_texts()
    assert [text.split()[0] for text in marks] == shown
    assert any(f"{len(STRENGTHS)} images on one scale" in text for text in texts)


def test_a_figure_of_a_part_says_so(
    show: Callable[..., StandIn], content: dict[str, Any], chromium: Browser, tmp_path: Path
) -> None:
    """Stopped half-way, a gallery is saved as far as it is there."""
    held = {"content": {**content, "messages": [m for m in content["messages"] if not _is_map_of(m, range(6, 9))]}}
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    try:
        widget = open_real(context.new_page(), "heatmap", held["content"])
        svg = save(widget.root, "SVG", tmp_path)
        texts = [text.text or "" for text in ElementTree.parse(svg).getroot().iter(f"{SVG}text")]
        assert len(areas(svg)[1]) == 6
        assert any("6 of 9 images on one scale" in text for text in texts), texts[-1]
    finally:
        context.close()


def _is_map_of(message: dict[str, Any], images: range) -> bool:
    return message["content"]["type"] == "maps" and message["content"]["image"] in images


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_python_draws_the_tiles_that_are_on_screen(
    show: Callable[..., StandIn], overlay: Recorded, look: dict[str, Any]
) -> None:
    widget = show(**look)
    widget.page.add_style_tag(content=".xw-verdict { visibility: hidden; }")
    before = {name: getattr(overlay, name) for name in look}
    try:
        for name, value in look.items():
            setattr(overlay, name, value)
        figure, panes, looked = overlay._figure(), overlay._panes(), overlay._look()
    finally:
        for name, value in before.items():
            setattr(overlay, name, value)
    figure.set_dpi(200)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3].astype(float)
    axes = [axis for axis in figure.axes if axis.get_images()]
    assert len(axes) == len(STRENGTHS)
    for i, (tile, axis) in enumerate(zip(tiles(widget), axes, strict=True)):
        box = axis.get_window_extent()
        rows = slice(round(drawn.shape[0] - box.y1), round(drawn.shape[0] - box.y0))
        part = drawn[rows, round(box.x0) : round(box.x1)]
        shown = screen(tile)
        # Its pixels have sharp edges there, and lines are as wide on paper as those of larger pictures: alike in the large.
        side, least = (8, 0.95) if "overlay" in look else (16, 0.98)
        coarse = [sized(inner(picture), side).ravel() for picture in (part, shown)]
        assert np.corrcoef(coarse[0], coarse[1])[0, 1] >= least, f"image {i + 1} in the figure"
        assert np.abs(coarse[0] - coarse[1]).mean() < 8, f"image {i + 1} in the figure: the same colours"
        if "overlay" not in look:
            same(np.kron(255 * composed(panes[i], looked), np.ones((3, 3, 1))), shown, f"image {i + 1}")


def test_a_gallery_shows_whole_pictures(show: Callable[..., StandIn], overlay: Recorded) -> None:
    """Nothing there says that a person is close to one picture, or takes them back."""
    whole = [screen(tile) for tile in tiles(show())[:2]]
    close = show(zoom=[3.0, 0.3, 0.3])
    for tile, expected in zip(tiles(close)[:2], whole, strict=True):
        assert np.array_equal(screen(tile), expected)
    overlay.zoom = [3.0, 0.3, 0.3]
    try:
        assert overlay._look().part == (0.0, 0.0, 1.0)
        overlay.show = "relevance"
        assert overlay._look().part[2] == pytest.approx(1 / 3)
    finally:
        overlay.zoom, overlay.show = [1.0, 0.5, 0.5], "gallery"
