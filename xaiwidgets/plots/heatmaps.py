"""Heatmaps, alone and over their pictures."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.pieces import grid, pictures_of, show_map, show_picture

INCHES_A_LETTER = 0.075
"""Of small print, on average."""


def explanation(result: Any, image: Any = None, **options: Any) -> Figure:
    """The figure of any result with a heatmap; its title is the method. ``options``: of `heatmaps`. Where next to no relevance reached the
    pixels, it says so."""
    figure = heatmaps(result.heatmap, image, title=str(result.provenance.method), **options)
    warning = getattr(getattr(result, "conservation", None), "warning", "")
    if warning:
        letters = int(figure.get_size_inches()[0] / INCHES_A_LETTER)
        figure.supxlabel("\n".join(textwrap.wrap(warning, letters)), fontsize="small")
    return figure


def heatmaps(values: Tensor, image: Any = None, *, title: str = "", unit: str = "relevance") -> Figure:
    """Signed heatmaps (N, H, W), centred at zero: a column for each image."""
    pictures = pictures_of(image, len(values))
    figure, axes = grid(1 if pictures is None else 2, len(values))
    for column in range(len(values)):
        cells = list(axes[:, column])
        if pictures is not None:
            show_picture(cells.pop(0), pictures[column], "")
        show_map(figure, cells[0], values[column], unit, diverging=True)
    figure.suptitle(title)
    return figure


def picture(pixels: Tensor, *, title: str = "") -> Figure:
    """One picture (C, H, W) of values in [0, 1]."""
    figure, axes = grid(1, 1)
    show_picture(axes[0, 0], pixels, title)
    return figure
