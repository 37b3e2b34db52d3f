"""The widgets' colours in Python are those of the browser."""

from __future__ import annotations

import numpy as np
import pytest

from xaiwidgets.plots.colours import COLORMAPS, colours_at

# What d3-scale-chromatic 3.1.0 gives: interpolateRdBu(1 - t), interpolatePuOr(t), interpolateGreys(1 - t), interpolateViridis(t).
KNOWN: dict[str, dict[float, tuple[int, int, int]]] = {
    "red_blue": {0: (5, 48, 97), 0.1: (34, 101, 163), 0.37: (189, 219, 234), 0.5: (242, 239, 238), 1: (103, 0, 31)},
    "purple_orange": {0: (45, 0, 75), 0.1: (85, 45, 132), 0.5: (243, 238, 234), 0.51: (245, 238, 231), 1: (127, 59, 8)},
    "greys": {0: (0, 0, 0), 0.1: (30, 30, 30), 0.37: (114, 114, 114), 0.5: (151, 151, 151), 1: (255, 255, 255)},
    "viridis": {0: (68, 1, 84), 1: (253, 231, 37)},
}


@pytest.mark.parametrize("name", KNOWN)
def test_colours_are_the_browsers(name: str) -> None:
    places = np.array(list(KNOWN[name]), np.float64)
    found = 255 * colours_at(name, places)
    assert np.abs(found - list(KNOWN[name].values())).max() <= 1
    for place, colour in zip(places, found, strict=True):
        assert np.array_equal(255 * colours_at(name, float(place)), colour), "one place is as many"


@pytest.mark.parametrize("name", COLORMAPS)
def test_every_colour_is_one(name: str) -> None:
    found = colours_at(name, np.linspace(0, 1, 256).reshape(16, 16))
    assert found.shape == (16, 16, 3)
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.abs(np.diff(found.reshape(256, 3), axis=0)).max() < 0.05, "no jumps"
