"""Global Attribution Evaluation: faithfulness, robustness and localisation in one number (doi 10.1145/3649458)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from xaiwidgets.errors import whole, whole_or_none
from xaiwidgets.evaluate.explanations import explained, named_explainers
from xaiwidgets.evaluate.gae.parts import (
    contrastiveness,
    explain_masked,
    faithfulness,
    impact,
    mosaics,
    positive_map,
    robustness,
    score_mosaic,
    stepwise_masking,
)
from xaiwidgets.evaluate.gae.result import GaeResult
from xaiwidgets.evaluate.sources import Source, batch_size_for, source_of
from xaiwidgets.evaluate.statistics import check_bootstrap
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Provenance, heatmap_of
from xaiwidgets.workers import Crew

TILES = 4
"""Images of a mosaic."""


def gae(
    model: ImageModel,
    dataset: Any,
    explainers: Any,
    *,
    steps: int = 10,
    seed: int = 0,
    shuffle: bool = True,
    limit: int | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    batch_size: int | None = None,
    executor: Executor | Any = None,
    progress: bool = True,
) -> GaeResult:
    """Global Attribution Evaluation of explainers, for one image out of every mosaic of four.

    Repeatable to the bit: entries of equal importance are masked in the order in which they lie in the image, where the published
    code leaves it to the machine (equal to it to 2e-7 where none tie).

    Args:
        model: what is explained.
        dataset: a data set of (tensor (C, H, W), label), or a pair of tensors (images (N, C, H, W), labels (N,)). Without labels the
            predicted classes stand in.
        explainers: {name: explainer (x, target) -> relevance (N, C, H, W), heatmap (N, H, W), or result}.
        steps: of the masking, S.
        seed: of the mosaics' members, of the choice of the positive image, and of the intervals.
        shuffle: put mosaics together at random; False takes four by four as they come.
        limit: take only so many images. The rest of a division by four is left out.
        confidence, resamples: of the bootstrap intervals.
        batch_size: images a pass, rounded to whole mosaics; the numbers do not depend on it.
        executor: any ``concurrent.futures.Executor`` or a Dask client, runs batches of mosaics elsewhere; the result is the same for
            any number of workers.
        progress: show a progress bar when it takes longer than a second.

    Raises:
        TypeError, ValueError: fewer than four images, or an argument that does not fit, naming it.

    Example:
        >>> batch = xw.demo.Shapes(8).batch(range(8))
        >>> scores = xw.gae(model, (batch.x, batch.labels), {"LRP": xw.LRP(model)}, steps=3)
        >>> scores.methods, len(scores.gae["LRP"])
        (('LRP',), 2)
    """
    resamples = check_bootstrap(confidence, resamples)
    plan = _plan(
        model, dataset, explainers, steps=steps, seed=seed, shuffle=shuffle, limit=limit, batch_size=batch_size
    )
    parts: list[_Part] = []
    with tqdm(desc="GAE", total=len(plan.mosaics) * TILES, unit=" images", delay=1, disable=not progress) as bar:
        for part in plan.run(executor):
            parts.append(part)
            bar.update(len(part.images) * TILES)
    return plan.result(parts, confidence, resamples)


def stream_gae(model: ImageModel, dataset: Any, explainers: Any, **options: Any) -> Generator[GaeResult, None, None]:
    """:func:`gae`'s result growing by a batch of mosaics at a time. Stop whenever; the last one is what calling gives."""
    from xaiwidgets.errors import check_keywords

    settings: dict[str, Any] = {
        "steps": 10,
        "seed": 0,
        "shuffle": True,
        "limit": None,
        "batch_size": None,
        "confidence": 0.95,
        "resamples": 2000,
        "executor": None,
    }
    check_keywords("stream_gae", options, list(settings))
    settings |= options
    executor, confidence, resamples = (settings.pop(name) for name in ("executor", "confidence", "resamples"))
    resamples = check_bootstrap(confidence, resamples)
    plan = _plan(model, dataset, explainers, **settings)

    def grow() -> Generator[GaeResult, None, None]:
        parts: list[_Part] = []
        for part in plan.run(executor):
            parts.append(part)
            yield plan.result(parts, confidence, resamples)

    return grow()


@dataclass(frozen=True)
class _Part:
    """What a batch of mosaics gave: for each, the positive image's index, its class, and method -> [F, B, C]."""

    images: list[int]
    target: Tensor
    values: dict[str, Tensor]


@dataclass(frozen=True)
class _Plan:
    model: ImageModel
    source: Source
    explainers: dict[str, Any]
    steps: int
    seed: int
    mosaics: Tensor
    """Image indices (mosaics, 4)."""
    batch: int
    """Mosaics at a time."""

    def run(self, executor: Executor | Any) -> Iterator[_Part]:
        jobs = range(0, len(self.mosaics), self.batch)
        if executor is not None:
            shared = replace(self, source=self.source.travelling())
            told = ((first, self.source.part(self.members(first).flatten().tolist())) for first in jobs)
            yield from Crew.of(executor, shared).in_order(_work, told)
            return
        for first in jobs:
            yield _work(self, first)

    def members(self, first: int) -> Tensor:
        """Image indices of the mosaics from ``first`` on that are worked on together, (m, 4)."""
        return self.mosaics[first : first + self.batch]

    def result(self, parts: list[_Part], confidence: float, resamples: int) -> GaeResult:
        values = {name: torch.cat([part.values[name] for part in parts]) for name in self.explainers}
        used = [index for part in parts for index in part.images]
        source = self.source.tensor
        return GaeResult(
            provenance=Provenance("GAE", {"steps": self.steps}, self.seed, self.model.name),
            faithfulness={name: value[:, 0] for name, value in values.items()},
            robustness={name: value[:, 1] for name, value in values.items()},
            contrastiveness={name: value[:, 2] for name, value in values.items()},
            images=torch.tensor(used),
            target=torch.cat([part.target for part in parts]),
            left_out=self.source.shape[0] - TILES * len(self.mosaics),
            total=len(self.mosaics),
            pictures=None if source is None else self.model.pixels(source[used]).cpu(),
            confidence=confidence,
            resamples=resamples,
        )


