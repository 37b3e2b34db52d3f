"""Areas and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.errors import unknown


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
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for start in range(0, resamples, 256):
        stop = min(start + 256, resamples)
        means[start:stop] = kept[generator.integers(0, len(kept), (stop - start, len(kept)))].mean(1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Estimate(centre, float(low), float(high))


def as_scores(logits: Tensor, target: Tensor, score: str) -> Tensor:
    """The score of each row's target class, (n,): its logit or its probability."""
    if score == "probability":
        logits = logits.softmax(1)
    return logits.gather(1, target[:, None])[:, 0]


def check_score(score: str) -> None:
    if score not in ("logit", "probability"):
        raise unknown("score", score, ("logit", "probability"))


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must lie in (0, 1)")
