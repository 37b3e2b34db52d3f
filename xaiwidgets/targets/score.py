"""A score: what is explained of some images, as a function of the model's output, one number a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor

__all__ = ["Combined", "FunctionScore", "Indexed", "Rows", "Score", "Several", "TargetError", "together"]

Rows = Sequence[int] | Tensor | slice
"""Numbers of images."""
Begin = Literal["logit", "one"]
"""What relevance begins with: the output in its share of s, or one in its place."""


class TargetError(ValueError):
    """A target that does not fit the model's output: names it, what came and what to give."""


class Score(ABC):
    """s of N images: what a target says of them, once their outputs are known.

    Attributes:
        names: what is explained of each image, in words.
        classes: (N,) the class of each image, where s is a class's score; else None.
        note: what an account of relevance has to say of where it began; mostly nothing.
        unit: what s is counted in: maps of two scores may share a scale where it is the same; "" where nobody knows.
    """

    names: tuple[str, ...]
    classes: Tensor | None = None
    note: str = ""
    unit: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def text(self) -> str | list[str]:
        """What is explained, in words: once, where it is the same for all images."""
        return self.names[0] if len(set(self.names)) == 1 else list(self.names)

    @abstractmethod
    def of(self, rows: Rows) -> Score:
        """The score of other rows: row k of an output is then a version of image ``rows[k]``."""

    def joined(self, others: Sequence[Any]) -> Score | None:
        """This score with others of its kind, of further images, as one; None where they are not alike."""
        return None

    @abstractmethod
    def __call__(self, output: Tensor) -> Tensor:
        """s of outputs (n, …), (n,); row k belongs to image k, of as many rows as there are images. Autograd sees through it."""

    def probability(self, output: Tensor) -> Tensor:
        """The probability of the class, (n,), where s is a class's score; else s itself."""
        return self(output)

    def columns(self, output: Tensor) -> Tensor | None:
        """(N,) the one column of outputs (n, classes) that is s itself, image by image; None where it is no such thing."""
        return None

    def gradient(self, output: Tensor) -> Tensor:
        """∂s/∂output, the shape of output (n, …).

        Raises:
            TargetError: s has no gradient, or one that is not finite.
        """
        with torch.inference_mode(False), torch.enable_grad():
            leaf = output.detach().float().clone().requires_grad_()
            (found,) = torch.autograd.grad(self.slope(leaf).sum(), leaf, allow_unused=True)
        if found is None:
            raise TargetError(f"the target, {self.names[0]}, does not depend on the output: its gradient is nothing")
        if not torch.isfinite(found).all():
            raise TargetError(f"the target, {self.names[0]}, has a gradient that is NaN or infinite at this output")
        return found.to(output.dtype)

    def slope(self, output: Tensor) -> Tensor:
        """s of an output that autograd follows, (n,).

        Raises:
            TargetError: autograd loses the way.
        """
        s = self(output)
        if not s.requires_grad:
            raise TargetError(
                f"the target, {self.names[0]}, has no gradient: it leaves torch, or counts, rounds or compares on its way; RISE and "
                "Occlusion need none"
            )
        return s

    def start(self, output: Tensor, begin: Begin = "logit") -> Tensor:
        """Where relevance begins, the shape of output (n, …): output ⊙ ∂s/∂output, which sums to s where s is linear; or ∂s/∂output."""
        gradient = self.gradient(output)
        return gradient if begin == "one" else output * gradient

    def rest(self, output: Tensor) -> Tensor:
        """What ∂s/∂output is told apart from where no part of it is negative, the shape of output: the other classes at the same
        places, in equal parts."""
        positive = self.gradient(output).clamp(min=0)
        axis = 2 if output.ndim == 3 else min(1, output.ndim - 1)
        others = (positive == 0).to(positive.dtype)
        share = positive.sum(axis, keepdim=True) / others.sum(axis, keepdim=True).clamp(min=1)
        return others * share


class FunctionScore(Score):
    """A person's own function of the output.

    Args:
        function: outputs (n, …) -> (n,). name: in words. count: of images.
    """

    def __init__(self, function: Any, name: str, count: int) -> None:
        self.function, self.names = function, (name,) * count

    def of(self, rows: Rows) -> FunctionScore:
        return FunctionScore(self.function, self.names[0], count_of(rows, len(self)))

    def __call__(self, output: Tensor) -> Tensor:
        try:
            # A tensor of its own: what it does in place is no business of the model's answer.
            found = self.function(output.float().clone())
        except Exception as error:
            sizes = ", ".join(["N", *map(str, output.shape[1:])])
            raise TargetError(
                f"the target, {self.names[0]}, raises {type(error).__name__}: {error}. It is called with the output ({sizes}) and gives "
                "one number an image, (N,)"
            ) from error
        return checked(found, len(output), self.names[0])

    def joined(self, others: Sequence[Any]) -> FunctionScore | None:
        if any(score.function is not self.function for score in others):
            return None
        return FunctionScore(self.function, self.names[0], len(self) + sum(map(len, others)))

    def check(self, output: Tensor) -> None:
        """Raise TargetError where the function does not give one finite number a row, whatever other rows there are."""
        with torch.no_grad():
            found, first = self(output), self.of([0])(output[:1])
        if not torch.allclose(found[:1], first, rtol=1e-3, atol=1e-4 * float(found.abs().max()) + 1e-12):
            raise TargetError(
                f"the target, {self.names[0]}, gives {float(first):.4g} for the first image alone and {float(found[0]):.4g} among "
                f"{len(output)}; let every row depend on its own output only"
            )


