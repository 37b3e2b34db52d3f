"""The rules for linear steps (convolutions, linear layers), each as data: which inputs and weights go together.

A rule is a dataclass of its parameters with one function, `groups`, and a line in `RULES`; all else follows from its groups. Bach
et al. 2015; Montavon et al. 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.errors import unknown
from xaiwidgets.graph.linear import CONVOLUTIONS, LinearMap, bias_of, weight_of
from xaiwidgets.graph.local import STABILISER, Local, Pass
from xaiwidgets.graph.operation import Operation
from xaiwidgets.lrp.groups import INPUTS, Even, Group, Linear, Term, possible

__all__ = [
    "RULES",
    "AlphaBeta",
    "Epsilon",
    "Flat",
    "Gamma",
    "PassRule",
    "Rule",
    "WSquare",
    "ZBox",
    "ZPlus",
    "at_least_zero",
    "make_rule",
]


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
        return Linear(operation, groups, self.stabiliser, str(self))

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
        return (Group((Term("all", weight, bias),), recorded=True, epsilon=self.epsilon, relative=self.relative),)

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
            result.append(Group(possible(terms, positive_inputs), outputs=outputs))
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
        groups = [Group(possible(for_it, positive_inputs), self.alpha, positive=True)]
        if self.beta:
            groups.append(Group(possible(against, positive_inputs), -self.beta))
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
            return sent(value, weight.device, weight.dtype).reshape(-1, *[1] * axes)

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
        if _groups_of(operation) > 1 or operation.target.startswith(("conv_transpose", "einsum")):
            groups = (Group((Term("ones", torch.ones_like(weight)),), positive=True),)
            return Linear(operation, groups, self.stabiliser, str(self))
        return Even(LinearMap(operation, torch.ones_like(weight[:1, :1]), groups=1), self.stabiliser, str(self))

    def __str__(self) -> str:
        return "flat"


@dataclass(frozen=True)
class PassRule(Rule):
    """Relevance passes unchanged; for steps whose input and output have one shape."""

    def prepare(self, operation: Operation, positive_inputs: bool = False) -> Local:
        return Pass()

    def __str__(self) -> str:
        return "pass"


def _groups_of(operation: Operation) -> int:
    weight = weight_of(operation)
    if operation.target in {"linear", "einsum"}:
        return 1
    groups = operation.args[6] if len(operation.args) > 6 else operation.kwargs.get("groups", 1)
    return int(groups) if weight.ndim > 2 else 1


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
