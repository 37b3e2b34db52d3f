"""How relevance passes the operations that are not linear layers, kind by kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.local import STABILISER, Into, Local, Pass, Site, divided, expand_to, stabilise, sum_to
from xaiwidgets.graph.operation import Operation, Value, argument, fill

__all__ = [
    "Hold",
    "Normalise",
    "Product",
    "Share",
    "Shifted",
    "Spread",
    "Winner",
    "centred",
    "linear_down",
    "norm_scale",
]


class Hold(Local):
    """A statistic, held constant: it takes no relevance, and what it scales treats it as a number."""

    holds = True

    def describe(self) -> str:
        return "held constant"


class Proportional(Local):
    """A sum, shared in proportion to the addends: the norm rule, R_i = z_i R / st(y) with y = Σ z_i."""

    needs_inputs = True
    needs_output = True

    def __init__(self, epsilon: float = STABILISER) -> None:
        self.epsilon = epsilon

    def describe(self) -> str:
        return "norm"

    def _divide(self, values: Tensor, at: Site) -> Tensor:
        """values (K, …) / st(y)."""
        if at.memory is None:
            return divided(values, stabilise(at.output, self.epsilon))
        return values * at.remember("1/z", lambda: stabilise(at.output, self.epsilon).reciprocal_())


class Share(Proportional):
    """A sum of tensors (residual add): R_a = a R / st(a + b). Constants among the addends keep their share."""

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        s = self._divide(relevance, at)
        signs = _signs(at.operation)
        return [
            sum_to(s * _addend(at.inputs[i], sign), shape) if at.wanted[i] else None
            for i, (shape, sign) in enumerate(zip(at.shapes, signs, strict=True))
        ]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        total: Any = None
        for i, sign in enumerate(_signs(at.operation)):
            value = above[i]
            if value is not None and at.carries[i]:
                part = expand_to(value, at.shape) * _addend(at.inputs[i], sign)
                total = part if total is None else total + part
        return self._divide(total, at)


def _addend(value: Tensor, factor: float) -> Tensor:
    return value if factor == 1 else value * factor


def _signs(operation: Operation) -> list[float]:
    """The factor by which each input enters the sum."""
    alpha = operation.args[2] if len(operation.args) > 2 else operation.kwargs.get("alpha", 1)
    factors = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}[operation.target]
    return [factor for factor, item in zip(factors, operation.args, strict=False) if isinstance(item, Value)]


class Shifted(Local):
    """y = c + f(x) with a constant c, as in a sigmoid (c = ½): R_x = R (y − c) / st(y). The constant keeps its share.

    Passing all of R on would divide it by an x near zero at the linear step below, although y is not near zero.
    """

    needs_output = True

    def __init__(self, offset: Tensor | float, epsilon: float = STABILISER) -> None:
        self.offset, self.epsilon = offset, epsilon

    def describe(self) -> str:
        return "pass, constant apart"

    def _ratio(self, at: Site) -> Tensor:
        return (at.output - self.offset) / stabilise(at.output, self.epsilon)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return Pass().down(relevance * at.remember("ratio", lambda: self._ratio(at)), at)

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        return Pass().up(above, at) * at.remember("ratio", lambda: self._ratio(at))


class Spread(Proportional):
    """A sum within one tensor (mean, average pooling, upsampling): R_i = x_i Σ_j w_ij R_j / st(y_j) with its fixed weights w."""

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        s = self._divide(relevance, at)
        return [linear_down(s, at) * at.inputs[0], *[None] * (len(at.shapes) - 1)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value = above[0]
        assert value is not None
        y = torch.stack([_call(at, row) for row in value * at.inputs[0]])
        return self._divide(y, at)


def _call(at: Site, x: Tensor) -> Tensor:
    operation = at.operation
    values = dict(zip(operation.inputs, (x, *at.inputs[1:]), strict=True))
    result: Tensor = operation.function(*fill(operation.args, values), **fill(operation.kwargs, values))
    return result


def linear_down(s: Tensor, at: Site) -> Tensor:
    """The transpose of a linear operation on one tensor, row by row."""
    shape = at.shapes[0]
    if at.operation.target.startswith("adaptive_avg_pool") and all(size == 1 for size in at.shape[2:]):
        cells = 1
        for size in shape[2:]:
            cells *= size
        return s / cells
    with torch.enable_grad():
        x = s.new_zeros(shape).requires_grad_()
        y = _call(at, x)
        rows = [torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in s]
    return torch.stack(rows) if len(rows) > 1 else rows[0].unsqueeze(0)


class Winner(Local):
    """Max pooling and maxima: the largest entry takes all of the relevance."""

    needs_inputs = True

    def describe(self) -> str:
        return "winner takes all"

    def _pool(self, at: Site) -> dict[str, Any]:
        operation = at.operation
        kernel = _pair(argument(operation, 1, "kernel_size", None))
        return {
            "kernel_size": kernel,
            "stride": _pair(argument(operation, 2, "stride", None) or kernel),
            "padding": _pair(argument(operation, 3, "padding", 0)),
            "dilation": _pair(argument(operation, 4, "dilation", 1)),
            "ceil_mode": argument(operation, 5, "ceil_mode", False),
        }

    def _indices(self, at: Site) -> Tensor:
        found: Tensor = torch.ops.aten.max_pool2d_with_indices(at.inputs[0], *self._pool(at).values())[1]
        return found

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        if at.operation.target != "max_pool2d":
            return _derivative_down(relevance, at)
        indices, pool = at.remember("winners", lambda: self._indices(at)), self._pool(at).values()
        rows = [torch.ops.aten.max_pool2d_with_indices_backward(row, at.inputs[0], *pool, indices) for row in relevance]
        return [torch.stack(rows) if len(rows) > 1 else rows[0].unsqueeze(0)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value = above[0]
        assert value is not None
        if at.operation.target != "max_pool2d":
            return _derivative_up(value, at)
        indices = at.remember("winners", lambda: self._indices(at)).flatten(2).expand(value.shape[0], -1, -1, -1)
        return value.flatten(3).gather(3, indices).reshape(value.shape[0], *at.shape)


def _pair(value: Any) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * 2 if len(values) == 1 else values


def _derivative_down(relevance: Tensor, at: Site) -> list[Tensor | Into | None]:
    """Jᵀ R with torch's derivative at the recorded inputs."""
    with torch.enable_grad():
        inputs = [
            v.detach().requires_grad_(w) if isinstance(v, Tensor) else v
            for v, w in zip(at.inputs, at.wanted, strict=True)
        ]
        values = dict(zip(at.operation.inputs, inputs, strict=True))
        y = at.operation.function(*fill(at.operation.args, values), **fill(at.operation.kwargs, values))
        leaves = [v for v, wanted in zip(inputs, at.wanted, strict=True) if wanted]
        rows = [torch.autograd.grad(y, leaves, row, retain_graph=True) for row in relevance]
    found = iter(zip(*rows, strict=True))
    return [torch.stack(next(found)) if wanted else None for wanted in at.wanted]


