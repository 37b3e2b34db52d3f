"""What a network is drawn with: choices that are written down, so that a report can say which were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["REGISTRY", "Call", "Chooser", "Draw", "Kind", "piece"]

T = TypeVar("T")
Chosen = tuple[str, str, str]
"""The name of a piece, of an option, and what it was."""


class Chooser(Protocol):
    def __call__(self, options: Sequence[T]) -> T:
        """One of the options."""


@dataclass
class Draw:
    """Choices for one piece of a network, which comes after a tensor of `shape` (without the batch)."""

    choose: Chooser
    name: str
    shape: tuple[int, ...]
    chosen: list[Chosen] = field(default_factory=list)

    def __call__(self, option: str, *values: Any) -> Any:
        """One of the values, written down under the option's name."""
        value = self.choose(values)
        self.chosen.append((self.name, option, _said(value)))
        return value

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def space(self) -> tuple[int, ...]:
        return self.shape[1:]

    def axes(self, option: str, *values: int) -> Any:
        """One value for all axes of space, or one for each."""
        count = len(self.space)
        if self.choose((True, False)):
            value = self.choose(values)
            self.chosen.append((self.name, option, str(value)))
            return value
        each = tuple(self.choose(values) for _ in range(count))
        self.chosen.append((self.name, option, "one an axis"))
        return each

    def divisor(self, option: str, *numbers: int) -> int:
        """A divisor of all the numbers."""
        return int(self(option, *[d for d in range(1, min(numbers) + 1) if all(n % d == 0 for n in numbers)]))


def _said(value: Any) -> str:
    return getattr(value, "__name__", str(value)) if not isinstance(value, float) else f"{value:g}"


class Call(nn.Module):
    """A function of a tensor as a module; parts and tensors that it uses are attributes."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **uses: Any) -> None:
        super().__init__()
        self.function = function
        for name, value in uses.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


@dataclass(frozen=True)
class Kind:
    """A kind of piece.

    Attributes:
        make: gives the module for a draw; None where the shape does not suit.
        dims: how many dimensions its input may have, without the batch; 3 is a map (C, H, W), 2 tokens or a sequence, 1 a vector.
        linear: its output is a sum of its inputs times what does not change with a small change of them (and of constants), so that
            LRP-0 is gradient × input.
    """

    name: str
    make: Callable[[Draw], nn.Module | None]
    dims: tuple[int, ...]
    linear: bool


REGISTRY: dict[str, Kind] = {}


def piece(name: str, *dims: int, linear: bool = False) -> Callable[[Callable[[Draw], Any]], Callable[[Draw], Any]]:
    """Register a function from a draw to a module as a kind of piece."""

    def register(make: Callable[[Draw], Any]) -> Callable[[Draw], Any]:
        REGISTRY[name] = Kind(name, make, dims or (1, 2, 3, 4), linear)
        return make

    return register


def random_tensor(*shape: int) -> Tensor:
    return torch.randn(shape)


@dataclass
class Tally:
    """How often each option was hit, and each kind of piece."""

    examples: int = 0
    options: Counter[Chosen] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, chosen: Sequence[Chosen], refused: str | None = None) -> None:
        self.examples += 1
        self.options.update(set(chosen))
        if refused is not None:
            self.refused[refused] += 1

    def report(self) -> str:
        """A line a piece: each option with its values and how often each was hit."""
        pieces: dict[str, dict[str, dict[str, int]]] = {name: {} for name in REGISTRY}
        for (name, option, value), count in sorted(self.options.items()):
            pieces.setdefault(name, {}).setdefault(option, {})[value] = count
        lines = [f"{self.examples} networks of {len(REGISTRY)} kinds of pieces"]
        for name, options in pieces.items():
            times = sum(options.get("", {}).values())
            said = "; ".join(
                f"{option}: " + ", ".join(f"{value} {count}" for value, count in values.items())
                for option, values in options.items()
                if option
            )
            lines.append(f"  {name} ({times}){': ' + said if said else ''}")
        if self.refused:
            lines.append("refused, by its words")
            lines += [f"  {count} × {words}" for words, count in self.refused.most_common()]
        never = [name for name, options in pieces.items() if not options]
        if never:
            lines.append(f"never hit: {', '.join(never)}")
        return "\n".join(lines)


TALLY = Tally()
