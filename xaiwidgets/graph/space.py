"""Where a layer's value lies on the image: channels-first and channels-last maps, and tokens that stand for patches.

Tokens carry no places of their own. Where the graph turns a map (N, C, h, w) into tokens (N, h·w, C), these have the map's grid; where
it puts other tokens beside them (class, registers, detections), the grid moves along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.graph.conditions import channel_axis
from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import Operation, Value

__all__ = ["Space", "bottlenecks", "grids", "mixture", "noise", "pictures", "space_of"]

RESHAPES = frozenset({"view", "reshape", "flatten"})

MIXES = frozenset({"matmul", "bmm", "einsum", "scaled_dot_product_attention"})
"""Steps whose results have four axes as maps do, but heads and tokens along them."""


@dataclass(frozen=True)
class Space:
    """The places of a value (N, …).

    Attributes:
        channels: the axis of channels or features. grid: (h, w).
        offset: for tokens, how many stand before those of the patches; None for maps.
    """

    channels: int
    grid: tuple[int, int]
    offset: int | None = None

    def map(self, value: Tensor) -> Tensor:
        """(N, K, h, w) of a layer's value: channels first, other tokens left out."""
        value = value.movedim(self.channels, 1)
        if self.offset is None:
            return value
        height, width = self.grid
        return value[:, :, self.offset : self.offset + height * width].unflatten(2, self.grid)


def grids(graph: Graph) -> dict[int, tuple[int, tuple[int, int]]]:
    """Number of tokens -> (how many stand before the patches, (h, w)), for every number that carries an image's grid.

    Tokens of several maps in one row (a pyramid) have no grid.
    """
    found: dict[int, tuple[int, tuple[int, int]]] = {}
    for operation in graph.operations:
        if operation.target in RESHAPES and len(operation.shape) == 3:
            grid = _grid_before(graph, operation)
            if grid is not None:
                found.setdefault(grid[0] * grid[1], (0, grid))
        elif operation.target in {"cat", "concat", "concatenate"} and len(operation.shape) == 3:
            found.update(_joined(graph, operation, found))
    return found


def _grid_before(graph: Graph, operation: Operation) -> tuple[int, int] | None:
    """The (h, w) of the map that a step lays out as tokens."""
    source = graph.operations[operation.inputs[0]]
    if len(source.shape) != 4 or None in source.shape[1:] or None in operation.shape[1:]:
        return None
    first, second, third = (int(size or 0) for size in source.shape[1:])
    tokens = tuple(int(size or 0) for size in operation.shape[1:])
    if tokens == (first, second * third):
        return second, third
    return (first, second) if tokens == (first * second, third) else None


def _joined(graph: Graph, operation: Operation, known: dict[int, Any]) -> dict[int, tuple[int, tuple[int, int]]]:
    """The grid of tokens put beside others."""
    axis = operation.args[1] % 3 if len(operation.args) > 1 else 0
    parts = [graph.operations[p.index].shape if isinstance(p, Value) else tuple(p.shape) for p in operation.args[0]]
    sizes = [int(shape[axis] or 0) for shape in parts]
    patches = [number for number, size in enumerate(sizes) if size in known and size > 1]
    total = operation.shape[axis]
    if axis == 0 or len(patches) != 1 or total is None:
        return {}
    before = [0, *accumulate(sizes)][patches[0]]
    offset, grid = known[sizes[patches[0]]]
    return {total: (before + offset, grid)}


def space_of(graph: Graph, index: int, known: dict[int, tuple[int, tuple[int, int]]] | None = None) -> Space | None:
    """The places of a step's value; None where it has none, or only one."""
    shape = graph.operations[index].shape
    if len(shape) not in (3, 4) or any(size is None for size in shape[1:]):
        return None
    sizes = [int(size or 0) for size in shape]
    channels = channel_axis(graph, index)
    if len(shape) == 4:
        height, width = (size for axis, size in enumerate(sizes) if axis not in (0, channels))
        return Space(channels, (height, width)) if height * width > 1 else None
    known = grids(graph) if known is None else known
    # A mixer's layers along tokens take these for features.
    for axis in (3 - channels, channels):
        layout = _layout(sizes[axis], known)
        if layout is not None:
            return Space(3 - axis, layout[1], layout[0])
    return None


