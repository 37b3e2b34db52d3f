"""The rules for linear steps (convolutions, linear layers), each as data: which inputs and weights go together.

Every rule is a sum of groups. A group redistributes R in proportion to the contributions of its terms,

    R_i = coefficient · Σ_terms x̃_i Σ_j w̃_ij R_j / st(z_j),     z = Σ_terms Σ_i x̃_i w̃_ij + b̃_j ,

x̃ and w̃ being parts of the inputs and weights (positive, negative, …). A group may be for positive or negative outputs only.
From this the way down, its adjoint and what must be recorded all follow. Bach et al. 2015; Montavon et al. 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.graph.linear import CONVOLUTIONS, LinearMap, bias_of, weight_of
from xaiwidgets.graph.local import Into, Local, Site, divided, stabilise
from xaiwidgets.graph.operation import Operation

__all__ = ["RULES", "AlphaBeta", "Epsilon", "Flat", "Gamma", "Rule", "WSquare", "ZBox", "ZPlus", "make_rule"]

STABILISER = 1e-6  # zennit's

INPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "all": lambda x: x,
    "positive": lambda x: x.clamp(min=0),
    "negative": lambda x: x.clamp(max=0),
    "ones": torch.ones_like,
}


@dataclass(frozen=True, slots=True)
class Term:
    """Inputs (a name in `INPUTS`, or a tensor broadcasting to them) times weights, and the bias that goes with them."""

    inputs: str | Tensor
    weight: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Terms that share a denominator. `outputs` restricts it to outputs "positive" or "negative"; `recorded` says that its
    denominator is the recorded output itself, less `bias` (shaped to add to it) where that is given."""

    terms: tuple[Term, ...]
    coefficient: float = 1.0
    outputs: str = "all"
    recorded: bool = False
    bias: Tensor | None = None
    positive: bool = False  # the denominator cannot be negative


def at_least_zero(argument: str, value: Any) -> None:
    """Raise ValueError for anything but a finite number ≥ 0."""
    try:
        fits = not isinstance(value, bool | str) and math.isfinite(float(value)) and float(value) >= 0
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"{argument}={value!r} must be a finite number of at least 0")


@dataclass(frozen=True)
class Rule:
    """A rule of a composite; `prepare` works out its modified weights for one step, once.

    Attributes:
        stabiliser: added to denominators with their sign.
        zero_bias: keep the bias out of denominators, so that it takes no relevance.
    """

    stabiliser: float = STABILISER
    zero_bias: bool = False

    def __post_init__(self) -> None:
        at_least_zero("stabiliser", self.stabiliser)

    def groups(self, weight: Tensor, bias: Tensor | None, positive_inputs: bool) -> tuple[Group, ...]:
        raise TypeError(f"{type(self).__name__} defines no groups")

    def prepare(self, operation: Operation, positive_inputs: bool = False) -> Local:
        """The rule for one linear step; `positive_inputs` says that its inputs cannot be negative."""
        bias = bias_of(operation)
        groups = self.groups(weight_of(operation), None if self.zero_bias else bias, positive_inputs)
        if self.zero_bias and bias is not None:
            axes = 0 if operation.target == "linear" else CONVOLUTIONS[operation.target][2]
            column = bias.reshape(-1, *[1] * axes)
            groups = tuple(replace(group, bias=column) if group.recorded else group for group in groups)
        return Linear(self, operation, groups)

    def __str__(self) -> str:
        return type(self).__name__


@dataclass(frozen=True)
class Epsilon(Rule):
    """R_i = Σ_j x_i w_ij R_j / (z_j + ε sign z_j). With ε → 0 it is LRP-0. Bach et al. 2015, eq. 58.

    `relative` makes ε a multiple of the standard deviation of z over each sample's outputs (Montavon's tutorial).
    """

    epsilon: float = STABILISER
    relative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_zero("epsilon", self.epsilon)

    def groups(self, weight: Tensor, bias: Tensor | None, positive_inputs: bool) -> tuple[Group, ...]:
        return (Group((Term("all", weight, bias),), recorded=True),)

    def __str__(self) -> str:
        return f"ε = {self.epsilon:g}" + (" std" if self.relative else "")


