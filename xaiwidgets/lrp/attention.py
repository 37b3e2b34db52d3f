"""Relevance through attention: AttnLRP (Achtibat et al., ICML 2024) and CP-LRP, which holds attention weights constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.derivative import transposed
from xaiwidgets.graph.local import STABILISER, Into, Local, Site, stabilise
from xaiwidgets.graph.operation import Operation, Value, argument

__all__ = ["FusedAttention", "MatrixProduct", "Softmax"]


class Softmax(Local):
    """R_i = x_i (R'_i − s_i Σ_j R'_j), AttnLRP eq. 13."""

    needs_inputs = True
    needs_output = True

    def describe(self) -> str:
        return "softmax"

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [softmax_down(relevance, finite(at.inputs[0]), at.output, argument(at.operation, 1, "dim", -1))]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value = above[0]
        assert value is not None
        return softmax_up(value, finite(at.inputs[0]), at.output, argument(at.operation, 1, "dim", -1))


def softmax_down(relevance: Tensor, x: Tensor, s: Tensor, dim: int = -1) -> Tensor:
    """`x` are finite logits, `s` the weights."""
    return torch.addcmul(relevance, s, relevance.sum(_axis(dim, s), keepdim=True), value=-1).mul_(x)


def softmax_up(value: Tensor, x: Tensor, s: Tensor, dim: int = -1) -> Tensor:
    value = value * x
    return value.sub_((s * value).sum(_axis(dim, s), keepdim=True))


def _axis(dim: int, like: Tensor) -> int:
    return dim if dim < 0 else dim - like.ndim


def finite(x: Tensor) -> Tensor:
    """Masked logits (−∞) take no relevance."""
    return x.masked_fill(torch.isinf(x), 0.0)


class MatrixProduct(Local):
    """O = A V (matmul, einsum; a convolution with weights from the image): R_A = A ⊙ (S Vᵀ), R_V = V ⊙ (Aᵀ S), S = R / (2 O), AttnLRP eq. 15.

    Where only one factor carries relevance it takes all of it: S = R / O.
    """

    needs_inputs = True
    needs_output = True

    def __init__(self, epsilon: float = STABILISER) -> None:
        self.epsilon = epsilon

    def describe(self) -> str:
        return "bilinear, half each"

    def _ratio(self, at: Site) -> Tensor:
        return 1 / stabilise(at.output * sum(at.carries), self.epsilon)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        (factors, formula), places = factors_of(at), places_of(at)
        s = relevance * at.remember("1/z", lambda: self._ratio(at))
        shares: list[Tensor | Into | None] = []
        for number, (carries, wanted) in enumerate(zip(at.carries, at.wanted, strict=True)):
            if not (carries and wanted):
                shares.append(None)
                continue
            shares.append(formula.transposed(s, factors, places[number]) * at.inputs[number])
        return shares

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        (factors, formula), places = factors_of(at), places_of(at)
        total: Any = None
        for number, value in enumerate(above):
            if value is not None and at.carries[number]:
                part = formula.applied(value * at.inputs[number], factors, places[number])
                total = part if total is None else total + part
        return total * at.remember("1/z", lambda: self._ratio(at))


class Formula:
    """A product of two tensors as an einsum, with a leading axis of rows for one of them."""

    def __init__(self, equation: str) -> None:
        inputs, self.output = equation.replace(" ", "").split("->")
        self.inputs = inputs.split(",")

    def applied(self, value: Tensor, factors: Sequence[Tensor], position: int) -> Tensor:
        """The product with (K, …) `value` in place of one factor."""
        other = 1 - position
        return torch.einsum(f"Z{self.inputs[position]},{self.inputs[other]}->Z{self.output}", value, factors[other])

    def transposed(self, s: Tensor, factors: Sequence[Tensor], position: int) -> Tensor:
        """The adjoint of `applied`."""
        other = 1 - position
        return torch.einsum(f"Z{self.output},{self.inputs[other]}->Z{self.inputs[position]}", s, factors[other])


class MatrixFormula(Formula):
    """A @ B with broadcasting leading axes."""

    def __init__(self) -> None:
        pass

    def applied(self, value: Tensor, factors: Sequence[Tensor], position: int) -> Tensor:
        return value @ factors[1] if position == 0 else factors[0] @ value

    def transposed(self, s: Tensor, factors: Sequence[Tensor], position: int) -> Tensor:
        if position == 0:
            return _fold(s @ factors[1].mT, factors[0])
        return _fold(factors[0].mT @ s, factors[1])


def _fold(share: Tensor, like: Tensor) -> Tensor:
    """Summed over leading axes along which a factor was broadcast."""
    extra = share.ndim - 1 - like.ndim
    if extra > 0:
        share = share.sum(tuple(range(1, 1 + extra)))
    axes = tuple(i + 1 for i, size in enumerate(like.shape[:-2]) if size == 1 and share.shape[i + 1] != 1)
    return share.sum(axes, keepdim=True) if axes else share


class CallFormula(Formula):
    """Any other call that is linear in each of its first two arguments: a convolution whose weights come from the image."""

    def __init__(self, at: Site) -> None:
        function = at.operation.function
        args, options = at.operation.arguments(at.inputs)
        options.pop("bias", None)
        self.call = lambda a, b: function(a, b, None, *args[3:], **options)

    def applied(self, value: Tensor, factors: Sequence[Tensor], position: int) -> Tensor:
        return torch.stack([self.call(*[row if i == position else f for i, f in enumerate(factors)]) for row in value])

    def transposed(self, s: Tensor, factors: Sequence[Tensor], position: int) -> Tensor:
        (found,) = transposed(
            lambda mine: self.call(*[mine[0] if i == position else f for i, f in enumerate(factors)]),
            [factors[position]],
            [True],
            s,
        )
        assert found is not None
        return found


def _factors(at: Site) -> Sequence[Any]:
    operation = at.operation
    given: Sequence[Any] = operation.args[1] if operation.target == "einsum" else operation.args[:2]
    return given


def places_of(at: Site) -> list[int]:
    """Which of the two factors each input of the step is."""
    return [place for place, item in enumerate(_factors(at)) if isinstance(item, Value)]


def factors_of(at: Site) -> tuple[list[Tensor], Formula]:
    operation = at.operation
    values = iter(at.inputs)
    factors = [item if isinstance(item, Tensor) else next(values) for item in _factors(at)]
    if operation.target == "einsum":
        return factors, Formula(operation.args[0])
    return factors, MatrixFormula() if operation.target in {"matmul", "bmm"} else CallFormula(at)


class FusedAttention(Local):
    """Scaled dot-product attention as its steps: q kᵀ, scale, mask, softmax, times v. Weights are worked out anew from q and k.

    With `hold_weights` (CP-LRP, Ali et al. 2022) all relevance goes to v. Of two that are multiplied, the one that carries relevance takes
    all of it where the other is a constant, such as queries that were learned.
    """

    needs_inputs = True
    needs_output = True
    fresh_factor = True

    def __init__(self, hold_weights: bool = False, epsilon: float = STABILISER) -> None:
        self.hold_weights, self.epsilon, self.guard = hold_weights, epsilon, epsilon

    def describe(self) -> str:
        return "weights held constant" if self.hold_weights else "attention, half each"

    def _equal_parts(self, at: Site) -> tuple[float, float]:
        """Of relevance at the output, the part of the values and as much of the weights; of that at a logit, the part of its query and as
        much of its key."""
        q, k, v = at.carries[:3]
        return 1 / max(1, v + (not self.hold_weights and (q or k))), 1 / max(1, q + k)

    def _parts(self, at: Site) -> tuple[Tensor, Tensor, Tensor]:
        """q kᵀ, the logits (zero where masked), and the weights."""

        def parts() -> tuple[Tensor, Tensor, Tensor]:
            products, logits, weights = attention_parts(at)
            return products, finite(logits) if is_masked(at.operation) else logits, weights

        return at.remember("weights", parts)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        if self.takes_factor(at.operation):
            factors = self._factors_down(relevance / stabilise(at.output, self.epsilon), at)
            return [None if f is None else f.mul_(x) for f, x in zip(factors, at.inputs, strict=True)]
        q, k, v = at.inputs[:3]
        products, logits, weights = self._parts(at)
        part, part_of_logit = self._equal_parts(at)
        s = relevance / stabilise(at.output / part, self.epsilon)
        shares: list[Tensor | Into | None] = [None] * len(at.inputs)
        shares[2] = v * (weights.mT @ s)
        if not self.hold_weights:
            r = softmax_down(weights * (s @ v.mT), logits, weights)
            r = self._below_mask(r, products, logits, at)
            s = r / stabilise(products / part_of_logit, self.epsilon)
            shares[0], shares[1] = q * (s @ k), k * (s.mT @ q)
        return shares

    def takes_factor(self, operation: Operation) -> bool:
        """A logit is its product times the scale, and ε no more than guards a division: then the logit that the softmax hands over and the
        product that the next step divides by leave the scale alone."""
        return not self.hold_weights and not is_masked(operation) and self.epsilon <= STABILISER

    def _plain_weights(self, at: Site) -> Tensor:
        q, k = at.inputs[:2]
        return at.remember("plain weights", lambda: ((q * _scale(at)) @ k.mT).softmax(-1))

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return self._factors_down(factor, at)

    def _factors_down(self, factor: Tensor, at: Site) -> list[Tensor | None]:
        # In memory of their own once, not at every product; what only scales goes to the small tensors.
        q, k, factor = at.inputs[0].contiguous(), at.inputs[1].contiguous(), factor.contiguous()
        part, part_of_logit = self._equal_parts(at)
        weights, scale = self._plain_weights(at), _scale(at) * part * part_of_logit
        # What the weights of a query have in all is Σ_j w_j (f · v_j) = f · o: a sum over features, of which there are fewer than keys.
        whole = (factor * at.output).sum(-1, keepdim=True).mul_(scale)
        r = (factor @ (at.inputs[2] * scale).mT).sub_(whole).mul_(weights)
        shares: list[Tensor | None] = [None] * len(at.inputs)
        shares[0], shares[1], shares[2] = r @ k, r.mT @ q, (weights.mT @ factor).mul_(part)
        return shares

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        q, k, v = at.inputs[:3]
        part, part_of_logit = self._equal_parts(at)
        weights, scale = self._plain_weights(at), _scale(at) * part * part_of_logit
        total: Any = 0.0
        if above[2] is not None:
            total = weights @ (above[2] * part)
        value: Any = None
        if above[0] is not None:
            value = above[0] @ k.mT
        if above[1] is not None:
            of_keys = q @ above[1].mT
            value = of_keys if value is None else value + of_keys
        if value is not None:
            value = (value - (weights * value).sum(-1, keepdim=True)).mul_(scale)
            total = total + (weights * value) @ v
        return total

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        if self.takes_factor(at.operation):
            lifted = self.up_factor([v if v is None else v * x for v, x in zip(above, at.inputs, strict=True)], at)
            return lifted / stabilise(at.output, self.epsilon)
        q, k, v = at.inputs[:3]
        products, logits, weights = self._parts(at)
        part, part_of_logit = self._equal_parts(at)
        total: Any = 0.0
        if above[2] is not None:
            total = weights @ (v * above[2])
        if not self.hold_weights:
            value: Any = 0.0
            if above[0] is not None:
                value = (q * above[0]) @ k.mT
            if above[1] is not None:
                value = value + q @ (k * above[1]).mT
            if isinstance(value, Tensor):
                value = self._below_mask(
                    value / stabilise(products / part_of_logit, self.epsilon), products, logits, at
                )
                total = total + (weights * softmax_up(value, logits, weights)) @ v
        return total / stabilise(at.output / part, self.epsilon)

    def _below_mask(self, values: Tensor, products: Tensor, logits: Tensor, at: Site) -> Tensor:
        """The share of the scaled product in logit = product + mask; a diagonal map, its own adjoint."""
        if argument(at.operation, 3, "attn_mask", None) is None:
            return values
        scaled = products * _scale(at)
        return values * (scaled / stabilise(logits, self.epsilon)).masked_fill_(logits == 0, 0.0)


def _scale(at: Site) -> float:
    given = argument(at.operation, 6, "scale", None)
    return float(at.shapes[0][-1] ** -0.5) if given is None else float(given)


def is_masked(operation: Operation) -> bool:
    """Whether logits of fused attention can be −∞."""
    return argument(operation, 3, "attn_mask", None) is not None or bool(argument(operation, 5, "is_causal", False))


def attention_parts(at: Site) -> tuple[Tensor, Tensor, Tensor]:
    """q kᵀ, the logits (−∞ where masked), and the weights of fused attention."""
    q, k = at.inputs[:2]
    products = q @ k.mT
    logits = products * _scale(at)
    mask = argument(at.operation, 3, "attn_mask", None)
    if mask is not None:
        mask = mask if isinstance(mask, Tensor) else at.inputs[3]
        logits = logits.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else logits + mask
    if argument(at.operation, 5, "is_causal", False):
        lower = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
        logits = logits.masked_fill(~lower, float("-inf"))
    return products, logits, logits.softmax(-1)
