"""The figure of RELAX and RISE: importance, how sure it is, and both together."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.pieces import grid, pictures_of, show_map, show_picture
from xaiwidgets.plots.pixels import paled


def relax(result: Any, image: Any = None, *, quantile: float = 0.5) -> Figure:
    """Image, importance, uncertainty, U-RELAX and standard error: a row for each image."""
    rows = len(result.importance)
    pictures = pictures_of(image, rows)
    sure = result.sure(quantile)
    columns: list[tuple[str, Tensor]] = [
        ("Importance", result.importance),
        ("Uncertainty", result.uncertainty),
        (f"U-RELAX, surest {quantile:.0%}", torch.where(sure, result.importance, torch.nan)),
        ("Standard error", result.standard_error),
    ]
    figure, axes = grid(rows, len(columns) + (pictures is not None))
    for row in range(rows):
        cells = list(axes[row])
        if pictures is not None:
            show_picture(cells.pop(0), pictures[row], "Image")
        for axis, (title, values) in zip(cells, columns, strict=True):
            if pictures is not None:
                axis.imshow(paled(pictures[row]), cmap="gray", vmin=0, vmax=1)
            show_map(figure, axis, values[row], title, diverging=False, alpha=1.0 if pictures is None else 0.8)
    figure.suptitle(f"{result.provenance.method} of {result.provenance.model}, {result.n_masks} masks")
    return figure
