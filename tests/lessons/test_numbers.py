"""Lessons say what is so: every stated number is computed anew, every sentence about the screen holds as an expression, every exercise
has an answer that its own checker takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lessons.played import DOTS, LESSONS, Played, cells_of, held_sentences, stated_numbers, unmarked
from xaiwidgets.lessons import exercises
from xaiwidgets.lessons.exercises import exercises as numbers_of

Lessons = Callable[[int], Played]


@pytest.mark.parametrize("lesson", LESSONS)
def test_stated_numbers_are_right(lesson: int, played: Lessons) -> None:
    numbers = played(lesson).numbers
    assert len(numbers) >= 8
    wrong = [f"{n.text}: it is {n.actual:.6g}" for n in numbers if not n.right]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_is_said_of_the_screen_holds(lesson: int, played: Lessons) -> None:
    sentences = played(lesson).sentences
    assert len(sentences) >= 5
    wrong = [f"{held.text} … does not hold: {held.expression}" for held in sentences if not held.right]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_number_is_stated_unchecked(lesson: int) -> None:
    found = {cell.source[:60]: unmarked(cell.source) for cell in cells_of(lesson) if cell.cell_type == "markdown"}
    assert {text: numbers for text, numbers in found.items() if numbers} == {}


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_exercise_takes_its_own_answer(lesson: int, played: Lessons) -> None:
    verdicts = played(lesson).verdicts
    assert sorted(verdicts) == numbers_of(lesson)
    assert [str(verdict) for verdict in verdicts.values() if not verdict] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_exercise_is_handed_out_open(lesson: int) -> None:
    cells = cells_of(lesson)
    asked = [cell for cell in cells if cell.cell_type == "code" and "\ncheck(" in cell.source]
    assert len(asked) == len(numbers_of(lesson)) >= 3
    assert all(DOTS in cell.source.splitlines() for cell in asked)
    assert not [cell for cell in cells if cell.get("outputs")]


@pytest.mark.parametrize("number", [number for lesson in LESSONS for number in numbers_of(lesson)])
@pytest.mark.parametrize(
    "answer", ["nonsense", object(), [], {}, float("nan"), -1], ids=["text", "object", "list", "dict", "nan", "number"]
)
def test_answers_of_any_kind_get_a_hint(number: str, answer: object) -> None:
    verdict = exercises.check(number, answer)
    assert not verdict
    assert len(verdict.said) >= 15
    assert verdict.said.endswith((".", "?"))


NAMES = {"share": 0.9763, "r": -0.99861}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("**98 %**<!-- = share --> of it", True),
        ("97 %<!-- = share -->", False),
        ("97.6 %<!-- = share --> and −0.9986 <!-- = r -->", True),
        ("r = **0.9986**<!-- = r -->", False),
        ("about 90 %<!-- = share ± 8 -->", True),
        ("about 90 %<!-- = share ± 7 -->", False),
        ("three: 3<!-- = 1 + 2 -->", True),
    ],
)
def test_a_stated_number_is_compared_to_its_last_digit(text: str, right: bool) -> None:
    assert all(number.right for number in stated_numbers(text, NAMES)) is right
    assert unmarked(text) == []


def test_a_sentence_is_true_or_false() -> None:
    text = "It beats<!-- holds: share > 0.9 --> the other<!-- holds:\nr > 0 and\nshare > 0 -->."
    assert [held.right for held in held_sentences(text, dict(NAMES))] == [True, False]
    assert unmarked(text) == []
    with pytest.raises(AssertionError, match="neither true nor false"):
        held_sentences("x<!-- holds: share -->", dict(NAMES))
    with pytest.raises(AssertionError, match="not about the lesson"):
        held_sentences("x<!-- holds: 1 < 2 -->", dict(NAMES))


def test_a_mark_without_a_number_is_found() -> None:
    with pytest.raises(AssertionError, match="follows no number"):
        stated_numbers("nearly all<!-- = share --> of it", NAMES)


def test_a_number_without_a_mark_is_found() -> None:
    text = "## 1.2 Exercise 1.3 at `0.5` and $0.5$ [here](https://doi.org/10.1000/1.5), 30 % of 7 and 0.25.\n\n```python\nx = 0.5\n```\n"
    assert unmarked(text) == ["30 %", "0.25"]
