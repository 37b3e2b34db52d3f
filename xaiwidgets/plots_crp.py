"""matplotlib figures of concepts for papers: rows with heatmaps and references, bars of a ranking, attribution graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from torch import Tensor

from xaiwidgets.plots import Picture
from xaiwidgets.plots_pixels import drawn

__all__ = ["concept_graph", "concept_rows", "ranking"]

# Okabe and Ito's: for the class, against it. The map of heatmaps has the same two hues.
FOR, AGAINST = "#D55E00", "#0072B2"
MAP = "RdBu_r"
INK, FAINT = "#222222", "#8a8a8a"
SIDE = 1.35
"""Inches of one picture's side."""
INCHES = {"medium": 0.095, "small": 0.08, "x-small": 0.068}
"""Inches of a letter, on average."""

Names = Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class _Words:
    """What concepts and classes are called."""

    names: Names | None
    class_names: Sequence[str] | None

    def concept(self, layer: str, unit: int, otherwise: str) -> str:
        return (self.names or {}).get((layer, unit), otherwise)

    def target(self, target: Any) -> str:
        if isinstance(target, tuple):
            return " + ".join(self.target(entry) for entry in target)
        return f"class {target}" if self.class_names is None else str(self.class_names[target])


def _plain(figure: Figure) -> Figure:
    """The figure with all text taken as it is: a name may hold dollar signs, which matplotlib would read as formulas."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def _signed(value: float, digits: str) -> str:
    return f"{value:+{digits}}".replace("-", "−")


# -- rows ------------------------------------------------------------------------------------------------------------


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
    lines = [_lines(result, row, _Words(names, class_names), ranking) for row in range(count)]
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
    return _plain(figure)


def _lines(result: Any, row: int, words: _Words, ranking: Any) -> list[tuple[str, str, str]]:
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
                lines.append((f"{_signed(share * 100, '.1f')} % of the layer", "small", INK))
    lines.append((f"relevance {_signed(float(result.relevance[row].sum()), '.3g')}", "small", INK))
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


# -- bars ------------------------------------------------------------------------------------------------------------


def ranking(
    result: Any,
    image: int = 0,
    *,
    n: int = 15,
    names: Names | None = None,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Bars of the `n` concepts with the largest share in an image, the first on top; for the class or against it."""
    n = min(n, result.concepts.shape[1])
    ids, share = result.concepts[image, :n].tolist(), result.share[image, :n].cpu().numpy() * 100
    figure = Picture(figsize=(4.6, 0.26 * n + 1.1), layout="constrained")
    axis = figure.subplots()
    places = np.arange(n)
    axis.barh(places, share, height=0.72, color=[FOR if value >= 0 else AGAINST for value in share])
    reach = float(np.abs(share).max()) or 1.0
    for place, value in zip(places, share, strict=True):
        axis.annotate(
            f"{_signed(value, '.1f')} %", (value, place), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
            ha="left" if value >= 0 else "right", va="center", fontsize="x-small", color=INK,
        )  # fmt: skip
    words = _Words(names, class_names)
    labels = [words.concept(result.layer, unit, str(unit)) for unit in ids]
    axis.set_yticks(places, labels, fontsize="small")
    axis.set_ylim(n - 0.4, -0.6)
    low, high = min(0.0, float(share.min())), max(0.0, float(share.max()))
    axis.set_xlim(low - 0.22 * reach * (low < 0), high + 0.22 * reach * (high > 0))
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set_xlabel(f"share of the layer's {result.by} (%)", fontsize="small")
    axis.set_ylabel("concept", fontsize="small")
    axis.tick_params(axis="x", labelsize="x-small")
    axis.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    figure.suptitle(f"{result.layer}, {words.target(int(result.target[image]))}", fontsize="medium")
    return _plain(figure)


# -- graphs ----------------------------------------------------------------------------------------------------------

GAP, NODE_WIDTH = 0.055, 0.09
LEAST = 0.012
"""Smallest height of a node, in heights of the root, so that a faint one can still be seen."""


