"""What a concept is made of: its relevance followed down to the concepts of the layers that feed it, and of those that feed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.crp.passes import Pass
from xaiwidgets.devices import sent
from xaiwidgets.results import Provenance, Result

__all__ = ["ConceptGraph", "Edge", "Node", "decompose", "feeders"]


class Node(NamedTuple):
    """A concept in an attribution graph. At the output it is the class, 0 for another target.

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
        target: the class explained, or another target in words. output: (1, …).
    """

    figure = "concept_graph"

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    target: int | str
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
    """Follow a concept's relevance down, `width[d]` concepts of each feeding layer at depth d; None starts at the class itself."""
    what = explained.explained
    value, number, whole = explained.start, what if isinstance(what, int) else 0, explained.start.abs().sum()
    if concept is not None:
        keep = sent(explained.known[layer].select([concept]), explained.start.device, explained.start.dtype)
        value, number, whole = explained.at([layer])[layer] * keep, concept, explained.concepts(layer).abs().sum()
    work = _Decomposition(explained, width, branches, chunk)
    work.add(layer, number, 0, value, float(value.sum()))
    work.arrived[layer] = whole[None].cpu()
    nodes, edges = work.run()
    return ConceptGraph(provenance, nodes, edges, what, explained.record.output.float())


class _Growing:
    """A concept whose relevance is still being gathered from the concepts above it."""

    def __init__(self, layer: str, concept: int, depth: int, value: Tensor) -> None:
        self.layer, self.concept, self.depth = layer, concept, depth
        self.value = torch.zeros_like(value)
        self.relevance = 0.0


class _Decomposition:
    """Layers are taken from output to input, so that a concept which several parents share has gathered all its relevance before
    it is followed on. Relevance is stopped at the first layer it meets: an edge counts what flows directly."""

    def __init__(self, explained: Pass, width: Sequence[int], branches: int | None, chunk: int) -> None:
        self.explained, self.width, self.branches, self.chunk = explained, width, branches, chunk
        self.waiting: dict[int, dict[int, _Growing]] = {}  # step -> concepts of its layer
        self.links: list[tuple[_Growing, _Growing, float]] = []
        self.arrived: dict[str, Tensor] = {}  # layer -> (units,) relevance that its parents sent

    def add(self, layer: str, concept: int, depth: int, value: Tensor, relevance: float) -> _Growing:
        """Relevance (1, 1, …) that reaches a concept."""
        level = self.waiting.setdefault(self.explained.propagator.index(layer), {})
        node = level.setdefault(concept, _Growing(layer, concept, depth, value))
        node.value = node.value + value
        node.relevance += relevance
        node.depth = min(node.depth, depth)
        return node

    def run(self) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        done: list[_Growing] = []
        while self.waiting:
            nodes = list(self.waiting.pop(max(self.waiting)).values())
            done += nodes
            going_on = [node for node in nodes if node.depth < len(self.width)]
            rows = self.explained.known.rows(self.chunk, 1)
            for first in range(0, len(going_on), rows):
                self._follow(going_on[first : first + rows])
        place = {id(node): number for number, node in enumerate(done)}
        total = {layer: float(relevance.abs().sum()) or 1.0 for layer, relevance in self.arrived.items()}
        listed = tuple(Node(n.layer, n.concept, n.relevance, n.relevance / total[n.layer], n.depth) for n in done)
        return listed, tuple(Edge(place[id(a)], place[id(b)], amount) for a, b, amount in self.links)

    def _follow(self, nodes: Sequence[_Growing]) -> None:
        """From concepts of one layer down to the layers that feed it, in one pass."""
        known, propagator = self.explained.known, self.explained.propagator
        below = feeders(known, nodes[0].layer)
        if not below:
            return
        start = {nodes[0].layer: torch.cat([node.value for node in nodes])}
        found = propagator.down(self.explained.record, start, below, stop=True)
        values = {str(name): value for name, value in found.items()}
        sums = [known[name].sum(value)[:, 0].float() for name, value in values.items()]
        # All concepts' numbers in one go: each by itself would wait for the device.
        each_of = torch.cat(sums, 1).cpu().split([part.shape[1] for part in sums], 1)
        reached = {name: (values[name], each) for name, each in zip(values, each_of, strict=True)}
        for row, node in enumerate(nodes):
            strongest = sorted(reached, key=lambda name: -float(reached[name][1][row].abs().sum()))
            for name in strongest[: self.branches]:
                value, each = reached[name][0][row : row + 1], reached[name][1][row]
                self.arrived[name] = self.arrived.get(name, torch.zeros_like(each)) + each
                largest = each.abs().topk(min(self.width[node.depth], len(each))).indices.tolist()
                for unit in largest:
                    if each[unit]:
                        part = value * sent(known[name].select([unit]), value.device, value.dtype)
                        child = self.add(name, unit, node.depth + 1, part, float(each[unit]))
                        self.links.append((node, child, float(each[unit])))
