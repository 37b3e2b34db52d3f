"""What a rule is to the engine: a linear map from relevance above one operation to relevance below it, and its adjoint.

Relevance carries one leading axis of rows that activations lack: (K, …) against (…), for K conditions or starts explained
at once. Ordinary broadcasting then shares an activation between all rows, and nothing is ever repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from xaiwidgets.graph.operation import Operation

__all__ = [
    "STABILISER",
    "Gate",
    "Into",
    "Local",
    "Pass",
    "Site",
    "Surroundings",
    "content",
    "divided",
    "expand_to",
    "nothing",
    "speaks_for",
    "stabilise",
    "sum_to",
]

STABILISER = 1e-6
"""Added to denominators with their sign, unless a rule says otherwise; zennit's."""

Shape = tuple[int, ...]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Into:
    """Relevance for a part of a tensor: `view` picks that part of a (K, …) tensor."""

    view: Callable[[Tensor], Tensor]
    relevance: Tensor


def content(share: Any) -> Any:
    """The relevance of a share, wherever it goes; None where there is none."""
    return share.relevance if isinstance(share, Into) else share


@dataclass(frozen=True, slots=True)
class Site:
    """One operation of one recorded forward pass, as rules see it.

    `inputs` and `output` are the recorded values (None where the rule did not ask for them), `shapes` the shapes of the
    inputs; `carries[i]` says whether input i takes part in relevance at all (constants and held statistics do not),
    `wanted[i]` whether anybody asks for its share. `batch` is N.
    """

    operation: Operation
    inputs: tuple[Any, ...]
    output: Any
    shapes: tuple[Shape, ...]
    shape: Shape
    carries: tuple[bool, ...]
    wanted: tuple[bool, ...]
    batch: int
    memory: dict[Any, Any] | None = field(default=None)

    def remember(self, key: str, compute: Callable[[], Result]) -> Result:
        """`compute()`, or what it gave before on this recording where the recording keeps such things."""
        if self.memory is None:
            return compute()
        place = (self.operation.index, key)
        if place not in self.memory:
            self.memory[place] = compute()
        found: Result = self.memory[place]
        return found


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule may want to know of an operation's place in the graph when it is prepared.

    `positive`: its first input cannot be negative. `shared`: that input has other readers, or is the model's input. `plain`: the
    model is a chain without residual sums. `placed`: its first input is a sum with a constant tensor, such as position embeddings.
    """

    positive: bool = False
    shared: bool = True
    plain: bool = False
    placed: bool = False


class Local:
    """How relevance passes one operation. With activations fixed, `down` is linear and `up` its adjoint.

    `down` gives one tensor (K, *shape of the input) for each input of the operation, None for those not wanted.
    `up` takes one tensor or None for each input and gives (K, *shape of the output).
    """

    needs_inputs = False
    needs_output = False
    fresh = False  # hands down tensors in memory of their own, which nobody else holds
    fresh_factor = False  # the same of `down_factor`
    guard = STABILISER  # the ε of the division that makes relevance at its output a factor
    only_moves = False  # a factor saves it nothing, it saves what comes below
    holds = False  # takes no relevance, and others treat its result as a constant
    conserves = (
        False  # hands on all that comes, but for what ends in constants and ε; what others lose is put on the account
    )

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        raise TypeError(f"{type(self).__name__} has no way down")

    def takes_factor(self, operation: Operation) -> bool:
        """Whether the step has `down_factor` and `up_factor`."""
        return False

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        """What `down` does, for relevance as a factor (K, *shape of the output) of the output: the factor of each input that its relevance
        is. Nothing is multiplied by a value or divided by one."""
        raise TypeError(f"{type(self).__name__} takes no factor")

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        """The adjoint of `down_factor`."""
        raise TypeError(f"{type(self).__name__} takes no factor")

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        raise TypeError(f"{type(self).__name__} has no way up")

    def describe(self) -> str:
        return type(self).__name__.lower()


def speaks_for(rule: Local, claim: str, way: str) -> bool:
    """Whether what a rule's class says (`claim`) is said by the class that has its `way`, or by one that comes from it: one's own subclass
    with another way says nothing of what it inherits."""
    order = type(rule).__mro__
    said, goes = (next(i for i, kind in enumerate(order) if name in vars(kind)) for name in (claim, way))
    return said <= goes


_UNCHANGED = frozenset(["dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"])
"""Of a model that answers: their output is their input. (What a ReLU passes may be as small as ε, which then does more than guard.)"""


class Pass(Local):
    """Relevance passes unchanged to the first input that carries any."""

    conserves = True
    only_moves = True

    def takes_factor(self, operation: Operation) -> bool:
        return operation.target in _UNCHANGED

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [factor]

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        (value,) = above
        assert value is not None
        return value

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        first = at.carries.index(True)
        return [sum_to(relevance, shape) if i == first and at.wanted[i] else None for i, shape in enumerate(at.shapes)]

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        value = above[at.carries.index(True)]
        return nothing(above, at) if value is None else expand_to(value, at.shape)


class Gate(Pass):
    """Relevance passes y = x g(x) unchanged, as it does any step element by element. As a factor: with R = y f = x g(x) f, that of x is
    g(x) f, which asks for no ε. Where x is zero, no relevance is."""

    def takes_factor(self, operation: Operation) -> bool:
        return True

    def _gate(self, at: Site) -> Tensor:
        return at.remember("gate", lambda: (at.output / at.inputs[0]).nan_to_num_(nan=0.0))

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [factor * self._gate(at)]

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        (value,) = above
        assert value is not None
        return value * self._gate(at)


def nothing(above: Sequence[Tensor | None], at: Site) -> Tensor:
    """Zeros (K, *shape of the output), for rows as many as come from below."""
    like = next(value for value in above if value is not None)
    return like.new_zeros((like.shape[0], *at.shape))


def stabilise(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """z + ε·sign(z), with sign(0) = 1. ε is a number or broadcasts to z."""
    size = epsilon if isinstance(epsilon, Tensor) else z.new_full((), epsilon)
    return torch.copysign(size, z).add_(z)


def divided(relevance: Tensor, z: Tensor) -> Tensor:
    """relevance (K, …) / z (…). Writes into z, which must be the caller's own, where one row fits into it."""
    row = z[None]
    return torch.div(relevance, row, out=row) if relevance.shape == row.shape else relevance / row


def sum_to(relevance: Tensor, shape: Shape) -> Tensor:
    """(K, *large) summed over the axes along which a tensor of `shape` was broadcast: (K, *shape)."""
    if relevance.shape[1:] == torch.Size(shape):
        return relevance
    extra = relevance.ndim - 1 - len(shape)
    if extra:
        relevance = relevance.sum(tuple(range(1, 1 + extra)))
    axes = tuple(i + 1 for i, size in enumerate(shape) if size == 1 and relevance.shape[i + 1] != 1)
    return relevance.sum(axes, keepdim=True) if axes else relevance


def expand_to(value: Tensor, shape: Shape) -> Tensor:
    """(K, *small) broadcast to (K, *shape): the adjoint of `sum_to`."""
    missing = len(shape) - (value.ndim - 1)
    if missing:
        value = value.reshape(value.shape[0], *[1] * missing, *value.shape[1:])
    return value.expand(value.shape[0], *shape)