def _derivative_up(value: Tensor, at: Site) -> Tensor:
    """J v, as the derivative of Jᵀ u in u."""
    with torch.enable_grad():
        x = at.inputs[0].detach().requires_grad_()
        y = _call(at, x)
        u = torch.zeros_like(y, requires_grad=True)
        (back,) = torch.autograd.grad(y, x, u, create_graph=True)
        rows = [torch.autograd.grad(back, u, row, retain_graph=True)[0] for row in value]
    return torch.stack(rows)


class Product(Local):
    """Element-wise products. Half of the relevance to each activation; all of it to the one that carries any where the other
    is a constant, a held statistic or a divisor."""

    def describe(self) -> str:
        return "half each"

    def _receives(self, at: Site) -> list[bool]:
        carries = list(at.carries)
        if at.operation.target == "div" and len(carries) == 2 and carries[0]:
            carries[1] = False
        return carries

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        receives = self._receives(at)
        share = relevance / sum(receives) if sum(receives) > 1 else relevance
        return [
            sum_to(share, shape) if takes and wanted else None
            for takes, wanted, shape in zip(receives, at.wanted, at.shapes, strict=True)
        ]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        receives = self._receives(at)
        total: Any = None
        for takes, value in zip(receives, above, strict=True):
            if takes and value is not None:
                part = expand_to(value, at.shape)
                total = part if total is None else total + part
        if total is None:
            like = next(value for value in above if value is not None)
            return like.new_zeros((like.shape[0], *at.shape))
        return total / sum(receives)


