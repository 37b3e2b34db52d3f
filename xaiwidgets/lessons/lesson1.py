"""Lesson 1, why did it say so: a score, and three maps of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines import GradientXInput, Occlusion
from xaiwidgets.lessons.answers import a_map, a_number, one_of
from xaiwidgets.lessons.demo import alike, close, demo_model, demo_pictures
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lrp import LRP
from xaiwidgets.results import Explainer, heatmap_of

STAR, HEART, RING = 0, 1, 2
"""Places of pictures among the examples."""
METHODS = ("Occlusion", "Gradient × input", "LRP")


@exercise("1.1")
def ratio(answer: Any) -> str | None:
    """The heart's probability over that of the second choice."""
    given = a_number(answer, "a number, how many times as probable")
    first, second = demo_model().scores(_picture(HEART))[0].topk(2).values.tolist()
    if close(given, first - second, 0.02):
        return "that is the difference of the two scores. What does a difference of scores say about probabilities?"
    truth = float(torch.tensor(first - second).exp())
    if close(given, 1 / truth, 0.02):
        return "that is the second choice over the first: turn it round."
    return (
        None
        if close(given, truth, 0.02)
        else "take the two largest scores of pictures[1:2], and the softmax's formula."
    )


@exercise("1.2")
def middle_covered(answer: Any) -> str | None:
    """How far the star's score falls without its middle."""
    given = a_number(answer, "a number, how far the score falls")
    model, x = demo_model(), _picture(STAR)
    before = model.scores(x)[0]
    first = before.argmax()

    def left(row: int, column: int, side: int) -> float:
        covered = x.clone()
        covered[:, :, row : row + side, column : column + side] = 0
        return float(model.scores(covered)[0, first])

    left_of_it = left(24, 24, 16)
    if close(given, left_of_it, 0.01):
        return "that is the score that is left. How far did it fall?"
    alone = sum(float(before[first]) - left(row, column, 8) for row in (24, 32) for column in (24, 32))
    if close(given, alone, 0.01):
        return "that is the sum of four losses. Cover the whole square at once: is it the same?"
    if close(given, left_of_it - float(before[first]), 0.01):
        return "the right size, but a fall counts as positive here."
    right = close(given, float(before[first]) - left_of_it, 0.01)
    return None if right else "cover star[:, :, 24:40, 24:40] and compare the star's score before and after."


@exercise("1.3")
def own_gradient(answer: Any) -> str | None:
    """Gradient × input of the heart's score, summed over channels."""
    given = a_map(answer, (64, 64))
    model, x = demo_model(), _picture(HEART)
    truth = GradientXInput(model)(x).heatmap[0].double()
    if alike(given, truth):
        return None
    gradient = GradientXInput(model)(x).relevance[0].double() / x[0].double()
    wrong = (
        (gradient.sum(0), "that is the gradient, summed. Multiply by the picture before you sum over the channels."),
        (gradient.sum(0) * x[0].double().sum(0), "multiply each channel's gradient with that channel; sum afterwards."),
        (truth.abs(), "keep the sign: what is negative speaks against the class."),
        (_of_probability(x), "that is the probability's. Take the score, which comes before the softmax."),
    )
    for heatmap, hint in wrong:
        if alike(given, heatmap):
            return hint
    others = [GradientXInput(model)(x, target).heatmap[0].double() for target in range(8)]
    if any(alike(given, other) for other in others):
        return "a map of another class: take the score of the heart."
    return "the score of the heart, backward(), then the gradient times the picture, summed over the channels of pictures[1:2]."


@exercise("1.4")
def arrived(answer: Any) -> str | None:
    """The share of the heart's score that reached the pixels."""
    given = a_number(answer, "a share, from 0 to 1")
    model, x = demo_model(), _picture(HEART)
    reached, score = float(LRP(model)(x).heatmap.sum()), float(model.scores(x).max())
    if close(given, reached, 0.005):
        return "that is how much arrived. What share of the score is it?"
    if close(given, 100 * reached / score, 0.005):
        return "that is in per cent; give it as a share, from 0 to 1."
    return None if close(given, reached / score, 0.005) else "the sum of the heart's LRP map, over the heart's score."


@exercise("1.5")
def most_fallen(answer: Any) -> str | None:
    """The method whose most relevant pixels the ring's score needs most."""
    given = one_of(answer, METHODS)
    return (
        None
        if given == _most_fallen()
        else "another one costs the ring's score more: print fall(maps[name][2], 2) for all three."
    )


@cache
def _most_fallen() -> str:
    model, x = demo_model(), _picture(RING)
    before = model.scores(x)[0]

    def after(heatmap: Tensor) -> float:
        covered = x.clone().flatten(2)
        covered[:, :, heatmap.flatten().topk(round(0.05 * heatmap.numel())).indices] = 0
        return float(model.scores(covered.view_as(x))[0, before.argmax()])

    methods: tuple[Explainer, ...] = (Occlusion(model), GradientXInput(model), LRP(model))
    makers = dict(zip(METHODS, methods, strict=True))
    return min(METHODS, key=lambda name: after(heatmap_of(makers[name](x), x, name)))


def _of_probability(x: Tensor) -> Tensor:
    """Gradient × input of the largest probability of one picture (1, C, H, W), summed over channels, (H, W)."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(demo_model().module(x)[0].softmax(0).max(), x)
    return (gradient * x.detach()).sum(1)[0].double()


def _picture(number: int) -> Tensor:
    return demo_pictures()[number : number + 1]