@dataclass(frozen=True)
class Gamma(Rule):
    """w + γw⁺ where an output is positive, w + γw⁻ where it is negative, for inputs of either sign.

    Montavon et al. 2019; generalised as in Andéol et al. 2021 and `zennit`.
    """

    gamma: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_zero("gamma", self.gamma)

    def groups(self, weight: Tensor, bias: Tensor | None, positive_inputs: bool) -> tuple[Group, ...]:
        def favour(tensor: Tensor | None, sign: str) -> Tensor | None:
            return None if tensor is None else tensor + self.gamma * INPUTS[sign](tensor)

        plus, minus = favour(weight, "positive"), favour(weight, "negative")
        assert plus is not None
        assert minus is not None
        result = []
        for outputs, first, second in (("positive", plus, minus), ("negative", minus, plus)):
            terms = (Term("positive", first, favour(bias, outputs)), Term("negative", second))
            result.append(Group(_possible(terms, positive_inputs), outputs=outputs))
        return tuple(result)

    def __str__(self) -> str:
        return f"γ = {self.gamma:g}"


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """α times the positive part of the contributions less β times the negative part, α − β = 1. Bach et al. 2015, eq. 60."""

    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_zero("alpha", self.alpha)
        at_least_zero("beta", self.beta)
        if abs(self.alpha - self.beta - 1) > 1e-9:
            raise ValueError(f"alpha={self.alpha:g}, beta={self.beta:g}: alpha − beta must be 1.")

    def groups(self, weight: Tensor, bias: Tensor | None, positive_inputs: bool) -> tuple[Group, ...]:
        plus, minus = weight.clamp(min=0), weight.clamp(max=0)
        for_it = (Term("positive", plus, None if bias is None else bias.clamp(min=0)), Term("negative", minus))
        against = (Term("positive", minus, None if bias is None else bias.clamp(max=0)), Term("negative", plus))
        groups = [Group(_possible(for_it, positive_inputs), self.alpha, positive=True)]
        if self.beta:
            groups.append(Group(_possible(against, positive_inputs), -self.beta))
        return tuple(groups)

    def __str__(self) -> str:
        return f"α{self.alpha:g}β{self.beta:g}"


@dataclass(frozen=True)
class ZPlus(AlphaBeta):
    """Only the positive contributions x⁺w⁺ + x⁻w⁻: α = 1, β = 0. Montavon et al. 2017."""

    alpha: float = 1.0
    beta: float = 0.0

    def __str__(self) -> str:
        return "z⁺"


@dataclass(frozen=True)
class ZBox(Rule):
    """For pixels in [low, high] (after normalisation): xw − low·w⁺ − high·w⁻. Montavon et al. 2017.

    `low` and `high` are numbers or one value a channel.
    """

    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 1.0

    def groups(self, weight: Tensor, bias: Tensor | None, positive_inputs: bool) -> tuple[Group, ...]:
        axes = weight.ndim - 2

        def bound(value: float | tuple[float, ...]) -> Tensor:
            return torch.as_tensor(value, dtype=weight.dtype, device=weight.device).reshape(-1, *[1] * axes)

        low, high = -bound(self.low), -bound(self.high)
        terms = Term("all", weight), Term(low, weight.clamp(min=0)), Term(high, weight.clamp(max=0))
        return (Group(terms),)

    def __str__(self) -> str:
        return "z-box"


@dataclass(frozen=True)
class WSquare(Rule):
    """In proportion to w², whatever the inputs. Montavon et al. 2017."""

    def groups(self, weight: Tensor, bias: Tensor | None, positive_inputs: bool) -> tuple[Group, ...]:
        return (Group((Term("ones", weight.square(), None if bias is None else bias.square()),), positive=True),)

    def __str__(self) -> str:
        return "w²"


@dataclass(frozen=True)
class Flat(Rule):
    """As if all weights and inputs were one: relevance spreads evenly over each receptive field. Lapuschkin et al. 2019."""

    def prepare(self, operation: Operation, positive_inputs: bool = False) -> Local:
        weight = weight_of(operation)
        if _groups_of(operation) > 1 or operation.target.startswith("conv_transpose"):
            return Linear(self, operation, (Group((Term("ones", torch.ones_like(weight)),), positive=True),))
        return Even(self, LinearMap(operation, torch.ones_like(weight[:1, :1]), groups=1))

    def __str__(self) -> str:
        return "flat"


@dataclass(frozen=True)
class PassRule(Rule):
    """Relevance passes unchanged; for steps whose input and output have one shape."""

    def prepare(self, operation: Operation, positive_inputs: bool = False) -> Local:
        from xaiwidgets.graph.local import Pass

        return Pass()

    def __str__(self) -> str:
        return "pass"


def _possible(terms: tuple[Term, ...], positive_inputs: bool) -> tuple[Term, ...]:
    """The terms that can be other than zero."""
    if not positive_inputs:
        return terms
    return tuple(replace(term, inputs="all") for term in terms if term.inputs != "negative")


def _groups_of(operation: Operation) -> int:
    weight = weight_of(operation)
    if operation.target == "linear":
        return 1
    groups = operation.args[6] if len(operation.args) > 6 else operation.kwargs.get("groups", 1)
    return int(groups) if weight.ndim > 2 else 1