class Normalise(Local):
    """Layer, group, instance and RMS norm, y = (x − μ(x)) c + b with the scale c held constant, by the ε-rule.

    R_i = x_i Σ_j ∂(y_j)/∂x_i R_j / st(y_j), AttnLRP (Achtibat et al. 2024) §3.3. A batch norm in evaluation mode that could not
    be folded is the affine map that it is. `zero_bias` keeps b out of the denominator (relevance then passes a batch norm).
    """

    def __init__(self, operation: Operation, epsilon: float = STABILISER, zero_bias: bool = False) -> None:
        self.epsilon, self.zero_bias = epsilon, zero_bias
        self.passes = operation.target == "batch_norm" and zero_bias
        self.needs_inputs = self.needs_output = not self.passes

    def describe(self) -> str:
        return "pass" if self.passes else "ε, statistic held constant"

    def _factor(self, at: Site) -> Tensor:
        """c / st(y), shaped like the input."""
        scale, bias = norm_scale(at)
        y = at.output - bias if self.zero_bias and bias is not None else at.output
        return scale / stabilise(y, self.epsilon)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        if self.passes:
            return [relevance]
        s = relevance * at.remember("c/y", lambda: self._factor(at))
        return [centred(s, at) * at.inputs[0]]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value = above[0]
        assert value is not None
        if self.passes:
            return value
        return centred(value * at.inputs[0], at) * at.remember("c/y", lambda: self._factor(at))


def _norm_groups(at: Site) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape in which each normalised group is spread over the given trailing axes, and these axes."""
    operation, shape = at.operation, at.shapes[0]
    if operation.target in {"layer_norm", "rms_norm"}:
        count = len(operation.args[1])
        return shape, tuple(range(-count, 0))
    groups = operation.args[1] if operation.target == "group_norm" else shape[1]
    return (shape[0], groups, -1), (-1,)


def centred(values: Tensor, at: Site) -> Tensor:
    """(K, *shape) less its mean over each normalised group. RMS norm has none, that of batch norm is a constant."""
    if at.operation.target in {"rms_norm", "batch_norm"}:
        return values
    shape, axes = _norm_groups(at)
    grouped = values.reshape(values.shape[0], *shape)
    return (grouped - grouped.mean(axes, keepdim=True)).reshape(values.shape)


def norm_scale(at: Site) -> tuple[Tensor, Tensor | None]:
    """The held scale c (gain over standard deviation) and the bias, shaped to broadcast with the input."""
    operation, x = at.operation, at.inputs[0]
    target, args = operation.target, operation.args
    if target == "batch_norm":
        _, gain, bias, _, variance, _, _, eps = args[:8]
        column = (-1, *[1] * (x.ndim - 2))
        scale = (variance + eps).rsqrt() * (1 if gain is None else gain)
        return scale.reshape(column), None if bias is None else bias.reshape(column)
    shape, axes = _norm_groups(at)
    gain, bias = argument(operation, 2, "weight", None), argument(operation, 3, "bias", None)
    eps = argument(operation, 4, "eps", 1e-5)
    if target == "rms_norm":
        eps, bias = argument(operation, 3, "eps", None), None
        eps = torch.finfo(x.dtype).eps if eps is None else eps
    elif target == "instance_norm":
        gain, bias, eps = args[1], args[2], args[7]
    grouped = x.reshape(shape)
    spread = (
        grouped.square().mean(axes, keepdim=True)
        if target == "rms_norm"
        else grouped.var(axes, correction=0, keepdim=True)
    )
    scale = (spread + eps).rsqrt().expand(grouped.shape).reshape(x.shape)
    if target in {"group_norm", "instance_norm"}:
        column = (-1, *[1] * (x.ndim - 2))
        gain = None if gain is None else gain.reshape(column)
        bias = None if bias is None else bias.reshape(column)
    return (scale if gain is None else scale * gain), bias
