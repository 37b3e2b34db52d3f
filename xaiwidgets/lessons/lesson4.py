"""Lesson 4, when maps mislead: maps of other classes, broken models, maps without a model, scales."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines import GradientXInput, Occlusion
from xaiwidgets.demo import Shapes
from xaiwidgets.evaluate import localisation, model_randomisation
from xaiwidgets.lessons.answers import a_number
from xaiwidgets.lessons.demo import close, correlation, demo_model, demo_pictures
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lrp import LRP

STAR, HEART = 0, 1
"""Places of pictures among the examples."""


@exercise("4.1")
def two_classes_on_the_heart(answer: Any) -> str | None:
    """The correlation of the maps of heart and star on the heart's picture."""
    given = a_number(answer, "a number from −1 to 1")
    truth = correlation(_map(HEART, "heart"), _map(HEART, "star"))
    if abs(given - truth) <= 0.003:
        return None
    if abs(given - correlation(_map(STAR, "heart"), _map(STAR, "star"))) <= 0.003:
        return "that is on the picture of the star; take pictures[1:2]."
    if abs(given + truth) <= 0.003:
        return "the right size. Which sign?"
    return "correlation() of lrp(pictures[1:2], 'heart').heatmap and the same of 'star'."


@exercise("4.2")
def contrast(answer: Any) -> str | None:
    """The correlation of star against heart with star."""
    given = a_number(answer, "a number from −1 to 1")
    model, x = demo_model(), demo_pictures()[:1]
    plain, against = _map(STAR, "star"), LRP(model)(x, "star", against="heart").heatmap
    truth = correlation(against, plain)
    if abs(given - truth) <= 5e-4:
        return None
    if abs(given + truth) <= 5e-4 or abs(given - correlation(against, _map(STAR, "heart"))) <= 5e-4:
        return "that is with the map of the heart. Compare the contrast with the map of the star."
    if abs(given - correlation(plain, _map(STAR, "heart"))) <= 5e-4:
        return "those are the two plain maps. One of the two is lrp(star, 'star', against='heart').heatmap."
    return "correlation() of lrp(star, 'star', against='heart').heatmap and maps['star'], to three digits."


@exercise("4.3")
def broken_classifier(answer: Any) -> str | None:
    """The likeness of γ maps when the classifier is random."""
    given = a_number(answer, "a number from 0 to 1")
    absolute, signed = _randomised("epsilon_gamma_box")
    if abs(given - absolute) <= 0.005:
        return None
    if abs(given - signed) <= 0.005:
        return "that is the likeness with signs; take result.absolute."
    if abs(given - _randomised("epsilon_plus_flat")[0]) <= 0.005:
        return "that is the default rule; take xw.LRP(model, 'epsilon_gamma_box')."
    if abs(given - 1) <= 0.005:
        return "that is row 0, the untouched model; row 1 has the random classifier."
    return "model_randomisation with layers=['classifier'], then the mean of row 1 of result.absolute."


@exercise("4.4")
def occlusion_on_objects(answer: Any) -> str | None:
    """Occlusion's rank accuracy on 32 pictures."""
    given = a_number(answer, "a share, from 0 to 1")
    rank, mass, gradient = _localised()
    if close(given, rank, 0.01):
        return None
    if close(given, 100 * rank, 0.01):
        return "that is in per cent; give it as a share, from 0 to 1."
    if close(given, mass, 0.01):
        return "that is the share of the positive relevance on the object (mass); take result.rank."
    if close(given, gradient, 0.01):
        return "that is gradient × input's; score xw.Occlusion(model)."
    return "localisation(model, batch.x, batch.masks, {'occlusion': xw.Occlusion(model)}).rank, and its mean."


@exercise("4.5")
def how_much_stronger(answer: Any) -> str | None:
    """The largest magnitude of the star's map over that of the cross's."""
    given = a_number(answer, "a number, how many times as large")
    star, cross = _map(STAR, "star"), _map(STAR, "cross")
    truth = float(star.abs().max() / cross.abs().max())
    if close(given, truth, 0.02):
        return None
    if close(given, 1 / truth, 0.02):
        return "that is the cross's over the star's: turn it round."
    if close(given, float(star.sum() / cross.sum()), 0.02):
        return "that is the ratio of the sums. How large is the largest pixel?"
    if close(given, float(star.max() / cross.max()), 0.02):
        return "by magnitude: the cross's largest value may be negative."
    return "maps['star'].abs().max() over the same of 'cross'."


def _map(picture: int, name: str) -> Tensor:
    return LRP(demo_model())(demo_pictures()[picture : picture + 1], name).heatmap


@cache
def _randomised(composite: str) -> tuple[float, float]:
    """Mean likeness of maps of magnitudes, and of signed maps, when the classifier is random."""
    makers = {"LRP": lambda model: LRP(model, composite)}
    result = model_randomisation(demo_model(), demo_pictures(), makers, layers=["classifier"])
    return float(result.absolute["LRP"][1].mean()), float(result.similarity["LRP"][1].mean())


@cache
def _localised() -> tuple[float, float, float]:
    """Occlusion's rank accuracy and mass accuracy, and gradient × input's rank accuracy."""
    model, batch = demo_model(), Shapes(32).batch(range(32))
    methods = {"occlusion": Occlusion(model), "gradient": GradientXInput(model)}
    found = localisation(model, batch.x, batch.masks, methods)
    values = found.rank["occlusion"], found.mass["occlusion"], found.rank["gradient"]
    rank, mass, gradient = (float(torch.as_tensor(value).mean()) for value in values)
    return rank, mass, gradient