def _plan(
    model: ImageModel,
    dataset: Any,
    explainers: Any,
    *,
    steps: int,
    seed: int,
    shuffle: bool,
    limit: int | None,
    batch_size: int | None,
) -> _Plan:
    if not isinstance(model, ImageModel):
        raise TypeError(f"model is {type(model).__name__}; give an ImageModel, such as xaiwidgets.ImageModel(module)")
    steps = whole("steps", steps, 2, also=": the first one shows the untouched image")
    seed = whole("seed", seed, 0)
    batch_size, limit = whole_or_none("batch_size", batch_size, 1), whole_or_none("limit", limit, 1)
    named = named_explainers(explainers)
    source = source_of(model, dataset, limit)
    count, _, height, width = source.shape
    if count < TILES:
        raise ValueError(
            f"dataset has {count} image{'s' if count > 1 else ''}; GAE makes mosaics of four, give at least four images"
        )
    if min(height, width) < 2:
        raise ValueError(f"dataset has images of {height}×{width} pixels; a mosaic needs at least 2×2")
    if missing := classes_missing(model, source.take(model, range(1))[0]):
        raise ValueError(missing)
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    members = torch.from_numpy(order[: count // TILES * TILES]).view(-1, TILES)
    size = batch_size or batch_size_for(source.shape, model.device)
    return _Plan(model, source, named, steps, seed, members, max(1, size // TILES))


def classes_missing(model: ImageModel, image: Tensor) -> str:
    """What keeps a model from GAE, which is about classes: empty where it tells at least two apart. ``image``: one, (1, C, H, W)."""
    shape = tuple(model.output(image).shape[1:])
    if len(shape) == 1 and shape[0] > 1 and model.meaning != "values":
        return ""
    kind = " plain values" if model.meaning == "values" else ""
    return (
        f"GAE compares classes, and needs scores of at least two, (N, classes); {model.name} gives{kind} "
        f"({', '.join(['N', *map(str, shape)])}): measure it with pixel_flipping or localisation"
    )


def _work(plan: _Plan, first: int, source: Source | None = None) -> _Part:
    model, members = plan.model, plan.members(first)
    x, labels = (source or plan.source).take(model, members.flatten().tolist())
    logits = model.scores(x).view(len(members), TILES, -1)
    if labels is not None and int(labels.max()) >= logits.shape[2]:
        wrong = int(members.flatten()[labels.argmax()])
        raise ValueError(
            f"the label of image {wrong} is {int(labels.max())}; {model.name} has classes 0 to {logits.shape[2] - 1}"
        )
    predicted = logits.argmax(2)
    truth = predicted if labels is None else labels.view(-1, TILES)
    mosaic = mosaics(x)

    # 1. The positive tile of each mosaic, drawn by what the model finds in the mosaic.
    in_mosaic = model.scores(mosaic).gather(1, predicted).double().softmax(1).cpu()
    chosen = torch.tensor([_draw(row, plan.seed, first + k) for k, row in enumerate(in_mosaic)], device=x.device)
    rows = torch.arange(len(members), device=x.device)
    positive, target = x.view(len(members), TILES, *x.shape[1:])[rows, chosen], predicted[rows, chosen]
    weights = score_mosaic(model.probabilities(logits[rows, chosen]), truth, chosen, (x.shape[2], x.shape[3]))

    # 2. Masking by the model's own gradients.
    masked = stepwise_masking(model, positive, target, plan.steps)
    signs = impact(masked)
    values = {}
    for name, explainer in plan.explainers.items():

        def explain(images: Tensor, classes: Tensor, explainer: Any = explainer, name: str = name) -> Tensor:
            return positive_map(_relevance(explained(explainer, images, classes, name), images, name))

        relevance = explain(positive, target)
        f = faithfulness(signs, relevance)
        b = robustness(relevance, masked, explain_masked(masked, target, explain, plan.batch * TILES))
        c = contrastiveness(weights, explain(mosaic, target))
        values[name] = torch.stack([f, b, c], 1).cpu()
    used = members[torch.arange(len(members)), chosen.cpu()]
    return _Part(used.tolist(), target.cpu(), values)


def _draw(probabilities: Tensor, seed: int, mosaic: int) -> int:
    """A tile with these probabilities, by a number of the mosaic's own: the same whatever the batch."""
    place = np.random.default_rng((seed, mosaic, 11)).random()
    return int(torch.searchsorted(probabilities.cumsum(0), place).clamp_max(len(probabilities) - 1))


def _relevance(explanation: Any, x: Tensor, name: str) -> Tensor:
    """Relevance of every entry (N, C, H, W): a heatmap counts alike for all channels."""
    given = getattr(explanation, "relevance", explanation)
    heatmap = heatmap_of(explanation, x, repr(name))
    if isinstance(given, Tensor) and tuple(given.shape) == tuple(x.shape):
        return given.detach().to(x.device, torch.float32)
    return heatmap[:, None].expand(x.shape)
