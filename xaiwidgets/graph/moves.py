"""Moves: operations that rearrange entries, or choose among them by masks and positions, which are recorded and held constant. Their
adjoint puts relevance back where the entries came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from xaiwidgets.graph.derivative import affine, called, transposed
from xaiwidgets.graph.local import Into, Local, Site, expand_to, sum_to
from xaiwidgets.graph.operation import Operation, Value, argument

__all__ = ["Move"]

# Same entries in the same order under another shape.
RESHAPES = frozenset(
    {"view", "reshape", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze", "view_as", "reshape_as", "_unsafe_view",
     "_reshape_alias", "to", "_to_copy", "clone"}
)  # fmt: skip
FILLS = frozenset(
    ["masked_fill", "where", "masked_scatter", "index_fill", "index_put", "index_copy", "scatter", "tril", "triu"]
)
EXPANDS = frozenset(["expand", "expand_as", "broadcast_to"])


class Move(Local):
    """Relevance moves with its entry. The usual moves act on all rows at once; any other goes row by row through autograd."""

    conserves = True
    only_moves = True

    def takes_factor(self, operation: Operation) -> bool:
        # What is filled in may be −∞, and no factor of that is finite.
        return operation.target not in FILLS

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        # Relevance and the entry it belongs to move together.
        return self.down(factor, at)

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        return self.up(above, at)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        target, rows = at.operation.target, relevance.shape[0]
        first: Tensor | Into | None = None
        if target in RESHAPES:
            first = relevance.reshape(rows, *at.shapes[0])
        elif target in EXPANDS:
            first = sum_to(relevance, at.shapes[0])
        elif target in PERMUTES:
            first = relevance.permute(_inverse(_order(at)))
        elif target in PARTS:
            first = Into(PARTS[target](at.operation, len(at.shapes[0])), relevance)
        elif target == "masked_fill":
            first = sum_to(relevance.masked_fill(_mask(at), 0.0), at.shapes[0])
        elif target in JOINS and all(isinstance(item, Tensor | Value) for item in at.operation.args[0]):
            return _split(relevance, at)
        return _by_autograd(relevance, at) if first is None else [first, *[None] * (len(at.shapes) - 1)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        target, value = at.operation.target, above[0]
        if value is not None:
            if target in RESHAPES:
                return value.reshape(value.shape[0], *at.shape)
            if target in EXPANDS:
                return expand_to(value, at.shape)
            if target in PERMUTES:
                return value.permute(_order(at))
            if target == "masked_fill":
                return expand_to(value, at.shape).masked_fill(_mask(at), 0.0)
            if target in PARTS:
                return PARTS[target](at.operation, len(at.shapes[0]))(value)
        return _row_by_row(above, at)


def _order(at: Site) -> list[int]:
    """The permutation of a (K, …) tensor that the operation makes of its input."""
    operation, ndim = at.operation, len(at.shapes[0])
    axes = list(range(ndim))
    if operation.target == "permute":
        axes = [axis % ndim for axis in operation.args[1]]
    elif operation.target in {"t", "numpy_T"}:
        axes.reverse()
    elif operation.target in {"mT", "mH", "matrix_H", "adjoint"}:
        axes[-2:] = axes[-1], axes[-2]
    else:
        a, b = operation.args[1] % ndim, operation.args[2] % ndim
        axes[a], axes[b] = axes[b], axes[a]
    return [0, *[axis + 1 for axis in axes]]


PERMUTES = frozenset(
    ["permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "mH", "matrix_H", "adjoint"]
)


def _mask(at: Site) -> Tensor:
    """What is filled."""
    given = argument(at.operation, 1, "mask", None)
    mask: Tensor = given if isinstance(given, Tensor) else at.inputs[at.operation.inputs.index(given.index)]
    return mask


def _inverse(order: list[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def _select(operation: Operation, ndim: int) -> Callable[[Tensor], Tensor]:
    axis, index = argument(operation, 1, "dim", 0) % ndim, argument(operation, 2, "index", 0)
    return lambda tensor: tensor.select(axis + 1, index)


def _slice(operation: Operation, ndim: int) -> Callable[[Tensor], Tensor]:
    axis = argument(operation, 1, "dim", 0) % ndim
    start, end, step = (argument(operation, 2 + i, name, None) for i, name in enumerate(("start", "end", "step")))
    return lambda tensor: tensor[(slice(None),) * (axis + 1) + (slice(start, end, step),)]


PARTS = {"select": _select, "slice": _slice}
JOINS = frozenset(["cat", "concat", "concatenate"])


def _split(relevance: Tensor, at: Site) -> list[Tensor | Into | None]:
    """Each joined tensor's own piece. Constants among them keep theirs."""
    axis = argument(at.operation, 1, "dim", 0) % len(at.shape) + 1
    shapes, start = iter(at.shapes), 0
    pieces: list[Tensor | Into | None] = []
    for item in at.operation.args[0]:
        size = item.shape[axis - 1] if isinstance(item, Tensor) else next(shapes)[axis - 1]
        if not isinstance(item, Tensor):
            wanted = at.wanted[len(pieces)]
            pieces.append(relevance.narrow(axis, start, size) if wanted else None)
        start += size
    return pieces


def _row_by_row(above: Sequence[Tensor | None], at: Site) -> Tensor:
    like = next(value for value in above if value is not None)
    return affine(called(at.operation), _others(at, like), above)


def _by_autograd(relevance: Tensor, at: Site) -> list[Tensor | Into | None]:
    """The adjoint of a linear operation, from torch's own derivative of it."""
    return [*transposed(called(at.operation), _others(at, relevance), at.wanted, relevance)]


def _others(at: Site, like: Tensor) -> list[Any]:
    """The inputs; zeros for those not recorded, whose values do not matter."""
    return [like.new_zeros(shape) if x is None else x for x, shape in zip(at.inputs, at.shapes, strict=True)]
