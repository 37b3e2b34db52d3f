"""Relevance at every layer that has a picture, kept on the way of one pass from the output to the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from xaiwidgets.graph import Graph, Propagator, Record, Space, bottlenecks, pictures
from xaiwidgets.graph.carried import Carried, relevance_of
from xaiwidgets.graph.kinds import is_elementwise, offset_of
from xaiwidgets.graph.local import Into
from xaiwidgets.graph.propagate import Trace
from xaiwidgets.lrp.absolute.contrast import abs_maps
from xaiwidgets.results import Result

__all__ = ["Descent", "LayerMaps", "layers_with_pictures"]


@dataclass(frozen=True, eq=False, repr=False)
class LayerMaps(Result):
    """Relevance at every layer that has a picture, from the output down to the pixels.

    What flows from one layer into the next is all there is (Bach et al. 2015, eq. 2): where everything passes through a layer, its
    relevance adds up to the start, but for what biases and ε took on the way; beside a shortcut it is a part.

    Attributes:
        maps: name of a layer -> (N, h, w), its relevance summed over channels, on the grid that it has; the last, "input", is the
            ordinary heatmap. Tokens that stand for no place (class, registers) are left out.
        whole: for each layer, whether everything passes through it; False where something runs beside it over a shortcut.
        start: (N,) the relevance at the output. totals: (N, layers) what is at each layer, tokens without a place included. Both None
            where relevance is no account of sums (absLRP).
        target: (N,) the class explained; None where it was another target, or a tensor given as start.
        output: (N, …) the model's output.
    """

    figure: ClassVar[str] = "depth"

    maps: Mapping[str, Tensor]
    whole: tuple[bool, ...]
    start: Tensor | None
    totals: Tensor | None
    target: Tensor | None
    output: Tensor

    @property
    def names(self) -> tuple[str, ...]:
        """The layers, from the output to the "input"."""
        return tuple(self.maps)

    @property
    def heatmap(self) -> Tensor:
        """That of the pixels, (N, H, W)."""
        return self.maps["input"]

    @property
    def shares(self) -> Tensor | None:
        """(N, layers) the share of the start that is at each layer; NaN where relevance began with nothing."""
        return None if self.totals is None or self.start is None else _share(self.totals, self.start)

    @property
    def pictured(self) -> Tensor | None:
        """(N, layers) the share of the start that is in each picture: what `shares` has without tokens that stand for no place."""
        if self.start is None:
            return None
        return _share(torch.stack([values.sum((1, 2)) for values in self.maps.values()], 1), self.start)

    def __repr__(self) -> str:
        grids = [f"{name} {values.shape[1]}×{values.shape[2]}" for name, values in self.maps.items()]
        shown = grids if len(grids) <= 6 else [*grids[:3], "…", *grids[-2:]]
        return f"{super().__repr__()}\n  {len(grids)} layers: {', '.join(shown)}"


def _share(amounts: Tensor, start: Tensor) -> Tensor:
    return torch.where(start[:, None] == 0, torch.nan, amounts / start[:, None])


def layers_with_pictures(graph: Graph) -> dict[int, tuple[str, Space]]:
    """Step -> (name, places) of every layer whose value lies on the image, from the output to the "input".

    Where several layers give one value it has the name of the outermost, "layer4" rather than "layer4.2.relu". A layer that hands
    relevance on entry by entry (ReLU, dropout) has the picture of the layer that it alone reads, which is there once.
    """
    places = pictures(graph)
    names: dict[int, str] = {}
    for name, index in graph.layers.items():
        if name and (index not in names or name.count(".") < names[index].count(".")):
            names[index] = name
    names[0] = "input"
    readers = [0] * len(graph.operations)
    for operation in graph.operations:
        for index in operation.inputs:
            readers[index] += 1
    found = {}
    for index in sorted(names, reverse=True):
        operation = graph.operations[index]
        again = is_elementwise(operation) and offset_of(operation) is None and readers[operation.inputs[0]] == 1
        if index in places and not (again and operation.inputs[0] in names):
            found[index] = (names[index], places[index])
    return found


@dataclass
class Descent:
    """What one pass, of all images chunk by chunk, leaves at the layers with pictures: each summed over its channels as it passes, so
    that no layer's relevance is kept.

    Attributes:
        contrast: whether rows for and against go down together (absLRP).
    """

    graph: Graph
    contrast: bool = False
    layers: dict[int, tuple[str, Space]] = field(init=False)
    _maps: dict[int, list[Tensor]] = field(default_factory=dict)
    _totals: dict[int, list[Tensor]] = field(default_factory=dict)
    _starts: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layers = layers_with_pictures(self.graph)

    @classmethod
    def of(cls, propagator: Propagator, contrast: bool) -> Descent:
        return cls(propagator.graph, contrast)

    def watch(self, record: Record, start: Tensor, also: Trace | None) -> Trace:
        """The trace of one chunk. ``start``: relevance at its output (K, n, …). ``also``: another trace to call."""
        self._starts.append(start[0].flatten(1).sum(1))
        one = record.parts[0] if record.parts else record
        # What stands in windows has more entries along the first axis than there are images.
        here = {index for index in self.layers if one.shapes[index] and one.shapes[index][0] == one.batch}

        def trace(index: int, carried: Carried, shares: Sequence[Carried | Into | None]) -> None:
            if also is not None:
                also(index, carried, shares)
            if index in here:
                self._keep(index, relevance_of(carried), one.batch)

        return trace

    def end(self, relevance: Tensor) -> None:
        """What a chunk left at the pixels (n, C, H, W)."""
        self._add(0, relevance)

    def _keep(self, index: int, relevance: Tensor, batch: int) -> None:
        # The contrast is taken in place, of what goes further down.
        self._add(index, abs_maps(relevance.clone(), batch)[0] if self.contrast else relevance[0])

    def _add(self, index: int, relevance: Tensor) -> None:
        relevance = relevance.float()
        self._maps.setdefault(index, []).append(self.layers[index][1].map(relevance).sum(1))
        self._totals.setdefault(index, []).append(relevance.flatten(1).sum(1))

    def maps(self) -> dict[str, Tensor]:
        """Name -> (N, h, w), from the output to the input."""
        return {self.layers[index][0]: torch.cat(self._maps[index]) for index in self._passed()}

    def whole(self) -> tuple[bool, ...]:
        narrow = {index for _, index in bottlenecks(self.graph)} | {0}
        return tuple(index in narrow for index in self._passed())

    def account(self) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """(N,) at the output, and (N, layers) at each; nothing of a contrast."""
        if self.contrast:
            return None, None
        totals = [torch.cat(self._totals[index]) for index in self._passed()]
        return torch.cat(self._starts).float(), torch.stack(totals, 1)

    def _passed(self) -> list[int]:
        """The layers that relevance came through, from the output to the input."""
        return [index for index in self.layers if index in self._maps]
