"""absLRP's one rule for every operation y = g(x; w, b) (doi 10.1145/3649458):

    R_x = N₁( x ⊙ ∂[g(x; w, b) + g(|x|; |w|, |b|)]/∂xᵀ · R_y / (|y| + ε) ),     N₁(r) = r / (Σ|r| + ε) per sample.

Where a factor cannot be negative the two derivatives fall together and half of the work with them. Every step is homogeneous in
R, so a scale that nothing else is added to cancels at the next N₁: that of an element-wise step or a linear layer is left out
where its input has one reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.derivative import called, slope, transposed
from xaiwidgets.graph.kinds import KINDS, kind_of
from xaiwidgets.graph.linear import LinearMap, weight_of
from xaiwidgets.graph.local import Into, Local, Pass, Site, Surroundings, sum_to
from xaiwidgets.graph.moves import Move
from xaiwidgets.graph.operation import Operation, Value, argument
from xaiwidgets.lrp.attention import attention_parts, factors_of, finite, is_masked, places_of
from xaiwidgets.lrp.treatments import Hold, linear_down, norm_scale, spread_over
from xaiwidgets.lrp.winners import Winner

__all__ = ["AbsRule", "abs_treatments", "normalise"]

EPSILON = 1e-9


def normalise(relevance: Tensor, batch: int, epsilon: float = EPSILON) -> Tensor:
    """N₁: each sample of (K, …) relevance divided by its sum of magnitudes, in place."""
    flat = relevance
    if relevance.shape[1] != batch:  # windows or heads are merged with the batch
        flat = relevance.reshape(relevance.shape[0], batch, -1)
    flat /= torch.linalg.vector_norm(flat, 1, dim=tuple(range(2, flat.ndim)), keepdim=True).add_(epsilon)
    return flat.reshape(relevance.shape)


class AbsRule(Local):
    """The rule, given how `share` multiplies x and the two transposed derivatives for one kind of operation."""

    needs_inputs = True
    needs_output = True

    light = False  # whether N₁ may be left out where nothing is added to the result

    def __init__(
        self, operation: Operation, place: Surroundings, epsilon: float = EPSILON, divide: bool = True
    ) -> None:
        self.positive, self.epsilon, self.divide = place.positive, epsilon, divide
        self.normalises = place.shared or not self.light
        self.needs_output = divide

    def describe(self) -> str:
        return "absLRP" if self.divide else "absLRP, not divided by |y|"

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        s = relevance / at.output.abs().add_(self.epsilon) if self.divide else relevance
        return self.normalised(self.shares(s, at), at)

    def normalised(self, shares: list[Tensor | None], at: Site) -> list[Tensor | None]:
        if not self.normalises:
            return shares
        return [None if share is None else normalise(share, at.batch, self.epsilon) for share in shares]

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        raise TypeError(f"{type(self).__name__} gives no shares")


class AbsLinear(AbsRule):
    """x ⊙ wᵀs + |x| ⊙ |w|ᵀs, half of it: x⁺ ⊙ (w⁺)ᵀs + x⁻ ⊙ (w⁻)ᵀs, in which nothing has to cancel. For x ≥ 0 the first term."""

    def __init__(self, operation: Operation, place: Surroundings, epsilon: float) -> None:
        self.light = operation.target == "linear"
        super().__init__(operation, place, epsilon)
        weight = weight_of(operation)
        self.plus = LinearMap(operation, weight.clamp(min=0))
        self.minus = None if place.positive else LinearMap(operation, weight.clamp(max=0))

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        x, shape = at.inputs[0], at.shapes[0]
        share = self.plus.transpose(s, shape)
        if self.minus is None:
            return [share.mul_(x)]
        return [share.mul_(x.clamp(min=0)).addcmul_(self.minus.transpose(s, shape), x.clamp(max=0))]


class AbsSum(AbsRule):
    """Addends, each with its own normalisation: 2x⁺ ⊙ s."""

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        if at.operation.target not in {"add", "sub", "rsub"}:
            backs = linear_down(s, at)
            return [None if b is None else b * x.clamp(min=0) for b, x in zip(backs, at.inputs, strict=True)]
        negative = [
            at.operation.target == "sub" and i == 1 for i, a in enumerate(at.operation.args) if isinstance(a, Value)
        ]
        return [
            sum_to(s * (-x if minus else x).clamp(min=0), shape) if wanted else None
            for x, shape, wanted, minus in zip(at.inputs, at.shapes, at.wanted, negative, strict=False)
        ]


class AbsFactor(AbsRule):
    """Steps whose two derivatives are diagonal: R times one factor of activations alone, x ⊙ [∂g(x) + ∂g(|x|)] / (|y| + ε)."""

    def factor(self, at: Site) -> Tensor:
        """x ⊙ [∂g(x) + ∂g(|x|)], a tensor of its own."""
        raise TypeError(f"{type(self).__name__} gives no factor")

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        share = relevance * at.remember("factor", lambda: self._divided(at))
        return self.normalised([sum_to(share, at.shapes[0]), *[None] * (len(at.shapes) - 1)], at)

    def _divided(self, at: Site) -> Tensor:
        return self.factor(at).div_(at.output.abs().add_(self.epsilon))


class AbsElementwise(AbsFactor):
    """x ⊙ [f'(x) + sign(x) f'(|x|)] ⊙ s. For what leaves positive values as they are and is read as such, R where x > 0."""

    light = True

    def __init__(self, operation: Operation, place: Surroundings, epsilon: float) -> None:
        self.gates = operation.target in {"relu", "dropout", "feature_dropout"}
        super().__init__(operation, place, epsilon, divide=not self.gates)
        if self.gates:  # what comes out tells as well; what goes in need not be recorded
            self.needs_inputs, self.needs_output = False, True

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        if self.gates:
            return self.normalised([relevance * (at.output > 0)], at)
        return super().down(relevance, at)

    def factor(self, at: Site) -> Tensor:
        x = at.inputs[0]
        magnitude = x.abs()
        call, rest = called(at.operation), at.inputs[1:]
        # Each product is rounded before the sum, so that a negative x of an odd function gets exactly nothing.
        return x * slope(call, [x, *rest]) + magnitude * slope(call, [magnitude, *rest])


class AbsDerivative(AbsRule):
    """The rule as it stands, by torch's derivatives at x and at |x|: for steps in which entries depend on one another."""

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        magnitudes = tuple(x.abs() if wanted else x for x, wanted in zip(at.inputs, at.wanted, strict=True))
        total: list[Tensor | None] = [None] * len(at.inputs)
        for inputs in (at.inputs, magnitudes):
            for i, share in enumerate(transposed(called(at.operation), inputs, at.wanted, s)):
                part = None if share is None else share * inputs[i]
                total[i] = part if total[i] is None or part is None else total[i] + part
        return total


