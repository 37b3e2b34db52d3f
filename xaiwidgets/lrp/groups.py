"""A rule for linear steps as groups of terms, and what follows from them: the way down, its adjoint, what must be recorded.

A group redistributes R in proportion to the contributions of its terms,

    R_i = coefficient · Σ_terms x̃_i Σ_j w̃_ij R_j / st(z_j),     z = Σ_terms Σ_i x̃_i w̃_ij + b̃_j ,

x̃ and w̃ being parts of the inputs and weights (positive, negative, …). A group may be for positive or negative outputs only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.linear import LinearMap
from xaiwidgets.graph.local import STABILISER, Into, Local, Site, divided, stabilise
from xaiwidgets.graph.operation import Operation

__all__ = ["INPUTS", "Even", "Group", "Linear", "Term", "possible"]

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
    """Terms that share a denominator.

    Attributes:
        outputs: restricts it to outputs "positive" or "negative".
        recorded: its denominator is the recorded output itself, less `bias` (shaped to add to it) where that is given.
        positive: its denominator cannot be negative.
        epsilon: added to the denominator with its sign; None: the rule's stabiliser. `relative`: in units of the standard deviation of
            the denominator over each sample's outputs.
    """

    terms: tuple[Term, ...]
    coefficient: float = 1.0
    outputs: str = "all"
    recorded: bool = False
    bias: Tensor | None = None
    positive: bool = False
    epsilon: float | None = None
    relative: bool = False


def possible(terms: tuple[Term, ...], positive_inputs: bool) -> tuple[Term, ...]:
    """The terms that can be other than zero."""
    if not positive_inputs:
        return terms
    return tuple(replace(term, inputs="all") for term in terms if term.inputs != "negative")


class Linear(Local):
    """Any rule given by groups, prepared for one step. `name` is the rule's in reports."""

    def __init__(self, operation: Operation, groups: tuple[Group, ...], stabiliser: float, name: str) -> None:
        terms = [term for group in groups for term in group.terms]
        self.takes_bias = any(term.bias is not None for term in terms)
        self.needs_inputs = any(isinstance(term.inputs, str) and term.inputs != "ones" for term in terms)
        self.needs_output = any(group.recorded or group.outputs != "all" for group in groups)
        self.maps = tuple(tuple(LinearMap(operation, term.weight) for term in group.terms) for group in groups)
        # The maps hold the weights from here on, in whatever layout.
        self.groups = tuple(_without_weights(group) for group in groups)
        self.stabiliser, self.name = stabiliser, name

        self.only_guards = _only_guards(groups, stabiliser)
        self.guard = stabiliser if groups[0].epsilon is None else groups[0].epsilon

    fresh = fresh_factor = True

    def describe(self) -> str:
        return self.name

    def takes_factor(self, operation: Operation) -> bool:
        return self.only_guards

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [self.maps[0][0].transpose(factor, at.shapes[0])]

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        (value,) = above
        assert value is not None
        return self.maps[0][0].apply(value)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        total: Any = None
        for number, group in enumerate(self.groups):
            s = self._divide(relevance, number, at)
            for term, weights in zip(group.terms, self.maps[number], strict=True):
                factor = None if term.inputs == "ones" else _inputs(term, at)
                share = weights.transpose(s, at.shapes[0], factor)
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
            return self._stabilised(z, group)
        for term, weights in zip(group.terms, self.maps[number], strict=True):
            if term.inputs == "ones":
                x = weights.weight.new_ones((1, *at.shapes[0][1:]))
            elif isinstance(term.inputs, Tensor):
                x = term.inputs.expand(1, *at.shapes[0][1:])
            else:
                x = INPUTS[term.inputs](at.inputs[0])
            bias = term.bias
            if group.positive and z is None:  # what cannot be negative takes the stabiliser along with the bias
                extra = x.new_full((at.shape[weights.channels],), self.stabiliser)
                bias = extra if bias is None else bias + extra
            y = weights.apply(x, bias)
            z = y if z is None else z.add_(y)
        assert z is not None
        return z if group.positive else self._stabilised(z, group)

    def _stabilised(self, z: Tensor, group: Group) -> Tensor:
        epsilon = self.stabiliser if group.epsilon is None else group.epsilon
        if group.relative:
            spread = z.flatten(1).std(1).reshape(-1, *[1] * (z.ndim - 1))
            return stabilise(z, epsilon * spread + STABILISER)
        return stabilise(z, epsilon)


def _only_guards(groups: Sequence[Group], stabiliser: float) -> bool:
    """Whether this is the ε-rule with an ε that does no more than guard the division."""
    if len(groups) != 1 or len(groups[0].terms) != 1:
        return False
    (group,) = groups
    epsilon = stabiliser if group.epsilon is None else group.epsilon
    plain = group.recorded and group.bias is None and group.outputs == "all" and group.coefficient == 1.0
    return plain and group.terms[0].inputs == "all" and epsilon <= STABILISER and not group.relative


def _without_weights(group: Group) -> Group:
    return replace(group, terms=tuple(replace(term, weight=term.weight.new_empty(0)) for term in group.terms))


class Even(Local):
    """The flat rule without groups: all channels are alike, so one channel does the work of all."""

    def __init__(self, ones: LinearMap, stabiliser: float, name: str) -> None:
        self.ones, self.stabiliser, self.name = ones, stabiliser, name

    def describe(self) -> str:
        return self.name

    def _axis(self, at: Site) -> int:
        return -1 if at.operation.target == "linear" else 1 - len(at.shape)

    def _per_output(self, at: Site) -> Tensor:
        """1/st(z) of one output channel: z counts the inputs in reach."""
        axis = self._axis(at)
        shape = list(at.shapes[0])
        channels, shape[axis], shape[0] = shape[axis], 1, 1
        return 1 / (channels * self.ones.apply(self.ones.weight.new_ones(shape)) + self.stabiliser)

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
