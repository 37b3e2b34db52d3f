"""Global Attribution Evaluation: faithfulness, robustness and localisation in one number (doi 10.1145/3649458)."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from xaiwidgets.devices import sent, taken
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
from xaiwidgets.evaluate.resuming import Table, kept, method_text
from xaiwidgets.evaluate.sources import Source, batch_size_for, source_of
from xaiwidgets.evaluate.statistics import check_bootstrap
from xaiwidgets.model import ImageModel
from xaiwidgets.model.fingerprint import described, text_hash
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
    folder: str | os.PathLike[str] | None = None,
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
        folder: keep what is finished there, so that a call that was stopped, or killed, goes on when made again, to the same bits, as
            `pixel_flipping` does.
        progress: show a progress bar when it takes longer than a second.

    Raises:
        TypeError, ValueError: fewer than four images, or an argument that does not fit, naming it; a folder of another measurement.
        RuntimeError: another process is working in the folder. OSError: disk full; what was there is kept.

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
        before = 0
        for part, new in plan.run(executor, folder):
            parts.append(part)
            if new:
                bar.update(len(part.images) * TILES)
            else:
                # Done before: no part of today's pace.
                before += len(part.images) * TILES
                bar.initial = bar.last_print_n = bar.n = before
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
        "folder": None,
    }
    check_keywords("stream_gae", options, list(settings))
    settings |= options
    executor, folder, confidence, resamples = (
        settings.pop(name) for name in ("executor", "folder", "confidence", "resamples")
    )
    resamples = check_bootstrap(confidence, resamples)
    plan = _plan(model, dataset, explainers, **settings)

    def grow() -> Generator[GaeResult, None, None]:
        parts: list[_Part] = []
        with closing(plan.run(executor, folder)) as steps:
            for part, _ in steps:
                parts.append(part)
                yield plan.result(parts, confidence, resamples)

    return grow()


@dataclass(frozen=True)
class _Part:
    """What a batch of mosaics gave, `first` being the first of them: for each, the positive image's index, its class, and method ->
    [F, B, C]."""

    first: int
    images: list[int]
    target: Tensor
    values: dict[str, Tensor]

    def table(self) -> Table:
        """As a folder keeps it."""
        values = torch.stack(list(self.values.values()), 1)
        return {"images": torch.tensor(self.images), "target": self.target, "values": values}

    @classmethod
    def of(cls, first: int, table: Table, names: list[str]) -> _Part:
        """What :meth:`table` gave."""
        values = {name: table["values"][:, place] for place, name in enumerate(names)}
        return cls(first, table["images"].tolist(), table["target"], values)


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

    def run(self, executor: Executor | Any, folder: Any = None) -> Generator[tuple[_Part, bool], None, None]:
        """The parts, and whether each is new or was in the folder. In the order of the mosaics, but for those that were there."""
        every = [(k, min(k + self.batch, len(self.mosaics))) for k in range(0, len(self.mosaics), self.batch)]
        with kept(folder, "gae", self.request, len(self.mosaics)) as there:
            for start, _, table in there.parts():
                yield _Part.of(start, table, list(self.explainers)), False
            jobs = there.left(every)
            for (start, stop), part in zip(jobs, self._computed([job[0] for job in jobs], executor), strict=True):
                there.add(start, stop, part.table)
                yield part, True

    def _computed(self, jobs: list[int], executor: Executor | Any) -> Iterator[_Part]:
        if executor is not None:
            shared = replace(self, source=self.source.travelling())
            told = ((first, self.source.part(self.members(first).flatten().tolist())) for first in jobs)
            yield from Crew.of(executor, shared).in_order(_work, told)
            return
        for first in jobs:
            yield _work(self, first)

    def request(self) -> dict[str, Any]:
        """All that shapes the numbers, as plain data."""
        return {
            "weights": described(self.model),
            "device": self.model.device.type,
            "dataset": {"length": len(self.mosaics), "fingerprint": self.source.fingerprint()},
            "explainers": {name: method_text(explainer) for name, explainer in self.explainers.items()},
            "steps": self.steps,
            "seed": self.seed,
            "mosaics": text_hash(described(self.mosaics)),
            "batch_size": self.batch,
        }

    def members(self, first: int) -> Tensor:
        """Image indices of the mosaics from ``first`` on that are worked on together, (m, 4)."""
        return self.mosaics[first : first + self.batch]

    def result(self, parts: list[_Part], confidence: float, resamples: int) -> GaeResult:
        parts = sorted(parts, key=lambda part: part.first)
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
            pictures=None if source is None else self.model.pixels(taken(source, used)).cpu(),
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
    largest = -1 if labels is None else int(labels.max())
    if labels is not None and largest >= logits.shape[2]:
        wrong = int(members.flatten()[int(labels.argmax())])
        raise ValueError(
            f"the label of image {wrong} is {largest}; {model.name} has classes 0 to {logits.shape[2] - 1}"
        )
    predicted = logits.argmax(2)
    truth = predicted if labels is None else labels.view(-1, TILES)
    mosaic = mosaics(x)

    # 1. The positive tile of each mosaic, drawn by what the model finds in the mosaic.
    in_mosaic = model.scores(mosaic).gather(1, predicted).double().softmax(1).cpu()
    drawn = torch.tensor([_draw(row, plan.seed, first + k) for k, row in enumerate(in_mosaic)])
    chosen = sent(drawn, x.device)
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
    used = members[torch.arange(len(members)), drawn]
    return _Part(first, used.tolist(), target.cpu(), values)


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
