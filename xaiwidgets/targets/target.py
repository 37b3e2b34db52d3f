"""A target: what a person wants explained, before any output is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, SupportsFloat

from torch import Tensor

from xaiwidgets.targets.score import Combined, FunctionScore, Score, TargetError

__all__ = ["Answering", "Asked", "Fixed", "Function", "Target", "Weighted"]


class Answering(Protocol):
    """What targets ask of a model; `ImageModel` answers."""

    name: str
    class_names: tuple[str, ...] | None

    @property
    def meaning(self) -> Any: ...
    @property
    def detects(self) -> bool: ...
    def class_name(self, index: int) -> str: ...
    def class_index(self, entry: Any, count: int, argument: str = "target") -> int: ...
    def class_scores(self, scores: Tensor) -> Tensor: ...
    def probabilities(self, scores: Tensor) -> Tensor: ...
    def targets(self, scores: Tensor, target: Any = None, argument: str = "target") -> Tensor: ...
    def boxes(self, x: Tensor) -> Tensor | None: ...
    def output(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Asked:
    """What a target is asked about.

    Attributes:
        model: which answers. output: (N, …) of the untouched images. x: the images (N, C, H, W), where they are at hand.
        argument: what errors call the target.
    """

    model: Answering
    output: Tensor
    x: Tensor | None = None
    argument: str = "target"

    def __len__(self) -> int:
        return len(self.output)

    def image(self, row: int) -> Asked:
        """The same of one image."""
        part = slice(row, row + 1)
        return Asked(self.model, self.output[part], None if self.x is None else self.x[part], self.argument)

    @property
    def came(self) -> str:
        """The output in words: "shapes-cnn gives (N, 8)"."""
        return f"{self.model.name} gives ({', '.join(['N', *map(str, self.output.shape[1:])])})"

    def wrong(self, target: object, needs: str) -> TargetError:
        """An error for an output that a target cannot be about."""
        return TargetError(f"{self.argument}={target} is about {needs}; {self.came}")


class Target(ABC):
    """What is explained: a scalar function s of the model's output, one number an image. Made by the functions of
    `xaiwidgets.targets`; add, subtract and weigh targets for others, such as ``region("road", box) - region("sky", box)``."""

    @abstractmethod
    def score(self, asked: Asked) -> Score:
        """s of the images asked about.

        Raises:
            TargetError: an output or images that do not fit.
        """

    @abstractmethod
    def __str__(self) -> str:
        """In words, as results keep it."""

    def __repr__(self) -> str:
        return str(self)

    def each(self, count: int, argument: str) -> list[Target]:
        """One target an image; the same for all, unless it holds something for each."""
        return [self] * count

    def __add__(self, other: Any) -> Target:
        return Weighted(((1.0, self), (1.0, _target(other))))

    def __sub__(self, other: Any) -> Target:
        return Weighted(((1.0, self), (-1.0, _target(other))))

    def __mul__(self, weight: SupportsFloat) -> Target:
        if not isinstance(weight, SupportsFloat):
            raise TypeError(
                f"a target is weighed with a number, not with {type(weight).__name__}; for anything else of the output give a function, "
                "such as lambda out: out[:, 1] * out[:, 2]"
            )
        return Weighted(((float(weight), self),))

    __rmul__ = __mul__

    def __neg__(self) -> Target:
        return Weighted(((-1.0, self),))


@dataclass(frozen=True, repr=False)
class Weighted(Target):
    """A weighted sum of targets."""

    parts: tuple[tuple[float, Target], ...]

    def score(self, asked: Asked) -> Score:
        scores = [(weight, target.score(asked)) for weight, target in self.parts]
        names = (_summed([(weight, score.names[row]) for weight, score in scores]) for row in range(len(asked)))
        return Combined(scores, tuple(names))

    def each(self, count: int, argument: str) -> list[Target]:
        parts = [target.each(count, argument) for _, target in self.parts]
        if all(len(set(map(id, part))) == 1 for part in parts):
            return [self] * count
        weights = [weight for weight, _ in self.parts]
        return [Weighted(tuple(zip(weights, row, strict=True))) for row in zip(*parts, strict=True)]

    def __str__(self) -> str:
        return _summed([(weight, str(target)) for weight, target in self.parts])


@dataclass(frozen=True, repr=False)
class Function(Target):
    """A person's own function: outputs (n, …) -> one number each, (n,)."""

    function: Callable[[Tensor], Tensor]
    name: str

    def score(self, asked: Asked) -> Score:
        score = FunctionScore(self.function, self.name, len(asked))
        score.check(asked.output)
        return score

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False, eq=False)
class Fixed(Target):
    """A score that was found before, of as many images: the same question, whatever a changed model or image would make of it."""

    found: Score

    def score(self, asked: Asked) -> Score:
        if len(self.found) != len(asked):
            raise TargetError(f"{asked.argument} is of {len(self.found)} images, asked about {len(asked)}")
        return self.found

    def each(self, count: int, argument: str) -> list[Target]:
        if len(self.found) != count:
            raise TargetError(f"{argument} is of {len(self.found)} images, asked about {count}")
        return [Fixed(self.found.of([row])) for row in range(count)]

    def __str__(self) -> str:
        text = self.found.text
        return text if isinstance(text, str) else ", ".join(text)


def _target(other: Any) -> Target:
    if not isinstance(other, Target):
        raise TypeError(f"a target is combined with targets and weights, not with {type(other).__name__}")
    return other


def _summed(parts: Sequence[tuple[float, str]]) -> str:
    words = ""
    for weight, name in parts:
        size = "" if abs(weight) == 1 else f"{abs(weight):g} · "
        part = size + (f"({name})" if " + " in name or " − " in name else name)
        words += f" {'−' if weight < 0 else '+'} {part}" if words else f"{'−' if weight < 0 else ''}{part}"
    return words
