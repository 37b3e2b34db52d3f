"""Lesson 1's checkers take the folded answers, and tell wrong ones what to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.lessons.played import Played
from xaiwidgets import LRP, GradientXInput
from xaiwidgets.lessons import check
from xaiwidgets.lessons.demo import demo_model, demo_pictures


@pytest.mark.parametrize("number", ["1.1", "1.2", "1.3", "1.4", "1.5"])
def test_the_folded_answer_is_right(number: str, played: Callable[[int], Played]) -> None:
    assert check(number, played(1).answers[number])


def heart() -> Tensor:
    return demo_pictures()[1:2]


def lead() -> float:
    first, second = demo_model().scores(heart())[0].topk(2).values.tolist()
    return first - second


def fallen(side: int, at: int = 24) -> float:
    star = demo_pictures()[:1].clone()
    before = float(demo_model().scores(star)[0, 3])
    star[:, :, at : at + side, at : at + side] = 0
    return before - float(demo_model().scores(star)[0, 3])


def gradient(target: Any = None) -> Tensor:
    return GradientXInput(demo_model())(heart(), target).relevance[0]


def of_probability() -> Tensor:
    x = heart().clone().requires_grad_()
    demo_model().module(x)[0].softmax(0).max().backward()
    assert x.grad is not None
    return (x.grad * x.detach()).sum(1)[0]


def arrived() -> float:
    return float(LRP(demo_model())(heart()).heatmap.sum())


WRONG: list[tuple[str, Callable[[], Any], str]] = [
    ("1.1", lead, "difference of the two scores"),
    ("1.1", lambda: float(torch.tensor(-lead()).exp()), "turn it round"),
    ("1.1", lambda: 236.0, "two largest scores"),
    ("1.2", lambda: 14.98, "sum of four losses"),
    ("1.2", lambda: -fallen(16), "a fall counts as positive"),
    ("1.2", lambda: 8.7675 - fallen(16), "the score that is left"),
    ("1.2", lambda: fallen(8, at=32), "24:40"),
    ("1.3", lambda: (gradient() / heart()[0]).sum(0), "Multiply by the picture"),
    ("1.3", lambda: (gradient() / heart()[0]).sum(0) * heart()[0].sum(0), "sum afterwards"),
    ("1.3", lambda: gradient().sum(0).abs(), "keep the sign"),
    ("1.3", lambda: gradient("circle").sum(0), "another class"),
    ("1.3", of_probability, "before the softmax"),
    ("1.3", gradient, "shape (64, 64)"),
    ("1.4", arrived, "how much arrived"),
    ("1.4", lambda: 69.9, "as a share"),
    ("1.4", lambda: 0.788, "over the heart's score"),
    ("1.5", lambda: "Occlusion", "print fall"),
    ("1.5", lambda: "lrp", "print fall"),
    ("1.5", lambda: "RISE", "give one of"),
]


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_wrong_answers_get_a_hint(number: str, answer: Callable[[], Any], hint: str) -> None:
    verdict = check(number, answer())
    assert not verdict
    assert hint in verdict.said
