"""Exercises: registered by number, refused in words where there is none."""

from __future__ import annotations

import pytest

from xaiwidgets.lessons import check, exercises
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lessons.exercises import exercises as numbers


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "_CHECKERS", {})
    exercise("99.1")(lambda answer: None if answer == 3 else "count <again>.")


@pytest.mark.usefixtures("numbered")
def test_an_answer_is_right_or_gets_a_hint() -> None:
    assert numbers(99) == ["99.1"]
    right, wrong, none = check("99.1", 3), check("99.1", 4), check("99.1", ...)
    assert right
    assert str(right) == "✓ Exercise 99.1: right."
    assert not wrong
    assert "count &lt;again&gt;." in wrong._repr_html_()
    assert not none
    assert "in place of the dots" in none.said


@pytest.mark.usefixtures("numbered")
@pytest.mark.parametrize("number", ["99.2", "one", ""])
def test_an_unknown_exercise_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="number"):
        check(number, 3)