def concept_graph(
    result: Any,
    *,
    names: Names | None = None,
    class_names: Sequence[str] | None = None,
    pictures: Mapping[tuple[str, int], Any] | None = None,
) -> Figure:
    """Layers in columns from the root to the input; heights of nodes and ribbons are relevance.

    Args:
        result: a `ConceptGraph`. names: (layer, concept) -> name. class_names: one a class.
        pictures: (layer, concept) -> a picture (C, h, w), drawn beside its node.
    """
    columns = list(dict.fromkeys(node.layer for node in result.nodes))
    words, unit = _Words(names, class_names), abs(result.root.relevance) or 1.0
    height = [max(abs(node.relevance) / unit, LEAST) for node in result.nodes]
    gap = GAP if pictures is None else 0.2
    top = _places(result, columns, height, gap)
    tall = max(sum(height[i] + gap for i in _column(result, layer)) for layer in columns)
    figure = Picture(figsize=(1.2 + 1.75 * len(columns), min(9.0, max(2.6, 3.2 * tall))), layout="constrained")
    axis = figure.subplots()
    axis.set_axis_off()
    for edge, left, right in _slots(result, top, unit):
        ends = (
            columns.index(result.nodes[edge.source].layer) + NODE_WIDTH,
            columns.index(result.nodes[edge.target].layer),
        )
        axis.add_patch(_ribbon(ends, left, right, abs(edge.relevance) / unit, FOR if edge.relevance >= 0 else AGAINST))
    for number, node in enumerate(result.nodes):
        x, colour = columns.index(node.layer), FOR if node.relevance >= 0 else AGAINST
        axis.add_patch(
            Rectangle((x, top[number] - height[number]), NODE_WIDTH, height[number], color=colour, linewidth=0)
        )
        name = (
            words.target(node.concept)
            if node.layer == "output"
            else words.concept(node.layer, node.concept, str(node.concept))
        )
        place = (x + NODE_WIDTH, top[number] - height[number] / 2)
        _label(
            axis, f"{name}  {_signed(node.relevance, '.2g')}", place, (pictures or {}).get((node.layer, node.concept))
        )
    for x, layer in enumerate(columns):
        axis.text(x, 1.02 * max(top) + 0.04, layer, fontsize="small", color=FAINT, ha="left", va="bottom")
    axis.set_xlim(-0.05, len(columns) - 1 + 0.75)
    axis.set_ylim(min(t - h for t, h in zip(top, height, strict=True)) - 0.03, 1.02 * max(top) + 0.12)
    axis.plot([], [], color=FOR, linewidth=6, label=f"for {words.target(result.target)}")
    axis.plot([], [], color=AGAINST, linewidth=6, label="against it")
    axis.legend(loc="lower right", fontsize="x-small", frameon=False)
    return _plain(figure)


def _slots(result: Any, top: Sequence[float], unit: float) -> Iterator[tuple[Any, float, float]]:
    """For each edge where its ribbon leaves and where it arrives, the tops: sorted, so that ribbons of a node do not cross."""
    leaving, arriving = list(top), list(top)
    left: dict[int, float] = {}
    right: dict[int, float] = {}
    numbers = range(len(result.edges))
    for number in sorted(numbers, key=lambda n: -top[result.edges[n].target]):
        edge = result.edges[number]
        left[number] = leaving[edge.source]
        leaving[edge.source] -= abs(edge.relevance) / unit
    for number in sorted(numbers, key=lambda n: -top[result.edges[n].source]):
        edge = result.edges[number]
        right[number] = arriving[edge.target]
        arriving[edge.target] -= abs(edge.relevance) / unit
    return ((result.edges[number], left[number], right[number]) for number in numbers)


def _column(result: Any, layer: str) -> list[int]:
    return [number for number, node in enumerate(result.nodes) if node.layer == layer]


def _places(result: Any, columns: Sequence[str], height: Sequence[float], gap: float) -> list[float]:
    """The top of each node: in each column in the order of its parents, so that ribbons cross little; columns are centred."""
    top = [0.0] * len(result.nodes)
    for layer in columns:
        members = _column(result, layer)

        def middle(number: int) -> float:
            above = result.above(number)
            weight = sum(abs(edge.relevance) for edge in above)
            return sum(top[edge.source] * abs(edge.relevance) for edge in above) / weight if weight else 0.0

        members.sort(key=lambda number: (-middle(number), -abs(result.nodes[number].relevance)))
        edge = sum(height[number] + gap for number in members) / 2
        for number in members:
            top[number] = edge
            edge -= height[number] + gap
    return top


def _ribbon(x: tuple[int | float, int | float], left: float, right: float, size: float, colour: str) -> PathPatch:
    """A band of constant height from (x₀, left) to (x₁, right), the tops given."""
    (start, end), bend = x, (x[0] + x[1]) / 2
    points = [
        (start, left), (bend, left), (bend, right), (end, right),
        (end, right - size), (bend, right - size), (bend, left - size), (start, left - size), (start, left),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return PathPatch(Path(points, codes), facecolor=colour, edgecolor=colour, alpha=0.32, linewidth=0.4)


def _label(axis: Axes, text: str, place: tuple[float, float], pixels: Any) -> None:
    """A node's name and number, past its picture where it has one."""
    shift = 5
    if pixels is not None:
        array = drawn(pixels)
        box = OffsetImage(array, zoom=30 / max(array.shape[:2]), cmap="gray")
        axis.add_artist(AnnotationBbox(box, place, xybox=(20, 0), boxcoords="offset points", frameon=False, pad=0))
        shift = 39
    axis.annotate(
        text, place, xytext=(shift, 0), textcoords="offset points", fontsize="x-small", color=INK, va="center",
        path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.85)],
    )  # fmt: skip
