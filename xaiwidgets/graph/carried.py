"""In which form relevance goes down a graph: as it is, or as the factor that it is of a value.

Where a rule only redistributes what the next would divide by again, relevance is kept as f with R = x ⊙ f for the recorded value x: the
ε-rule hands down f = Wᵀ(R / z), and a norm or a residual sum below would divide x ⊙ f by x. Leaving out both is exact where ε was only
there to guard that division, divides by nothing that is near zero, and saves a third of a transformer's way down.

Each value has its form once and for all; between a step and what it reads, one is turned into the other where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.local import STABILISER, Into, Local, divided, speaks_for, stabilise
from xaiwidgets.graph.operation import Operation

__all__ = ["Carried", "Factor", "Forms", "hand_over", "relevance_of", "takes_factor", "total"]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Factor:
    """Relevance (K, *shape) = factor (K, *shape) ⊙ value (*shape), not multiplied yet."""

    factor: Tensor
    value: Tensor


Carried = Tensor | Factor
_PIECE = 2**18
"""Products that are added up at once in float32."""


def relevance_of(carried: Carried) -> Tensor:
    """The relevance itself."""
    return carried.factor * carried.value if isinstance(carried, Factor) else carried


def total(carried: Carried) -> Tensor:
    """The sum of the relevance, a number."""
    if not isinstance(carried, Factor):
        return carried.sum()
    factor, value = carried.factor, carried.value
    whole = factor.is_contiguous() and value.is_contiguous() and factor.dtype == value.dtype
    if len(factor) == 1 and whole and value.device.type == "cpu":
        # One reading of each, without the product in memory; in pieces, so that sums stay short.
        pieces = zip(factor.view(-1).split(_PIECE), value.view(-1).split(_PIECE), strict=True)
        return torch.stack([torch.dot(mine, its) for mine, its in pieces]).sum()
    return (factor * value).sum()


def takes_factor(rule: Local, operation: Operation) -> bool:
    """Whether a rule has factors at a step. One's own subclass that says otherwise what goes down or up says nothing of factors."""
    return all(speaks_for(rule, f"{way}_factor", way) for way in ("down", "up")) and rule.takes_factor(operation)


@dataclass(frozen=True, slots=True)
class Forms:
    """Which values of a graph have relevance as a factor, and the way from one form to the other.

    `guards`: the ε by which relevance at each value is divided to become one. `moves`: the values of steps that divide by nothing.
    `sources`: what each step reads.
    """

    factored: tuple[bool, ...]
    guards: tuple[float, ...]
    moves: tuple[bool, ...]
    sources: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, operations: Sequence[Operation], rules: Sequence[Local | None], carries: Sequence[bool]) -> Forms:
        """Those of steps that take a factor, where the next step above or below does so too.

        A step that only moves entries does not divide, so that at an entry of zero the factor of relevance that came as such would be lost:
        it takes one where all that read it hand down factors.
        """
        takes = [
            rule is not None
            and carries[operation.index]
            # A mask that is worked out may be −∞.
            and (rule.only_moves or all(carries[i] for i in operation.inputs))
            and takes_factor(rule, operation)
            for operation, rule in zip(operations, rules, strict=True)
        ]
        moves = [rule is not None and rule.only_moves for rule in rules]
        below = [False] * len(takes)
        readers: list[list[int]] = [[] for _ in takes]
        for operation in operations:
            below[operation.index] = any(takes[i] and (below[i] or not moves[i]) for i in operation.inputs)
            for i in operation.inputs if carries[operation.index] else ():
                readers[i].append(operation.index)
        factored = [False] * len(takes)
        for i in range(len(takes) - 1, -1, -1):
            above = [factored[reader] for reader in readers[i]]
            if moves[i]:
                factored[i] = takes[i] and bool(above) and all(above) and below[i]
            else:
                factored[i] = takes[i] and (any(above) or below[i])
        guards = tuple(STABILISER if rule is None else rule.guard for rule in rules)
        return cls(tuple(factored), guards, tuple(moves), tuple(tuple(operation.inputs) for operation in operations))

    def given_at(self, indices: Iterable[int]) -> Forms:
        """Those of a pass between given values, which may be anything: relevance at a step that divides by nothing stays as it is, since a
        factor would be lost where the value is zero. So it does at the moves that such a step hands it to."""

        def lost(index: int) -> bool:
            return self.factored[index] and self.moves[index]

        changed = {index for index in indices if lost(index)}
        if not changed:
            return self
        for index in range(max(changed), -1, -1):
            if index in changed:
                changed.update(source for source in self.sources[index] if lost(source))
        return replace(self, factored=tuple(is_one and i not in changed for i, is_one in enumerate(self.factored)))

    def begun(self, relevance: Tensor, value: Any, index: int) -> Tensor:
        """Relevance (K, *shape) at a value in the value's form; of what goes up, the adjoint of `relevance`."""
        return self._factor(relevance, value, index) if self.factored[index] else relevance

    def relevance(self, carried: Tensor, value: Any, index: int) -> Tensor:
        """What a value has in its form, as relevance."""
        return carried * value if self.factored[index] else carried

    def handed(
        self, share: Tensor | Into | None, value: Any, source: int, *, factor: bool, fresh: bool
    ) -> Tensor | Into | None:
        """A share for `source` in that value's form. factor: whether the step that gives it has factors. fresh: nobody else holds it."""
        if share is None or self.factored[source] == factor:
            return share
        if isinstance(share, Into):
            part = share.view(value[None])[0]
            return Into(share.view, share.relevance * part if factor else self._factor(share.relevance, part, source))
        if not factor:
            return self._factor(share, value, source)
        return share.mul_(value) if fresh else share * value

    def lifted(self, below: Tensor | None, value: Any, source: int, *, factor: bool) -> Tensor | None:
        """The adjoint of `handed`: what comes up from `source` in the form of the step that reads it."""
        if below is None or self.factored[source] == factor:
            return below
        return below * value if factor else self._factor(below, value, source)

    def told(self, share: Any, value: Any, index: int) -> Any:
        """A share at a value as a trace is told of it: relevance, or the two that it is the product of."""
        if share is None or not self.factored[index]:
            return share
        if isinstance(share, Into):
            return Into(share.view, Factor(share.relevance, share.view(value[None])[0]))  # type: ignore[arg-type]
        return Factor(share, value)

    def _factor(self, relevance: Tensor, value: Tensor, index: int) -> Tensor:
        """R / st(x), in memory of its own."""
        return divided(relevance, stabilise(value, self.guards[index]))


def hand_over(
    state: dict[int, Tensor],
    own: set[int],
    source: int,
    share: Tensor | Into,
    shape: tuple[int, ...],
    *,
    fresh: bool,
) -> None:
    """Add a share to what is gathered at `source`. own: values of `state` that nobody else holds. fresh: nobody else holds the share."""
    gathered = state.get(source)
    if isinstance(share, Into):
        rows = share.relevance.shape[0]
        if gathered is None:
            gathered = share.relevance.new_zeros((rows, *shape))
        elif source not in own or gathered.shape[0] < rows:
            gathered = gathered.expand(max(rows, gathered.shape[0]), *shape).clone()
        share.view(gathered).add_(share.relevance)
        state[source] = gathered
    elif gathered is None:
        state[source] = share
        (own.add if fresh else own.discard)(source)
        return
    elif source in own and gathered.shape[0] >= share.shape[0]:
        state[source] = gathered.add_(share)
    elif fresh and share.shape == gathered.shape:
        state[source] = share.add_(gathered)
    else:
        state[source] = gathered + share
    own.add(source)
