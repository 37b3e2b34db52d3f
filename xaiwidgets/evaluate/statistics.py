"""Areas and intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.errors import unknown, whole
from xaiwidgets.targets import Score


@dataclass(frozen=True)
class Estimate:
    """A mean over images with its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"


def area(scores: Tensor, at: Tensor) -> Tensor:
    """Area under curves (…, steps) at increasing places (steps,), by the trapezoid; float64."""
    return torch.trapezoid(scores.double(), at.double().to(scores.device), dim=-1)


def bootstrap(values: Tensor, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Estimate:
    """The mean of values (N,) and its percentile bootstrap interval over resampled images (Efron 1979).

    Values that are NaN (images not evaluated yet) are left out; a single image has an interval of no width to speak of: NaN.
    """
    kept = values.detach().double().cpu().numpy()
    kept = kept[~np.isnan(kept)]
    if len(kept) == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    centre = float(kept.mean())
    if len(kept) == 1:
        return Estimate(centre, float("nan"), float("nan"))
    means = np.concatenate([kept[drawn].mean(1) for drawn in _resampled(len(kept), resamples, seed)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Estimate(centre, float(low), float(high))


def bootstrap_columns(
    values: Tensor, *, confidence: float = 0.95, resamples: int = 500, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, lower and upper end of each column of values (N, columns), all columns resampled alike: three (columns,), float64.

    A column leaves out its NaN; one with fewer than two values has ends that are NaN.
    """
    table = values.detach().double().cpu()
    known = ~table.isnan()
    count = known.sum(0)
    centre = table.nanmean(0)
    if len(table) < 2:
        return centre, torch.full_like(centre, torch.nan), torch.full_like(centre, torch.nan)
    times = torch.zeros(resamples, len(table), dtype=torch.float64)
    for start, drawn in enumerate(_resampled(len(table), resamples, seed)):
        part = torch.from_numpy(drawn)
        times[start * _CHUNK : start * _CHUNK + len(part)].scatter_add_(
            1, part, torch.ones_like(part, dtype=times.dtype)
        )
    # How often an image was drawn, times its value: one product for all columns.
    means = (times @ table.nan_to_num()) / (times @ known.double())
    tail = (1 - confidence) / 2
    low, high = means.nanquantile(torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    few = count < 2
    return centre, low.masked_fill(few, torch.nan), high.masked_fill(few, torch.nan)


_CHUNK = 256
"""Resamples drawn at a time, so that memory stays small for many images."""


def _resampled(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Indices of the images drawn, (at most 256, count) at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        yield generator.integers(0, count, (min(_CHUNK, resamples - start), count))


class Banded:
    """A result over many images, whose curves have intervals."""

    def band(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of the bootstrap interval of the mean of scores (N, steps), each (steps,)."""
        return bootstrap_columns(scores)[1:]


def kendall(a: Tensor, b: Tensor) -> float:
    """Kendall's rank correlation of two lists of numbers, in [−1, 1]: pairs in the same order less pairs in the other, over all pairs.

    Raises:
        ValueError: fewer than two numbers, or lists of different length.
    """
    first, second = (torch.as_tensor(values).double().flatten() for values in (a, b))
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(
            f"a and b have {len(first)} and {len(second)} numbers; give two lists of the same length, two or more"
        )
    rows, columns = torch.triu_indices(len(first), len(first), 1)
    return float((torch.sign(first[rows] - first[columns]) * torch.sign(second[rows] - second[columns])).mean())


def as_scores(output: Tensor, score: Score, kind: str) -> Tensor:
    """The score of each row (n,): of a class its logit or its probability; of any other target, and of plain values, what they are."""
    return score.probability(output) if kind == "probability" else score(output)


def score_name(score: Score, kind: str, meaning: str) -> str:
    """What curves follow, in a word: "logit" or "probability" of a class, a plain "value", or another "target"."""
    if score.classes is None:
        return "target"
    return "value" if meaning == "values" else kind


def check_score(score: str) -> None:
    if score not in ("logit", "probability"):
        raise unknown("score", score, ("logit", "probability"))


def check_bootstrap(confidence: float, resamples: int) -> int:
    """The number of resamples, with what intervals need checked."""
    if isinstance(confidence, str | bool) or not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} must lie in (0, 1), such as 0.95")
    return whole("resamples", resamples, 1)