def checked(found: Any, rows: int, name: str) -> Tensor:
    """What a function gave, one finite number a row.

    Raises:
        TargetError: something else.
    """
    if not isinstance(found, Tensor):
        raise TargetError(
            f"the target, {name}, gives {type(found).__name__}; return a tensor of one number an image, ({rows},)"
        )
    if tuple(found.shape) != (rows,):
        raise TargetError(
            f"the target, {name}, gives shape {tuple(found.shape)}; return one number an image, ({rows},)"
        )
    if not found.is_floating_point():
        raise TargetError(
            f"the target, {name}, gives {str(found.dtype).removeprefix('torch.')}; return floating-point numbers"
        )
    if not torch.isfinite(found).all():
        row = int((~torch.isfinite(found)).nonzero()[0])
        raise TargetError(
            f"the target, {name}, gives {float(found[row].detach())} for row {row}; it must be finite for every output"
        )
    return found


class Indexed(Score):
    """Scores whose images each have numbers of their own.

    Args:
        names: in words. numbers: name -> (N, …). same: what two of these must share to be joined.
    """

    def __init__(self, names: Sequence[str], numbers: dict[str, Tensor], same: tuple[Any, ...] = ()) -> None:
        self.names, self.numbers, self.same = tuple(names), numbers, same

    def of(self, rows: Rows) -> Self:
        chosen = numbers_of(rows, len(self))
        # Many versions of one image share its numbers.
        alone = len(self) == 1
        taken = {
            name: each.expand(len(chosen), *each.shape[1:]) if alone else each[chosen]
            for name, each in self.numbers.items()
        }
        return self._with([self.names[row] for row in chosen], taken)

    def joined(self, others: Sequence[Any]) -> Self | None:
        scores = [self, *others]
        shapes = {tuple((name, each.shape[1:]) for name, each in score.numbers.items()) for score in scores}
        if len(shapes) > 1 or any(score.same != self.same for score in others):
            return None
        numbers = {name: torch.cat([score.numbers[name] for score in scores]) for name in self.numbers}
        return self._with([name for score in scores for name in score.names], numbers)

    def _with(self, names: Sequence[str], numbers: dict[str, Tensor]) -> Self:
        return type(self)(names, numbers, self.same)


class Several(Score):
    """Scores of several kinds: each image has one of its own."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self.scores = tuple(scores)
        self.names = tuple(name for score in scores for name in score.names)
        self.unit = shared_unit(scores)
        self.note = " ".join(dict.fromkeys(score.note for score in scores if score.note))

    def of(self, rows: Rows) -> Several:
        return Several([self.scores[row] for row in numbers_of(rows, len(self))])

    def __call__(self, output: Tensor) -> Tensor:
        return self._each(output, lambda score, row: score(row))

    def probability(self, output: Tensor) -> Tensor:
        return self._each(output, lambda score, row: score.probability(row))

    def gradient(self, output: Tensor) -> Tensor:
        return self._each(output, lambda score, row: score.gradient(row))

    def start(self, output: Tensor, begin: Begin = "logit") -> Tensor:
        return self._each(output, lambda score, row: score.start(row, begin))

    def rest(self, output: Tensor) -> Tensor:
        return self._each(output, lambda score, row: score.rest(row))

    def _each(self, output: Tensor, ask: Any) -> Tensor:
        return torch.cat([ask(score, output[row : row + 1]) for row, score in enumerate(self.scores)])


class Combined(Score):
    """A weighted sum of scores of the same images, such as one less another."""

    def __init__(self, parts: Sequence[tuple[float, Score]], names: tuple[str, ...]) -> None:
        self.parts, self.names = tuple(parts), names
        self.unit = shared_unit([score for _, score in parts])
        self.note = " ".join(dict.fromkeys(score.note for _, score in parts if score.note))

    def of(self, rows: Rows) -> Combined:
        names = tuple(self.names[row] for row in numbers_of(rows, len(self)))
        return Combined([(weight, score.of(rows)) for weight, score in self.parts], names)

    def __call__(self, output: Tensor) -> Tensor:
        return torch.stack([weight * score(output) for weight, score in self.parts]).sum(0)

    def gradient(self, output: Tensor) -> Tensor:
        return torch.stack([weight * score.gradient(output) for weight, score in self.parts]).sum(0)

    def start(self, output: Tensor, begin: Begin = "logit") -> Tensor:
        return torch.stack([weight * score.start(output, begin) for weight, score in self.parts]).sum(0)


def shared_unit(scores: Sequence[Score]) -> str:
    """The unit of several scores; "" where they have several."""
    units = {score.unit for score in scores}
    return units.pop() if len(units) == 1 else ""


def together(scores: Sequence[Score]) -> Score:
    """Scores of some images each as the score of all."""
    first, *others = scores
    joined = first if not others else None
    if others and all(type(score) is type(first) for score in others):
        joined = first.joined(others)
    if joined is not None:
        return joined
    return Several([score.of([row]) for score in scores for row in range(len(score))])


def numbers_of(rows: Rows, count: int) -> list[int]:
    """Numbers of images as a list."""
    if isinstance(rows, slice):
        return list(range(count))[rows]
    return rows.tolist() if isinstance(rows, Tensor) else list(rows)


def count_of(rows: Rows, count: int) -> int:
    return len(range(count)[rows]) if isinstance(rows, slice) else len(rows)
