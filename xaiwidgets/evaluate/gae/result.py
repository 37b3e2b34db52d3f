"""What GAE returns."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.evaluate.gae.parts import local_consistency
from xaiwidgets.evaluate.statistics import Estimate, bootstrap
from xaiwidgets.results import Result

PARTS = ("gae", "local_consistency", "faithfulness", "robustness", "contrastiveness")


@dataclass(frozen=True, eq=False, repr=False)
class GaeResult(Result):
    """GAE and its parts for every positive image, one of each mosaic; higher is better.

    Attributes:
        faithfulness: method -> F (n,) in [−1, 1]. robustness: B (n,) in [−1, 1].
        contrastiveness: C (n,), 0 or more; more than 1 where the positive image's label has less probability than another tile's,
            that is where the model errs: one such image can rule the mean.
        images: index of each positive image in the data, (n,). target: its class.
        left_out: images that made no mosaic of four.
        total: mosaics in all; more than n in a partial result.
        pictures: (n, C, H, W) pixel values; None for a data set.
        confidence, resamples: of the bootstrap intervals over images.
    """

    figure = "gae"

    faithfulness: Mapping[str, Tensor]
    robustness: Mapping[str, Tensor]
    contrastiveness: Mapping[str, Tensor]
    images: Tensor
    target: Tensor
    left_out: int
    total: int
    pictures: Tensor | None = None
    confidence: float = 0.95
    resamples: int = 2000

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.faithfulness)

    @property
    def final(self) -> bool:
        """False for a partial result."""
        return len(self.images) >= self.total

    @property
    def local_consistency(self) -> Mapping[str, Tensor]:
        """L = relu(F + B)/2, method -> (n,)."""
        return {name: local_consistency(self.faithfulness[name], self.robustness[name]) for name in self.methods}

    @property
    def gae(self) -> Mapping[str, Tensor]:
        """GAE = L·C, method -> (n,)."""
        local = self.local_consistency
        return {name: local[name] * self.contrastiveness[name] for name in self.methods}

    def part(self, name: str) -> Mapping[str, Tensor]:
        """A part by name, one of "gae", "local_consistency", "faithfulness", "robustness", "contrastiveness"."""
        if name not in PARTS:
            raise unknown("part", name, PARTS)
        found: Mapping[str, Tensor] = getattr(self, name)
        return found

    def estimate(self, method: str, part: str = "gae") -> Estimate:
        """The mean over images with its bootstrap interval."""
        values = self.part(part)
        if method not in values:
            raise unknown("method", method, values)
        seed = self.provenance.seed or 0
        return bootstrap(values[method], confidence=self.confidence, resamples=self.resamples, seed=seed)

    def table(self) -> dict[str, dict[str, Estimate]]:
        """method -> part -> mean and interval, the best method first."""
        return {name: {part: self.estimate(name, part) for part in PARTS} for name in self.ranking}

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the methods by their mean GAE, the best first."""
        return tuple(sorted(self.methods, key=lambda name: float(self.gae[name].nanmean()), reverse=True))

    def best(self, method: str, count: int = 5) -> Tensor:
        """Rows (not data-set indices: those are ``images[rows]``) with the highest GAE, best first."""
        return self._sorted(method, descending=True)[:count]

    def worst(self, method: str, count: int = 5) -> Tensor:
        """The same with the lowest GAE, worst first."""
        return self._sorted(method, descending=False)[:count]

    def _sorted(self, method: str, descending: bool) -> Tensor:
        if method not in self.methods:
            raise unknown("method", method, self.methods)
        return torch.sort(self.gae[method], descending=descending, stable=True).indices

    def to_csv(self, path: str | Path) -> Path:
        """Every image's GAE and parts as a CSV file."""
        path = Path(path)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["method", "image", "target", *PARTS])
            for name in self.methods:
                columns = [self.part(part)[name].tolist() for part in PARTS]
                rows = zip(self.images.tolist(), self.target.tolist(), *columns, strict=True)
                writer.writerows([name, *row] for row in rows)
        return path

    def __str__(self) -> str:
        counted = f"{len(self.images)} of {self.total} mosaics, {self.left_out} images left out"
        lines = [str(self.provenance), f"{counted}; mean GAE [{self.confidence:.0%} interval]:"]
        for place, (name, parts) in enumerate(self.table().items(), start=1):
            lines.append(f"  {place}. {name}: {parts['gae']}")
            # On a line of their own, without intervals, which `table` has: in one line nobody could tell the methods apart.
            means = [f"{part.replace('_', ' ')} {parts[part].mean:.3g}" for part in PARTS if part != "gae"]
            lines.append("     " + ", ".join(means))
        return "\n".join(lines)

    __repr__ = __str__
