"""The derivative of one operation at its inputs, from torch: the one place where rules ask for it.

Inputs are the places of a call, not values: what reads one value twice (`x * x`, `torch.stack([x, x])`) has two inputs with a
derivative each, and whoever adds up relevance at the value adds up both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.affine import differentiable
from xaiwidgets.graph.operation import Operation

__all__ = ["affine", "applied", "called", "slope", "transposed"]

Function = Callable[[Sequence[Any]], Tensor]
UNUSED: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}


def called(operation: Operation) -> Function:
    """The operation as a function of its inputs, place by place; its derivative is right (`affine`)."""
    function = differentiable(operation)

    def call(inputs: Sequence[Any]) -> Tensor:
        args, kwargs = operation.arguments(inputs)
        result: Tensor = function(*args, **kwargs)
        return result

    return call


def transposed(call: Function, inputs: Sequence[Any], wanted: Sequence[bool], s: Tensor) -> list[Tensor | None]:
    """Jᵀ s for s (K, *shape of the result): (K, *shape) for each input that is wanted, None for the others."""
    with torch.enable_grad():
        given, leaves = _attached(inputs, wanted)
        result = call(given)
        if result.requires_grad:
            rows = [torch.autograd.grad(result, leaves, row, retain_graph=True, **UNUSED) for row in s]
        else:  # what is flat everywhere has no derivative for torch
            rows = [tuple(map(torch.zeros_like, leaves))] * len(s)
    found = iter([torch.stack(column) for column in zip(*rows, strict=True)])
    return [next(found) if asked else None for asked in wanted]


def applied(call: Function, inputs: Sequence[Any], tangents: Sequence[Tensor | None]) -> Tensor:
    """J t for t (K or 1, *shape of the input) at the inputs that have one: (K, *shape of the result).

    It is the derivative of Jᵀ u in u. torch's own forward mode would be one pass instead of two, but takes one thread at a time.

    Raises RuntimeError where torch has no derivative of Jᵀ u and J varies along t.
    """
    try:
        return _derived_twice(call, inputs, tangents)
    except RuntimeError as error:
        # Older versions of torch lack that of sampling at fixed points, which is linear and needs none.
        if "is not implemented" not in str(error):
            raise
        found = affine(call, inputs, tangents)
        half = affine(call, inputs, [None if tangent is None else tangent / 2 for tangent in tangents])
        if not torch.allclose(found, 2 * half, 1e-4, 1e-5 * float(found.abs().max())):
            raise
        return found


def _derived_twice(call: Function, inputs: Sequence[Any], tangents: Sequence[Tensor | None]) -> Tensor:
    with torch.enable_grad():
        given, leaves = _attached(inputs, [tangent is not None for tangent in tangents])
        result = call(given)
        u = torch.zeros_like(result, requires_grad=True)
        back = torch.autograd.grad(result, leaves, u, create_graph=True, **UNUSED) if result.requires_grad else ()
        total: Any = 0.0
        rows = []
        for row in _rows(tangents):
            total = sum((b * t).sum() for b, t in zip(back, (t for t in row if t is not None), strict=False))
            flat = not isinstance(total, Tensor) or not total.requires_grad
            rows.append(
                torch.zeros_like(result) if flat else torch.autograd.grad(total, u, retain_graph=True, **UNUSED)[0]
            )
    found = torch.stack(rows).detach()
    # Where torch cuts a derivative off, as that of the deviation of equal entries, it finds 0 · ∞ on the way back.
    return found.masked_fill_(found.isnan(), 0.0)


def affine(call: Function, inputs: Sequence[Any], tangents: Sequence[Tensor | None]) -> Tensor:
    """As `applied` where the result is affine in the inputs that have a tangent, at no derivative: f(t) − f(0)."""
    zeros = [x if t is None else torch.zeros_like(t[0]) for x, t in zip(inputs, tangents, strict=True)]
    constant = call(zeros)  # what constants contribute
    rows = [call([x if t is None else t for x, t in zip(inputs, row, strict=True)]) for row in _rows(tangents)]
    return torch.stack([(row - constant).masked_fill_(torch.isinf(constant), 0.0) for row in rows])


def slope(call: Function, inputs: Sequence[Any]) -> Tensor:
    """f′(x) of an element-wise step at its first input. Needs no second derivative, which some have not."""
    with torch.enable_grad():
        x = inputs[0].detach().requires_grad_()
        result = call([x, *inputs[1:]])
        if not result.requires_grad:
            return torch.zeros_like(x)
        found: Tensor = torch.autograd.grad(result.sum(), x, **UNUSED)[0]
    return found


def _attached(inputs: Sequence[Any], wanted: Sequence[bool]) -> tuple[list[Any], list[Tensor]]:
    """The inputs with a leaf of autograd in each place that is wanted, and these leaves."""
    given = [x.detach().requires_grad_() if asked else x for x, asked in zip(inputs, wanted, strict=True)]
    return given, [x for x, asked in zip(given, wanted, strict=True) if asked]


def _rows(tangents: Sequence[Tensor | None]) -> Iterator[list[Tensor | None]]:
    """Tangents of (K or 1, …) row by row."""
    count = max(len(tangent) for tangent in tangents if tangent is not None)
    for row in range(count):
        yield [None if tangent is None else tangent[min(row, len(tangent) - 1)] for tangent in tangents]
