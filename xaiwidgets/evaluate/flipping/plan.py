"""A checked request for curves, and the work on one block of images after the other, here or on the workers of an executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.errors import unknown, whole, whole_or_none
from xaiwidgets.evaluate.explanations import Explanations
from xaiwidgets.evaluate.flipping.frames import Flipper, Setup
from xaiwidgets.evaluate.flipping.orders import Grid, random_ranks, ranks_of
from xaiwidgets.evaluate.flipping.result import RANDOM
from xaiwidgets.evaluate.flipping.schedules import make_schedule
from xaiwidgets.evaluate.perturbations import perturbation
from xaiwidgets.evaluate.resuming import NotKept
from xaiwidgets.evaluate.sources import Source, batch_size_for, source_of
from xaiwidgets.evaluate.statistics import as_scores, check_bootstrap, check_score, score_name
from xaiwidgets.model import ImageModel, Precision
from xaiwidgets.model.fingerprint import described, text_hash
from xaiwidgets.targets import Score, entries, score_of, told
from xaiwidgets.workers import Crew

__all__ = ["Begun", "Explained", "Finished", "Orders", "Plan", "Scored", "Update"]

Orders = Literal["morf", "lerf", "both", "random"]
ORDERS: dict[str, tuple[str, ...]] = {
    "morf": ("morf",),
    "lerf": ("lerf",),
    "both": ("morf", "lerf"),
    "random": (RANDOM,),
}
_BLOCK_BATCHES = 4
"""Forward passes a block of images, at least: fewer would leave many batches half full, more would hold back results."""


@dataclass(frozen=True)
class Scored:
    """Scores that one forward pass gave."""

    rows: list[int]
    runs: list[int]
    steps: list[int]
    scores: Tensor


@dataclass(frozen=True)
class Begun:
    """What is known of a block before its first step: scores of the untouched images, random orders; what is explained, as classes, −1
    where it is another target, which stands in words then; and what the score is called."""

    first: int
    scores: Tensor
    target: Tensor
    random_ranks: Tensor
    words: str | list[str] | None = None
    score: str = "logit"


@dataclass(frozen=True)
class Explained:
    """The order that a method gives for a block: ranks (n, patches), and the share of patches that tie (n,)."""

    first: int
    name: str
    ranks: Tensor
    ties: Tensor


@dataclass(frozen=True)
class Finished:
    """All is known of the images `start` to `stop`."""

    start: int
    stop: int


Update = Begun | Explained | Scored | Finished


@dataclass(frozen=True)
class Plan:
    """A checked request."""

    model: ImageModel
    source: Source
    explanations: Explanations
    targets: list[Any] | None
    setup: Setup
    orders: tuple[str, ...]
    repeats: int
    score: str
    precision: Precision
    batch: int
    confidence: float
    resamples: int
    begin: int
    """The image whose block is worked on first."""

    @classmethod
    def of(cls, model: ImageModel, x: Any, explanations: Any, given: dict[str, Any]) -> Plan:
        if not isinstance(model, ImageModel):
            raise TypeError(
                f"model is {type(model).__name__}; give an ImageModel, such as xaiwidgets.ImageModel(module)"
            )
        if given["order"] not in ORDERS:
            raise unknown("order", given["order"], ORDERS)
        check_score(given["score"])
        perturbation(given["perturb"])
        numbers: dict[str, int | None] = {name: whole(name, given[name], 0) for name in ("random", "seed")}
        numbers |= {name: whole_or_none(name, given[name], 1) for name in ("batch_size", "limit")}
        numbers["resamples"] = check_bootstrap(given["confidence"], given["resamples"])
        given = {**given, **numbers}
        source = source_of(model, x, given["limit"])
        orders = ORDERS[given["order"]]
        repeats = max(1, given["random"]) if orders == (RANDOM,) else given["random"]
        wanted = {} if orders == (RANDOM,) else explanations
        found = Explanations(wanted, source.shape, RANDOM if repeats else None, source.given)
        if not found.names and orders != (RANDOM,):
            raise ValueError("explanations is empty; give {'name': heatmap or explainer}, or order='random'")
        grid = Grid(source.shape[2], source.shape[3], given["patch"])
        schedule = make_schedule(given["schedule"], grid.patches, given["steps"])
        return cls(
            model=model,
            source=source,
            explanations=found,
            targets=_entries(given["target"], source.shape[0], source.given),
            setup=Setup(grid, schedule, given["perturb"], given["seed"], model.mean, model.std),
            orders=orders,
            repeats=repeats,
            score=given["score"],
            precision=given["precision"],
            batch=given["batch_size"] or batch_size_for(source.shape, model.device),
            confidence=given["confidence"],
            resamples=given["resamples"],
            begin=given.get("begin", 0),
        )

    @property
    def runs(self) -> list[tuple[str, str, int]]:
        """(order, method, repeat) of every curve."""
        named = [(order, name, 0) for order in self.orders if order != RANDOM for name in self.explanations.names]
        return named + [(RANDOM, RANDOM, repeat) for repeat in range(self.repeats)]

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Images in the groups that are worked on together: fixed by the request, whoever does the work."""
        frames = max(1, len(self.runs) * self.setup.schedule.steps)
        size = max(1, -(-self.batch * _BLOCK_BATCHES // frames))
        count = self.source.shape[0]
        return [(start, min(start + size, count)) for start in range(0, count, size)]

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Methods whose curves grow side by side: first chance and those whose heatmaps are there, then each explainer."""
        at_hand = self.explanations.at_hand
        first = (*at_hand, RANDOM) if self.repeats else at_hand
        explained = [(name,) for name in self.explanations.names if name not in at_hand]
        return [group for group in (first, *explained) if group]

    def run(self, executor: Executor | Any, there: NotKept | None = None) -> Iterator[list[Update]]:
        """What becomes known, piece by piece; nothing of what is there already."""
        blocks = self.blocks if there is None else there.left(self.blocks)
        # The block that somebody waits for comes first.
        blocks = sorted(blocks, key=lambda block: not block[0] <= self.begin < block[1])
        if executor is None:
            for start, stop in blocks:
                for update in self.work(start, stop):
                    yield [update]
            return
        none = self.explanations.holding(self.explanations.part(0, 0), 0)
        shared = replace(self, source=self.source.travelling(), explanations=none)
        yield from Crew.of(executor, shared).in_order(_work, map(self._job, blocks))

    def request(self) -> dict[str, Any]:
        """All that shapes the curves, as plain data."""
        setup = self.setup
        return {
            "weights": described(self.model),
            "device": self.model.device.type,
            "dataset": {"length": self.source.shape[0], "fingerprint": self.source.fingerprint()},
            "explanations": self.explanations.texts(),
            "target": None if self.targets is None else text_hash(described(self.targets)),
            "orders": list(self.orders),
            "random": self.repeats,
            "perturb": described(setup.perturb),
            "patch": setup.grid.patch,
            "schedule": setup.schedule.flips.tolist(),
            "seed": setup.seed,
            "score": self.score,
            "precision": self.precision,
            "batch_size": self.batch,
        }

    def _job(self, block: tuple[int, int]) -> tuple[Any, ...]:
        """What a worker is told of a block: images and heatmaps in memory come along, of this block alone."""
        return *block, self.source.part(range(*block)), self.explanations.part(*block)

    def work(self, start: int, stop: int) -> Iterator[Update]:
        """The curves of one block of images."""
        x, _ = self.source.take(self.model, range(start, stop))
        x = x.contiguous(memory_format=torch.channels_last)
        begun, score = self._begin(x, start)
        yield begun
        forward = self.model.forward_function(x, precision=self.precision)
        flipper = Flipper(x, self.setup, start)
        target = told(self._targets(x, start), score)
        for group in self.groups:
            ranks = {RANDOM: begun.random_ranks}
            for name in group:
                if name != RANDOM:
                    explained = self._explain(name, x, target, start)
                    ranks[name] = explained.ranks[None]
                    yield explained
            runs = [(index, run) for index, run in enumerate(self.runs) if run[1] in group]
            orders = torch.stack([_ordered(ranks[name][repeat], order) for _, (order, name, repeat) in runs])
            orders = sent(orders.long(), x.device)
            # Step by step, all methods and images of the block side by side, so that curves grow from the left.
            jobs = torch.cartesian_prod(
                torch.arange(1, self.setup.schedule.steps + 1), torch.arange(len(runs)), torch.arange(len(x))
            )
            # Passes of equal size: a small last one would leave the device idle.
            for part in jobs.chunk(-(-len(jobs) // self.batch)):
                steps, lines, rows = sent(part, x.device).unbind(1)
                with self.model.lock, torch.inference_mode():
                    frames = flipper(part[:, 2].tolist(), orders[lines, rows], steps)
                    scores = as_scores(forward(frames), score.of(rows), self.score)
                yield Scored(
                    rows=(part[:, 2] + start).tolist(),
                    runs=[runs[line][0] for line in part[:, 1].tolist()],
                    steps=part[:, 0].tolist(),
                    scores=scores.float().cpu(),
                )
        yield Finished(start, stop)

    def _targets(self, x: Tensor, start: int) -> list[Any] | None:
        return None if self.targets is None else self.targets[start : start + len(x)]

    def _begin(self, x: Tensor, start: int) -> tuple[Begun, Score]:
        output = self.model.output(x, precision=self.precision)
        score = score_of(self.model, output, self._targets(x, start), x)
        patches = self.setup.grid.patches
        chance = [random_ranks(len(x), patches, self.setup.seed, repeat, start) for repeat in range(self.repeats)]
        begun = Begun(
            start,
            as_scores(output, score, self.score).float().cpu(),
            torch.full((len(x),), -1) if score.classes is None else score.classes.cpu(),
            torch.stack(chance).int() if chance else torch.empty(0, len(x), patches, dtype=torch.int32),
            score.text if score.classes is None else None,
            score_name(score, self.score, self.model.meaning),
        )
        return begun, score

    def _explain(self, name: str, x: Tensor, target: Any, start: int) -> Explained:
        heatmap = self.explanations.heatmap(name, x, target, start)
        with torch.no_grad():
            ranks, ties = ranks_of(self.setup.grid.sums(heatmap), self.setup.seed, start)
        return Explained(start, name, ranks.int().cpu(), ties.cpu())


def _ordered(ranks: Tensor, order: str) -> Tensor:
    """Least relevant first is the exact reverse."""
    return ranks.shape[1] - 1 - ranks if order == "lerf" else ranks


def _work(plan: Plan, start: int, stop: int, source: Source | None, heatmaps: dict[str, Tensor]) -> list[Update]:
    explanations = plan.explanations.holding(heatmaps, start)
    plan = replace(plan, source=source or plan.source, explanations=explanations)
    return list(plan.work(start, stop))


def _entries(target: Any, count: int, of: int) -> list[Any] | None:
    """A target as one entry an image, so that blocks take theirs; None stays. Those of all `of` images are cut to the first."""
    try:
        found = entries(target, of)
    except ValueError:
        if of == count:
            raise
        found = entries(target, count)
    return found if found is None else found[:count]
