"""Attribution graphs of concepts, as layers in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.pixels import drawn
from xaiwidgets.plots.words import AGAINST, FAINT, FOR, INK, Names, Words, plain_text, signed

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
    words, unit = Words(names, class_names), abs(result.root.relevance) or 1.0
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
            words.target(result.target)
            if node.layer == "output"
            else words.concept(node.layer, node.concept, str(node.concept))
        )
        place = (x + NODE_WIDTH, top[number] - height[number] / 2)
        _label(
            axis, f"{name}  {signed(node.relevance, '.2g')}", place, (pictures or {}).get((node.layer, node.concept))
        )
    for x, layer in enumerate(columns):
        axis.text(x, 1.02 * max(top) + 0.04, layer, fontsize="small", color=FAINT, ha="left", va="bottom")
    axis.set_xlim(-0.05, len(columns) - 1 + 0.75)
    axis.set_ylim(min(t - h for t, h in zip(top, height, strict=True)) - 0.03, 1.02 * max(top) + 0.12)
    axis.plot([], [], color=FOR, linewidth=6, label=f"for {words.target(result.target)}")
    axis.plot([], [], color=AGAINST, linewidth=6, label="against it")
    axis.legend(loc="lower right", fontsize="x-small", frameon=False)
    return plain_text(figure)


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
