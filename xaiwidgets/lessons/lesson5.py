"""What lesson 5 asks: what did it see? Concepts, their reference samples, and boxes."""

from __future__ import annotations

from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp import CRP
from xaiwidgets.demo import Shapes, examples
from xaiwidgets.index import ReferenceIndex
from xaiwidgets.lessons.answers import Hint, a_box, a_number
from xaiwidgets.lessons.demo import demo_model, demo_pictures
from xaiwidgets.lessons.exercises import exercise

LAYER, NEXT = "features.conv5", "features.conv6"
LIKE = 0.9
"""The cosine similarity at which two maps draw nearly the same picture."""


@exercise("5.1")
def most_against(answer: Any) -> str | None:
    """The concept that speaks most against the ring."""
    given = _a_concept(answer)
    share = _shares("ring")
    if given == int(share.argmin()):
        return None
    if given == int(share.argmax()):
        return "this concept speaks for the ring more than any other: look for the most negative share."
    if share[given] >= 0:
        return "the share of this concept is not negative: it does not speak against the ring."
    return "this concept speaks against the ring, but another one has a more negative share."


@exercise("5.2")
def few_concepts(answer: Any) -> str | None:
    """How many concepts draw nearly the whole heatmap."""
    given = a_number(answer, "a whole number of concepts, such as 5")
    alike = _likeness("crescent")
    wanted = 1 + int((alike >= LIKE).nonzero()[0])
    if given == wanted:
        return None
    if given != int(given) or not 1 <= given <= len(alike):
        return f"give a whole number from 1 to {len(alike)}."
    if alike[int(given) - 1] >= LIKE:
        return "that many are enough, but fewer are as well."
    return f"with that many the cosine similarity is {float(alike[int(given) - 1]):.2f}: under {LIKE}."


@exercise("5.3")
def used_by_stars(answer: Any) -> str | None:
    """A concept that stars use most."""
    given = _a_concept(answer)
    first = _index().classes(LAYER, given)[0].name
    return (
        None
        if first == "star"
        else f"the class that uses this concept most is {first!r}; ask index.classes of another one."
    )


@exercise("5.4")
def in_both_ways(answer: Any) -> str | None:
    """How many of eight pictures RelMax and ActMax share in the next layer."""
    given = a_number(answer, "the mean number of pictures, such as 2.5")
    wanted = _shared(NEXT)
    if abs(given - wanted) <= 0.05:
        return None
    if abs(given - _shared(LAYER)) <= 0.05:
        return f"this is the mean of {LAYER}; the question is about {NEXT}."
    if abs(given - wanted / 8) <= 0.01:
        return "this is a share; give the mean number of pictures out of 8."
    return (
        "it is "
        + ("more" if given < wanted else "less")
        + "; count the pictures that both lists have, for each concept, and take the mean."
    )


@exercise("5.5")
def another_leads(answer: Any) -> str | None:
    """A box in which another concept than the leader leads."""
    height, width = _picture("heart").shape[2:]
    left, top, right, bottom = a_box(answer, height, width)
    if (right - left) * (bottom - top) * 4 > height * width:
        return "this box covers more than a quarter of the picture: draw a smaller one."
    inside = _crp().region(_picture("heart"), (left, top, right, bottom), "heart", [LAYER]).relevance[LAYER][0]
    if int(inside.argmax()) == int(_shares("heart").argmax()):
        return "the overall leader leads here as well: try another place."
    return None if inside.max() > 0 else "no concept has positive relevance in this box: move it onto the heart."


# -- answers of the right kind ---------------------------------------------------------------------------------------------


def _a_concept(answer: Any) -> int:
    given, units = a_number(answer, "the number of a concept"), _crp().units(LAYER)
    if given != int(given) or not 0 <= given < units:
        raise Hint(f"give the number of a concept of {LAYER}, a whole number from 0 to {units - 1}.")
    return int(given)


# -- the truth -------------------------------------------------------------------------------------------------------------


@cache
def _crp() -> CRP:
    return CRP(demo_model(), "epsilon_alpha2_beta1")


@cache
def _picture(name: str) -> Tensor:
    place = [sample.class_name for sample in examples(8)].index(name)
    return demo_pictures()[place : place + 1]


@cache
def _shares(name: str) -> Tensor:
    """Signed shares of all concepts, by their number."""
    ranking = _crp().rank(_picture(name), name, LAYER)
    return torch.zeros_like(ranking.share[0]).scatter(0, ranking.concepts[0], ranking.share[0])


@cache
def _likeness(name: str) -> Tensor:
    """Cosine similarity of the sum of the leading concepts' heatmaps to the whole, for one concept, two, and so on."""
    order = _crp().rank(_picture(name), name, LAYER).concepts[0]
    parts = _crp()(_picture(name), name, LAYER).heatmap.flatten(1)[order].cumsum(0)
    return torch.cosine_similarity(parts, _crp()(_picture(name), name).heatmap.flatten(1))


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="lesson5", ignore_cleanup_errors=True)


@cache
def _index() -> ReferenceIndex:
    return ReferenceIndex.build(_crp(), Shapes(400, seed=7), _folder().name, layers=[LAYER, NEXT], progress=False)


@cache
def _shared(layer: str) -> float:
    """How many of a concept's eight pictures by relevance and by activation are the same, on average over concepts that have eight."""
    counts = []
    for concept in range(_index().units(layer)):
        relevant, active = (
            _index().top(layer, concept, n=8, by=by).samples.tolist() for by in ("relevance", "activation")
        )
        if len(relevant) == len(active) == 8:
            counts.append(len({*relevant} & {*active}))
    return sum(counts) / len(counts)
