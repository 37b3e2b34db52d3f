"""How relevance passes the operations that are not linear layers, kind by kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.derivative import affine, called, transposed
from xaiwidgets.graph.local import (
    STABILISER,
    Into,
    Local,
    Pass,
    Site,
    divided,
    expand_to,
    nothing,
    stabilise,
    sum_to,
)
from xaiwidgets.graph.operation import Operation, Value, argument, constants_in

__all__ = [
    "Hold",
    "Normalise",
    "Product",
    "Share",
    "Shifted",
    "Spread",
    "centred",
    "linear_down",
    "norm_scale",
    "spread_over",
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
        self.epsilon = self.guard = epsilon

    def describe(self) -> str:
        return "norm"

    def _divide(self, values: Tensor, at: Site) -> Tensor:
        """values (K, …) / st(y)."""
        if at.memory is None:
            return divided(values, stabilise(at.output, self.epsilon))
        return values * at.remember("1/z", lambda: stabilise(at.output, self.epsilon).reciprocal_())


class Share(Proportional):
    """A sum of tensors (residual add): R_a = a R / st(a + b). Constants among the addends keep their share."""

    fresh = True

    def takes_factor(self, operation: Operation) -> bool:
        constants = constants_in((operation.args, operation.kwargs))
        return self.epsilon <= STABILISER and all(bool(torch.isfinite(constant).all()) for constant in constants)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        s = self._divide(relevance, at)
        last = max((i for i, wanted in enumerate(at.wanted) if wanted), default=-1)
        shares: list[Tensor | Into | None] = []
        for i, (shape, sign) in enumerate(zip(at.shapes, _signs(at.operation), strict=True)):
            if not at.wanted[i]:
                shares.append(None)
                continue
            addend = _addend(at.inputs[i], sign)
            # Nobody reads s after the last addend: it takes the product, without new memory, which costs more than the product.
            shares.append(sum_to(s.mul_(addend) if i == last else s * addend, shape))
        return shares

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [
            sum_to(_addend(factor, sign), shape) if wanted else None
            for shape, sign, wanted in zip(at.shapes, _signs(at.operation), at.wanted, strict=True)
        ]

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        total: Any = None
        for value, sign, carries in zip(above, _signs(at.operation), at.carries, strict=True):
            if value is not None and carries:
                part = _addend(expand_to(value, at.shape), sign)
                total = part if total is None else total + part
        return nothing(above, at) if total is None else total

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
    """A fixed linear map (mean, average pooling, upsampling, folding, adding at positions): R_i = x_i Σ_j w_ij R_j / st(y_j) with its
    weights w. Where relevance could go to what the map itself depends on, such as sampling points, none does."""

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        shares = linear_down(self._divide(relevance, at), at)
        return [None if share is None else share * at.inputs[i] for i, share in enumerate(shares)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        takes = _terms(at)
        given = [v * at.inputs[i] if takes[i] and v is not None else None for i, v in enumerate(above)]
        if all(value is None for value in given):
            return nothing(above, at)
        # Of the addends, those that no relevance comes from are zero.
        rest = [torch.zeros_like(x) if term else x for x, term in zip(at.inputs, takes, strict=True)]
        return self._divide(affine(called(at.operation), rest, given), at)


# Linear in their first argument; what else they are given is where or how.
POINTS = ("grid_sampler", "torchvision.")


def _terms(at: Site) -> list[bool]:
    """Which inputs enter the map linearly."""
    given = at.operation.target.startswith(POINTS)
    return [isinstance(x, Tensor) and x.is_floating_point() and not (given and i > 0) for i, x in enumerate(at.inputs)]


def linear_down(s: Tensor, at: Site) -> list[Tensor | None]:
    """The transpose of a linear operation, row by row: for each input that is wanted and enters linearly."""
    shape = at.shapes[0]
    if at.operation.target.startswith("adaptive_avg_pool") and all(size == 1 for size in at.shape[2:]):
        cells = 1
        for size in shape[2:]:
            cells *= size
        return [s / cells, *[None] * (len(at.shapes) - 1)]
    wanted = [w and t for w, t in zip(at.wanted, _terms(at), strict=True)]
    if not any(wanted):
        return [None] * len(wanted)
    zeros = [torch.zeros_like(x) if w else x for x, w in zip(at.inputs, wanted, strict=True)]
    return transposed(called(at.operation), zeros, wanted, s)


class Product(Local):
    """Element-wise products. Half of the relevance to each activation; all of it to the one that carries any where the other
    is a constant, a held statistic or a divisor. The factors of a `prod` get equal parts."""

    conserves = True

    def describe(self) -> str:
        return "half each"

    def _receives(self, at: Site) -> list[bool]:
        carries = list(at.carries)
        if "div" in at.operation.target and len(carries) == 2 and carries[0]:
            carries[1] = False
        return carries

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        receives = self._receives(at)
        if at.operation.target == "prod":
            return [spread_over(relevance, at) / math.prod(at.shapes[0][i] for i in _product_axes(at))]
        share = relevance / sum(receives) if sum(receives) > 1 else relevance
        return [
            sum_to(share, shape) if takes and wanted else None
            for takes, wanted, shape in zip(receives, at.wanted, at.shapes, strict=True)
        ]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        receives = self._receives(at)
        if at.operation.target == "prod":
            assert above[0] is not None
            return above[0].mean([i + 1 for i in _product_axes(at)]).reshape(len(above[0]), *at.shape)
        total: Any = None
        for takes, value in zip(receives, above, strict=True):
            if takes and value is not None:
                part = expand_to(value, at.shape)
                total = part if total is None else total + part
        if total is None:
            return nothing(above, at)
        return total / sum(receives)


def _product_axes(at: Site) -> list[int]:
    """The axes of the input that a `prod` multiplies over."""
    ndim, dim = len(at.shapes[0]), argument(at.operation, 1, "dim", None)
    return list(range(ndim)) if dim is None else [dim % ndim]


def spread_over(relevance: Tensor, at: Site) -> Tensor:
    """(K, *shape of the result) to each of the factors it was multiplied from."""
    axes, shape = _product_axes(at), at.shapes[0]
    whole = relevance.reshape(relevance.shape[0], *[1 if i in axes else size for i, size in enumerate(shape)])
    return whole.expand(relevance.shape[0], *shape)


class Normalise(Local):
    """Layer, group, instance and RMS norm, y = (x − μ(x)) c + b with the scale c held constant, by the ε-rule.

    R_i = x_i Σ_j ∂(y_j)/∂x_i R_j / st(y_j), AttnLRP (Achtibat et al. 2024) §3.3. A batch norm in evaluation mode that could not
    be folded is the affine map that it is. `zero_bias` keeps b out of the denominator (relevance then passes a batch norm).
    """

    def __init__(self, operation: Operation, epsilon: float = STABILISER, zero_bias: bool = False) -> None:
        self.epsilon, self.zero_bias, self.guard = epsilon, zero_bias, epsilon
        self.passes = operation.target == "batch_norm" and zero_bias
        self.needs_inputs = self.needs_output = not self.passes

    fresh_factor = True

    def takes_factor(self, operation: Operation) -> bool:
        return self.epsilon <= STABILISER and not self.zero_bias

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [centred(factor * at.remember("c", lambda: norm_scale(at)[0]), at)]

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        (value,) = above
        assert value is not None
        return centred(value, at) * at.remember("c", lambda: norm_scale(at)[0])

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
    if target == "layer_norm" and x.is_floating_point():
        # The norm's own kernel works the deviation out in one pass, several times faster than `var`.
        spread = torch.native_layer_norm(x, tuple(args[1]), None, None, eps)[2].to(x.dtype)
        return (spread.expand(x.shape) if gain is None else spread * gain), bias
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
