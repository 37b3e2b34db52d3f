"""Relevance on its way down: a picture a layer, from the output to the pixels."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure
from torch.nn import functional as F

from xaiwidgets.plots.overlays import Look, Pane, overlays
from xaiwidgets.plots.pieces import grid, pictures_of, show_map

__all__ = ["depth"]


def depth(result: Any, image: Any = None, *, row: int = 0, most: int = 6) -> Figure:
    """Some layers of one image of a `LayerMaps`, evenly from the output to the pixels, each on a scale of its own.

    Args:
        image: pixels of all images to lay beneath, (N, C, H, W) of values in [0, 1]; the maps are then upsampled to them (bilinear).
        row: the number of the image. most: so many layers at most.

    Raises:
        ValueError: no such image, fewer than two layers, or pixels that do not fit.
    """
    count = len(result.heatmap)
    if not 0 <= row < count:
        raise ValueError(f"row={row} is no image of {count}; give 0 to {count - 1}")
    if most < 2:
        raise ValueError(f"most={most} leaves no way from the output to the pixels; give 2 or more")
    pictures = pictures_of(image, count)
    names = list(result.maps)
    steps = min(most, len(names))
    chosen = [names[round(i * (len(names) - 1) / max(1, steps - 1))] for i in range(steps)]
    shares = result.pictured
    titles = [
        _titled(name, result.maps[name].shape[1:], None if shares is None else float(shares[row, names.index(name)]))
        for name in chosen
    ]
    title = f"{result.provenance.method}, layer by layer"
    if pictures is None:
        figure, axes = grid(1, len(chosen))
        for axis, name, said in zip(axes[0], chosen, titles, strict=True):
            show_map(figure, axis, result.maps[name][row], said, diverging=True)
        figure.suptitle(title)
        return figure
    panes = []
    for name, said in zip(chosen, titles, strict=True):
        values = result.maps[name][row]
        end = float(values.abs().max()) or 1.0
        size = tuple(pictures.shape[2:])
        values = F.interpolate(values[None, None].cpu(), size=size, mode="bilinear", align_corners=False)[0, 0]
        panes.append(Pane(said, pictures[row], values, (-end, end), signed=True))
    return overlays(panes, Look(), title=title)


def _titled(name: str, size: tuple[int, ...], share: float | None) -> str:
    said = "pixels" if name == "input" else name
    return f"{said}\n{size[0]} × {size[1]}" + ("" if share is None or math.isnan(share) else f" · {share:.0%}")
