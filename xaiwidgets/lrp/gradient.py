"""Gradient × input in the form of relevance: R_i = x_i Σ_j ∂y_j/∂x_i R_j / y_j, which makes R = x ⊙ gradient at every value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from xaiwidgets.graph.derivative import applied, called, slope, transposed
from xaiwidgets.graph.kinds import KINDS, is_elementwise
from xaiwidgets.graph.linear import LinearMap, is_linear
from xaiwidgets.graph.local import Into, Local, Site, Surroundings, stabilise
from xaiwidgets.graph.operation import Operation
from xaiwidgets.lrp.attention import attention_parts, finite

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
        s = relevance * at.remember("1/y", lambda: _reciprocal(at.output))
        if self.linear is not None:
            return [self.linear.transpose(s, at.shapes[0]).mul_(at.inputs[0])]
        if is_elementwise(at.operation):
            return [s * at.remember("x f'(x)", lambda: _scaled_slope(at))]
        shares = transposed(_call(at), at.inputs, at.wanted, s)
        return [None if share is None else share * finite(at.inputs[i]) for i, share in enumerate(shares)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        inverse = at.remember("1/y", lambda: _reciprocal(at.output))
        if is_elementwise(at.operation):
            assert above[0] is not None
            return above[0] * at.remember("x f'(x)", lambda: _scaled_slope(at)) * inverse
        products = [None if v is None else v * finite(at.inputs[i]) for i, v in enumerate(above)]
        if self.linear is not None and products[0] is not None:
            return self.linear.apply(products[0]) * inverse
        return applied(_call(at), at.inputs, products) * inverse


def _reciprocal(y: Tensor) -> Tensor:
    """1 / y; zero at zeros, whose relevance, a multiple of them, is zero."""
    return stabilise(y, TINY).reciprocal_().masked_fill_(y == 0, 0.0)


def _scaled_slope(at: Site) -> Tensor:
    factor: Tensor = at.inputs[0] * slope(called(at.operation), at.inputs)
    return factor


def _call(at: Site) -> Callable[[Sequence[Any]], Tensor]:
    """The operation as a function of its inputs."""
    if at.operation.target == "scaled_dot_product_attention":  # torch's fused kernels have no second derivative
        return lambda inputs: attention_parts(replace(at, inputs=tuple(inputs)))[2] @ inputs[2]
    return called(at.operation)


def gradient_treatments() -> dict[str, Callable[[Operation, Surroundings], Local]]:
    """`Derivative` for all operations but moves, which need nothing recorded."""
    kinds = {"linear", "sum", "winner", "pass", "norm", "product", "attention", "statistic"}
    return {target: (lambda operation, place: Derivative(operation)) for target, kind in KINDS.items() if kind in kinds}
