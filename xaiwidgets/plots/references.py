"""Figures of reference images."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.pixels import drawn

_SIDE = 1.5
"""Inches of one picture's side."""


def references(images: Any, *, heatmaps: bool = True, name: str | None = None) -> Figure:
    """The pictures of a concept in a row, best first, with their scores; below them, if asked, their heatmaps.

    Args:
        name: of the concept, for the title; default: its number and layer.
    """
    columns, rows = max(1, len(images)), 1 + heatmaps
    figure = Picture(figsize=(_SIDE * columns + 0.3, (_SIDE + 0.25) * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for column, pixels in enumerate(images.pixels):
        sample, score = int(images.samples[column]), float(images.scores[column])
        _picture(axes[0, column], pixels)
        axes[0, column].set_title(f"{score:.3g}  (#{sample})", fontsize="x-small")
        if heatmaps:
            _heatmap(axes[1, column], images.heatmaps[column])
    kind = "RelMax" if images.by == "relevance" else "ActMax"
    figure.suptitle(f"{name or f'concept {images.concept} of {images.layer}'}, {kind}", fontsize="small")
    return figure


def _picture(axis: Axes, pixels: Tensor) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)


def _heatmap(axis: Axes, heatmap: Tensor) -> None:
    largest = float(heatmap.abs().max()) or 1.0
    axis.imshow(heatmap.numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest)
