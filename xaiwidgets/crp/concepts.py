"""What a concept is: some part of a layer's value whose relevance is kept, summed and ranked as one.

A layer has `units` concepts, numbered from 0: the channels of a convolution, the features of a linear layer, of an MLP or of
tokens, the heads of attention; or whatever a user's own `Concept` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from xaiwidgets.crp.dictionary import Dictionary
from xaiwidgets.errors import whole
from xaiwidgets.graph import Graph, GraphError, Propagator, channel_axis
from xaiwidgets.graph.graph import AFTER_CLASSIFIER
from xaiwidgets.graph.kinds import kind_of

__all__ = ["AxisConcept", "Concept", "ConceptLayers", "MaskConcept", "check_ids"]

REUSED = 2**24
"""Bytes of the largest blocks that the memory allocator keeps for re-use, with room for a few at a time."""


@runtime_checkable
class Concept(Protocol):
    """The concepts of one layer, for values (K, N, …) of it: K rows of conditions, N images."""

    @property
    def units(self) -> int:
        """How many concepts the layer has."""

    def select(self, ids: Sequence[int]) -> Tensor:
        """Weights that keep these concepts and drop the others; they broadcast to the value of one image, (1, …)."""

    def sum(self, values: Tensor) -> Tensor:
        """(K, N, …) summed over each concept: (K, N, units)."""

    def max(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The largest entry of each concept and its place, both (K, N, units): a flat index into the space axes."""


@dataclass(frozen=True)
class AxisConcept:
    """Each entry along one axis of a layer's value is a concept.

    Attributes:
        kind: "channel" of a convolution, "feature" of a linear layer or of tokens, or "head" of attention.
        axis: of the value (N, …) along which concepts lie; in (K, N, …) it is one further right.
        shape: of the value of one image, (windows, …). Attention in windows (Swin) has several windows an image in its first
            axis; all other layers have 1.
    """

    kind: str
    axis: int
    shape: tuple[int, ...]

    @property
    def units(self) -> int:
        return self.shape[self.axis]

    @property
    def space(self) -> tuple[int, ...]:
        """Sizes of the axes over which a concept extends: (H, W), (tokens,), or () for a vector of features."""
        sizes = tuple(size for axis, size in enumerate(self.shape) if axis not in (0, self.axis))
        sizes = sizes[:-1] if self.kind == "head" else sizes
        return (self.shape[0], *sizes) if self.shape[0] > 1 else sizes

    def select(self, ids: Sequence[int]) -> Tensor:
        weights = torch.zeros(self.units)
        weights[list(ids)] = 1.0
        return weights.reshape([self.units if axis == self.axis else 1 for axis in range(len(self.shape))])

    def sum(self, values: Tensor) -> Tensor:
        axes = tuple(axis for axis in range(2, values.ndim) if axis != self.axis + 1)
        total = values.float().sum(axes) if axes else values.float()
        return total.unflatten(1, (-1, self.shape[0])).sum(2) if self.shape[0] > 1 else total

    def max(self, values: Tensor) -> tuple[Tensor, Tensor]:
        values = values.float()
        if self.kind == "channel" and self.shape[0] == 1:
            # Many times faster over channels-last memory than max over the flattened space, with the same answer.
            largest, place = adaptive_max_pool2d(values.flatten(0, 1), 1, return_indices=True)
            return largest.reshape(*values.shape[:2], -1), place.reshape(*values.shape[:2], -1)
        # What a head says of one token is a vector; the token is the place.
        values = values.sum(-1) if self.kind == "head" else values
        values = values.unflatten(1, (-1, self.shape[0])).movedim(self.axis + 2, 2)
        largest, place = values.flatten(3).max(-1)
        return largest, place


