"""The concept browser as a still picture: for places that show no widget, and for saved files."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.overlays import Look, Pane, draw_pane
from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.pixels import drawn

_ROWS = 12
_POSITIVE, _NEGATIVE = "#b2182b", "#2166ac"


def concepts(
    title: str,
    pixels: Tensor,
    panels: list[tuple[str, Tensor]],
    ranking: list[tuple[str, float]],
    references: list[tuple[str, Tensor]],
    *,
    look: Look | None = None,
) -> Figure:
    """An image under some heatmaps, the ranking of concepts, and reference images.

    Args:
        pixels: (C, H, W) in [0, 1]. panels: title and heatmap (H, W) of each.
        ranking: name and signed share of each concept, best first. references: caption and pixels (C, h, w) of each.
        look: how heatmaps lie over the image.
    """
    figure = Picture(figsize=(13, 3.6), layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)
    look = look or Look("red_blue")
    widths = [1.0] * max(1, len(panels)) + [1.0] + ([1.7] if references else [])
    grid = figure.add_gridspec(1, len(widths), width_ratios=widths)
    cells = iter(range(len(widths)))
    if not panels:
        _picture(figure.add_subplot(grid[next(cells)]), pixels, "")
    for name, heatmap in panels:
        bound = float(heatmap.abs().max()) or 1.0
        pane = Pane(name, pixels, heatmap, (-bound, bound), signed=True, unit="relevance")
        draw_pane(figure, figure.add_subplot(grid[next(cells)]), pane, look)
    _bars(figure.add_subplot(grid[next(cells)]), ranking[:_ROWS])
    if references:
        inner = grid[next(cells)].subgridspec(2, 4)
        for place, (caption, reference) in enumerate(references[:8]):
            _picture(figure.add_subplot(inner[divmod(place, 4)]), reference, caption, size=7)
    return figure


def _picture(axis: Axes, pixels: Tensor, title: str, size: int = 9) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, fontsize=size, parse_math=False)
    axis.set_axis_off()


def _bars(axis: Axes, ranking: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in ranking]
    shares = [100 * share for _, share in ranking]
    axis.barh(range(len(shares)), shares, color=[_NEGATIVE if share < 0 else _POSITIVE for share in shares])
    axis.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axis.axvline(0, color="#5b616b", linewidth=0.8)
    axis.invert_yaxis()
    axis.set_xlabel("share of the layer's relevance, %", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
