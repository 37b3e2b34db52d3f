"""Exercises by number, and what is said of an answer."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from xaiwidgets.errors import unknown
from xaiwidgets.lessons.answers import Hint

__all__ = ["Verdict", "check", "exercise", "exercises"]

Checker = Callable[[Any], str | None]
_CHECKERS: dict[str, Checker] = {}


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what to look at where it is not."""

    number: str
    right: bool
    said: str

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"{'✓' if self.right else '✗'} Exercise {self.number}: {self.said}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p><strong>{'✓' if self.right else '✗'} Exercise {html.escape(self.number)}</strong>: {html.escape(self.said)}</p>"


def exercise(number: str) -> Callable[[Checker], Checker]:
    """Register the checker of an exercise, such as ``"3.2"``: it takes an answer, and returns None where it is right, else a hint.

    It may raise `Hint` instead, as what reads answers does (`xaiwidgets.lessons.answers`). A checker works the truth out from the models
    and pictures themselves, so that it neither gives it away nor goes stale.
    """

    def register(checker: Checker) -> Checker:
        _CHECKERS[number] = checker
        return checker

    return register


def exercises(lesson: int) -> list[str]:
    """The numbers of a lesson's exercises."""
    name = f"{__package__}.lesson{lesson}"
    if find_spec(name) is not None:
        import_module(name)
    return sorted(number for number in _CHECKERS if number.partition(".")[0] == str(lesson))


def check(number: str, answer: Any) -> Verdict:
    """Whether ``answer`` solves the exercise, and what to look at where it does not.

    Args:
        number: the exercise as the lesson numbers it, such as ``"3.2"``.
        answer: what the exercise asks for; its text says of which kind.

    Raises:
        ValueError: there is no such exercise; says which there are.
    """
    lesson = str(number).partition(".")[0]
    known = exercises(int(lesson)) if lesson.isdigit() else []
    if number not in known:
        raise unknown("number", number, known)
    if answer is None or answer is Ellipsis:
        return Verdict(number, False, "put your own answer in place of the dots first.")
    try:
        hint = _CHECKERS[number](answer)
    except Hint as raised:
        hint = str(raised)
    return Verdict(number, hint is None, "right." if hint is None else hint)
