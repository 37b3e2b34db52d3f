"""Lesson 3's checkers take the folded answers, and tell wrong ones what to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.lessons.played import Played
from xaiwidgets.lessons import check, lesson3
from xaiwidgets.lrp import Composite, Rule, make_rule

GAMMA, FLAT, EPSILON = make_rule("gamma", gamma=0.25), make_rule("flat"), make_rule("epsilon")


@pytest.mark.parametrize("number", ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6"])
def test_the_folded_answer_is_right(number: str, played: Callable[[int], Played]) -> None:
    assert check(number, played(3).answers[number])


def rule(
    *, away: bool = True, with_bias: bool = True, with_epsilon: bool = True, inputs: bool = True, at_zero: float = 1.0
) -> Callable[..., Tensor]:
    """The ε-rule, or one that is wrong in one way."""

    def own(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
        z = x @ weight.T + (bias if with_bias else 0)
        sign = torch.where(z == 0, at_zero, z.sign()) if away else torch.ones_like(z)
        below = (relevance / (z + epsilon * sign if with_epsilon else z)) @ weight
        return x * below if inputs else below

    return own


def share(conv: Rule = EPSILON, first: Rule | None = None, default: Rule = EPSILON) -> float:
    return lesson3._share(Composite(kinds={"conv": conv}, first=first, default=default))


def embedding() -> Tensor:
    return lesson3._embedding(1)


WRONG: list[tuple[str, Callable[[], Any], str]] = [
    ("3.1", lambda: [8, 3], "that is the score of yes"),
    ("3.1", lambda: [4, 2], "hidden neurons"),
    ("3.1", lambda: [8, -2], "comes first"),
    ("3.1", lambda: [2, 8], "must sum to the score"),
    ("3.1", lambda: [2, 4], "the sum is right"),
    ("3.2", lambda: rule(with_bias=False), "bias is a part"),
    ("3.2", lambda: rule(away=False), "away from zero"),
    ("3.2", lambda: rule(with_epsilon=False), "ε is missing"),
    ("3.2", lambda: rule(inputs=False), "step 4"),
    ("3.2", lambda: rule(at_zero=0.0), "take sign(0) as 1"),
    ("3.2", lambda: lambda x, weight, bias, relevance, epsilon: x, "four steps"),
    ("3.2", lambda: lambda x: x, "it raised TypeError"),
    ("3.2", lambda: lambda *layer: "relevance", "shape (3, 5)"),
    ("3.2", lambda: 0.5, "give a function"),
    ("3.3", lambda: -embedding().clamp_max(0).sum(), "divide it"),
    ("3.3", lambda: -embedding().clamp_max(0).sum() / embedding().sum(), "not by the sum of R"),
    ("3.3", lambda: (embedding() < 0).float().mean(), "share of neurons"),
    ("3.3", lambda: -lesson3._embedding(0).clamp_max(0).sum() / lesson3._embedding(0).abs().sum(), "the star's"),
    ("3.3", lambda: -100 * embedding().clamp_max(0).sum() / embedding().abs().sum(), "per cent"),
    ("3.3", lambda: 0.4, "below zero"),
    ("3.4", lambda: "features.conv4", "the star's"),
    ("3.4", lambda: "classifier", "lists the leaks"),
    ("3.4", lambda: "conv5", "give one of"),
    ("3.5", lambda: "Occlusion", "correlation"),
    ("3.5", lambda: "none of them", "correlation"),
    ("3.5", lambda: "LRP", "give one of"),
    ("3.6", lambda: share(GAMMA), "no flat rule"),
    ("3.6", lambda: share(GAMMA, FLAT, GAMMA), "linear layers get ε"),
    ("3.6", lambda: share(make_rule("gamma", gamma=1.0), FLAT), "share_on_star"),
    ("3.6", lambda: 91.8, "in per cent"),
    ("3.6", lambda: 0.92, "all digits"),
]


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_wrong_answers_get_a_hint(number: str, answer: Callable[[], Any], hint: str) -> None:
    verdict = check(number, answer())
    assert not verdict
    assert hint in verdict.said


def test_a_net_with_four_neurons_is_the_one_in_the_lesson(played: Callable[[int], Played]) -> None:
    assert lesson3._hidden(0).tolist() == [12, -1]
    assert lesson3._inputs(0).tolist() == [8, 3]
    assert lesson3._inputs(1).tolist() == played(3).answers["3.1"]
