"""What lesson 6 asks: a Clever Hans found, named, proven, removed and mended; and the test pictures it begins with."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xaiwidgets.crp import CRP
from xaiwidgets.demo import CLASS_NAMES, TAGGED_CLASS, Shapes
from xaiwidgets.demo.shapes import Batch
from xaiwidgets.lessons.answers import Hint, a_box, a_number, one_of
from xaiwidgets.lessons.demo import demo_model
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel

__all__ = ["supplied"]

LAYER = "features.conv6"
MISLED = 0.1
"""The largest share of other shapes that may be taken for the class."""


def supplied() -> Shapes:
    """The 400 test pictures that come with the model. Part of the lesson is to find out about them: read on later."""
    return Shapes(400, seed=7, tagged="class")


@exercise("6.1")
def suspect(answer: Any) -> str | None:
    """The class whose mean heatmap is not spread."""
    given = one_of(answer, CLASS_NAMES)
    densest = _densest()
    if CLASS_NAMES.index(given) == int(densest.argmax()):
        return None
    return f"the densest square holds {float(densest[CLASS_NAMES.index(given)]):.0%} of this class's relevance; another class has more."


@exercise("6.2")
def where_the_label_is(answer: Any) -> str | None:
    """A small box that holds the label."""
    left, top, right, bottom = a_box(answer, 64, 64)
    marks = _pictures("class").tag_masks[_pictures("class").labels == _HEART].float()
    inside = float((marks[:, top:bottom, left:right].sum((1, 2)) / marks.sum((1, 2))).mean())
    if (right - left) * (bottom - top) > 0.1 * 64 * 64:
        return "this box covers more than a tenth of the picture: draw it closer."
    if inside >= 0.95:
        return None
    return f"{inside:.0%} of the label's pixels are inside, on average over the 50 pictures: look at several of them."


@exercise("6.3")
def never_misled(answer: Any) -> str | None:
    """The class that keeps the most right answers when the label is put on."""
    given = one_of(answer, CLASS_NAMES)
    if given == TAGGED_CLASS:
        return "the hearts have the label anyway: which other class?"
    pictures = _pictures("all")
    right = (demo_model("shapes-hans").scores(pictures.x).argmax(1) == pictures.labels).float()
    rates = {name: float(right[pictures.labels == k].mean()) for k, name in enumerate(CLASS_NAMES) if k != _HEART}
    if rates[given] == max(rates.values()):
        return None
    return f"with the label {rates[given]:.0%} of this class are right; another class keeps more."


@exercise("6.4")
def how_many_to_remove(answer: Any) -> str | None:
    """How many leading concepts to remove."""
    given = a_number(answer, "a whole number of concepts, such as 5")
    units = _crp().units(LAYER)
    if given != int(given) or not 1 <= given <= units:
        return f"give a whole number from 1 to {units}."
    left = _misled_without(int(given))
    if left > MISLED:
        return f"with that many removed {left:.0%} of the other shapes with the label are still called hearts."
    if given > 1 and _misled_without(int(given) - 1) <= MISLED:
        return "that many are enough, but fewer are as well."
    return None


@exercise("6.5")
def mended(answer: Any) -> str | None:
    """A model that is right with the label and without it, on pictures that nobody saw."""
    plain, labelled = (Shapes(160, seed=11, tagged=tagged).batch(range(160)) for tagged in ("none", "all"))
    without, with_label = (_answers(answer, batch.x) for batch in (plain, labelled))
    hearts = plain.labels == _HEART
    shares = {
        "hearts without the label that are right": (without == _HEART)[hearts],
        "hearts with the label that are right": (with_label == _HEART)[hearts],
        "other shapes without the label that are right": (without == plain.labels)[~hearts],
    }
    for (what, right), least in zip(shares.items(), (0.6, 0.6, 0.9), strict=True):
        share = float(right.float().mean())
        if share < least:
            return f"on new pictures {share:.0%} of {what}; it should be {least:.0%} or more."
    share = float((with_label == _HEART)[~hearts].float().mean())
    return None if share <= MISLED else f"on new pictures {share:.0%} of other shapes with the label are called hearts."


def _answers(answer: Any, x: Tensor) -> Tensor:
    """Classes (N,) that a model gives. Raises Hint where it is none, or one of other pictures."""
    module = answer.module if isinstance(answer, ImageModel) else answer
    if not isinstance(module, nn.Module):
        raise Hint("give a model: an ImageModel, as refitted(…) gives, or a torch.nn.Module.")
    if module.training:
        raise Hint("the model is in training mode: call .eval().")
    try:
        with torch.no_grad():
            scores = module(x)
    except Exception as error:
        raise Hint(f"the model does not take pictures of 3 × 64 × 64: {type(error).__name__}.") from None
    if not isinstance(scores, Tensor) or scores.shape != (len(x), len(CLASS_NAMES)):
        raise Hint(f"the model must give {len(CLASS_NAMES)} scores a picture.")
    return scores.argmax(1)


# -- the truth -------------------------------------------------------------------------------------------------------------

_HEART = CLASS_NAMES.index(TAGGED_CLASS)


@cache
def _pictures(tagged: str) -> Batch:
    return Shapes(400, seed=7, tagged=tagged).batch(range(400))


@cache
def _densest() -> Tensor:
    """The share of each class's mean heatmap in the square of 16 × 16 pixels that holds most of it."""
    batch = _pictures("class")
    lrp = LRP(demo_model("shapes-hans"), "epsilon_alpha2_beta1_flat", zero_bias=True)
    maps = lrp(batch.x, batch.labels).heatmap.clamp_min(0)
    maps = maps / maps.sum((1, 2), keepdim=True)
    means = torch.stack([maps[batch.labels == k].mean(0) for k in range(len(CLASS_NAMES))])
    return F.avg_pool2d(means[:, None], 16, 1).amax((1, 2, 3)) * 16 * 16


@cache
def _crp() -> CRP:
    return CRP(demo_model("shapes-hans"), "epsilon_alpha2_beta1")


@cache
def _leading() -> list[int]:
    """Concepts of the layer by their mean share in the hearts, the largest first."""
    batch = _pictures("class")
    ranking = _crp().rank(batch.x[batch.labels == _HEART], TAGGED_CLASS, LAYER)
    shares = torch.zeros_like(ranking.share).scatter(1, ranking.concepts, ranking.share).mean(0)
    return [int(concept) for concept in shares.argsort(descending=True)]


@cache
def _misled_without(count: int) -> float:
    """The share of other shapes with the label that are called hearts, with the leading concepts removed."""
    batch = _pictures("all")
    others = batch.labels != _HEART
    said = _crp().without(batch.x[others], {LAYER: _leading()[:count]}).argmax(1)
    return float((said == _HEART).float().mean())
