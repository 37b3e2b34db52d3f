"""What lesson 8 asks: your own model, a transformer, an image-text model, a segmentation."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaiwidgets.crp import CRP
from xaiwidgets.demo import CLASS_NAMES, Pairs, Shapes
from xaiwidgets.demo.pairs import PairBatch
from xaiwidgets.lessons.answers import Hint, a_number, one_of
from xaiwidgets.lessons.demo import demo_model, demo_pictures
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel
from xaiwidgets.targets import region, score_of, similarity

HEADS = "blocks.3.attn:heads"
PHRASE = "the blue triangle"
BOX = (8, 8, 40, 40)


@exercise("8.1")
def a_model_that_says_all(answer: Any) -> str | None:
    """A bare module with all that it cannot say of itself."""
    if not isinstance(answer, ImageModel):
        raise Hint("give an xw.ImageModel of the module.")
    right = demo_model()
    if answer.channels != right.channels or answer.input_size != right.input_size:
        return f"it takes pictures of {answer.channels} × {answer.input_size[0]} × {answer.input_size[1]}: what is the size of these?"
    if answer.class_names is None:
        return "it does not know the names of its classes."
    if tuple(answer.class_names) != CLASS_NAMES:
        return "the names of the classes are not those of the module, or not in its order."
    for name in ("mean", "std"):
        if not np.allclose(getattr(answer, name), getattr(right, name), atol=1e-3):
            return f"look at {name}: it is not what the module learned with."
    test = Shapes(40, seed=7)
    try:
        scores = answer.scores(answer.prepare([test.sample(i).image for i in range(len(test))]))
    except Exception as error:
        raise Hint(
            f"it raised {type(error).__name__} for pictures of 64 × 64: is it the module of this lesson?"
        ) from None
    share = float((scores.argmax(1) == torch.tensor(test.labels)).float().mean())
    return None if share >= 0.95 else f"{share:.0%} of the pictures are right: is it the module of this lesson?"


@exercise("8.2")
def without_a_branch(answer: Any) -> str | None:
    """A module that brightens each picture for itself, with one graph."""
    module = answer.module if isinstance(answer, ImageModel) else answer
    if not isinstance(module, nn.Module):
        raise Hint("give a torch.nn.Module, or an ImageModel of it: an object, not the class.")
    if module.training:
        return "the module is in training mode: call .eval()."
    right = demo_model()
    model = ImageModel(module, class_names=CLASS_NAMES, mean=right.mean, std=right.std, input_size=right.input_size)
    # Bright ones and dark ones, as the module sees them.
    x = torch.cat([demo_pictures(), demo_pictures() - 1.0])
    lit = torch.where(x.mean((1, 2, 3), keepdim=True) < 0, x + 0.5, x)
    wanted = right.scores(lit)
    try:
        with torch.no_grad():
            given = torch.cat([module(one[None]) for one in x])
    except Exception as error:
        raise Hint(
            f"the module raised {type(error).__name__} for a picture of 3 × 64 × 64: {str(error)[:120]}."
        ) from None
    if given.shape != wanted.shape or not torch.allclose(given, wanted, atol=1e-3):
        return "for single pictures it does not give the scores that Brighten gives; try a dark one and a bright one."
    try:
        report = model.check()
    except Exception as error:
        return f"check() says: {str(error)[:200].rstrip('.')}."
    if not report.ok:
        return f"check() says: {report.summary}"
    with torch.no_grad():
        together = module(x)
    return (
        None
        if torch.allclose(together, wanted, atol=1e-3)
        else "in a batch a picture's scores depend on its neighbours: take each picture's own mean."
    )


@exercise("8.3")
def leading_head(answer: Any) -> str | None:
    """The head of the last block that carries most for the circle."""
    given = a_number(answer, "the number of a head")
    share = _head_shares()
    if given != int(given) or not 0 <= given < len(share):
        return f"give the number of a head, from 0 to {len(share) - 1}."
    if int(given) == int(share.argmax()):
        return None
    return f"this head has a share of {float(share[int(given)]):.0%} of the circle's relevance; another has more."


@exercise("8.4")
def colour_or_shape(answer: Any) -> str | None:
    """On which of two things a crossed phrase lies."""
    pair = _pairs().pairs[0]
    given = one_of(answer, pair.phrases)
    shares = _on_things(PHRASE)
    place = pair.phrases.index(given)
    return (
        None
        if place == int(shares.argmax())
        else f"on this thing lies {float(shares[place]):.0%} of the positive relevance."
    )


@exercise("8.5")
def rather_than(answer: Any) -> str | None:
    """One class rather than another in a box."""
    model, x = _maps(), demo_pictures()
    output = model.output(x)

    def score(target: Any) -> Tensor:
        return score_of(model, output, target, x)(output)

    if isinstance(answer, str | int | float | list | dict):
        raise Hint("give a target, such as T.region('star', (0, 0, 8, 8)).")
    try:
        given = score(answer)
    except Exception as error:
        raise Hint(
            f"give a target, such as T.region('star', (0, 0, 8, 8)); this one says: {str(error)[:160].rstrip('.')}."
        ) from None
    crescent, circle = score(region("crescent", BOX)), score(region("circle", BOX))
    if torch.allclose(given, crescent - circle, rtol=1e-3, atol=1e-3):
        return None
    if torch.allclose(given, circle - crescent, rtol=1e-3, atol=1e-3):
        return "this asks why circle rather than crescent."
    if torch.allclose(given, crescent, rtol=1e-3, atol=1e-3):
        return "this asks why crescent; rather than what?"
    return f"subtract the circle's logits in the box {BOX} from the crescent's in the same box."


# -- the truth -------------------------------------------------------------------------------------------------------------


@cache
def _head_shares() -> Tensor:
    """Shares of the heads in the circle, by their number."""
    ranking = CRP(demo_model("shapes-vit"), "attn_lrp", gamma=0.25).rank(demo_pictures()[7:8], "circle", HEADS)
    return torch.zeros_like(ranking.share[0]).scatter(0, ranking.concepts[0], ranking.share[0])


@cache
def _pairs() -> PairBatch:
    return Pairs(32).batch(range(1))


@cache
def _on_things(phrase: str) -> Tensor:
    """Shares of the phrase's positive relevance on the first and the second thing."""
    clip = demo_model("shapes-clip")
    positive = LRP(clip, "epsilon_plus_flat")(_pairs().x, similarity(clip.text(phrase))).heatmap.clamp_min(0)
    return (positive[:, None] * _pairs().masks).sum((0, 2, 3)) / positive.sum()


class _AtEachPlace(nn.Module):
    """The demo classifier without its average: a score for each class at each place, (N, 9, 64, 64)."""

    def __init__(self, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features, self.embedding, self.classifier = (
            classifier.get_submodule(name) for name in ("features", "embedding", "classifier")
        )

    def forward(self, x: Tensor) -> Tensor:
        vectors = self.features(x).movedim(1, -1)
        scores: Tensor = self.classifier(self.embedding(vectors).relu()).movedim(-1, 1)
        scores = torch.cat([scores, torch.zeros_like(scores[:, :1])], 1)
        return nn.functional.interpolate(scores, scale_factor=8.0, mode="bilinear")


@cache
def _maps() -> ImageModel:
    """Some segmentation, for targets to be asked of."""
    right = demo_model()
    module = right.module
    assert isinstance(module, nn.Sequential)
    given: dict[str, Any] = {"mean": right.mean, "std": right.std, "input_size": right.input_size}
    return ImageModel(_AtEachPlace(module).eval(), class_names=(*CLASS_NAMES, "background"), **given)
