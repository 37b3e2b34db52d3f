"""Heatmaps over their pictures as widgets draw them: what is saved is what is on screen.

The drawing is that of js/src/shared/drawing/overlay.ts, number by number: a signed value covers the picture the more the larger it is,
the picture is pale grey beneath unless asked for otherwise, and one in colour turns grey where a value speaks.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.plots.colours import COLORMAPS, colours_at
from xaiwidgets.plots.pieces import SIDE, Picture
from xaiwidgets.plots.pixels import drawn, paled

__all__ = ["Look", "Mark", "Pane", "composed", "draw_pane", "outlined", "overlays"]

_SIGNED = ("red_blue", "purple_orange")
_COLUMNS = 6
_NOTE, _LINES = 46, 3
"""Letters in a line of a note, and lines."""
_VEILED = 0.06
_FADED = 0.22
_GROUND = 164 / 255
"""The grey behind the colours of a legend: the middle of a pale picture."""
_SHARES = (0.2, 0.1, 0.05)
_WIDTHS = {0.2: 0.8, 0.1: 1.4, 0.05: 2.2}

_LINE = (17 / 255, 20 / 255, 24 / 255)
"""Of lines around parts of a picture, and around values that have no sign."""

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    """A part of a picture that lines go around.

    Attributes:
        inside: (h, w), true inside, over the whole picture; or `box`: left, top, right, bottom in pixels of it.
        label: what stands at a box. strong: the part that is asked about.
    """

    inside: Tensor | None = None
    box: tuple[float, float, float, float] | None = None
    label: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Pane:
    """One picture under one map.

    Attributes:
        title, unit: what stands above, and at the legend.
        pixels: (C, H, W) of values in [0, 1]. values: (H, W), or None for the picture alone.
        span: the values at the two ends of the colours.
        signed: whether zero is in the middle of the colours.
        hidden: (H, W), true where the map is not shown, or faded.
        marks: the parts that lines go around.
        note: what is said of it, in small letters.
    """

    title: str
    pixels: Tensor
    values: Tensor | None = None
    span: tuple[float, float] = (0.0, 1.0)
    signed: bool = False
    unit: str = ""
    hidden: Tensor | None = None
    marks: tuple[Mark, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Look:
    """How a widget draws, as its traits say it.

    Attributes:
        part: (left, top, size) of the picture in view, in shares of it.
    """

    colormap: str = "viridis"
    opacity: float = 0.8
    picture: str = "grey"
    overlay: str = "colours"
    fade: bool = False
    part: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def fitting(self, signed: bool) -> str:
        """The colour map asked for where it suits the values, else the usual one of their kind."""
        fits = self.colormap in COLORMAPS and (self.colormap in _SIGNED) == signed
        return self.colormap if fits else ("red_blue" if signed else "viridis")


def overlays(
    panes: Sequence[Pane],
    look: Look,
    *,
    title: str = "",
    caption: str = "",
    columns: int = _COLUMNS,
    one_legend: bool = False,
) -> Figure:
    """Panes beside each other, so many in a row, each with its legend, or small ones with one for all; `caption` says below how they
    were made."""
    across = min(len(panes), columns)
    rows = -(-len(panes) // columns)
    side = SIDE * (0.6 if one_legend else 1)
    below = 0.75 if one_legend else 0.9 + 0.3 * any(pane.note for pane in panes)
    figure = Picture(figsize=((side + 0.4) * across + 0.4, (side + below) * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, across, squeeze=False)
    for axis in axes.flat[len(panes) :]:
        axis.set_axis_off()
    lines = max(len(_lines(pane, one_legend)) for pane in panes)
    for axis, pane in zip(axes.flat, panes, strict=False):
        draw_pane(figure, axis, pane, look, lines=lines, legend=not one_legend)
        if pane.values is None and not one_legend and len(panes) > 1 and look.overlay == "colours":
            # A picture without a legend stands as high as its neighbours.
            _draw_legend(figure, [axis], pane, look, seen=False)
    shown = next((pane for pane in panes if pane.values is not None), None)
    if one_legend and shown is not None and look.overlay == "colours":
        _draw_legend(figure, list(axes.flat), shown, look)
    if title:
        figure.suptitle(title, parse_math=False)
    if caption:
        figure.supxlabel(caption, fontsize="small", color="#5b616b", parse_math=False)
    return figure


def draw_pane(figure: Figure, axis: Axes, pane: Pane, look: Look, *, lines: int = 0, legend: bool = True) -> None:
    """A picture under its map, with its legend below, and room for so many lines of notes above."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    note = _lines(pane, not legend)
    axis.set_title(pane.title, fontsize="medium", loc="left", parse_math=False, pad=6 + 9 * max(lines, len(note)))
    if note:
        place: dict[str, Any] = {
            "xy": (0, 1),
            "xytext": (0, 3),
            "xycoords": "axes fraction",
            "textcoords": "offset points",
        }
        axis.annotate("\n".join(note), **place, fontsize="x-small", color="#5b616b", va="bottom", parse_math=False)
    height, width = pane.pixels.shape[1:] if pane.values is None else pane.values.shape
    axis.imshow(composed(pane, look), interpolation="nearest", extent=(0, width, height, 0))
    left, top, size = look.part
    axis.set_xlim(left * width, (left + size) * width)
    axis.set_ylim((top + size) * height, top * height)
    for mark in pane.marks:
        _draw_mark(axis, mark, (width, height), (pane.pixels.shape[2], pane.pixels.shape[1]))
    if pane.values is None:
        return
    if (value := flat(pane)) is not None:
        axis.set_xlabel("zero everywhere" if value == 0 else f"{value:.3g} everywhere", fontsize="small")
        return
    if look.overlay == "outlines":
        _draw_outlines(axis, pane, look)
        return
    if legend:
        _draw_legend(figure, [axis], pane, look)


