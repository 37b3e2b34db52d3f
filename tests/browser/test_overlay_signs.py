"""What lies over a picture never lies about its sign: the hue on screen, on objects of every colour, in every picture mode."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from .standin import StandIn, lrp_state, maps_message, picture_message

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]

SIDE = 64
OBJECTS = {
    "red": (214, 32, 32),
    "blue": (32, 64, 214),
    "green": (24, 150, 60),
    "orange": (240, 140, 20),
    "grey": (128, 128, 128),
    "black": (8, 8, 8),
}


def signed_map(side: int = SIDE) -> np.ndarray:
    """Both signs in every size, on the object and beside it, in blocks that are larger than what smoothing mixes."""
    y, x = np.mgrid[0:side, 0:side] * 8 // side
    size = ((3 * x + 5 * y) % 8 + 1) / 8
    return np.where((x + y) % 2 == 0, size, -size).astype(np.float16)


def solid(colour: tuple[int, int, int], side: int = SIDE) -> np.ndarray:
    """A square object on a light ground."""
    picture = np.full((side, side, 3), 226, np.uint8)
    picture[side // 8 : -(side // 8), side // 8 : -(side // 8)] = colour
    return picture


def on_screen(frame: Locator) -> np.ndarray:
    """What a person sees of a frame, (H, W, 3), as numbers that may be subtracted."""
    return np.asarray(Image.open(io.BytesIO(frame.screenshot())).convert("RGB")).astype(int)


def at_pixels(screen: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The colour in the middle of each data pixel, (side, side, 3)."""
    rows, columns = (
        ((np.arange(side) + 0.5) / side * screen.shape[0]).astype(int),
        ((np.arange(side) + 0.5) / side * screen.shape[1]).astype(int),
    )
    return screen[rows][:, columns]


def share_of_the_sign(screen: np.ndarray, values: np.ndarray, *, inner: bool = False) -> float:
    """Of the pixels whose value is over 10 % of the scale, how many have the hue of its sign: by more than a rounding, six of 255.

    Args:
        inner: of those only whose neighbours have the same sign, where a picture is drawn so small that it is smoothed, with round corners.
    """
    seen = at_pixels(screen, len(values))
    agrees = (seen[..., 0] - seen[..., 2]) * np.sign(values) > 6
    strong = np.abs(values.astype(float)) > 0.1 * np.abs(values.astype(float)).max()
    if inner:
        around = np.pad(np.sign(values), 1)
        rows, columns = values.shape
        shifts = [around[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        strong &= np.all([shift == np.sign(values) for shift in shifts], axis=0)
    assert strong.sum() > values.size / 4, "too few to say"
    return float(agrees[strong].mean())


@pytest.mark.parametrize("colormap", ["red_blue", "purple_orange"])
@pytest.mark.parametrize("mode", ["grey", "colour", "none"])
def test_the_hue_on_screen_is_that_of_the_sign(standin: Start, mode: str, colormap: str) -> None:
    values = signed_map()
    widget = standin(state=lrp_state(picture=mode, colormap=colormap), messages=[], width=1100)
    for name, colour in OBJECTS.items():
        widget.receive(picture_message(solid(colour)))
        widget.receive(maps_message({"relevance": values}, "lrp"))
        widget.page.mouse.move(1, 1)
        screen = on_screen(widget.root.locator(".xw-frame"))
        assert share_of_the_sign(screen, values) >= 0.99, f"{name} object"
    assert widget.errors == []


def test_a_small_value_hides_little_and_nothing_hides_nothing(standin: Start) -> None:
    picture = solid(OBJECTS["red"])
    values = np.zeros((SIDE, SIDE), np.float16)
    values[:, 32:] = 0.02
    values[0, 0] = 1
    widget = standin(state=lrp_state(), messages=[picture_message(picture), maps_message({"relevance": values}, "lrp")])
    luma = 255 - 0.72 * (255 - (0.299 * 214 + 0.587 * 32 + 0.114 * 32))
    seen = at_pixels(on_screen(widget.root.locator(".xw-frame")))
    assert np.abs(seen[30, 20] - luma).max() <= 1, "no relevance: the grey picture itself, pale"
    assert np.abs(seen[30, 40] - luma).max() <= 16, "little relevance: nearly the picture"
    widget.root.get_by_role("radiogroup", name="Picture").get_by_role("radio", name="Colour").click()
    seen = at_pixels(on_screen(widget.root.locator(".xw-frame")))
    assert np.abs(seen[30, 20] - np.array(OBJECTS["red"])).max() <= 2, "in colour where the map says nothing"
    widget.page.wait_for_function("model.saved.length > 0")
    assert widget.saved == [{"picture": "colour"}]


def test_outlines_enclose_the_strongest_parts_in_the_colour_of_their_sign(standin: Start) -> None:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[10:26, 10:26] = 1
    values[40:52, 40:52] = -0.9
    widget = standin(
        state=lrp_state(overlay="outlines", picture="none"),
        messages=[picture_message(solid(OBJECTS["grey"])), maps_message({"relevance": values}, "lrp")],
    )
    expect(widget.root.get_by_role("img", name="Outlines: the 5 %, 10 %, 20 % of the pixels")).to_be_visible()
    screen = on_screen(widget.root.locator(".xw-frame"))
    scale = screen.shape[0] / SIDE
    red = (screen[..., 0] - screen[..., 2] > 60).nonzero()
    blue = (screen[..., 2] - screen[..., 0] > 60).nonzero()
    for (rows, columns), low, high in ((red, 10, 26), (blue, 40, 52)):
        assert len(rows) > 100
        assert rows.min() / scale > low - 4
        assert rows.max() / scale < high + 4
        assert columns.min() / scale > low - 4
        assert columns.max() / scale < high + 4
    middle = screen[int(18 * scale), int(18 * scale)]
    assert middle.min() > 250, "a line, not a surface"
