"""Lesson 7: wrong answers are refused, each with a hint of its own; a map that is made to measure is a poor explanation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import xaiwidgets as xw
from tests.lessons.played import Played
from xaiwidgets.demo import Shapes
from xaiwidgets.lessons import check

MODEL = xw.load("demo:shapes-cnn")


def broken(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return x[:, 7]


WRONG: dict[str, list[tuple[Any, str]]] = {
    "7.1": [(10.0, "the fourth one"), ("area", "give an area"), (0.0, "the mean of the scores before and after")],
    "7.2": [(234, "so many are not enough"), (3410, "whole width"), (64, "square of that factor")],
    "7.3": [(0.41, "other way round"), (-0.224, "'mean'"), (0.388, "'gray'"), (0.0, "upper left")],
    "7.4": [(4, "not zero"), (0, "count the zeros"), (16, "count the zeros")],
    "7.5": [
        (xw.GradientXInput(MODEL), "the mean F is 0"),
        (lambda x, target: x.abs().sum(1), "where must the map lie"),
        (lambda x, target: x[:, :, :8], "must give relevance"),
        (broken, "raised IndexError"),
        (lambda x, target: x / 0, "NaN or infinite"),
    ],
}


@pytest.mark.parametrize(("number", "answer", "hint"), [(n, *wrong) for n, many in WRONG.items() for wrong in many])
def test_wrong_answers(number: str, answer: Any, hint: str) -> None:
    verdict = check(number, answer)
    assert not verdict
    assert re.search(hint, verdict.said), verdict.said


def test_usual_mistakes_with_an_area_are_named() -> None:
    x = Shapes(64).batch([3]).x
    heatmap = xw.LRP(MODEL)(x).heatmap
    curves = xw.pixel_flipping(MODEL, x, {"LRP": heatmap}, order="both", perturb="mean", random=0, progress=False)
    assert "equally wide" in check("7.1", curves.scores["LRP"].mean()).said
    assert "one wide" in check("7.1", curves.step_sum["LRP"][0]).said
    assert "least relevant" in check("7.1", curves.auc_of("lerf")["LRP"][0]).said
    assert check("7.1", curves.auc["LRP"][0])


def test_a_map_made_to_measure_is_a_poor_explanation(played: Callable[[int], Played]) -> None:
    made = played(7).answers["7.5"]
    batch = Shapes(16).batch(range(16))
    target = MODEL.scores(batch.x).argmax(1)
    maps = {"made": made(batch.x, target).sum(1), "LRP": xw.LRP(MODEL)(batch.x, target).heatmap}
    curves = xw.pixel_flipping(MODEL, batch.x, maps, order="both", perturb="mean", random=0, progress=False)
    assert 4 * curves.gap["made"].mean() < curves.gap["LRP"].mean()
