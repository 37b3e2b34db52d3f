"""Concepts for papers: a row a condition with its heatmap and reference samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.pixels import drawn
from xaiwidgets.plots.words import FAINT, INK, MAP, Names, Words, plain_text, signed

SIDE = 1.35
"""Inches of one picture's side."""
INCHES = {"medium": 0.095, "small": 0.08, "x-small": 0.068}
"""Inches of a letter, on average."""


def concept_rows(
    result: Any,
    image: Any = None,
    *,
    references: Sequence[Any] | None = None,
    names: Names | None = None,
    class_names: Sequence[str] | None = None,
    ranking: Any = None,
    most: int = 8,
) -> Figure:
    """A row a condition: what it is, its heatmap over the image, and reference samples.

    Args:
        result: a `ConceptAttribution`.
        image: pixel values in [0, 1], (N, C, H, W) or (C, H, W), to lay beneath, such as `model.pixels(x)`.
        references: for each row `ReferenceImages`, or pictures (C, h, w); at most `most` are drawn.
        names: (layer, concept) -> name. class_names: one a class.
        ranking: a `Ranking` of the same images, for the share of each concept.

    Raises:
        ValueError: another number of references than rows, or pictures of another number than images.
    """
    count = len(result.rows)
    pictures = _pictures(image, len(result.output))
    shown = [_reference_pictures(entry)[:most] for entry in references] if references is not None else [[]] * count
    if len(shown) != count:
        raise ValueError(f"references has {len(shown)} entries for {count} rows; give one a row.")
    columns = max((len(entry) for entry in shown), default=0)
    lines = [_lines(result, row, Words(names, class_names), ranking) for row in range(count)]
    beside = max(1.0, *(INCHES[size] * len(line) for each in lines for line, size, _ in each))
    figure = Picture(figsize=(beside + SIDE * (1 + columns) + 0.2, SIDE * count + 0.75), layout="constrained")
    ratios = [beside / SIDE, *[1.0] * (1 + columns)]
    grid = figure.add_gridspec(count, 2 + columns, width_ratios=ratios, wspace=0.02, hspace=0.03)
    heat_axes = []
    for row, entry in enumerate(result.rows):
        text = figure.add_subplot(grid[row, 0])
        text.set_axis_off()
        _describe(text, lines[row])
        axis = figure.add_subplot(grid[row, 1])
        heat_axes.append(axis)
        _overlay(axis, result.heatmap[row], None if pictures is None else pictures[entry.image])
        for column, pixels in enumerate(shown[row]):
            _picture(figure.add_subplot(grid[row, 2 + column]), pixels)
        if row == 0:
            axis.set_title("in this image", fontsize="small", color=INK)
            if shown[0]:
                figure.axes[-len(shown[0])].set_title("reference samples", fontsize="small", color=INK, loc="left")
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), MAP), ax=heat_axes, location="bottom", aspect=12, pad=0.02)
    bar.set_label("relevance, of each row's largest", fontsize="xx-small")
    bar.set_ticks([-1, 0, 1], labels=["−1", "0", "1"], fontsize="xx-small")
    return plain_text(figure)


def _lines(result: Any, row: int, words: Words, ranking: Any) -> list[tuple[str, str, str]]:
    """What a row is about, in words and numbers: text, size and colour of each line."""
    entry, lines = result.rows[row], []
    for layer, which in entry.condition.items():
        if layer == "y":
            continue
        ids = [int(unit) for unit in which] if isinstance(which, (list, tuple, range)) else []
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        known = [words.concept(layer, unit, f"concept {unit}" if len(ids) == 1 else str(unit)) for unit in ids[:3]]
        label = ", ".join(known) + more if ids else "part of the layer"
        lines += [(label, "medium", INK), (layer, "x-small", FAINT)]
        if ranking is not None and ranking.layer == layer and len(ids) == 1:
            place = (ranking.concepts[entry.image] == ids[0]).nonzero()
            if len(place):
                share = float(ranking.share[entry.image, place[0, 0]])
                lines.append((f"{signed(share * 100, '.1f')} % of the layer", "small", INK))
    lines.append((f"relevance {signed(float(result.relevance[row].sum()), '.3g')}", "small", INK))
    if entry.target is not None:
        lines.append((f"for {words.target(entry.target)}", "x-small", FAINT))
    return lines


def _describe(axis: Axes, lines: Sequence[tuple[str, str, str]]) -> None:
    for number, (line, size, colour) in enumerate(lines):
        place = 0.5 + 0.17 * ((len(lines) - 1) / 2 - number)
        axis.text(
            0.98,
            place,
            line,
            fontsize=size,
            color=colour,
            ha="right",
            va="center",
            transform=axis.transAxes,
            in_layout=False,
        )


def _overlay(axis: Axes, heatmap: Tensor, pixels: Tensor | None) -> None:
    """A signed map over a pale grey picture; what is near zero lets the picture through."""
    values = heatmap.detach().cpu().numpy()
    # One bright pixel shall not hide the rest.
    scaled = np.clip(values / (float(np.quantile(np.abs(values), 0.998)) or float(np.abs(values).max()) or 1.0), -1, 1)
    if pixels is not None:
        grey = pixels.detach().cpu().mean(0).clamp(0, 1).numpy()
        axis.imshow(0.55 + 0.45 * grey, cmap="gray", vmin=0, vmax=1)
    alpha = 1.0 if pixels is None else np.abs(scaled) ** 0.4
    axis.imshow(scaled, cmap=MAP, vmin=-1, vmax=1, alpha=alpha)
    _frame(axis)


def _picture(axis: Axes, pixels: Tensor) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)
    _frame(axis)


def _frame(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_color("#cccccc")
        side.set_linewidth(0.6)


def _reference_pictures(entry: Any) -> list[Any]:
    return list(entry.pixels if hasattr(entry, "pixels") else entry)


def _pictures(image: Any, count: int) -> Tensor | None:
    if image is None:
        return None
    pixels = torch.as_tensor(image).detach().float()
    pixels = pixels[None] if pixels.ndim == 3 else pixels
    if pixels.ndim != 4 or len(pixels) != count:
        raise ValueError(f"image has shape {tuple(pixels.shape)}; give ({count}, C, H, W), one an image of the result.")
    return pixels
