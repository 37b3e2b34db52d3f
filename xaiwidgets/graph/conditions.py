"""Conditions: of the relevance at a layer, let only that of some channels, features or heads pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import GraphError, Operation
from xaiwidgets.graph.propagate import Masks, Record

__all__ = ["channel_axis", "conditions", "units"]

CHANNELS_SECOND = frozenset(
    {"batch_norm", "group_norm", "instance_norm", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"}
)


def channel_axis(graph: Graph, name: str | int) -> int:
    """The axis of a value (N, …) along which its concepts lie: channels of a convolution, features of a linear layer or of
    tokens, heads of attention. Followed through the steps from the nearest one that defines it."""
    index = name if isinstance(name, int) else graph.index(name)
    found = _axis(graph, index)
    return min(1, len(graph.operations[index].shape) - 1) if found is None else found


def _axis(graph: Graph, index: int) -> int | None:
    """As `channel_axis`; None for what does not come from the image, such as a class token."""
    operation = graph.operations[index]
    if operation.target == "input" or operation.target.startswith("conv") or operation.target in CHANNELS_SECOND:
        return 1
    if operation.target in {"linear", "layer_norm", "rms_norm"}:
        return len(operation.shape) - 1
    if index in graph.heads.values():
        return len(operation.shape) - 3
    for source in operation.inputs:
        below = _axis(graph, source) if graph.operations[source].tensor else None
        if below is not None:
            return _followed(graph, operation, graph.operations[source], below)
    return None


def _followed(graph: Graph, operation: Operation, source: Operation, below: int) -> int:
    """The axis in the result of a step, from that in its input `source`."""
    ndim = len(source.shape) or len(graph.example_shape) + 1
    if operation.target == "permute":
        return [axis % ndim for axis in operation.args[1]].index(below)
    if operation.target in {"transpose", "swapaxes"}:
        a, b = operation.args[1] % ndim, operation.args[2] % ndim
        return {a: b, b: a}.get(below, below)
    if len(operation.shape) == ndim:
        return below
    return len(operation.shape) - 1 if below == ndim - 1 else min(1, len(operation.shape) - 1)


def units(graph: Graph, record: Record, name: str | int) -> int:
    """How many channels, features or heads a layer has on this recording."""
    index = name if isinstance(name, int) else graph.index(name)
    return int(record.shapes[index][channel_axis(graph, index)])


Selection = Sequence[int] | Tensor | Callable[[Tensor], Tensor]


def conditions(
    graph: Graph,
    record: Record,
    rows: Sequence[Mapping[str, Selection]],
    exclude_parallel: bool = False,
) -> Masks:
    """Masks for `Propagator.down` and `up`, one row a condition, in the order given.

    Args:
        rows: for each row a mapping {layer: selection}; a row without a layer is not restricted there. A selection is a list of
            channel, feature or head numbers; or weights (units,); or weights that broadcast to the value's own shape
            (N, *shape); or a function from ones of that shape to such weights.
        exclude_parallel: let a row's relevance pass only through its layers, not beside them over shortcuts.

    Raises:
        GraphError: unknown layer. ValueError: no such channel, or weights that do not fit.
    """
    masks: dict[int, Tensor] = {}
    only: dict[int, Tensor] = {}
    names = {name: graph.index(name) for row in rows for name in row}
    like = record.output
    for name, index in names.items():
        shape = record.shapes[index]
        if shape is None:
            raise GraphError(f"layer {name!r} gives no tensor, so nothing of it can be selected.")
        axis = channel_axis(graph, index)
        parts = [
            _weights(name, row[name], shape, axis, like) if name in row else like.new_ones([1] * len(shape))
            for row in rows
        ]
        size = torch.broadcast_shapes(*[part.shape for part in parts])
        masks[index] = torch.stack([part.expand(size) for part in parts])
        if exclude_parallel:
            only[index] = torch.tensor([name in row for row in rows])
    return Masks(masks, only)


def _weights(name: str, selection: Any, shape: tuple[int, ...], axis: int, like: Tensor) -> Tensor:
    """A mask (N or 1, …) of a value for one row."""
    count = shape[axis]
    column = [1] * len(shape)
    column[axis] = count
    if callable(selection):
        selection = selection(like.new_ones(shape))
    if isinstance(selection, Tensor) and selection.is_floating_point():
        if tuple(selection.shape) == (count,):
            return selection.to(like).reshape(column)
        try:
            torch.broadcast_shapes(selection.shape, shape)
        except RuntimeError:
            raise ValueError(
                f"condition on {name!r} has weights of shape {tuple(selection.shape)}; give ({count},) or one that broadcasts to {shape}."
            ) from None
        return selection.to(like).reshape(*[1] * (len(shape) - selection.ndim), *selection.shape)
    chosen = torch.as_tensor(selection, dtype=torch.long).reshape(-1)
    bad = [i for i in chosen.tolist() if not -count <= i < count]
    if bad:
        raise ValueError(f"condition on {name!r} names {bad[0]}; the layer has {count}: give 0 to {count - 1}.")
    mask = torch.zeros(count)
    mask[chosen.cpu()] = 1.0
    return sent(mask, like.device, like.dtype).reshape(column)
