"""What a concept is made of: its relevance followed down to the concepts of the layers that feed it, and of those that feed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.crp.passes import Pass
from xaiwidgets.results import Provenance, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ConceptGraph", "Edge", "Node", "decompose", "feeders"]


class Node(NamedTuple):
    """A concept in an attribution graph.

    relevance: what reaches it over the edges drawn, in units of the start; signed. share: that divided by the sum of magnitudes
    over all concepts of its layer that the same parents feed. depth: steps below the root.
    """

    layer: str
    concept: int
    relevance: float
    share: float
    depth: int


class Edge(NamedTuple):
    """Relevance that flows from a concept (`source`, a number in `nodes`) down to one that feeds it (`target`)."""

    source: int
    target: int
    relevance: float


@dataclass(frozen=True, eq=False, repr=False)
class ConceptGraph(Result):
    """The decomposition of a concept (arXiv 2206.03208, hierarchical composition).

    Attributes:
        nodes: the root first, then layer by layer towards the input. edges: between them.
        target: the class explained. output: (1, classes).
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    target: int
    output: Tensor

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def below(self, node: int) -> tuple[Edge, ...]:
        """Edges from a node to what it is made of, the strongest first."""
        return tuple(sorted((e for e in self.edges if e.source == node), key=lambda e: -abs(e.relevance)))

    def above(self, node: int) -> tuple[Edge, ...]:
        """Edges from what a node is part of."""
        return tuple(e for e in self.edges if e.target == node)

    def __str__(self) -> str:
        lines: list[str] = []

        def write(number: int, relevance: float, indent: int) -> None:
            node = self.nodes[number]
            lines.append(f"{'  ' * indent}{node.layer} {node.concept}: {relevance:+.4g}")
            for edge in self.below(number):
                write(edge.target, edge.relevance, indent + 1)

        write(0, self.root.relevance, 0)
        return "\n".join(lines)

    def plot(self, image: Any = None, **options: Any) -> Figure:
        """Layers in columns, widths are relevance. `image` is not used."""
        from xaiwidgets import plots_crp

        return plots_crp.concept_graph(self, **options)


def feeders(known: ConceptLayers, layer: str) -> tuple[str, ...]:
    """The nearest layers with concepts below a layer, from output to input: those whose values reach it through no other."""
    by_index = {known.graph.index(name): name for name in known}
    operations, carries = known.graph.operations, known.propagator.carries
    waiting, seen, found = list(operations[known.propagator.index(layer)].inputs), set(), []
    while waiting:
        index = waiting.pop()
        if index in seen or not carries[index]:
            continue
        seen.add(index)
        if index in by_index:
            found.append(index)
        else:
            waiting.extend(operations[index].inputs)
    return tuple(by_index[index] for index in sorted(found, reverse=True))


class _Growing:
    """A concept whose relevance is still being gathered from the concepts above it."""

    def __init__(self, layer: str, concept: int, depth: int) -> None:
        self.layer, self.concept, self.depth = layer, concept, depth
        self.value: Tensor | None = None
        self.relevance = 0.0

    def add(self, value: Tensor, relevance: float, depth: int) -> None:
        self.value = value if self.value is None else self.value + value
        self.relevance += relevance
        self.depth = min(self.depth, depth)


def decompose(
    explained: Pass,
    layer: str,
    concept: int | None,
    width: Sequence[int],
    *,
    branches: int | None,
    provenance: Provenance,
    chunk: int,
) -> ConceptGraph:
    """Follow a concept's relevance down, `width[d]` concepts of each feeding layer at depth d; None starts at the class itself.

    Layers are taken from output to input, so that a concept which several parents share has gathered all its relevance before it
    is followed on. Relevance is stopped at the first layer it meets: an edge counts what flows directly.
    """
    known, propagator, record = explained.known, explained.propagator, explained.record
    if concept is None:
        value, number = explained.start, int(explained.target[0])
        relevance = float(value.sum())
    else:
        value, number = explained.at([layer])[layer] * known[layer].select([concept]).to(explained.start), concept
        relevance = float(value.sum())
    root = _Growing(layer, number, 0)
    root.add(value, relevance, 0)
    waiting: dict[int, dict[int, _Growing]] = {propagator.index(layer): {number: root}}
    done: list[_Growing] = []
    links: list[tuple[_Growing, _Growing, float]] = []
    arrived: dict[str, Tensor] = {}
    while waiting:
        nodes = list(waiting.pop(max(waiting)).values())
        done += nodes
        below = feeders(known, nodes[0].layer)
        nodes = [node for node in nodes if node.depth < len(width)]
        for first in range(0, len(nodes) if below else 0, chunk):
            rows = nodes[first : first + chunk]
            begin = torch.cat([node.value for node in rows if node.value is not None])
            found = propagator.down(record, {rows[0].layer: begin}, below, stop=True)
            sums = {str(name): known[str(name)].sum(tensor)[:, 0] for name, tensor in found.items()}
            for row, node in enumerate(rows):
                strongest = sorted(sums, key=lambda name: -float(sums[name][row].abs().sum()))[:branches]
                for name in strongest:
                    each = sums[name][row]
                    arrived[name] = arrived.get(name, torch.zeros_like(each)) + each
                    level = waiting.setdefault(propagator.index(name), {})
                    for unit in each.abs().topk(min(width[node.depth], len(each))).indices.tolist():
                        amount = float(each[unit])
                        if amount == 0.0:
                            continue
                        child = level.setdefault(unit, _Growing(name, unit, node.depth + 1))
                        part = found[name][row : row + 1] * known[name].select([unit]).to(begin)
                        child.add(part, amount, node.depth + 1)
                        links.append((node, child, amount))
                    if not level:
                        del waiting[propagator.index(name)]
    place = {id(node): i for i, node in enumerate(done)}
    totals = {name: float(tensor.abs().sum()) for name, tensor in arrived.items()}
    whole = float(explained.concepts(layer).abs().sum()) if concept is not None else abs(relevance)
    listed = tuple(
        Node(
            n.layer,
            n.concept,
            n.relevance,
            n.relevance / (totals.get(n.layer, whole) if n is not root else whole),
            n.depth,
        )
        for n in done
    )
    edges = tuple(Edge(place[id(a)], place[id(b)], amount) for a, b, amount in links)
    return ConceptGraph(provenance, listed, edges, int(explained.target[0]), record.output.float())
