"""Winners: the largest (smallest, middle) entries take all of the relevance. Bach et al. 2015; Montavon et al. 2019, §10.

Calls that say where their results stood (`max` with an axis, `topk`, `sort`, pools) hand relevance back to there; others by torch's
derivative, which shares between entries that are level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.derivative import applied, called, transposed
from xaiwidgets.graph.local import Into, Local, Site, expand_to, nothing, sum_to
from xaiwidgets.graph.operation import Result, argument

__all__ = ["Winner"]

# Pools: how many axes of space they have.
POOLS = {
    f"{name}{axes}d": axes for name in ("max_pool", "adaptive_max_pool", "fractional_max_pool") for axes in (1, 2, 3)
}
# With an axis and where the winners stood along it.
ALONG = frozenset(["max", "min", "median", "nanmedian", "mode", "kthvalue", "cummax", "cummin", "topk", "sort"])
FIRST = frozenset(["topk", "kthvalue"])  # those whose axis is not their second argument
# Of two tensors, which one wins; where they are level, half each.
BETWEEN = {"maximum": 1, "fmax": 1, "minimum": -1, "fmin": -1}


class Winner(Local):
    """Maxima, minima, medians, pools, the largest few: what was chosen takes all."""

    conserves = True
    needs_inputs = True

    def describe(self) -> str:
        return "winner takes all"

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        target = at.operation.target
        if target == "max_pool2d":
            return [self._pooled_down(relevance, at)]
        if target in BETWEEN:
            shares = [_won(at, place) * relevance for place in range(2)]
            kept = [
                share for share, item in zip(shares, at.operation.args, strict=False) if not isinstance(item, Tensor)
            ]
            return [sum_to(s, shape) if w else None for s, shape, w in zip(kept, at.shapes, at.wanted, strict=True)]
        axes = _axes(at)
        if axes is None:
            return [*transposed(called(at.operation), at.inputs, at.wanted, relevance)]
        places, flat = at.remember("winners", lambda: _places(at)), _flat(at.shapes[0], axes)
        rows = relevance.reshape(relevance.shape[0], *places.shape)
        back = relevance.new_zeros((relevance.shape[0], *flat))
        back.scatter_add_(axes[0] + 1, places.expand(rows.shape), rows)
        return [back.reshape(relevance.shape[0], *at.shapes[0]), *[None] * (len(at.shapes) - 1)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        if at.operation.target in BETWEEN:
            total: Any = None
            places = [i for i, item in enumerate(at.operation.args[:2]) if not isinstance(item, Tensor)]
            for place, value in zip(places, above, strict=True):
                if value is not None:
                    part = expand_to(value, at.shape) * _won(at, place)
                    total = part if total is None else total + part
            return total
        value, axes = above[0], _axes(at)
        if value is None:
            return nothing(above, at)
        if axes is None:
            return applied(called(at.operation), at.inputs, above)
        stood = at.remember("winners", lambda: _places(at))
        flat = value.reshape(value.shape[0], *_flat(at.shapes[0], axes))
        return flat.gather(axes[0] + 1, stood.expand(value.shape[0], *stood.shape)).reshape(value.shape[0], *at.shape)

    @staticmethod
    def _pooled_down(relevance: Tensor, at: Site) -> Tensor:
        """torch's own way back, which is faster."""
        pool, axes = _pool(at).values(), 2
        places, x = at.remember("winners", lambda: _places(at)).unflatten(-1, at.shape[-axes:]), at.inputs[0]
        if not (relevance.dtype == x.dtype and x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)):
            rows = [torch.ops.aten.max_pool2d_with_indices_backward(row, x, *pool, places) for row in relevance]
            return torch.stack(rows) if len(rows) > 1 else rows[0].unsqueeze(0)
        # Each row is written to where it belongs: putting them together afterwards took longer than they did.
        back = torch.empty_strided((len(relevance), *x.shape), (x.numel(), *x.stride()), dtype=x.dtype, device=x.device)
        for row, place in zip(relevance, back, strict=True):
            torch.ops.aten.max_pool2d_with_indices_backward.grad_input(row, x, *pool, places, grad_input=place)
        return back


def _axes(at: Site) -> tuple[int, ...] | None:
    """The axes of the input among whose entries one wins; None where the call does not say where it stood."""
    target, ndim = at.operation.target, len(at.shapes[0])
    if target in POOLS:
        return tuple(range(ndim - POOLS[target], ndim))
    if target not in ALONG:
        return None
    stable = 1 if isinstance(argument(at.operation, 1, "", None), bool) else 0  # `sort(x, stable, dim)`
    place = 2 if target in FIRST else 1 + stable
    dim = argument(at.operation, place, "dim", -1 if target in {"topk", "kthvalue", "sort", "mode"} else None)
    return None if dim is None else (dim % ndim,)


def _flat(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The input's shape with the axes as one."""
    return (*shape[: axes[0]], math.prod(shape[i] for i in axes), *shape[axes[-1] + 1 :])


def _places(at: Site) -> Tensor:
    """Where the results stood, counted along the axes as one; those axes of the result as one too."""
    operation, x, axes = at.operation, at.inputs[0], _axes(at)
    assert axes is not None
    if operation.target in POOLS and not isinstance(operation.function, Result):
        x = x if operation.target == "max_pool2d" else x.contiguous()
        found = _POOLED[operation.target](x, *_pool(at).values())[1]
    else:
        whole: Any = operation.function
        whole = whole.whole if isinstance(whole, Result) else whole
        args, kwargs = operation.arguments(at.inputs)
        found = whole(*args, **kwargs)[1]
    if operation.target in POOLS:
        return found.flatten(-len(axes))
    return found if found.ndim == x.ndim else found.unsqueeze(axes[0])


_POOLED: dict[str, Any] = {
    "max_pool1d": torch.ops.aten.max_pool1d_with_indices.default,
    "max_pool2d": torch.ops.aten.max_pool2d_with_indices.default,
    "max_pool3d": torch.ops.aten.max_pool3d_with_indices.default,
}


def _pool(at: Site) -> dict[str, Any]:
    operation = at.operation
    axes = POOLS[operation.target]
    kernel = _full(argument(operation, 1, "kernel_size", None), axes)
    return {
        "kernel_size": kernel,
        "stride": _full(argument(operation, 2, "stride", None) or kernel, axes),
        "padding": _full(argument(operation, 3, "padding", 0), axes),
        "dilation": _full(argument(operation, 4, "dilation", 1), axes),
        "ceil_mode": argument(operation, 5, "ceil_mode", False),
    }


def _full(value: Any, axes: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * axes if len(values) == 1 else values


def _won(at: Site, place: int) -> Tensor:
    """Where one of two tensors is chosen: 1, where they are level ½, else 0."""
    given = iter(at.inputs)
    a, b = (item if isinstance(item, Tensor) else next(given) for item in at.operation.args[:2])
    mine, other = (a, b) if place == 0 else (b, a)
    sign = BETWEEN[at.operation.target]
    ahead = mine > other if sign > 0 else mine < other
    return (ahead.to(mine.dtype) + 0.5 * (mine == other)).to(mine.dtype)
