"""Answers are read whatever their kind; what cannot be read gets a hint that says what to give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from xaiwidgets.lessons import check, exercises
from xaiwidgets.lessons.answers import Hint, a_box, a_map, a_number, a_yes_or_no, one_of, some_of
from xaiwidgets.lessons.exercises import exercise


@pytest.mark.parametrize("answer", [2, 2.0, np.float32(2), np.array(2), torch.tensor(2.0)], ids=repr)
def test_numbers_of_any_kind(answer: Any) -> None:
    assert a_number(answer) == 2.0


@pytest.mark.parametrize("answer", ["2", True, None, [2], torch.ones(3), float("nan"), float("inf"), 2j], ids=repr)
def test_what_is_no_number(answer: Any) -> None:
    with pytest.raises(Hint, match=r"^give a share; this is .*\.$"):
        a_number(answer, "a share")


def test_names_and_yes_or_no() -> None:
    assert one_of(" lrp ", ("LRP", "RISE")) == "LRP"
    assert one_of("gradient x input", ("Gradient × input",)) == "Gradient × input"
    assert some_of(("rise", "LRP"), ("LRP", "RISE")) == ["RISE", "LRP"]
    assert a_yes_or_no(np.bool_(True)) is a_yes_or_no(torch.tensor(True)) is a_yes_or_no(True) is True
    assert a_box(torch.tensor([1, 0, 8, 4]), 4, 8) == (1, 0, 8, 4)
    assert a_map(np.ones((2, 2)), (2, 2)).dtype == torch.float64


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: one_of("CAM", ("LRP", "RISE")), "give one of 'LRP', 'RISE'; this is 'CAM'."),
        (lambda: one_of(3, ("LRP",)), "give one of 'LRP'; this is 3."),
        (lambda: some_of("LRP", ("LRP",)), "give a list of names out of 'LRP'; this is 'LRP'."),
        (lambda: some_of([], ("LRP",)), "the list is empty; give names out of 'LRP'."),
        (lambda: a_yes_or_no("yes"), "give True or False; this is 'yes'."),
        (lambda: a_yes_or_no(1), "give True or False; this is 1."),
        (lambda: a_map([[1.0]], (2, 2)), "give an array of shape (2, 2); this one has (1, 1)."),
        (lambda: a_map("map", (2, 2)), "give an array of shape (2, 2); this is 'map'."),
        (lambda: a_map([[np.nan]], (1, 1)), "the array has NaN or infinite values."),
        (
            lambda: a_box((0, 0, 1.5, 2), 4, 8),
            "give a box as four whole numbers of pixels: (left, top, right, bottom).",
        ),
        (
            lambda: a_box(torch.ones(2, 2), 4, 8),
            "give a box as four whole numbers of pixels: (left, top, right, bottom).",
        ),
        (
            lambda: a_box((0, 0, 9, 2), 4, 8),
            "the box must lie in the picture, 8 by 4 pixels, left before right and top before bottom.",
        ),
        (lambda: a_map(lambda: 1, (2, 2)), "give an array of shape (2, 2); this is function."),
    ],
)
def test_what_cannot_be_read(read: Callable[[], Any], said: str) -> None:
    with pytest.raises(Hint) as raised:
        read()
    assert str(raised.value) == said


def test_a_hint_is_what_check_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "_CHECKERS", {})
    exercise("99.1")(lambda answer: None if a_number(answer) == 3 else "count again.")
    assert check("99.1", 3)
    assert check("99.1", "three").said == "give a number, such as 0.5; this is 'three'."
