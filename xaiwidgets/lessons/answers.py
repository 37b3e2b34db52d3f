"""Answers of the right kind: what a student gave, as a number, a name or an array, or a hint what to give."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Hint", "a_box", "a_map", "a_number", "a_yes_or_no", "one_of", "some_of"]


class Hint(Exception):
    """An answer that is not right: what to look at. `check` catches it."""


def a_number(answer: Any, what: str = "a number, such as 0.5") -> float:
    """A number of any kind, of Python, numpy or torch, as a float.

    Raises:
        Hint: anything else, NaN and infinity too.
    """
    if not isinstance(answer, str | bool) and getattr(answer, "ndim", 0) == 0:
        try:
            number = float(answer)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise Hint(f"give {what}; this is {_came(answer)}.")


def a_box(answer: Any, height: int, width: int) -> tuple[int, int, int, int]:
    """A box of whole pixels, (left, top, right, bottom), in a picture.

    Raises:
        Hint: anything else, and a box that does not lie in the picture.
    """
    try:
        sides = [a_number(side) for side in answer]
    except (TypeError, Hint):
        sides = []
    if len(sides) != 4 or any(side != int(side) for side in sides):
        raise Hint("give a box as four whole numbers of pixels: (left, top, right, bottom).")
    left, top, right, bottom = map(int, sides)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise Hint(
            f"the box must lie in the picture, {width} by {height} pixels, left before right and top before bottom."
        )
    return left, top, right, bottom


def a_yes_or_no(answer: Any) -> bool:
    """True or False.

    Raises:
        Hint: anything else.
    """
    if getattr(answer, "ndim", None) == 0 and hasattr(answer, "item"):
        answer = answer.item()
    if isinstance(answer, bool):
        return answer
    raise Hint(f"give True or False; this is {_came(answer)}.")


def one_of(answer: Any, options: Sequence[str]) -> str:
    """One of several names, however it is capitalised; × may be typed as x.

    Raises:
        Hint: another name, or no name; says which there are.
    """
    known = {_typed(option): option for option in options}
    if isinstance(answer, str) and _typed(answer) in known:
        return known[_typed(answer)]
    raise Hint(f"give one of {', '.join(map(repr, options))}; this is {_came(answer)}.")


def some_of(answer: Any, options: Sequence[str]) -> list[str]:
    """Several of those names, in the order given.

    Raises:
        Hint: no list, an empty one, or one with another name; says which there are.
    """
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise Hint(f"give a list of names out of {', '.join(map(repr, options))}; this is {_came(answer)}.")
    names = [one_of(name, options) for name in answer]
    if not names:
        raise Hint(f"the list is empty; give names out of {', '.join(map(repr, options))}.")
    return names


def a_map(answer: Any, shape: tuple[int, ...]) -> Tensor:
    """An array of any kind as a float64 tensor of that shape.

    Raises:
        Hint: anything else, or one of another shape, or with NaN or infinity.
    """
    try:
        given = torch.as_tensor(answer, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise Hint(f"give an array of shape {shape}; this is {_came(answer)}.") from None
    if tuple(given.shape) != shape:
        raise Hint(f"give an array of shape {shape}; this one has {tuple(given.shape)}.")
    if not torch.isfinite(given).all():
        raise Hint("the array has NaN or infinite values.")
    return given


def _typed(name: str) -> str:
    """A name as people type it."""
    return name.strip().casefold().replace("×", "x")


def _came(answer: Any) -> str:
    shape = getattr(answer, "shape", None)
    if shape is not None and len(shape):
        return f"{type(answer).__name__} of shape {tuple(shape)}"
    said = repr(answer)
    return said if isinstance(answer, str | int | float) and len(said) <= 40 else type(answer).__name__
