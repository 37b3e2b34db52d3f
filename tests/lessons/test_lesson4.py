"""Lesson 4's checkers take the folded answers, and tell wrong ones what to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lessons.played import Played
from xaiwidgets.lessons import check, lesson4
from xaiwidgets.lessons.demo import correlation, demo_model, demo_pictures
from xaiwidgets.lrp import LRP


@pytest.mark.parametrize("number", ["4.1", "4.2", "4.3", "4.4", "4.5"])
def test_the_folded_answer_is_right(number: str, played: Callable[[int], Played]) -> None:
    assert check(number, played(4).answers[number])


def between(picture: int) -> float:
    return correlation(lesson4._map(picture, "heart"), lesson4._map(picture, "star"))


def contrast_with(name: str) -> float:
    against = LRP(demo_model())(demo_pictures()[:1], "star", against="heart").heatmap
    return correlation(against, lesson4._map(lesson4.STAR, name))


def star_over_cross(measure: Callable[[Any], Any]) -> float:
    return float(measure(lesson4._map(lesson4.STAR, "star")) / measure(lesson4._map(lesson4.STAR, "cross")))


WRONG: list[tuple[str, Callable[[], Any], str]] = [
    ("4.1", lambda: between(lesson4.STAR), "on the picture of the star"),
    ("4.1", lambda: -between(lesson4.HEART), "Which sign"),
    ("4.1", lambda: 0.5, "correlation()"),
    ("4.2", lambda: contrast_with("heart"), "with the map of the star"),
    ("4.2", lambda: between(lesson4.STAR), "the two plain maps"),
    ("4.2", lambda: 0.99, "three digits"),
    ("4.3", lambda: lesson4._randomised("epsilon_gamma_box")[1], "with signs"),
    ("4.3", lambda: lesson4._randomised("epsilon_plus_flat")[0], "the default rule"),
    ("4.3", lambda: 1.0, "row 0"),
    ("4.3", lambda: 0.5, "mean of row 1"),
    ("4.4", lambda: 100 * lesson4._localised()[0], "in per cent"),
    ("4.4", lambda: lesson4._localised()[1], "take result.rank"),
    ("4.4", lambda: lesson4._localised()[2], "gradient × input's"),
    ("4.4", lambda: 0.9, "and its mean"),
    ("4.5", lambda: 1 / star_over_cross(lambda heatmap: heatmap.abs().max()), "turn it round"),
    ("4.5", lambda: star_over_cross(lambda heatmap: heatmap.sum()), "ratio of the sums"),
    ("4.5", lambda: star_over_cross(lambda heatmap: heatmap.max()), "by magnitude"),
    ("4.5", lambda: 1.0, "abs().max()"),
]


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_wrong_answers_get_a_hint(number: str, answer: Callable[[], Any], hint: str) -> None:
    verdict = check(number, answer())
    assert not verdict
    assert hint in verdict.said
