"""Does an explanation point at what it should? Against masks of the truth (Arras et al. 2022; Zhang et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.errors import unknown, whole
from xaiwidgets.evaluate.explanations import Explanations, named_target
from xaiwidgets.evaluate.statistics import Estimate, bootstrap, check_bootstrap
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Provenance, Result
from xaiwidgets.targets import score_of, told

MEASURES = ("mass", "rank", "pointing")


@dataclass(frozen=True, eq=False, repr=False)
class LocalisationResult(Result):
    """Three measures in [0, 1] for every image, higher is better.

    Attributes:
        mass: method -> share of the positive relevance inside the mask (relevance mass accuracy), (N,); 0 where none is positive.
        rank: method -> share of the mask's K pixels among the K most relevant (relevance rank accuracy), (N,).
        pointing: method -> whether the most relevant pixel lies in the mask (pointing game), (N,); a share where several tie.
        share: share of the image that the mask covers, (N,): what chance reaches.
        confidence, resamples: of the bootstrap intervals over images.
    """

    figure = "localisation"

    mass: Mapping[str, Tensor]
    rank: Mapping[str, Tensor]
    pointing: Mapping[str, Tensor]
    share: Tensor
    confidence: float = 0.95
    resamples: int = 2000

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.mass)

    def measure(self, name: str) -> Mapping[str, Tensor]:
        """ "mass", "rank" or "pointing"."""
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES)
        found: Mapping[str, Tensor] = getattr(self, name)
        return found

    def table(self) -> dict[str, dict[str, Estimate]]:
        """method -> measure -> mean with its interval, the best method by rank accuracy first."""
        order = sorted(self.methods, key=lambda name: float(self.rank[name].mean()), reverse=True)
        return {
            name: {
                measure: bootstrap(
                    self.measure(measure)[name], confidence=self.confidence, resamples=self.resamples, seed=0
                )
                for measure in MEASURES
            }
            for name in order
        }

    def __str__(self) -> str:
        lines = [f"{self.provenance}, {len(self.share)} images, masks cover {float(self.share.mean()):.0%}"]
        for name, row in self.table().items():
            lines.append(f"  {name}: " + ", ".join(f"{measure} {estimate}" for measure, estimate in row.items()))
        return "\n".join(lines)

    __repr__ = __str__


def localisation(
    model: ImageModel,
    x: Tensor,
    masks: Tensor,
    explanations: Any,
    *,
    target: Any = None,
    tolerance: int = 0,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> LocalisationResult:
    """How much of each explanation lies inside a mask of the truth.

    Args:
        model: what is explained.
        x: images (N, C, H, W). masks: (N, H, W) bool, where the object is.
        explanations: {name: heatmap (N, H, W), result, or explainer}.
        target: None for the predicted class; a class, anything of `xaiwidgets.targets` or a function of the output, or one an image.
        tolerance: pixels around the mask (a square) in which the pointing game counts a hit.

    Raises:
        TypeError, ValueError: masks or heatmaps that do not fit, or a mask that is empty.
    """
    x = model.validate(x)
    shape = (len(x), *x.shape[2:])
    masks = torch.as_tensor(masks, device=x.device)
    if tuple(masks.shape) != shape:
        raise ValueError(f"masks has shape {tuple(masks.shape)}; give {shape}, one mask an image")
    tolerance = whole("tolerance", tolerance, 0, also=" (pixels)")
    resamples = check_bootstrap(confidence, resamples)
    inside = (masks != 0).flatten(1)
    if not inside.any(1).all():
        raise ValueError(f"masks[{int((~inside.any(1)).nonzero()[0])}] is empty; leave images without an object out")
    wide = F.max_pool2d(inside.view(len(x), 1, *x.shape[2:]).float(), 2 * tolerance + 1, 1, tolerance).flatten(1) > 0
    named = Explanations(explanations, tuple(x.shape))
    if not named.names:
        raise ValueError("explanations is empty; give {'name': heatmap or explainer}")
    score = score_of(model, model.output(x), target, x)
    targets = told(target, score)
    mass, rank, pointing = {}, {}, {}
    for name, heatmap in named.heatmaps(x, targets).items():
        flat = heatmap.double().flatten(1)
        mass[name] = mass_accuracy(flat, inside).cpu()
        rank[name] = rank_accuracy(flat, inside).cpu()
        pointing[name] = pointing_game(flat, wide).cpu()
    provenance = Provenance("localisation", {"tolerance": tolerance, **named_target(score)}, None, model.name)
    return LocalisationResult(provenance, mass, rank, pointing, inside.double().mean(1).cpu(), confidence, resamples)


def mass_accuracy(relevance: Tensor, inside: Tensor) -> Tensor:
    """Positive relevance inside over all positive relevance, (N,), of (N, pixels)."""
    positive = relevance.relu()
    total = positive.sum(1)
    return torch.where(total > 0, (positive * inside).sum(1) / total.clamp_min(torch.finfo(total.dtype).tiny), 0.0)


def rank_accuracy(relevance: Tensor, inside: Tensor) -> Tensor:
    """Share of the K most relevant pixels that lie inside, K the mask's size, (N,). Pixels that tie for the last places share them."""
    hits = []
    for row, mask in zip(relevance, inside, strict=True):
        size = int(mask.sum())
        limit = row.topk(size).values[-1]
        above, level = row > limit, row == limit
        places = size - above.sum()
        hits.append(((above & mask).sum() + places * (level & mask).sum() / level.sum()) / size)
    return torch.stack(hits).double()


def pointing_game(relevance: Tensor, inside: Tensor) -> Tensor:
    """1 where the most relevant pixel lies inside, (N,); where several are, the share of them that does."""
    top = relevance == relevance.amax(1, keepdim=True)
    return (top & inside).sum(1).double() / top.sum(1)
