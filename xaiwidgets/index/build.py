"""Building an index: data set → batches → scores → tables of a shard → merged tables.

Batches are fixed by the request alone: batch b holds samples b·batch to (b+1)·batch, whoever computes it. Shards are whole
batches, and merging is associative, so any sharding, any number of workers and any interruption give the same bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.crp.explainer import CRP
from xaiwidgets.devices import sent
from xaiwidgets.index.data import Samples, classes_of, label_in
from xaiwidgets.index.request import Request, layout_of
from xaiwidgets.index.topk import KINDS, POOLS, Scores, in_memory, merge
from xaiwidgets.lrp.starts import class_starts
from xaiwidgets.storage import Folder, compact, gaps, merge_shards, packed
from xaiwidgets.targets import found_boxes, predicted_classes, score_of
from xaiwidgets.workers import AHEAD, Crew

__all__ = ["Plan", "run"]

_TINY = 1e-10


@dataclass(frozen=True)
class Plan:
    """All that computing a part takes. It travels to the workers of an executor."""

    crp: CRP
    samples: Samples
    request: Request

    def batches(self, start: int, stop: int) -> list[range]:
        """The batches of samples `start` to `stop`, both of which lie between batches."""
        size = self.request["batch"]
        return [range(first, min(first + size, stop)) for first in range(start, stop, size)]

    def scores(self, ranges: Sequence[range], workers: int = 0) -> Iterator[Scores]:
        """The pooled scores of each batch: one recorded forward pass, and one pass down a label."""
        for part, items in zip(ranges, self.samples.read(ranges, workers), strict=True):
            yield self._explain(self.samples.batch(items, part), part, items)

    def table(self, scores: Sequence[Scores]) -> bytes:
        """The tables of some batches, as a file."""
        return self.merged([in_memory(part.table()) for part in scores])

    def merged(self, parts: Sequence[Any]) -> bytes:
        """Several tables as one, as a file."""
        return packed(merge(parts, layout_of(self.request)))

    # -- one batch ---------------------------------------------------------------------------------------------------

    def _explain(self, x: Tensor, part: range, items: list[Any]) -> Scores:
        layers = [entry["name"] for entry in self.request["layers"]]
        known = self.crp.known(x)
        propagator = known.propagator
        labels = None if self.request["targets"] == "predicted" else self._labels(part, items)
        record = propagator.record(x, keep=layers)
        classes = self._classes(record.output, x, labels)
        # A line is an explanation: by sample, then by class.
        lines = [(image, place) for image, own in enumerate(classes) for place in range(len(own))]
        image, place = torch.tensor(lines, dtype=torch.long).reshape(-1, 2).unbind(1)
        pooled = [self._pooled(known, {name: record.values[propagator.index(name)] for name in layers})]
        for row in range(max(map(len, classes))):
            begin = self._start(record.output, x, [own[row] if row < len(own) else None for own in classes])
            down = propagator.down(record, {"output": begin}, layers)
            pooled.append(self._pooled(known, {name: down[name][0] for name in layers}))
        kept, *rows = _brought(pooled)
        found = {"activation": [values[image] for values in kept]}
        found["relevance"] = [torch.stack(v)[place, image] for v in zip(*rows, strict=True)] or [
            v[:0] for v in found["activation"]
        ]
        for by, (sums, largest, _) in found.items():
            wrong = ~(torch.isfinite(sums) & torch.isfinite(largest)).all(1)
            if wrong.any():
                raise ValueError(
                    f"dataset[{part[int(image[wrong][0])]}] has {by} that is NaN or infinite; check the model and the image"
                )
        return Scores(
            torch.tensor(part)[image],
            torch.tensor([classes[i][k] for i, k in lines], dtype=torch.long),
            place == 0,
            {f"{by}.{pool}": found[by][k] for by in KINDS for k, pool in enumerate(POOLS)},
            {by: found[by][2] for by in KINDS},
        )

    def _labels(self, part: range, items: list[Any]) -> list[tuple[int, ...]]:
        """The classes that the data set gives each image."""
        found = []
        for item, index in zip(items, part, strict=True):
            label = label_in(item)
            if label is None:
                raise ValueError(
                    f"dataset[{index}] has no label, though dataset[0] has one; choose targets='predicted' to do without"
                )
            found.append(classes_of(label, index, self.request["classes"], self.crp.model.class_names))
        return found

    def _classes(self, output: Tensor, x: Tensor, labels: list[tuple[int, ...]] | None) -> list[tuple[int, ...]]:
        """The classes to explain of each image: its labels, else what is predicted. Of a map these are the classes predicted in it,
        labelled or not, as a class that is predicted nowhere has no pixel to explain; of a detector, those of its boxes."""
        model = self.crp.model
        if output.ndim == 2:
            return labels or [(best,) for best in output.argmax(1).tolist()]
        predicted = predicted_classes(model, output)
        if predicted is not None:
            there = [set(image.unique().tolist()) - {-1} for image in predicted]
            if labels is None:
                return [tuple(sorted(own)) for own in there]
            return [tuple(label for label in own if label in found) for own, found in zip(labels, there, strict=True)]
        if labels is not None:
            return labels
        found = [found_boxes(model, output[row : row + 1], x[row : row + 1]) for row in range(len(output))]
        return [tuple(sorted({box.label for box in boxes or ()})) for boxes in found]

    def _start(self, output: Tensor, x: Tensor, classes: Sequence[int | None]) -> Tensor:
        """Relevance at the output (1, N, …); none for images that have no such class."""
        if output.ndim != 2:
            parts = []
            for row, entry in enumerate(classes):
                own = output[row : row + 1]
                score = None if entry is None else score_of(self.crp.model, own, entry, x[row : row + 1])
                parts.append(torch.zeros_like(own) if score is None else score.start(own, self.crp.start))  # type: ignore[arg-type]
            return torch.cat(parts)[None]
        target = sent([0 if entry is None else entry for entry in classes], output.device)
        there = sent([entry is not None for entry in classes], output.device)
        return class_starts(output, target[None], self.crp.start) * there[:, None]

    def _pooled(self, known: ConceptLayers, values: Mapping[str, Tensor]) -> list[Tensor]:
        """Of each concept of all layers (N, U): the sum, the largest entry and its place, on the device."""
        pooled = []
        for name, value in values.items():
            largest, places = known[name].max(value[None])
            sums = known[name].sum(value[None])
            pooled.append((self._share(sums[0]), self._share(largest[0]), places[0].int()))
        return [torch.cat(parts, 1) for parts in zip(*pooled, strict=True)]

    def _share(self, scores: Tensor) -> Tensor:
        if not self.request["shares"]:
            return scores
        return scores / (scores.abs().sum(1, keepdim=True) + _TINY)


def _brought(pooled: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
    """Each pooling's sums, largest entries and places on the CPU, in two copies: one each would wait for the device as often."""
    scores = torch.stack([part.float() for sums, largest, _ in pooled for part in (sums, largest)]).cpu()
    places = torch.stack([places for *_, places in pooled]).cpu()
    return [[scores[2 * row], scores[2 * row + 1], places[row]] for row in range(len(pooled))]


