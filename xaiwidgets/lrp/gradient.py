"""Gradient × input in the form of relevance: R_i = x_i Σ_j ∂y_j/∂x_i R_j / y_j, which makes R = x ⊙ gradient at every value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.affine import differentiable
from xaiwidgets.graph.kinds import KINDS
from xaiwidgets.graph.linear import LinearMap, is_linear
from xaiwidgets.graph.local import UNUSED, Into, Local, Site, Surroundings, stabilise
from xaiwidgets.graph.operation import Operation, fill
from xaiwidgets.lrp.attention import attention_parts

__all__ = ["Derivative", "gradient_treatments"]

TINY = 1e-30


class Derivative(Local):
    """x ⊙ Jᵀ (R / y) with the true Jacobian of any differentiable operation; every input takes its full product."""

    needs_inputs = True
    needs_output = True

    def __init__(self, operation: Operation) -> None:
        self.linear = LinearMap(operation) if is_linear(operation) else None

    def describe(self) -> str:
        return "gradient × input"

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        s = relevance / stabilise(at.output, TINY)
        if self.linear is not None:
            return [self.linear.transpose(s, at.shapes[0]).mul_(at.inputs[0])]
        shares = _backward(s, at)
        return [None if share is None else share * at.inputs[i] for i, share in enumerate(shares)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        y = stabilise(at.output, TINY)
        products = [None if v is None else v * at.inputs[i] for i, v in enumerate(above)]
        if self.linear is not None and products[0] is not None:
            return self.linear.apply(products[0]) / y
        rows = max(v.shape[0] for v in products if v is not None)
        lifted = [
            _forward([None if v is None else v[min(k, v.shape[0] - 1)] for v in products], at) for k in range(rows)
        ]
        return torch.stack(lifted) / y


def _leaves(at: Site, wanted: Sequence[bool]) -> tuple[list[Any], Tensor]:
    inputs = [
        v.detach().requires_grad_() if w and isinstance(v, Tensor) else v
        for v, w in zip(at.inputs, wanted, strict=True)
    ]
    if at.operation.target == "scaled_dot_product_attention":  # torch's fused kernels have no second derivative
        return inputs, attention_parts(replace(at, inputs=tuple(inputs)))[2] @ inputs[2]
    values = dict(zip(at.operation.inputs, inputs, strict=True))
    output: Tensor = differentiable(at.operation)(*fill(at.operation.args, values), **fill(at.operation.kwargs, values))
    return inputs, output


def _backward(s: Tensor, at: Site) -> list[Tensor | None]:
    with torch.enable_grad():
        inputs, output = _leaves(at, at.wanted)
        leaves = [v for v, wanted in zip(inputs, at.wanted, strict=True) if wanted]
        if not output.requires_grad:  # what is flat everywhere has no derivative for torch
            return [
                torch.zeros_like(v).expand(len(s), *v.shape) if w else None
                for v, w in zip(inputs, at.wanted, strict=True)
            ]
        rows = [torch.autograd.grad(output, leaves, row, **UNUSED) for row in s]
    found = iter(zip(*rows, strict=True))
    return [torch.stack(next(found)) if wanted else None for wanted in at.wanted]


def _forward(tangents: Sequence[Tensor | None], at: Site) -> Tensor:
    """J t: the derivative of Jᵀ u in u."""
    wanted = [tangent is not None for tangent in tangents]
    with torch.enable_grad():
        inputs, output = _leaves(at, wanted)
        u = torch.zeros_like(output, requires_grad=True)
        leaves = [v for v, w in zip(inputs, wanted, strict=True) if w]
        back = torch.autograd.grad(output, leaves, u, create_graph=True)
        total = sum(
            ((b * t).sum() for b, t in zip(back, (t for t in tangents if t is not None), strict=True)), torch.zeros(())
        )
        (result,) = torch.autograd.grad(total, u)
    return result


def gradient_treatments() -> dict[str, Callable[[Operation, Surroundings], Local]]:
    """`Derivative` for all operations but moves, which need nothing recorded."""
    kinds = {"linear", "sum", "winner", "pass", "norm", "product", "attention", "statistic"}
    return {target: (lambda operation, place: Derivative(operation)) for target, kind in KINDS.items() if kind in kinds}
