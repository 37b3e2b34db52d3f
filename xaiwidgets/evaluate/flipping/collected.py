"""Scores as they come in, and the result that they make so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.evaluate.flipping.orders import random_ranks
from xaiwidgets.evaluate.flipping.plan import Explained, Finished, Plan, Scored, Update
from xaiwidgets.evaluate.flipping.result import RANDOM, FlippingResult
from xaiwidgets.evaluate.resuming import Table, read_words, words_table
from xaiwidgets.results import Provenance

__all__ = ["Collected"]


class Collected:
    """Scores as they come in."""

    def __init__(self, plan: Plan) -> None:
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
        self.words: dict[int, str] = {}
        self.score = plan.score
        self.done = 0
        self.total = len(plan.runs) * count * steps

    def add(self, updates: Iterable[Update]) -> None:
        """Take what a plan's run gives."""
        for update in updates:
            self._add(update)

    def _add(self, update: Update) -> None:
        if isinstance(update, Finished):
            return
        if isinstance(update, Scored):
            self.scores[update.runs, update.rows, update.steps] = update.scores
            self.done += len(update.rows)
            return
        part = slice(update.first, update.first + len(update.ranks if isinstance(update, Explained) else update.target))
        at_hand = self.plan.source.tensor is not None
        if isinstance(update, Explained):
            self.ties[update.name][part] = update.ties
            if at_hand:
                self.ranks[update.name][part] = update.ranks
            return
        self.scores[:, part, 0] = update.scores
        self.target[part] = update.target
        self.score = update.score
        if update.words is not None:
            several = update.words if isinstance(update.words, list) else [update.words] * len(update.target)
            self.words |= dict(enumerate(several, start=update.first))
        if at_hand:
            self.random_ranks[:, part] = update.random_ranks

    # -- parts that lie in a folder ----------------------------------------------------------------------------------------------

    def part(self, start: int, stop: int) -> Table:
        """All that is known of some images, the images on each first axis."""
        rows, names = slice(start, stop), self.plan.explanations.names
        table = {
            "scores": self.scores[:, rows].transpose(0, 1),
            "target": self.target[rows],
            "said": words_table([[self.score, self.words.get(image)] for image in range(start, stop)]),
        }
        if names:
            table["ties"] = torch.stack([self.ties[name][rows] for name in names], 1)
        if names and self.plan.source.tensor is not None:
            table["ranks"] = torch.stack([self.ranks[name][rows] for name in names], 1)
        return {name: tensor.clone() for name, tensor in table.items()}

    def take(self, start: int, stop: int, table: Table) -> None:
        """What :meth:`part` gave."""
        rows, setup = slice(start, stop), self.plan.setup
        self.scores[:, rows], self.target[rows] = table["scores"].transpose(0, 1), table["target"]
        for image, (score, words) in enumerate(read_words(table["said"]), start=start):
            self.score = score
            if words is not None:
                self.words[image] = words
        for place, name in enumerate(self.plan.explanations.names):
            self.ties[name][rows] = table["ties"][:, place]
            if self.plan.source.tensor is not None:
                self.ranks[name][rows] = table["ranks"][:, place]
        if self.plan.source.tensor is not None:
            for repeat in range(self.plan.repeats):
                drawn = random_ranks(stop - start, setup.grid.patches, setup.seed, repeat, start)
                self.random_ranks[repeat, rows] = drawn.int()
        self.done += len(self.plan.runs) * (stop - start) * setup.schedule.steps

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
            score=self.score,
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
        parameters: dict[str, Any] = {
            "order": "both" if len(plan.orders) == 2 else plan.orders[0],
            "perturb": perturb,
            "patch": setup.grid.patch,
            "steps": setup.schedule.steps,
            "score": self.score,
            "precision": plan.precision,
        }
        if self.words:
            words = [self.words[image] for image in sorted(self.words)]
            parameters["target"] = words[0] if len(set(words)) == 1 else words
        return Provenance("pixel flipping", parameters, setup.seed, plan.model.name)
