"""Lesson 5: wrong answers are refused, each with a hint of its own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from xaiwidgets.lessons import check

THERE = (16, 16, 48, 48)
"""Where the leader of the whole picture leads."""
WRONG: dict[str, list[tuple[Any, str]]] = {
    "5.1": [(62, "more than any other"), (38, "not negative"), (0, "more negative|not negative"), (64, "from 0 to 63")],
    "5.2": [(3, "cosine similarity is 0.7"), (20, "fewer"), (7.5, "whole number"), (65, "from 1 to 64")],
    "5.3": [(41, "'circle'"), (28, "'cross'"), (99, "from 0 to 63")],
    "5.4": [(0.08, "features.conv5"), (0.43, "a share"), (1.0, "more"), (7.0, "less")],
    "5.5": [
        ((0, 0, 64, 64), "more than a quarter"),
        ((20, 20, 80, 24), "in the picture"),
        ((1, 2, 3), "four whole numbers"),
        ("tip", "four whole numbers"),
        (THERE, "leads here as well"),
    ],
}


@pytest.mark.parametrize(("number", "answer", "hint"), [(n, *wrong) for n, many in WRONG.items() for wrong in many])
def test_wrong_answers(number: str, answer: Any, hint: str) -> None:
    verdict = check(number, answer)
    assert not verdict
    assert re.search(hint, verdict.said), verdict.said
