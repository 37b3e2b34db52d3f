"""Lesson 2, how sure is that: masks by chance, standard error, uncertainty, U-RELAX, how many masks."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.demo import examples
from xaiwidgets.lessons.answers import a_map, a_number, some_of
from xaiwidgets.lessons.demo import alike, close, demo_model, demo_pictures
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.relax import RELAX, RelaxResult, masks_needed

MAPS = ("importance", "uncertainty", "standard_error")


@exercise("2.1")
def right_half_hidden(answer: Any) -> str | None:
    """The star's likeness to itself without its right half."""
    given = a_number(answer, "a number, the cosine")
    star = demo_pictures()[:1]
    right, left = star.clone(), star.clone()
    right[..., 32:], left[..., :32] = 0, 0
    if close(given, _likeness(right), 0.001):
        return None
    if close(given, _likeness(left), 0.001):
        return "that is without the left half. Columns come last: x[:, :, row, column]."
    above = star.clone()
    above[:, :, 32:] = 0
    if close(given, _likeness(above), 0.001):
        return "that is without the lower half. Columns come last: x[:, :, row, column]."
    return "set columns 32 to 63 of a clone of star to 0, and ask likeness()."


@exercise("2.2")
def importance_by_hand(answer: Any) -> str | None:
    """RELAX's importance from the lesson's masks and likenesses."""
    given = a_map(answer, (64, 64))
    masks, likenesses = _masks()
    weighted = (likenesses[:, None, None] * masks).sum(0)
    if alike(given, weighted / masks.sum(0), 1e-3):
        return None
    if alike(given, weighted / len(masks), 1e-3):
        return "each pixel's sum is divided by the masks that show it, not by all of them."
    if alike(given, weighted, 1e-3):
        return "that is the sum above; divide it by the sum of the masks, pixel by pixel."
    if alike(given, masks.mean(0), 1e-3) or alike(given, masks.sum(0), 1e-3):
        return "that is how often each pixel is shown. Where do the likenesses come in?"
    return "multiply each mask by its likeness, sum over the masks, and divide by the sum of the masks."


@exercise("2.3")
def masks_for_a_quarter(answer: Any) -> str | None:
    """Random masks that bring 1024 masks' standard error to a quarter."""
    given = a_number(answer, "a number of masks")
    few, many = (float(_estimate(number, "random").standard_error.mean()) for number in (256, 1024))
    # How many times the masks go with one half of the error, as measured.
    power = math.log(4) / math.log(few / many)
    truth = 1024 * 4**power
    if close(given, 1024 * 4, 0.05):
        return "four times the masks halve the error; a quarter is half of a half."
    if close(given, 4**power, 0.15):
        return "so many times as many, yes. How many masks is that, beginning with 1024?"
    return None if close(given, truth, 0.15) else "four times the masks gave half the error. What gives a quarter?"


@exercise("2.4")
def what_vanishes(answer: Any) -> str | None:
    """The maps that go to zero with ever more masks."""
    given = set(some_of(answer, MAPS))
    few, many = _estimate(256, "random"), _estimate(1024, "random")
    truth = {name for name in MAPS if getattr(many, name).mean() < 0.75 * getattr(few, name).mean()}
    if given == truth:
        return None
    if given - truth:
        return f"compare the mean {min(given - truth).replace('_', ' ')} of few and many: does it fall?"
    return "one that falls is missing: print the means of all three for few and many."


@exercise("2.5")
def surest_on_the_heart(answer: Any) -> str | None:
    """The share of the surest quarter that lies on the heart."""
    given = a_number(answer, "a share, from 0 to 1")
    result = _estimate(1024, "balanced", picture=1)
    heart = torch.from_numpy(examples(2)[1].mask)
    surest = result.sure(0.25)[0]
    truth = float(heart[surest].float().mean())
    if close(given, truth, 0.01):
        return None
    if close(given, float(surest[heart].float().mean()), 0.01):
        return "that is the share of the heart that is among the surest. The other way round: the share of the surest on the heart."
    if close(given, float(heart[result.sure(0.5)[0]].float().mean()), 0.01):
        return "that is of the surest half; take the surest quarter."
    if close(given, 100 * truth, 0.01):
        return "that is in per cent; give it as a share, from 0 to 1."
    return "estimate(1024, masks='balanced', picture=pictures[1:2]).sure(0.25)[0] says which pixels; how many of them are in objects[1]?"


@exercise("2.6")
def masks_promised(answer: Any) -> str | None:
    """Hoeffding's number for an error of 0.01 at 95 %."""
    given = a_number(answer, "a whole number of masks")
    truth = masks_needed(0.01, 0.95)
    if abs(given - truth) <= 1:
        return None
    if close(given, math.log(2 / 0.05) / (2 * 0.01), 0.01):
        return "t is squared in the formula."
    if close(given, math.log10(2 / 0.05) / (2 * 0.01**2), 0.01):
        return "ln is the natural logarithm, math.log."
    if close(given, math.log(2 / 0.95) / (2 * 0.01**2), 0.01):
        return "δ is the probability of being off, 0.05."
    return "put t = 0.01 and δ = 0.05 into the formula, and round up."


def _likeness(x: Tensor) -> float:
    encode = demo_model().encoder()
    return float(F.cosine_similarity(encode(x), encode(demo_pictures()[:1])))


@cache
def _masks() -> tuple[Tensor, Tensor]:
    """The lesson's masks (256, 64, 64), and the likenesses (256,) of the star seen through them."""
    coins = (torch.rand(256, 1, 7, 7, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    masks = F.interpolate(coins, size=(64, 64), mode="bilinear", align_corners=False)
    encode, star = demo_model().encoder(), demo_pictures()[:1]
    return masks[:, 0].double(), F.cosine_similarity(encode(star * masks), encode(star)).double()


@cache
def _estimate(number: int, masks: str, picture: int = 0) -> RelaxResult:
    explainer = RELAX(demo_model(), n_masks=number, masks=masks, seed=0)
    return explainer(demo_pictures()[picture : picture + 1], progress=False)