def _lines(pane: Pane, small: bool) -> list[str]:
    return textwrap.wrap(pane.note, _NOTE // 2 if small else _NOTE)[:_LINES]


def _draw_legend(figure: Figure, axes: list[Axes], pane: Pane, look: Look, *, seen: bool = True) -> None:
    colours = ListedColormap(legend_colours(look, pane.signed))
    shown = ScalarMappable(Normalize(*pane.span), colours)
    form: dict[str, Any] = (
        {"fraction": 0.05, "pad": 0.03, "aspect": 30}
        if len(axes) == 1
        else {"fraction": 0.03, "pad": 0.02, "aspect": 60}
    )
    bar = figure.colorbar(shown, ax=axes, orientation="horizontal", **form)
    bar.ax.tick_params(labelsize="small")
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    bar.outline.set_visible(False)
    if not seen:
        for colour in bar.ax.collections:
            colour.set_visible(False)
        bar.ax.tick_params(colors=(0, 0, 0, 0))
        return
    if pane.unit:
        bar.set_label(pane.unit, fontsize="small")


def flat(pane: Pane) -> float | None:
    """The value that all pixels of a map have, where their colour would be that of a result: zero, or one on a scale of its own."""
    if pane.values is None:
        return None
    values = pane.values.detach().cpu().double()
    values = values[values.isfinite()]
    if values.numel() == 0 or values.min() != values.max():
        return None
    value, (low, high) = float(values[0]), pane.span
    own = low == high or (low == -high and math.isclose(high, abs(value), rel_tol=1e-5))
    return value if value == 0 or own else None


def composed(pane: Pane, look: Look) -> Image:
    """What is on screen, (H, W, 3) of values in [0, 1], in the resolution of the map."""
    if pane.values is None:
        return _in_colour(drawn(pane.pixels))
    if flat(pane) is not None:
        return _in_colour(paled(pane.pixels) if look.picture == "grey" else drawn(pane.pixels))
    values = pane.values.detach().cpu().double().numpy()
    height, width = values.shape
    alone = look.picture == "none"
    if alone and look.overlay == "outlines":
        return np.ones((height, width, 3))
    pixels = pane.pixels.detach().cpu().float()
    if pixels.shape[1:] != values.shape:
        pixels = F.interpolate(pixels[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    grey = _in_colour(paled(pixels))
    if look.overlay == "outlines":
        return grey if look.picture == "grey" else _in_colour(drawn(pixels))
    place = _places(values, pane.span)
    shown = np.isfinite(values) * 1.0
    if pane.hidden is not None:
        shown = np.where(pane.hidden.cpu().numpy(), shown * (_FADED if look.fade else 0.0), shown)
    name = look.fitting(pane.signed)
    colours, cover = (_plain(name), np.ones(256)) if alone else _over(name)
    ground = np.ones((height, width, 3)) if alone else grey
    if look.picture == "colour":
        veil = np.minimum(1, _sizes() / _VEILED)[place] * shown if pane.signed else np.zeros_like(values)
        veil = veil * min(1.0, look.opacity / 0.25)
        ground = grey * veil[..., None] + _in_colour(drawn(pixels)) * (1 - veil[..., None])
    alpha = (cover[place] * shown * (1.0 if alone else look.opacity))[..., None]
    mixed: Image = ground * (1 - alpha) + colours[place] * alpha
    return mixed


def legend_colours(look: Look, signed: bool) -> Image:
    """The 256 colours of a legend, (256, 3): over a middle grey where a picture lies beneath."""
    name = look.fitting(signed)
    if look.picture == "none":
        return _plain(name)
    colours, cover = _over(name)
    alpha = (cover * look.opacity)[:, None]
    mixed: Image = _GROUND * (1 - alpha) + colours * alpha
    return mixed


def outlined(values: Tensor, signed: bool) -> list[tuple[float, int, NDArray[np.bool_]]]:
    """(share of the pixels, sign, which pixels) for each outline of a map (H, W); the map is smoothed a little before."""
    radius = round(max(values.shape) / 64)
    smooth = torch.nan_to_num(values.detach().cpu().float(), 0.0, 0.0, 0.0)[None, None]
    for _ in range(2 if radius else 0):
        for window, padding in (((1, 2 * radius + 1), (0, radius)), ((2 * radius + 1, 1), (radius, 0))):
            smooth = F.avg_pool2d(smooth, window, stride=1, padding=padding)
    smooth = smooth[0, 0]
    size = smooth.abs() if signed else smooth
    found = []
    for share in _SHARES:
        limit = size.flatten().kthvalue(max(1, math.ceil((1 - share) * size.numel()))).values
        inside = size > limit
        for sign in (1, -1) if signed else (1,):
            which = inside & ((smooth < 0) == (sign < 0)) if signed else inside
            if which.any():
                found.append((share, sign, which.numpy()))
    return found


def _draw_outlines(axis: Axes, pane: Pane, look: Look) -> None:
    assert pane.values is not None
    name = look.fitting(pane.signed)
    ends = {1: colours_at(name, 0.92), -1: colours_at(name, 0.08)} if pane.signed else {1: np.array(_LINE)}
    lines = [(share, ends[sign], _edges(which)) for share, sign, which in outlined(pane.values, pane.signed)]
    for halo in (True, False):
        for share, colour, edges in lines:
            width, shown = (_WIDTHS[share] + 1.6, (1, 1, 1, 0.75)) if halo else (_WIDTHS[share], tuple(colour))
            axis.add_collection(LineCollection(edges, linewidths=width, colors=[shown], capstyle="projecting"))
    said = " · ".join(f"{share:.0%}" for share in reversed(_SHARES))
    axis.set_xlabel(f"outlines: strongest {said} of the pixels", fontsize="small")


def _draw_mark(axis: Axes, mark: Mark, shown: tuple[int, int], pixels: tuple[int, int]) -> None:
    """``shown``: width and height of what is drawn; ``pixels``: those of the picture."""
    lines: list[list[tuple[float, float]]] = []
    if mark.box is not None:
        left, top, right, bottom = (side * shown[i % 2] / pixels[i % 2] for i, side in enumerate(mark.box))
        lines = [[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]]
        if mark.label:
            ground = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
            axis.text(left, top, mark.label, fontsize="x-small", va="top", bbox=ground, clip_on=True, parse_math=False)
    elif mark.inside is not None:
        across, down = shown[0] / mark.inside.shape[1], shown[1] / mark.inside.shape[0]
        lines = [[(x * across, y * down) for x, y in edge] for edge in _edges(mark.inside.cpu().numpy())]
    width = 2.2 if mark.strong else 0.9
    for extra, colour in ((1.6, (1, 1, 1, 0.8)), (0, _LINE)):
        axis.add_collection(LineCollection(lines, linewidths=width + extra, colors=[colour], capstyle="projecting"))


def _edges(inside: NDArray[np.bool_]) -> list[list[tuple[float, float]]]:
    """The edges between pixels inside and outside, each as two corners (x, y)."""
    around = np.pad(inside, 1)
    across = [(x, y) for y, x in np.argwhere(around[:-1, 1:-1] != around[1:, 1:-1])]
    down = [(x, y) for y, x in np.argwhere(around[1:-1, :-1] != around[1:-1, 1:])]
    return [[(x, y), (x + 1, y)] for x, y in across] + [[(x, y), (x, y + 1)] for x, y in down]


def _places(values: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.int64]:
    """The step of the 256 that each value takes; values beyond the span take that of its end."""
    low, high = span
    place = (values - low) * (255 / (high - low)) if high > low else np.full_like(values, 127.5)
    place = np.nan_to_num(place, nan=0.0, posinf=255.0, neginf=0.0)
    return np.floor(place.clip(0, 254.5) + 0.5).astype(np.int64)


def _sizes() -> Image:
    """How large a signed value is, 0 to 1, at each of the 256 steps; the two in the middle are zero."""
    sizes: Image = (np.abs(2 * np.arange(256) - 255) - 1) / 254
    return sizes


def _over(name: str) -> tuple[Image, Image]:
    """256 colours to lay over a picture, and how much each covers."""
    if name not in _SIGNED:
        return _plain(name), np.ones(256)
    size = _sizes()
    hue = np.where(np.arange(256) < 128, 0.2 - 0.1 * size, 0.8 + 0.1 * size)
    return colours_at(name, hue), size**0.65


def _plain(name: str) -> Image:
    return colours_at(name, np.arange(256) / 255)


def _in_colour(picture: np.ndarray) -> Image:
    """(H, W) or (H, W, 3) as (H, W, 3)."""
    return np.repeat(picture[..., None], 3, axis=2).astype(float) if picture.ndim == 2 else picture.astype(float)
