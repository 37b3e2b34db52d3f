"""Lesson 2's checkers take the folded answers, and tell wrong ones what to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.lessons.played import Played
from xaiwidgets.demo import examples
from xaiwidgets.lessons import check, lesson2
from xaiwidgets.lessons.demo import demo_pictures


@pytest.mark.parametrize("number", ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"])
def test_the_folded_answer_is_right(number: str, played: Callable[[int], Played]) -> None:
    assert check(number, played(2).answers[number])


def hidden(*where: slice) -> float:
    star = demo_pictures()[:1].clone()
    star[(slice(None), slice(None), *where)] = 0
    return lesson2._likeness(star)


def weighted() -> torch.Tensor:
    masks, likenesses = lesson2._masks()
    return (likenesses[:, None, None] * masks).sum(0)


def heart_among_the_surest() -> float:
    surest = lesson2._estimate(1024, "balanced", picture=1).sure(0.25)[0]
    heart = torch.from_numpy(examples(2)[1].mask)
    return float(surest[heart].float().mean())


WRONG: list[tuple[str, Callable[[], Any], str]] = [
    ("2.1", lambda: hidden(slice(None), slice(32)), "without the left half"),
    ("2.1", lambda: hidden(slice(32, None)), "without the lower half"),
    ("2.1", lambda: 0.62, "columns 32 to 63"),
    ("2.2", weighted, "divide it by the sum of the masks"),
    ("2.2", lambda: weighted() / 256, "not by all of them"),
    ("2.2", lambda: lesson2._masks()[0].mean(0), "how often each pixel is shown"),
    ("2.2", lambda: lesson2._masks()[0], "shape (64, 64)"),
    ("2.3", lambda: 4096, "half of a half"),
    ("2.3", lambda: 16, "How many masks is that"),
    ("2.3", lambda: 1024, "What gives a quarter"),
    ("2.4", lambda: ["uncertainty", "standard_error"], "mean uncertainty"),
    ("2.4", lambda: ["importance"], "mean importance"),
    ("2.4", lambda: "standard_error", "give a list"),
    ("2.5", heart_among_the_surest, "The other way round"),
    ("2.5", lambda: 88.48, "in per cent"),
    ("2.5", lambda: 0.73, "how many of them"),
    ("2.6", lambda: 184.4, "t is squared"),
    ("2.6", lambda: 8011, "natural logarithm"),
    ("2.6", lambda: 3722, "probability of being off"),
    ("2.6", lambda: 2952, "round up"),
]


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_wrong_answers_get_a_hint(number: str, answer: Callable[[], Any], hint: str) -> None:
    verdict = check(number, answer())
    assert not verdict
    assert hint in verdict.said
