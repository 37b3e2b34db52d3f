"""The widgets' colour maps: what is saved has the colours that are on screen."""

from __future__ import annotations

import matplotlib
import numpy as np
from numpy.typing import NDArray

__all__ = ["COLORMAPS", "colours_at"]

COLORMAPS = {
    "viridis": "viridis",
    "magma": "magma",
    "cividis": "cividis",
    "greys": "fffffff0f0f0d9d9d9bdbdbd969696737373525252252525000000",
    "red_blue": "67001fb2182bd6604df4a582fddbc7f7f7f7d1e5f092c5de4393c32166ac053061",
    "purple_orange": "7f3b08b35806e08214fdb863fee0b6f7f7f7d8daebb2abd28073ac5427882d004b",
}
"""The colour maps by the names that they have in the widgets: matplotlib's, or a scheme of ColorBrewer from the highest value down, which
the browser draws as a curve near its colours where matplotlib draws lines between them: pale values would differ."""


def colours_at(name: str, t: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """The colours (…, 3) at places from 0, the lowest value, to 1."""
    scheme = COLORMAPS[name]
    places = np.asarray(t, float)
    if scheme in matplotlib.colormaps:
        found: NDArray[np.float64] = np.asarray(matplotlib.colormaps[scheme](places))[..., :3]
        return found
    knots = np.array([[int(scheme[i + k : i + k + 2], 16) for k in (0, 2, 4)] for i in range(0, len(scheme), 6)]) / 255
    # A uniform cubic B-spline, its ends carried on in a straight line (d3-interpolate, basis.js).
    knots = knots[::-1]
    around = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    last = len(knots) - 1
    first = np.clip(np.floor(places * last), 0, last - 1).astype(int)
    u = (np.clip(places, 0, 1) * last - first)[..., None]
    weights = (
        (1 - u) ** 3,
        4 - 6 * u**2 + 3 * u**3,
        1 + 3 * u + 3 * u**2 - 3 * u**3,
        u**3,
    )
    curve: NDArray[np.float64] = np.sum([weight * around[first + k] for k, weight in enumerate(weights)], axis=0) / 6
    return curve
