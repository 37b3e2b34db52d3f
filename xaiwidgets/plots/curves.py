"""What figures of evaluations share: curves with intervals, bars, small pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.pixels import drawn

__all__ = ["CHANCE", "COLOURS", "bars", "clean", "curve", "mean_of", "picture"]

# Okabe and Ito's colours, told apart by colour-blind readers; black and grey are for chance.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00")
CHANCE = "#777777"


def curve(
    axis: Axes,
    at: np.ndarray,
    scores: Tensor,
    label: str,
    *,
    colour: str,
    band: bool,
    result: Any,
    dashed: bool = False,
) -> None:
    """The mean of scores (N, steps) over images, with the interval that the result gives each point."""
    centre = scores.double().nanmean(0).numpy()
    axis.plot(at, centre, color=colour, label=label, linestyle="--" if dashed else "-", marker=".", markersize=4)
    if not band or len(scores) < 2:
        return
    low, high = result.band(scores)
    axis.fill_between(at, low.numpy(), high.numpy(), color=colour, alpha=0.15, linewidth=0)


def bars(rows: Mapping[str, Sequence[Any]], labels: Sequence[str], title: str) -> Figure:
    figure = Picture(figsize=(1.2 * len(labels) + 0.5 * len(labels) * len(rows) + 1.5, 4), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(rows)
    for index, (name, estimates) in enumerate(rows.items()):
        at = np.arange(len(labels)) + (index - (len(rows) - 1) / 2) * width
        means = np.array([estimate.mean for estimate in estimates])
        ends = np.array([[estimate.mean - estimate.low, estimate.high - estimate.mean] for estimate in estimates]).T
        axis.bar(at, means, width * 0.92, label=name, color=COLOURS[index % len(COLOURS)])
        axis.errorbar(at, means, np.nan_to_num(ends).clip(0), fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
    axis.set_xticks(range(len(labels)), labels)
    axis.axhline(0, color="#222222", linewidth=0.8)
    axis.set_title(title, fontsize="medium")
    axis.legend(fontsize="small", frameon=False)
    clean(axis)
    return figure


def picture(axis: Axes, pixels: Tensor) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)
    axis.set_xticks([])
    axis.set_yticks([])


def mean_of(values: Tensor) -> str:
    return f"{float(torch.as_tensor(values).nanmean()):.3f}"


def clean(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