# -- all of it -------------------------------------------------------------------------------------------------------------


def run(plan: Plan, folder: Folder, shard: int, executor: Executor | Any = None, workers: int = 0) -> Iterator[int]:
    """Compute what the folder lacks, and leave one shard over all samples; gives the samples done so far, again and again.

    Closing the generator stops between two batches; what is finished is kept.
    """
    size, length = plan.request["batch"], plan.request["dataset"]["length"]
    step = -(-shard // size) * size
    jobs = [
        (first, min(first + step, stop)) for start, stop in gaps(folder, length) for first in range(start, stop, step)
    ]
    yield folder.done
    if jobs:
        yield from _here(plan, folder, jobs, workers) if executor is None else _elsewhere(plan, folder, jobs, executor)
    merge_shards(folder, folder.shards, plan.merged)
    yield folder.done


def _here(plan: Plan, folder: Folder, jobs: list[tuple[int, int]], workers: int) -> Iterator[int]:
    """In this process. Batches that are done when an error or the caller ends it become a smaller shard."""
    ranges = [part for job in jobs for part in plan.batches(*job)]
    ends = {stop for _, stop in jobs}
    waiting: list[tuple[range, Scores]] = []

    def flush() -> None:
        parts, scores = zip(*waiting, strict=True)
        waiting.clear()
        folder.add(parts[0].start, parts[-1].stop, plan.table(scores))
        compact(folder, plan.merged)

    try:
        for part, scores in zip(ranges, plan.scores(ranges, workers), strict=True):
            waiting.append((part, scores))
            if part.stop in ends:
                flush()
            yield folder.done + sum(len(done) for done, _ in waiting)
    except BaseException:
        if waiting:
            # Whatever ended the build is what the caller should hear of.
            with contextlib.suppress(OSError):
                flush()
        raise


def _elsewhere(plan: Plan, folder: Folder, jobs: list[tuple[int, int]], executor: Any) -> Iterator[int]:
    """On an executor: workers compute shards, this process writes and merges them as they come."""
    crew = Crew.of(executor, plan)
    left = iter(jobs)
    flying: dict[Future[bytes], tuple[int, int]] = {}
    try:
        while True:
            for job in left:
                flying[crew.submit(_shard, *job)] = job
                if len(flying) >= AHEAD:
                    break
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                folder.add(*flying.pop(future), future.result())
                compact(folder, plan.merged)
                yield folder.done
    finally:
        for future in flying:
            future.cancel()


def _shard(plan: Plan, start: int, stop: int) -> bytes:
    """The tables of one shard, in a worker."""
    return plan.table(list(plan.scores(plan.batches(start, stop))))
