"""What pixel flipping returns: curves, areas, a ranking, and the frames behind them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.evaluate.flipping.frames import Flipper, Setup
from xaiwidgets.evaluate.statistics import Banded, Estimate, area, bootstrap, bootstrap_columns
from xaiwidgets.results import Result

RANDOM = "random"
"""Name of the baseline among the methods."""


@dataclass(frozen=True)
class Row:
    """One line of the ranking.

    Attributes:
        method: its name. rank: 1 for the best; None for the random baseline.
        auc: order -> mean area over images with its interval. gap: LeRF − MoRF, where both were computed.
        tied: share of patches whose order chance decided, as they are equal, averaged over images.
    """

    method: str
    rank: int | None
    auc: Mapping[str, Estimate]
    gap: Estimate | None
    tied: float


@dataclass(frozen=True, eq=False, repr=False)
class FlippingResult(Banded, Result):
    """Curves of the score as ever more patches are flipped.

    MoRF (most relevant first) is good when low, LeRF (least relevant first) when high; the gap between their areas is the figure to
    rank by. A partial result of a stream holds NaN where nothing is computed yet.

    Attributes:
        curves: order -> method -> scores (N, steps + 1), step 0 being the untouched image; float32 on the CPU.
        random: scores of random orders (repeats, N, steps + 1), or None.
        setup: patches, schedule, perturbation and seed.
        score: what curves follow: "logit" or "probability" of a class, a plain "value", or another "target".
        target: (N,) the class of each image, −1 where not known yet and where it is another target, which the provenance names.
        ties: method -> share of an image's patches that equal another, (N,).
        done, total: frames that the model has seen, of all.
        x: (N, C, H, W) the images; None for a data set.
        ranks: method -> (N, patches), 0 for the most relevant patch, −1 where not known yet; empty for a data set.
        random_ranks: (repeats, N, patches) of the random baseline.
        confidence, resamples: of the bootstrap intervals.
    """

    figure = "flipping"

    curves: Mapping[str, Mapping[str, Tensor]]
    random: Tensor | None
    setup: Setup
    score: str
    target: Tensor
    ties: Mapping[str, Tensor]
    done: int
    total: int
    x: Tensor | None
    ranks: Mapping[str, Tensor]
    random_ranks: Tensor | None
    confidence: float = 0.95
    resamples: int = 2000

    # -- numbers -----------------------------------------------------------------------------------------------------

    @property
    def orders(self) -> tuple[str, ...]:
        """Orders that were run, the main one first."""
        return tuple(self.curves)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, without the random baseline."""
        return tuple(self.curves[self.orders[0]])

    @property
    def final(self) -> bool:
        """False for a partial result."""
        return self.done >= self.total

    @property
    def scores(self) -> Mapping[str, Tensor]:
        """Method -> (N, steps + 1) of the main order; see ``curves`` for the others."""
        return self.curves[self.orders[0]]

    @property
    def fractions(self) -> Tensor:
        """Share of patches flipped after each step, (steps + 1,)."""
        return self.setup.schedule.fractions

    @property
    def flips(self) -> Tensor:
        """Patches flipped at each step, (steps + 1,)."""
        return self.setup.schedule.flips

    @property
    def auc(self) -> Mapping[str, Tensor]:
        """Method -> area under each image's curve over the fraction flipped, (N,), in the main order; with the baseline, as "random"."""
        return self.auc_of(self.orders[0])

    def auc_of(self, order: str) -> Mapping[str, Tensor]:
        """The same for an order that was run. The baseline's is the mean over its repeats."""
        areas = {method: area(scores, self.fractions) for method, scores in self._curves(order).items()}
        if self.random is not None and RANDOM not in areas:
            areas[RANDOM] = area(self.random, self.fractions).mean(0)
        return areas

    @property
    def step_sum(self) -> Mapping[str, Tensor]:
        """Method -> the area that lrp-pf-auc reports, (N,): by the trapezoid over steps of width 1, the last gray one included."""
        steps = torch.arange(len(self.fractions))
        return {method: area(scores, steps) for method, scores in self.scores.items()}

    @property
    def gap(self) -> Mapping[str, Tensor]:
        """Method -> LeRF area − MoRF area of each image, (N,): the higher the better.

        Raises:
            ValueError: only one of the two orders was run.
        """
        if not {"morf", "lerf"} <= set(self.orders):
            raise ValueError(f"gap needs both orders, {self.orders} was run; give order='both'")
        morf, lerf = self.auc_of("morf"), self.auc_of("lerf")
        return {method: lerf[method] - morf[method] for method in self.methods}

    def joined(self, other: FlippingResult) -> FlippingResult:
        """This result with the methods of another one beside its own: the same images, order, perturbation, patches and score.

        Raises:
            ValueError: the two do not belong together.
        """
        alike = self.setup == other.setup and self.score == other.score and self.orders == other.orders
        known = (self.target >= 0) & (other.target >= 0)
        if (
            not alike
            or len(self.target) != len(other.target)
            or not torch.equal(self.target[known], other.target[known])
        ):
            raise ValueError("other is of other images, classes, orders or settings; give a result of the same request")
        mine = self.random is not None
        return replace(
            self,
            curves={order: {**by_method, **other.curves[order]} for order, by_method in self.curves.items()},
            random=self.random if mine else other.random,
            random_ranks=self.random_ranks if mine else other.random_ranks,
            target=torch.where(self.target >= 0, self.target, other.target),
            ties={**self.ties, **other.ties},
            ranks={**self.ranks, **other.ranks},
            done=self.done + other.done,
            total=self.total + other.total,
        )

    def bands(self, order: str) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Method -> mean curve over images, lower and upper end of its interval at every step, each (steps + 1,); "random" among them."""
        curves = dict(self._curves(order))
        if self.random is not None:
            curves[RANDOM] = self.random.mean(0)
        resamples, seed = min(self.resamples, 500), self.setup.seed
        return {
            name: bootstrap_columns(scores, confidence=self.confidence, resamples=resamples, seed=seed)
            for name, scores in curves.items()
        }

    def interval(self, values: Tensor) -> Estimate:
        """Mean and bootstrap interval over images of one value an image, (N,)."""
        return bootstrap(values, confidence=self.confidence, resamples=self.resamples, seed=self.setup.seed)

    def table(self) -> list[Row]:
        """A line for each method, the best first, then the random baseline.

        Ranked by the gap where both orders were run, else by the area: low is good for MoRF, high for LeRF.
        """
        areas = {order: self.auc_of(order) for order in self.orders}
        both = {"morf", "lerf"} <= set(self.orders)
        gaps = self.gap if both else {}
        rows = []
        for method in areas[self.orders[0]]:
            auc = {order: self.interval(areas[order][method]) for order in self.orders if method in areas[order]}
            gap = self.interval(gaps[method]) if method in gaps else None
            tied = float(self.ties[method].nanmean()) if method in self.ties else 0.0
            rows.append(Row(method, None, auc, gap, tied))

        sign = 1 if self.orders[0] == "lerf" else -1

        def goodness(row: Row) -> float:
            value = sign * row.auc[self.orders[0]].mean if row.gap is None else row.gap.mean
            # Methods of which nothing is known yet come last.
            return float("-inf") if math.isnan(value) else value

        ranked = sorted((row for row in rows if row.method != RANDOM), key=goodness, reverse=True)
        numbered = [Row(r.method, place, r.auc, r.gap, r.tied) for place, r in enumerate(ranked, start=1)]
        return numbered + [row for row in rows if row.method == RANDOM]

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the methods, the best first."""
        return tuple(row.method for row in self.table() if row.rank is not None)

    # -- frames ------------------------------------------------------------------------------------------------------

    def images(
        self, method: str, step: int, *, order: str | None = None, rows: Sequence[int] | None = None, repeat: int = 0
    ) -> Tensor:
        """The images as the model saw them after a step, as pixel values in [0, 1], (N, C, H, W): made anew, always the same.

        Args:
            method: whose order; "random" for the baseline's.
            step: 0 to the number of steps; negative ones count from the end.
            order: "morf" or "lerf"; None for the main one.
            rows: which images; None for all.
            repeat: of the random baseline.

        Raises:
            ValueError: an unknown method or order, a step or row out of range, or a result that keeps no images.
        """
        return self.setup.pixels(self.inputs(method, step, order=order, rows=rows, repeat=repeat))

    def inputs(
        self, method: str, step: int, *, order: str | None = None, rows: Sequence[int] | None = None, repeat: int = 0
    ) -> Tensor:
        """The same in the model's input space, (N, C, H, W): exactly what the model saw."""
        step, chosen, ranks = self._ask(method, step, order, rows, repeat)
        assert self.x is not None
        made = []
        for row, rank in zip(chosen, ranks, strict=True):
            # One image at a time draws for itself, whatever rows are asked for.
            flipper = Flipper(self.x[row : row + 1], self.setup, row)
            made.append(flipper([0], rank[None], torch.tensor([step], device=rank.device)))
        return torch.cat(made)

    def frames(
        self, method: str, steps: Iterable[int], row: int, *, order: str | None = None, repeat: int = 0
    ) -> Iterator[tuple[int, Tensor]]:
        """(step, pixel values (C, H, W)) of one image after each of the steps; what the steps share is made once."""
        flipper: Flipper | None = None
        for step in steps:
            place, (chosen,), ranks = self._ask(method, step, order, [row], repeat)
            if flipper is None:
                assert self.x is not None
                flipper = Flipper(self.x[chosen : chosen + 1], self.setup, chosen)
            made = flipper([0], ranks, torch.tensor([place], device=ranks.device))
            yield place, self.setup.pixels(made)[0]

    def hidden(
        self, method: str, step: int, *, order: str | None = None, rows: Sequence[int] | None = None, repeat: int = 0
    ) -> Tensor:
        """Which pixels are flipped after a step, bool (N, H, W)."""
        step, chosen, ranks = self._ask(method, step, order, rows, repeat)
        assert self.x is not None
        return Flipper(self.x[chosen], self.setup).hidden(ranks, torch.full((len(chosen),), step, device=ranks.device))

    def newly_hidden(
        self, method: str, step: int, *, order: str | None = None, rows: Sequence[int] | None = None, repeat: int = 0
    ) -> Tensor:
        """Which pixels this very step flipped, bool (N, H, W)."""
        step, chosen, _ = self._ask(method, step, order, rows, repeat)
        after = self.hidden(method, step, order=order, rows=chosen, repeat=repeat)
        if step == 0:
            return after
        return after & ~self.hidden(method, step - 1, order=order, rows=chosen, repeat=repeat)

    def _ask(
        self, method: str, step: int, order: str | None, rows: Sequence[int] | None, repeat: int
    ) -> tuple[int, list[int], Tensor]:
        """The checked step, images and their ranks (n, patches)."""
        if self.x is None:
            raise ValueError("this result is of a data set and keeps no images; flip a batch of them for their frames")
        steps = self.setup.schedule.steps
        if not -steps - 1 <= step <= steps:
            raise ValueError(f"step={step} is out of range; give 0 to {steps}")
        chosen = list(range(len(self.x))) if rows is None else [int(row) for row in rows]
        if any(not 0 <= row < len(self.x) for row in chosen):
            raise ValueError(f"rows={chosen} is out of range; give 0 to {len(self.x) - 1}")
        if method == RANDOM and self.random_ranks is not None:
            if not 0 <= repeat < len(self.random_ranks):
                raise ValueError(f"repeat={repeat} is out of range; give 0 to {len(self.random_ranks) - 1}")
            ranks = self.random_ranks[repeat]
        elif method in self.ranks:
            ranks = self.ranks[method]
            order = self.orders[0] if order is None else order
            if order not in ("morf", "lerf"):
                raise unknown("order", order, ("morf", "lerf"))
            if order == "lerf":
                ranks = ranks.shape[1] - 1 - ranks
        else:
            raise unknown("method", method, [*self.ranks, *([RANDOM] if self.random_ranks is not None else [])])
        ranks = ranks[chosen].long().to(self.x.device)
        if (ranks < 0).any():
            raise ValueError(f"method={method!r} has no order for rows={chosen} yet; wait until more is computed")
        return step % (steps + 1), chosen, ranks

    def _curves(self, order: str) -> Mapping[str, Tensor]:
        if order not in self.curves:
            raise unknown("order", order, self.curves)
        return self.curves[order]

    # -- out ---------------------------------------------------------------------------------------------------------

    def to_csv(self, path: str | Path) -> Path:
        """Every point of every curve as a CSV file: method, order, repeat, image, target, step, patches, fraction, score."""
        path = Path(path)
        counts, fractions = self.setup.schedule.counts, self.fractions.tolist()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["method", "order", "repeat", "image", "target", "step", "patches", "fraction", "score"])
            for method, order, repeat, scores in self.lines():
                for image, row in enumerate(scores.tolist()):
                    for step, value in enumerate(row):
                        writer.writerow(
                            [
                                method,
                                order,
                                repeat,
                                image,
                                self.explained(image),
                                step,
                                counts[step],
                                fractions[step],
                                value,
                            ]
                        )
        return path

    def explained(self, image: int) -> int | str:
        """What is explained of an image: its class, or another target in words."""
        words = self.provenance.parameters.get("target")
        if words is None:
            return int(self.target[image])
        return str(words if isinstance(words, str) else words[image] if image < len(words) else "")

    def band(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        return bootstrap_columns(scores, confidence=self.confidence, resamples=min(self.resamples, 500))[1:]

    def lines(self) -> list[tuple[str, str, int, Tensor]]:
        """(method, order, repeat, scores (N, steps + 1)) of every curve, those of chance last."""
        curves = [
            (method, order, 0, scores)
            for order, by_method in self.curves.items()
            for method, scores in by_method.items()
            if method != RANDOM
        ]
        if self.random is not None:
            curves += [(RANDOM, RANDOM, repeat, scores) for repeat, scores in enumerate(self.random)]
        return curves

    def __str__(self) -> str:
        lines = [f"{self.provenance}, {self.done} of {self.total} frames"]
        for row in self.table():
            parts = [f"{order} {estimate}" for order, estimate in row.auc.items()]
            if row.gap is not None:
                parts.append(f"gap {row.gap}")
            tied = f", {row.tied:.0%} of patches tied" if row.tied else ""
            lines.append(f"  {row.rank or '–'}. {row.method}: {', '.join(parts)}{tied}")
        return "\n".join(lines)

    __repr__ = __str__
