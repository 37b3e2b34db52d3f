"""matplotlib figures of every result, for papers and for places that show no widget.

Figures are made without pyplot: nothing is registered globally, so they may be drawn in any thread.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots_pixels import drawn


class Picture(Figure):
    """A figure that notebooks show by itself, without pyplot."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=100)
        return out.getvalue()


_SEQUENTIAL = "viridis"
_DIVERGING = "RdBu_r"
_SIDE = 3.0
"""Inches of one picture's side."""


def plot(result: Any, image: Any = None, **options: Any) -> Figure:
    """The figure that fits a result; ``image`` (N, C, H, W) or (C, H, W) of values in [0, 1], laid beneath.

    Raises:
        TypeError: a result that has no figure.
    """
    from xaiwidgets.relax import RelaxResult

    if isinstance(result, RelaxResult):
        return relax(result, image, **options)
    if hasattr(result, "heatmap"):
        return heatmaps(result.heatmap, image, title=str(result.provenance.method), **options)
    raise TypeError(f"result is {type(result).__name__}; there is no figure of it")


def relax(result: Any, image: Any = None, *, quantile: float = 0.5) -> Figure:
    """Image, importance, uncertainty, U-RELAX and standard error: a row for each image."""
    rows = len(result.importance)
    pictures = _pictures(image, rows)
    sure = result.sure(quantile)
    columns: list[tuple[str, Tensor]] = [
        ("Importance", result.importance),
        ("Uncertainty", result.uncertainty),
        (f"U-RELAX, surest {quantile:.0%}", torch.where(sure, result.importance, torch.nan)),
        ("Standard error", result.standard_error),
    ]
    figure, axes = _grid(rows, len(columns) + (pictures is not None))
    for row in range(rows):
        cells = list(axes[row])
        if pictures is not None:
            _show_picture(cells.pop(0), pictures[row], "Image")
        for axis, (title, values) in zip(cells, columns, strict=True):
            if pictures is not None:
                axis.imshow(_grey(pictures[row]), cmap="gray", vmin=0, vmax=1)
            _show_map(figure, axis, values[row], title, diverging=False, alpha=1.0 if pictures is None else 0.8)
    figure.suptitle(f"{result.provenance.method} of {result.provenance.model}, {result.n_masks} masks")
    return figure


def heatmaps(values: Tensor, image: Any = None, *, title: str = "", unit: str = "relevance") -> Figure:
    """Signed heatmaps (N, H, W), centred at zero: a column for each image."""
    pictures = _pictures(image, len(values))
    figure, axes = _grid(1 if pictures is None else 2, len(values))
    for column in range(len(values)):
        cells = list(axes[:, column])
        if pictures is not None:
            _show_picture(cells.pop(0), pictures[column], "")
        _show_map(figure, cells[0], values[column], unit, diverging=True)
    figure.suptitle(title)
    return figure


def picture(pixels: Tensor, *, title: str = "") -> Figure:
    """One picture (C, H, W) of values in [0, 1]."""
    figure, axes = _grid(1, 1)
    _show_picture(axes[0, 0], pixels, title)
    return figure


def overlay(
    pixels: Tensor, maps: Mapping[str, Tensor], views: Sequence[Mapping[str, Any]], *, title: str = ""
) -> Figure:
    """A picture (C, H, W) and each view's map (H, W) over it, as a widget shows them."""
    shown = {view["map"]: view for view in reversed(views)}
    figure, axes = _grid(1, 1 + len(shown))
    _show_picture(axes[0, 0], pixels, "")
    for axis, view in zip(axes[0, 1:], reversed(shown.values()), strict=True):
        axis.imshow(_grey(pixels), cmap="gray", vmin=0, vmax=1)
        _show_map(figure, axis, maps[view["map"]], view["label"], diverging=view["kind"] == "diverging", alpha=0.8)
    figure.suptitle(title)
    return figure


# -- pieces ----------------------------------------------------------------------------------------------------------


def _grid(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Picture(figsize=(_SIDE * columns + 0.6, _SIDE * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def _show_picture(axis: Axes, pixels: Tensor, title: str) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, fontsize="medium")


def _show_map(figure: Figure, axis: Axes, values: Tensor, title: str, *, diverging: bool, alpha: float = 1.0) -> None:
    array = values.detach().cpu().numpy()
    # In a diverging map the middle colour means zero.
    largest = float(np.nanmax(np.abs(array))) or 1.0
    low, high = (-largest, largest) if diverging else (None, None)
    image = axis.imshow(array, cmap=_DIVERGING if diverging else _SEQUENTIAL, alpha=alpha, vmin=low, vmax=high)
    axis.set_title(title, fontsize="medium")
    figure.colorbar(image, ax=axis, shrink=0.8)


def _grey(pixels: Tensor) -> np.ndarray:
    return pixels.detach().cpu().mean(0).clamp(0, 1).numpy()


def _pictures(image: Any, count: int) -> Tensor | None:
    if image is None:
        return None
    pixels = torch.as_tensor(image).detach().float()
    if pixels.ndim == 3:
        pixels = pixels[None]
    if pixels.ndim != 4 or len(pixels) != count:
        raise ValueError(f"image has shape {tuple(pixels.shape)}; give ({count}, C, H, W)")
    if pixels.min() < 0 or pixels.max() > 1:
        raise ValueError("image has values outside [0, 1]; give pixel values, such as model.pixels(x)")
    return pixels