class AbsWinner(AbsRule):
    """Of x and of |x|, each with winners of its own; for x ≥ 0 they are the same. Entries of −∞, which pad, win in neither. As
    published, a plain chain of convolutions (VGG) does not divide by |y| here."""

    def __init__(self, operation: Operation, place: Surroundings, epsilon: float) -> None:
        super().__init__(operation, place, epsilon, divide=not place.plain)

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        plain = self._won(s, at, at.inputs)
        if self.positive and len(at.inputs) == 1:
            return plain
        magnitude = self._won(s, replace(at, memory=None), tuple(_size(x) for x in at.inputs))
        return [None if p is None or m is None else p + m for p, m in zip(plain, magnitude, strict=True)]

    @staticmethod
    def _won(s: Tensor, at: Site, inputs: tuple[Any, ...]) -> list[Tensor | None]:
        shares = Winner().down(s, replace(at, inputs=inputs))
        return [
            share * finite(x) if isinstance(share, Tensor) else None for share, x in zip(shares, inputs, strict=True)
        ]


def _size(x: Any) -> Any:
    """|x|, but for −∞."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        return x
    return x.abs().masked_fill_(torch.isneginf(x), float("-inf"))


class AbsNorm(AbsFactor):
    """(x c(x) + |x| |c(|x|)|) ⊙ s with c the gain over the deviation, which is held constant: that of x, and for |x| its own.

    A batch norm and an RMS norm have the same statistics for both, which leaves 2(xc)⁺ ⊙ s.
    """

    def __init__(self, operation: Operation, place: Surroundings, epsilon: float) -> None:
        self.light = operation.target == "batch_norm"
        super().__init__(operation, place, epsilon)

    def factor(self, at: Site) -> Tensor:
        x = at.inputs[0]
        product = x * norm_scale(at)[0]
        if self.positive or at.operation.target in {"batch_norm", "rms_norm"}:
            return product.clamp_(min=0)
        magnitude = x.abs()
        scale, _ = norm_scale(replace(at, inputs=(magnitude, *at.inputs[1:])))
        return product.addcmul_(magnitude, scale.abs())


class AbsProduct(AbsRule):
    """Of two activations: 2(ab)⁺ ⊙ s for each. A constant factor passes."""

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        if sum(at.carries) == 1 and at.operation.target != "prod":
            return Pass().down(relevance, at)
        return super().down(relevance, at)

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        r = s * at.output.clamp(min=0)
        if at.operation.target == "prod":
            return [spread_over(r, at).contiguous()]
        return [sum_to(r, shape) if wanted else None for shape, wanted in zip(at.shapes, at.wanted, strict=True)]


class AbsMatrixProduct(AbsRule):
    """a ⊙ (s bᵀ) + |a| ⊙ (s |b|ᵀ), half of it: a⁺ ⊙ (s (b⁺)ᵀ) + a⁻ ⊙ (s (b⁻)ᵀ); and likewise for b."""

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        factors, formula = factors_of(at)
        halves = [factor.clamp(min=0) for factor in factors], [factor.clamp(max=0) for factor in factors]
        places = places_of(at)
        shares: list[Tensor | None] = []
        for number, wanted in enumerate(at.wanted):
            if not wanted:  # a size among the arguments
                shares.append(None)
                continue
            place = places[number]
            plus, minus = (formula.transposed(s, half, place) * half[place] for half in halves)
            shares.append(plus + minus)
        return shares


class AbsSoftmax(AbsFactor):
    """exp(x − max)/Σ with the maximum and the sum held constant: x ⊙ (softmax(x) + sign(x) softmax(|x|)) ⊙ s."""

    def factor(self, at: Site) -> Tensor:
        return softmax_factor(at.inputs[0], at.output, argument(at.operation, 1, "dim", -1))


def softmax_factor(x: Tensor, y: Tensor, dim: int = -1, masked: bool = True) -> Tensor:
    """x softmax(x) + |x| softmax(|x|); entries of −∞ (`masked`) have weight in neither."""
    if not masked:
        magnitude = x.abs()
        return torch.addcmul(x * y, magnitude, magnitude.softmax(dim))
    hidden = torch.isinf(x)
    x = x.masked_fill(hidden, 0.0)
    magnitude = x.abs()
    return torch.addcmul(x * y, magnitude, magnitude.masked_fill(hidden, float("-inf")).softmax(dim))


class AbsFusedAttention(AbsRule):
    """Fused attention as its steps, each with the rule: the product with v, the softmax, the product of q and k."""

    def shares(self, s: Tensor, at: Site) -> list[Tensor | None]:
        q, k, v = at.inputs[:3]
        factor, weights = at.remember("factor", lambda: self._factor(at))
        positive_v = v.clamp(min=0)
        shares: list[Tensor | None] = [None] * len(at.inputs)
        shares[2] = positive_v * (weights.mT @ s)
        s = (s @ positive_v.mT).mul_(factor)
        shares[0], shares[1] = _signed_product(q, s, k), _signed_product(k, s.mT, q)
        return shares

    def _factor(self, at: Site) -> tuple[Tensor, Tensor]:
        """What depends on activations alone between the relevance of the weights and that of q kᵀ; and the weights."""
        _, logits, weights = attention_parts(at)
        factor = softmax_factor(logits, weights, masked=is_masked(at.operation))
        factor *= weights / (weights + self.epsilon)
        size = (finite(logits) if is_masked(at.operation) else logits).abs().add_(self.epsilon)
        return factor.div_(size), weights


def _signed_product(a: Tensor, s: Tensor, b: Tensor) -> Tensor:
    """a⁺ ⊙ (s b⁺) + a⁻ ⊙ (s b⁻)."""
    plus, minus = (s @ torch.cat([b.clamp(min=0), b.clamp(max=0)], -1)).chunk(2, -1)
    return (a.clamp(min=0) * plus).addcmul_(a.clamp(max=0), minus)


class AbsSelect(AbsRule):
    """Selecting the class token is a layer of its own: relevance of its negative features is dropped."""

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        kept = normalise(relevance * (at.output > 0), at.batch, self.epsilon)
        return Move().down(kept, at)


def abs_treatments(epsilon: float = EPSILON) -> dict[str, Callable[[Operation, Surroundings], Local]]:
    """The rule for every operation, by ATen name."""

    def make(operation: Operation, place: Surroundings) -> Local:
        kind = kind_of(operation) or ""
        return RULES.get(operation.target if KINDS.get(operation.target) == kind else kind, RULES[kind])(
            operation, place, epsilon
        )

    return {target: make for target, kind in KINDS.items() if kind != "size"}


def _move(*_: Any) -> Local:
    return Move()


def _hold(*_: Any) -> Local:
    return Hold()


def _select(operation: Operation, place: Surroundings, epsilon: float) -> Local:
    return AbsSelect(operation, place, epsilon) if _picks_token(operation) else Move()


def _dropout(operation: Operation, place: Surroundings, epsilon: float) -> Local:
    """As published, there is no such layer after the position embedding."""
    return Pass() if place.placed else AbsElementwise(operation, place, epsilon)


Rule = Callable[[Operation, Surroundings, float], Local]
RULES: dict[str, Rule] = {
    "move": _move,
    "select": _select,
    "statistic": _hold,
    "linear": AbsLinear,
    "sum": AbsSum,
    "pass": AbsElementwise,
    "log_softmax": AbsDerivative,
    "dropout": _dropout,
    "winner": AbsWinner,
    "norm": AbsNorm,
    "product": AbsProduct,
    "attention": AbsMatrixProduct,
    "softmax": AbsSoftmax,
    "scaled_dot_product_attention": AbsFusedAttention,
}


def _picks_token(operation: Operation) -> bool:
    """x[:, 0] of tokens (N, T, C)."""
    axis: Any = operation.args[1] if len(operation.args) > 1 else 0
    index: Any = operation.args[2] if len(operation.args) > 2 else 0
    return len(operation.shape) == 2 and axis in {1, -2} and index == 0