def _layout(tokens: int, known: dict[int, tuple[int, tuple[int, int]]]) -> tuple[int, tuple[int, int]] | None:
    """The grid of so many tokens: one that is known, or a known one made coarser by halves, as pooling of tokens does."""
    if tokens in known:
        return known[tokens]
    for offset, (height, width) in known.values():
        step = 2
        while offset == 0 and height % step == 0 and width % step == 0:
            if tokens == height * width // step**2 and tokens > 1:
                return 0, (height // step, width // step)
            step *= 2
    return None


def pictures(graph: Graph) -> dict[int, Space]:
    """The steps whose values lie on the image, with their places, from input to output: `space_of` of those that are no heads of attention.

    Values of windows, which stand in the batch, are among them: their first axis is longer than the batch.
    """
    known = grids(graph)
    sizes = {grid for _, grid in known.values()}
    maps: set[int] = set()
    found: dict[int, Space] = {}
    for operation in graph.operations:
        if len(operation.shape) == 4 and not _is_map(graph, operation, maps, sizes):
            continue
        space = space_of(graph, operation.index, known)
        if len(operation.shape) == 4:
            maps.add(operation.index)
            sizes |= {space.grid} if space is not None else set()
        if space is not None:
            found[operation.index] = space
    return found


def _is_map(graph: Graph, operation: Operation, maps: set[int], sizes: set[tuple[int, int]]) -> bool:
    """Whether a value of four axes has two that go along the image: it comes from such a one, or has the size of one."""
    if operation.target == "input":
        return True
    if operation.target in MIXES:
        return False
    if any(len(graph.operations[index].shape) == 4 for index in operation.inputs):
        return any(index in maps for index in operation.inputs)
    first, second, third = (size or 0 for size in operation.shape[1:])
    return (first, second) in sizes or (second, third) in sizes


def bottlenecks(graph: Graph) -> Iterator[tuple[str, int]]:
    """(name, step) of the layers that everything of the image passes through on its way to the output, in order.

    Where several layers give the same value, the outermost: "layer4" rather than "layer4.2.relu".
    """
    needed = {graph.output}
    last: dict[int, int] = {}
    for operation in reversed(graph.operations[: graph.output + 1]):
        if operation.index in needed:
            for index in operation.inputs:
                needed.add(index)
                last.setdefault(index, operation.index)
    seen = _of_the_image(graph)
    names: dict[int, str] = {}
    for name, index in graph.layers.items():
        if index not in names or name.count(".") < names[index].count("."):
            names[index] = name
    reach = 0
    for index in sorted(needed & seen):
        # A value is the only one alive where no earlier one is read later.
        if index >= reach and index in names and index != graph.output:
            yield names[index], index
        reach = max(reach, last.get(index, index))


def _of_the_image(graph: Graph) -> set[int]:
    """The steps whose value depends on the image, not only on the batch size."""
    found = {0}
    for operation in graph.operations[1:]:
        if operation.tensor and any(index in found for index in operation.inputs):
            found.add(operation.index)
    return found


def noise(graph: Graph, device: torch.device) -> Tensor:
    """One image of noise, the same at each call, that excites a model everywhere."""
    generator = torch.Generator().manual_seed(0)
    return sent(torch.randn(1, *graph.example_shape, generator=generator), device, graph.dtype)


def mixture(output: Tensor) -> Tensor:
    """One number that depends on whatever an output depends on: its entries, weighted differently."""
    weights = torch.linspace(1, 2, output.numel(), device=output.device)
    return (output * weights.reshape(output.shape)).sum()
