"""What figures are made of: a figure that notebooks show by itself, grids, pictures and maps with their colour bars."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.pixels import drawn

__all__ = ["DIVERGING", "SEQUENTIAL", "SIDE", "Picture", "grid", "pictures_of", "show_map", "show_picture"]


class Picture(Figure):
    """A figure that notebooks show by itself, without pyplot."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=100)
        return out.getvalue()


SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
SIDE = 3.0
"""Inches of one picture's side."""


def grid(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Picture(figsize=(SIDE * columns + 0.6, SIDE * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def show_picture(axis: Axes, pixels: Tensor, title: str) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, fontsize="medium")


def show_map(figure: Figure, axis: Axes, values: Tensor, title: str, *, diverging: bool, alpha: float = 1.0) -> None:
    array = values.detach().cpu().numpy()
    # In a diverging map the middle colour means zero.
    largest = float(np.nanmax(np.abs(array))) or 1.0
    low, high = (-largest, largest) if diverging else (None, None)
    image = axis.imshow(array, cmap=DIVERGING if diverging else SEQUENTIAL, alpha=alpha, vmin=low, vmax=high)
    axis.set_title(title, fontsize="medium")
    figure.colorbar(image, ax=axis, shrink=0.8)


def pictures_of(image: Any, count: int) -> Tensor | None:
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