class Linear(Local):
    """Any rule given by groups, prepared for one step."""

    def __init__(self, rule: Rule, operation: Operation, groups: tuple[Group, ...]) -> None:
        terms = [term for group in groups for term in group.terms]
        self.takes_bias = any(term.bias is not None for term in terms)
        self.needs_inputs = any(isinstance(term.inputs, str) and term.inputs != "ones" for term in terms)
        self.needs_output = any(group.recorded or group.outputs != "all" for group in groups)
        self.maps = tuple(tuple(LinearMap(operation, term.weight) for term in group.terms) for group in groups)
        # The maps hold the weights from here on, in whatever layout.
        self.rule, self.groups = rule, tuple(_without_weights(group) for group in groups)

    def describe(self) -> str:
        return str(self.rule)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        total: Any = None
        for number, group in enumerate(self.groups):
            s = self._divide(relevance, number, at)
            for term, weights in zip(group.terms, self.maps[number], strict=True):
                share = weights.transpose(s, at.shapes[0])
                if term.inputs != "ones":
                    share = share.mul_(_inputs(term, at))
                total = share if total is None else total.add_(share)
        return [total]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value, total = above[0], None
        assert value is not None
        for number, group in enumerate(self.groups):
            part: Any = None
            for term, weights in zip(group.terms, self.maps[number], strict=True):
                y = weights.apply(value if term.inputs == "ones" else value * _inputs(term, at))
                part = y if part is None else part.add_(y)
            part = self._divide(part, number, at)
            total = part if total is None else total.add_(part)
        assert total is not None
        return total

    def _divide(self, values: Tensor, number: int, at: Site) -> Tensor:
        """values · coefficient / st(z), zero at the outputs that the group is not for."""
        group = self.groups[number]
        if at.memory is not None:
            return values * at.remember(f"1/z{number}", lambda: self._factor(number, at))
        if group.outputs == "all" and group.coefficient == 1.0:
            return divided(values, self._denominator(number, at))
        return values * self._factor(number, at)

    def _factor(self, number: int, at: Site) -> Tensor:
        group, z = self.groups[number], self._denominator(number, at)
        factor = z.reciprocal_() if group.coefficient == 1.0 else torch.div(group.coefficient, z, out=z)
        if group.outputs == "positive":
            factor *= at.output > 0
        elif group.outputs == "negative":
            factor *= at.output < 0
        return factor

    def _denominator(self, number: int, at: Site) -> Tensor:
        """st(z), in memory of its own."""
        group, z = self.groups[number], None
        if group.recorded:
            z = at.output if group.bias is None else at.output - group.bias
            return self._stabilised(z)
        for term, weights in zip(group.terms, self.maps[number], strict=True):
            if term.inputs == "ones":
                x = weights.weight.new_ones((1, *at.shapes[0][1:]))
            elif isinstance(term.inputs, Tensor):
                x = term.inputs.expand(1, *at.shapes[0][1:])
            else:
                x = INPUTS[term.inputs](at.inputs[0])
            bias = term.bias
            if group.positive and z is None:  # what cannot be negative takes the stabiliser along with the bias
                extra = x.new_full((at.shape[weights.channels],), self.rule.stabiliser)
                bias = extra if bias is None else bias + extra
            y = weights.apply(x, bias)
            z = y if z is None else z.add_(y)
        assert z is not None
        return z if group.positive else self._stabilised(z)

    def _stabilised(self, z: Tensor) -> Tensor:
        epsilon = getattr(self.rule, "epsilon", self.rule.stabiliser)
        if getattr(self.rule, "relative", False):
            spread = z.flatten(1).std(1).reshape(-1, *[1] * (z.ndim - 1))
            return stabilise(z, epsilon * spread + STABILISER)
        return stabilise(z, epsilon)


def _without_weights(group: Group) -> Group:
    return replace(group, terms=tuple(replace(term, weight=term.weight.new_empty(0)) for term in group.terms))


class Even(Local):
    """The flat rule without groups: all channels are alike, so one channel does the work of all."""

    def __init__(self, rule: Rule, ones: LinearMap) -> None:
        self.rule, self.ones = rule, ones

    def describe(self) -> str:
        return str(self.rule)

    def _axis(self, at: Site) -> int:
        return -1 if at.operation.target == "linear" else 1 - len(at.shape)

    def _per_output(self, at: Site) -> Tensor:
        """1/st(z) of one output channel: z counts the inputs in reach."""
        axis = self._axis(at)
        shape = list(at.shapes[0])
        channels, shape[axis], shape[0] = shape[axis], 1, 1
        return 1 / (channels * self.ones.apply(self.ones.weight.new_ones(shape)) + self.rule.stabiliser)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        s = relevance.sum(self._axis(at), keepdim=True) * self._per_output(at)
        one = self.ones.transpose(s, at.shapes[0])
        return [one.expand(one.shape[0], *at.shapes[0])]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value = above[0]
        assert value is not None
        one = self.ones.apply(value.sum(self._axis(at), keepdim=True)) * self._per_output(at)
        return one.expand(one.shape[0], *at.shape)


def _inputs(term: Term, at: Site) -> Tensor:
    return term.inputs if isinstance(term.inputs, Tensor) else INPUTS[term.inputs](at.inputs[0])


RULES: dict[str, type[Rule]] = {
    "epsilon": Epsilon,
    "gamma": Gamma,
    "alpha_beta": AlphaBeta,
    "z_plus": ZPlus,
    "z_box": ZBox,
    "flat": Flat,
    "w_square": WSquare,
    "pass": PassRule,
}


def make_rule(name: str, **parameters: Any) -> Rule:
    """A rule by its name in `RULES`; "zero" is LRP-0."""
    if name == "zero":
        return Epsilon(epsilon=parameters.pop("epsilon", 1e-12), **parameters)
    if name not in RULES:
        raise unknown("rule", name, ["zero", *RULES], most=9)
    return RULES[name](**parameters)
