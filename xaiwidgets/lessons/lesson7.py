"""What lesson 7 asks: which explanation to believe? Areas, intervals, perturbations, and what GAE measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines import GradientXInput
from xaiwidgets.demo import Shapes
from xaiwidgets.demo.shapes import Batch
from xaiwidgets.evaluate import FlippingResult, bootstrap, gae, pixel_flipping
from xaiwidgets.evaluate.gae.parts import faithfulness, impact, positive_map, stepwise_masking
from xaiwidgets.evaluate.statistics import area
from xaiwidgets.lessons.answers import Hint, a_number
from xaiwidgets.lessons.demo import close, demo_model
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lrp import LRP
from xaiwidgets.results import heatmap_of

PICTURE = 3
"""Whose area is asked for."""
ENOUGH = 0.95
"""The faithfulness that a made map must exceed."""


@exercise("7.1")
def area_of_a_curve(answer: Any) -> str | None:
    """The area under LRP's MoRF curve of one picture."""
    given = a_number(answer, "an area, such as 0.5")
    curves = _curves("mean")
    scores = curves.curves["morf"]["LRP"][PICTURE].double()
    if close(given, float(area(scores, curves.fractions)), 0.01):
        return None
    if close(given, float(scores.mean()), 0.01):
        return "this is the mean of the scores, as if all steps were equally wide."
    if close(given, float(curves.step_sum["LRP"][PICTURE]), 0.01):
        return "this takes each step for one wide: its width is the share of patches that it flips."
    if close(given, float(curves.auc_of("lerf")["LRP"][PICTURE]), 0.01):
        return "this is the area with the least relevant first."
    return f"for each step, add its width times the mean of the scores before and after; picture {PICTURE} is the fourth one."


@exercise("7.2")
def how_many_pictures(answer: Any) -> str | None:
    """How many pictures make the interval of a difference narrow."""
    given = a_number(answer, "a number of pictures")
    curves = _curves("mean")
    difference = bootstrap(curves.gap["LRP"] - curves.gap["edges"])
    factor = (difference.high - difference.low) / 2 / 0.1
    count = len(_batch().x)
    if close(given, count * factor**2, 0.1):
        return None
    if close(given, count * factor, 0.1):
        return "the half-width shrinks with the square root of the number of pictures: so many are not enough."
    if close(given, count * (2 * factor) ** 2, 0.1):
        return "this takes the whole width of the interval for its half."
    return "by what factor must the half-width shrink? The number of pictures grows with the square of that factor."


@exercise("7.3")
def on_the_ground(answer: Any) -> str | None:
    """LRP against the object mask, with the ground's colour in place of what is hidden."""
    given = a_number(answer, "the mean difference, such as 0.1")
    wanted = _lrp_or_mask("ground")
    if close(given, wanted, 0.03):
        return None
    if close(given, -wanted, 0.03):
        return "the other way round: LRP − object mask."
    for other in ("mean", "gray"):
        if close(given, _lrp_or_mask(other), 0.03):
            return (
                f"this is the difference with perturb={other!r}: fill with the mean over the upper left 6 × 6 pixels."
            )
    return "fill each picture with the mean over its own upper left 6 × 6 pixels, each colour for itself, and take order='both'."


@exercise("7.4")
def mosaics_without(answer: Any) -> str | None:
    """For how many mosaics LRP's GAE is zero."""
    given = a_number(answer, "a whole number of mosaics")
    values = _gae()
    wanted = int((values == 0).sum())
    if given == wanted:
        return None
    if given == len(values) - wanted:
        return "this is how many are not zero."
    return f"count the zeros among the {len(values)} values of scores.gae['LRP']."


@exercise("7.5")
def made_to_measure(answer: Any) -> str | None:
    """An explainer that is made for the measure."""
    if not callable(answer):
        raise Hint("give a function (x, target) -> relevance (N, 3, 64, 64).")
    x = _batch().x[:8]
    target = demo_model().scores(x).argmax(1)
    try:
        found = answer(x, target)
        found = getattr(found, "relevance", found)
        relevance = torch.as_tensor(found).detach().float()
    except Exception as error:
        raise Hint(f"the function raised {type(error).__name__}: {str(error)[:120]}.") from None
    if relevance.shape == (len(x), *x.shape[2:]):
        relevance = relevance[:, None].expand_as(x)
    if relevance.shape != x.shape:
        raise Hint(
            f"for {len(x)} pictures the function must give relevance {tuple(x.shape)}; it gave {tuple(relevance.shape)}."
        )
    if not torch.isfinite(relevance).all():
        raise Hint("the relevance has NaN or infinite values.")
    signs = impact(stepwise_masking(demo_model(), x, target, 10))
    value = float(faithfulness(signs, positive_map(relevance)).mean())
    if value > ENOUGH:
        return None
    own = positive_map(GradientXInput(demo_model())(x, target).relevance)
    best = float(faithfulness(signs, own).mean())
    return f"the mean F is {value:.2f} (gradient × input has {best:.2f}): where must the map lie for F = Σ I·r / Σ r to be one?"


# -- the truth -------------------------------------------------------------------------------------------------------------


def _edges(x: Tensor, target: Tensor) -> Tensor:
    down, across = torch.gradient(x.mean(1), dim=(1, 2))
    return (down**2 + across**2).sqrt()


def _ground(x: Tensor, hidden: Tensor) -> Tensor:
    return x[:, :, :6, :6].mean((2, 3), keepdim=True).expand_as(x)


@cache
def _batch() -> Batch:
    return Shapes(64).batch(range(64))


@cache
def _map(name: str) -> Tensor:
    known: dict[str, Callable[[Tensor, Tensor], Any]] = {"LRP": LRP(demo_model()), "edges": _edges}
    x = _batch().x
    return heatmap_of(known[name](x, demo_model().scores(x).argmax(1)), x, name)


@cache
def _curves(perturb: str) -> FlippingResult:
    """The curves that the exercises ask about."""
    maps = {"LRP": _map("LRP"), "object mask": _batch().masks.float()} | (
        {"edges": _map("edges")} if perturb == "mean" else {}
    )
    chosen = _ground if perturb == "ground" else perturb
    return pixel_flipping(demo_model(), _batch().x, maps, order="both", perturb=chosen, random=0, progress=False)


def _lrp_or_mask(perturb: str) -> float:
    """The mean difference of their gaps."""
    gap = _curves(perturb).gap
    return float((gap["LRP"] - gap["object mask"]).mean())


@cache
def _gae() -> Tensor:
    """LRP's GAE for each mosaic."""
    batch = _batch()
    return gae(demo_model(), (batch.x, batch.labels), {"LRP": LRP(demo_model())}, progress=False).gae["LRP"]
