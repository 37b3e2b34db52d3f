"""Pixel flipping: the score as ever more of an image is flipped, in the order that an explanation gives (Samek et al. 2017)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm.auto import tqdm

from xaiwidgets.errors import unknown, whole, whole_or_none
from xaiwidgets.evaluate.curves import RANDOM, FlippingResult
from xaiwidgets.evaluate.explanations import Explanations
from xaiwidgets.evaluate.frames import Flipper, Setup
from xaiwidgets.evaluate.orders import Grid, random_ranks, ranks_of
from xaiwidgets.evaluate.perturbations import perturbation
from xaiwidgets.evaluate.schedules import ScheduleName, make_schedule
from xaiwidgets.evaluate.sources import Source, batch_size_for, source_of
from xaiwidgets.evaluate.statistics import as_scores, check_bootstrap, check_score
from xaiwidgets.model import ImageModel, Precision
from xaiwidgets.results import Provenance
from xaiwidgets.workers import Crew

Orders = Literal["morf", "lerf", "both", "random"]
_ORDERS: dict[str, tuple[str, ...]] = {
    "morf": ("morf",),
    "lerf": ("lerf",),
    "both": ("morf", "lerf"),
    "random": (RANDOM,),
}
_BLOCK_BATCHES = 4
"""Forward passes a block of images, at least: fewer would leave many batches half full, more would hold back results."""


def pixel_flipping(
    model: ImageModel,
    x: Any,
    explanations: Any = None,
    *,
    target: Any = None,
    order: Orders = "morf",
    perturb: Any = "inpaint",
    patch: int = 8,
    schedule: ScheduleName | Sequence[float] = "squares",
    steps: int | None = None,
    score: Literal["logit", "probability"] = "logit",
    random: int = 3,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 2000,
    precision: Precision = "float32",
    batch_size: int | None = None,
    limit: int | None = None,
    executor: Executor | Any = None,
    progress: bool = True,
) -> FlippingResult:
    """Flip patches in the order of each explanation, and see how the score falls.

    All steps of all images and methods go through the model in full batches; memory does not grow with steps or images, but for the
    curves themselves (and x, which is yours).

    Args:
        model: whose score to follow.
        x: images (N, C, H, W), or a data set of (C, H, W) tensors or (tensor, label).
        explanations: {name: heatmap (N, H, W), result, or explainer (x, target) -> heatmap}. May be left out with order="random".
        target: None for the predicted class; a class, or one an image.
        order: "morf" most relevant first, "lerf" least relevant first, "both", or "random".
        perturb: "inpaint", "telea" (needs OpenCV), "random", "random_pixel", "mean", "blur", "noise", "zero", "gray"; a number in
            the model's input space; or a function (x (n, C, H, W), hidden (n, 1, H, W) bool) -> what shows where hidden.
        patch: side of a patch in pixels; patches at the edge may be smaller. A patch's relevance is the heatmap's sum over it.
        schedule: "squares" (1, 3, 5, … patches and a last, all-gray step), "linear", "geometric", or rising fractions in [0, 1].
        steps: how many; None for all of "squares", 20 for the others.
        score: the target's "logit" or its "probability".
        random: repeats of the random baseline; 0 for none.
        seed: of random orders, random perturbations, the order among ties, and the intervals. Image i draws for itself.
        confidence, resamples: of the bootstrap intervals over images.
        precision: of the forward passes.
        batch_size: frames a forward pass; None chooses.
        limit: take only so many images.
        executor: runs parts of the images elsewhere, any ``concurrent.futures.Executor`` or a Dask client; the result is the same to
            the bit for any number of workers.
        progress: show a progress bar when it takes longer than a second.

    Raises:
        TypeError, ValueError: an argument that does not fit, naming it (and the method, for a heatmap) and what to give.
    """
    plan = _Plan.of(model, x, explanations, locals())
    curves = _Curves(plan)
    with tqdm(desc="Pixel flipping", total=curves.total, unit=" frames", delay=1, disable=not progress) as bar:
        for _ in plan.run(executor, curves):
            bar.update(curves.done - bar.n)
    return curves.result()


def stream_pixel_flipping(
    model: ImageModel, x: Any, explanations: Any = None, **options: Any
) -> Generator[FlippingResult, None, None]:
    """:func:`pixel_flipping`'s result growing, one step a forward pass: chance and given heatmaps side by side, then each explainer.

    Stop whenever; the last result is what calling gives. Arguments are checked at once, before the first result is asked for.
    ``begin`` says which image is worked on first; the result does not depend on it.
    """
    from inspect import signature

    from xaiwidgets.errors import check_keywords

    known = {
        name: entry.default
        for name, entry in signature(pixel_flipping).parameters.items()
        if entry.kind == entry.KEYWORD_ONLY
    }
    check_keywords("stream_pixel_flipping", options, [*(name for name in known if name != "progress"), "begin"])
    settings = {**known, **options}
    plan = _Plan.of(model, x, explanations, settings)

    def grow() -> Generator[FlippingResult, None, None]:
        curves = _Curves(plan)
        for _ in plan.run(settings["executor"], curves):
            yield curves.result()

    return grow()


@dataclass(frozen=True)
class _Scored:
    """Scores that one forward pass gave."""

    rows: list[int]
    runs: list[int]
    steps: list[int]
    scores: Tensor


@dataclass(frozen=True)
class _Begun:
    """What is known of a block before its first step: scores of the untouched images, classes, random orders."""

    first: int
    scores: Tensor
    target: Tensor
    random_ranks: Tensor


@dataclass(frozen=True)
class _Explained:
    """The order that a method gives for a block: ranks (n, patches), and the share of patches that tie (n,)."""

    first: int
    name: str
    ranks: Tensor
    ties: Tensor


_Update = _Begun | _Explained | _Scored


@dataclass(frozen=True)
class _Plan:
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
    def of(cls, model: ImageModel, x: Any, explanations: Any, given: dict[str, Any]) -> _Plan:
        if not isinstance(model, ImageModel):
            raise TypeError(
                f"model is {type(model).__name__}; give an ImageModel, such as xaiwidgets.ImageModel(module)"
            )
        if given["order"] not in _ORDERS:
            raise unknown("order", given["order"], _ORDERS)
        check_score(given["score"])
        perturbation(given["perturb"])
        numbers: dict[str, int | None] = {name: whole(name, given[name], 0) for name in ("random", "seed")}
        numbers |= {name: whole_or_none(name, given[name], 1) for name in ("batch_size", "limit")}
        numbers["resamples"] = check_bootstrap(given["confidence"], given["resamples"])
        given = {**given, **numbers}
        source = source_of(model, x, given["limit"])
        orders = _ORDERS[given["order"]]
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

    def run(self, executor: Executor | Any, curves: _Curves) -> Iterator[None]:
        """The curves growing, at least once."""
        # The block that somebody waits for comes first.
        blocks = sorted(self.blocks, key=lambda block: not block[0] <= self.begin < block[1])
        if executor is None:
            for start, stop in blocks:
                for update in self.work(start, stop):
                    curves.add(update)
                    yield
            return
        none = self.explanations.holding(self.explanations.part(0, 0), 0)
        shared = replace(self, source=self.source.travelling(), explanations=none)
        for updates in Crew.of(executor, shared).in_order(_work, map(self._job, blocks)):
            for update in updates:
                curves.add(update)
            yield

    def _job(self, block: tuple[int, int]) -> tuple[Any, ...]:
        """What a worker is told of a block: images and heatmaps in memory come along, of this block alone."""
        return *block, self.source.part(range(*block)), self.explanations.part(*block)

    def work(self, start: int, stop: int) -> Iterator[_Update]:
        """The curves of one block of images."""
        x, _ = self.source.take(self.model, range(start, stop))
        x = x.contiguous(memory_format=torch.channels_last)
        begun = self._begin(x, start)
        yield begun
        forward = self.model.forward_function(x, precision=self.precision)
        flipper = Flipper(x, self.setup, start)
        target = begun.target.to(x.device)
        for group in self.groups:
            ranks = {RANDOM: begun.random_ranks}
            for name in group:
                if name != RANDOM:
                    explained = self._explain(name, x, target, start)
                    ranks[name] = explained.ranks[None]
                    yield explained
            runs = [(index, run) for index, run in enumerate(self.runs) if run[1] in group]
            orders = torch.stack([_ordered(ranks[name][repeat], order) for _, (order, name, repeat) in runs])
            orders = orders.long().to(x.device)
            # Step by step, all methods and images of the block side by side, so that curves grow from the left.
            jobs = torch.cartesian_prod(
                torch.arange(1, self.setup.schedule.steps + 1), torch.arange(len(runs)), torch.arange(len(x))
            )
            # Passes of equal size: a small last one would leave the device idle.
            for part in jobs.chunk(-(-len(jobs) // self.batch)):
                steps, lines, rows = part.to(x.device).unbind(1)
                with self.model.lock, torch.inference_mode():
                    frames = flipper(rows.tolist(), orders[lines, rows], steps)
                    scores = as_scores(forward(frames), target[rows], self.score)
                yield _Scored(
                    rows=(part[:, 2] + start).tolist(),
                    runs=[runs[line][0] for line in part[:, 1].tolist()],
                    steps=part[:, 0].tolist(),
                    scores=scores.float().cpu(),
                )

    def _begin(self, x: Tensor, start: int) -> _Begun:
        stop = start + len(x)
        logits = self.model.scores(x, precision=self.precision)
        target = self.model.targets(logits, None if self.targets is None else self.targets[start:stop])
        patches = self.setup.grid.patches
        chance = [random_ranks(len(x), patches, self.setup.seed, repeat, start) for repeat in range(self.repeats)]
        return _Begun(
            start,
            as_scores(logits, target, self.score).cpu(),
            target.cpu(),
            torch.stack(chance).int() if chance else torch.empty(0, len(x), patches, dtype=torch.int32),
        )

    def _explain(self, name: str, x: Tensor, target: Tensor, start: int) -> _Explained:
        heatmap = self.explanations.heatmap(name, x, target, start)
        with torch.no_grad():
            ranks, ties = ranks_of(self.setup.grid.sums(heatmap), self.setup.seed, start)
        return _Explained(start, name, ranks.int().cpu(), ties.cpu())


def _ordered(ranks: Tensor, order: str) -> Tensor:
    """Least relevant first is the exact reverse."""
    return ranks.shape[1] - 1 - ranks if order == "lerf" else ranks


def _work(plan: _Plan, start: int, stop: int, source: Source | None, heatmaps: dict[str, Tensor]) -> list[_Update]:
    explanations = plan.explanations.holding(heatmaps, start)
    plan = replace(plan, source=source or plan.source, explanations=explanations)
    return list(plan.work(start, stop))


class _Curves:
    """Scores as they come in."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        count, steps, patches = plan.source.shape[0], plan.setup.schedule.steps, plan.setup.grid.patches
        self.scores = torch.full((len(plan.runs), count, steps + 1), torch.nan)
        self.target = torch.full((count,), -1)
        self.ties = {name: torch.full((count,), torch.nan, dtype=torch.float64) for name in plan.explanations.names}
        # Orders are kept for the frames, and those only where the images are at hand; −1 where not known yet.
        kept = count if plan.source.tensor is not None else 0
        shape = (kept, patches)
        self.ranks = {name: torch.full(shape, -1, dtype=torch.int32) for name in plan.explanations.names}
        self.random_ranks = torch.full((plan.repeats, *shape), -1, dtype=torch.int32)
        self.done = 0
        self.total = len(plan.runs) * count * steps

    def add(self, update: _Update) -> None:
        if isinstance(update, _Scored):
            self.scores[update.runs, update.rows, update.steps] = update.scores
            self.done += len(update.rows)
            return
        part = slice(
            update.first, update.first + len(update.ranks if isinstance(update, _Explained) else update.target)
        )
        at_hand = self.plan.source.tensor is not None
        if isinstance(update, _Explained):
            self.ties[update.name][part] = update.ties
            if at_hand:
                self.ranks[update.name][part] = update.ranks
            return
        self.scores[:, part, 0] = update.scores
        self.target[part] = update.target
        if at_hand:
            self.random_ranks[:, part] = update.random_ranks

    def result(self) -> FlippingResult:
        """What is known now; later additions do not reach it."""
        plan, scores = self.plan, self.scores.clone()
        runs = plan.runs
        chance = [index for index, (order, _, _) in enumerate(runs) if order == RANDOM]
        curves: dict[str, dict[str, Tensor]] = {
            order: {name: scores[index] for index, (o, name, _) in enumerate(runs) if o == order}
            for order in plan.orders
            if order != RANDOM
        }
        if plan.orders == (RANDOM,):
            curves = {RANDOM: {RANDOM: scores[chance].mean(0)}}
        partial = self.done < self.total
        copy = (lambda tensor: tensor.clone()) if partial else (lambda tensor: tensor)
        return FlippingResult(
            provenance=self._provenance(),
            curves=curves,
            random=scores[chance] if chance else None,
            setup=plan.setup,
            score=plan.score,
            target=copy(self.target),
            ties={name: copy(tied) for name, tied in self.ties.items()},
            done=self.done,
            total=self.total,
            x=plan.source.tensor,
            ranks={name: copy(ranks) for name, ranks in self.ranks.items()} if plan.source.tensor is not None else {},
            random_ranks=copy(self.random_ranks) if chance and plan.source.tensor is not None else None,
            confidence=plan.confidence,
            resamples=plan.resamples,
        )

    def _provenance(self) -> Provenance:
        plan, setup = self.plan, self.plan.setup
        perturb = (
            setup.perturb if isinstance(setup.perturb, str | int | float) else getattr(setup.perturb, "__name__", "own")
        )
        parameters = {
            "order": "both" if len(plan.orders) == 2 else plan.orders[0],
            "perturb": perturb,
            "patch": setup.grid.patch,
            "steps": setup.schedule.steps,
            "score": plan.score,
            "precision": plan.precision,
        }
        return Provenance("pixel flipping", parameters, setup.seed, plan.model.name)


def _entries(target: Any, count: int, of: int) -> list[Any] | None:
    """A target as one entry an image, so that blocks take theirs; None stays. Those of all `of` images are cut to the first."""
    if target is None:
        return None
    entries = target.tolist() if hasattr(target, "tolist") else target
    entries = list(entries) if isinstance(entries, list | tuple) else [entries] * count
    entries = entries[:count] if len(entries) == of else entries
    if len(entries) != count:
        raise ValueError(f"target has {len(entries)} classes for {count} images; give one class, or one an image")
    return entries
