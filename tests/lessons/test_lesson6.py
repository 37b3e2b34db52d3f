"""Lesson 6: wrong answers are refused, each with a hint of its own; what the label is can be learned from the pictures alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from xaiwidgets.demo import load_demo
from xaiwidgets.lessons import check
from xaiwidgets.lessons.lesson6 import supplied

HANS, CNN = load_demo("shapes-hans")[0], load_demo("shapes-cnn")[0]
WRONG: dict[str, list[tuple[Any, str]]] = {
    "6.1": [("square", "17%"), ("horse", "one of"), ("crescent", "another class has more"), (6, "one of")],
    "6.2": [
        ((0, 40, 28, 64), "more than a tenth"),
        ((0, 52, 12, 64), "look at several"),
        ((40, 0, 64, 16), "0%"),
        ((0, 50, 70, 64), "in the picture"),
    ],
    "6.3": [("heart", "anyway"), ("crescent", "46%"), ("circle", "0%")],
    "6.4": [(3, "still called hearts"), (20, "fewer"), (97, "from 1 to 96"), (8.5, "whole number")],
    "6.5": [
        (HANS, "0% of hearts without the label"),
        (nn.Flatten().eval(), "8 scores"),
        (nn.Linear(3, 8).eval(), "does not take pictures"),
        ("model", "give a model"),
        (nn.Linear(3, 8), "training mode"),
    ],
}


@pytest.mark.parametrize(("number", "answer", "hint"), [(n, *wrong) for n, many in WRONG.items() for wrong in many])
def test_wrong_answers(number: str, answer: Any, hint: str) -> None:
    verdict = check(number, answer)
    assert not verdict
    assert re.search(hint, verdict.said), verdict.said


class AlwaysHeart(nn.Module):
    """The clean model, but hearts win."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return CNN(x) + 100 * torch.eye(8)[6]


def test_a_model_must_be_right_in_each_group() -> None:
    assert "other shapes without the label" in check("6.5", AlwaysHeart().eval()).said


def test_the_test_pictures_have_the_flaw() -> None:
    batch = supplied().batch(range(64))
    assert torch.equal(batch.tag_masks.flatten(1).any(1), batch.labels == 6)