class MaskConcept:
    """Concepts given by masks over a layer's value: groups of channels, quadrants of a map, single neurons.

    Args:
        masks: (units, …), each broadcasting to the value of one image without its batch axis, such as (units, C, 1, 1) for groups
            of channels and (units, 1, H, W) for parts of a map. Weights between 0 and 1 share an entry between concepts.
        shape: of that value, such as (C, H, W).

    Raises:
        ValueError: masks that do not fit the shape.
    """

    def __init__(self, masks: Tensor, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        try:
            self.masks = masks.detach().float().expand(len(masks), *self.shape)
        except RuntimeError:
            raise ValueError(
                f"masks has shape {tuple(masks.shape)}; give (units, …) that broadcasts to (units, {', '.join(map(str, self.shape))})."
            ) from None

    @classmethod
    def groups(cls, groups: Sequence[Sequence[int]], axis: int = 0) -> Callable[[Sequence[int]], MaskConcept]:
        """Concepts made of several channels or features each: `CRP(…, concepts={layer: MaskConcept.groups([[0, 3], [1, 2]])})`."""

        def make(shape: Sequence[int]) -> MaskConcept:
            masks = torch.zeros(len(groups), *[size if i == axis else 1 for i, size in enumerate(shape)])
            for unit, members in enumerate(groups):
                masks[unit].index_fill_(axis, torch.as_tensor(members), 1.0)
            return cls(masks, shape)

        return make

    @property
    def units(self) -> int:
        return len(self.masks)

    def select(self, ids: Sequence[int]) -> Tensor:
        return self.masks[list(ids)].amax(0)[None]

    def sum(self, values: Tensor) -> Tensor:
        return values.float().flatten(2) @ self.masks.to(values.device).flatten(1).T

    def max(self, values: Tensor) -> tuple[Tensor, Tensor]:
        flat, masks = values.float().flatten(2), self.masks.to(values.device).flatten(1)
        found = [torch.where(mask > 0, flat * mask, -torch.inf).max(-1) for mask in masks]
        return torch.stack([f[0] for f in found], -1), torch.stack([f[1] for f in found], -1)


class ConceptLayers(Mapping[str, "Concept"]):
    """The layers of one model that have concepts, in the order in which the model computes them.

    Iterating gives the layers worth ranking: convolutions, hidden features of MLPs, heads of attention, the classifier. Any other
    value that relevance passes through can be looked up as well, such as the tokens after a block.
    """

    def __init__(self, propagator: Propagator, example: Tensor, own: Mapping[str, Any]) -> None:
        self.propagator, self.graph, self.own = propagator, propagator.graph, own
        self.shapes, self.device = propagator.record(example[:1]).shapes, example.device
        sizes = [prod(shape) for shape, carries in zip(self.shapes, propagator.carries, strict=True) if carries]
        self.largest = max(sizes) * self.graph.dtype.itemsize  # bytes of the largest value that relevance passes
        names = {name: i for name, i in _listed(self.graph).items() if propagator.carries[i]}
        self.names = tuple(sorted(names, key=names.__getitem__))
        names |= {name: self._index(name) for name in own}
        self.names = tuple(sorted(names, key=names.__getitem__))
        self._found: dict[str, Concept] = {}

    def __iter__(self) -> Any:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, layer: str) -> Concept:
        if layer not in self._found:
            self._found[layer] = self._make(layer)
        return self._found[layer]

    def rows(self, chunk: int, images: int) -> int:
        """How many conditions to carry at once: `chunk` heatmaps at most, and on a CPU few enough that memory is re-used.

        The C library gives large blocks back to the system at once. Taking and clearing fresh ones for every layer costs more
        time than long batches save.
        """
        rows = max(1, chunk // images)
        return rows if self.device.type != "cpu" else max(1, min(rows, REUSED // (self.largest * images)))

    def _index(self, layer: Any) -> int:
        """The step that gives a layer's value. Raises ValueError with the nearest layers that have concepts."""
        try:
            index = self.graph.index(layer)
        except GraphError:
            index = -1
        if index > 0 and self.propagator.carries[index] and len(self.shapes[index] or ()) > 1:
            return index
        reason = "is not in this model" if index < 0 else "has no concepts: no relevance passes through channels of it"
        nearest = get_close_matches(str(layer), self.names, n=3, cutoff=0.1) or self.names[:3]
        raise ValueError(f"layer={layer!r} {reason}; nearest with concepts: {', '.join(map(repr, nearest))}.")

    def _make(self, layer: str) -> Concept:
        index = self._index(layer)
        shape = tuple(self.shapes[index])
        given = self.own.get(layer)
        # A dictionary's codes are what the layer's value is by now.
        if given is not None and not isinstance(given, Dictionary):
            made = given if not isinstance(given, type) and isinstance(given, Concept) else given(shape[1:])
            if not isinstance(made, Concept):
                raise TypeError(
                    f"concepts[{layer!r}] is {type(made).__name__}; give a Concept (units, select, sum, max), or a function from "
                    f"the layer's shape {shape[1:]} to one."
                )
            return made
        axis = channel_axis(self.graph, index)
        kind = "channel" if axis == 1 and len(shape) == 4 else "feature"
        return AxisConcept("head" if index in self.graph.heads.values() else kind, axis, shape)


def _listed(graph: Graph) -> dict[str, int]:
    """Layers worth ranking, with the steps that give their values."""
    readers: dict[int, set[int]] = {}
    for operation in graph.operations:
        for index in operation.inputs:
            readers.setdefault(index, set()).add(operation.index)
    found = {}
    for name in graph.concept_layers:
        index = graph.index(name)
        operation = graph.operations[index]
        after = [graph.operations[i] for i in readers.get(index, ())]
        hidden = any(kind_of(o) in {"pass", "product"} and "dropout" not in o.target for o in after)
        if operation.target != "linear" or hidden or _ends(graph, index, readers):
            found[name] = index
    return found | graph.heads


def _ends(graph: Graph, index: int, readers: Mapping[int, set[int]]) -> bool:
    """Whether only reshaping and the like lie between a step and the output."""
    while index != graph.output:
        after = readers.get(index, set())
        if len(after) != 1:
            return False
        (index,) = after
        if graph.operations[index].target not in AFTER_CLASSIFIER:
            return False
    return True


def check_ids(layer: str, ids: Any, units: int, argument: str = "concepts") -> list[int]:
    """Numbers of concepts, one or several of any kind, as a list. Raises ValueError for none, and for those the layer does not have."""
    ids = ids.reshape(-1).tolist() if hasattr(ids, "reshape") else ids
    numbers = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]
    if not numbers:
        raise ValueError(f"{argument} is empty; give at least one of the {units} concepts of {layer!r}.")
    return [_checked(layer, number, units, argument) for number in numbers]


def _checked(layer: str, number: Any, units: int, argument: str) -> int:
    # 1.0 is refused as well: somebody may mean a weight.
    with suppress(ValueError):
        found = whole(argument, number, 0)
        if found < units:
            return found
    raise ValueError(f"{argument} names {number!r}; {layer!r} has {units} concepts: give 0 to {units - 1}.")
