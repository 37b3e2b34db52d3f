"""How many patches are flipped at each step of a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from xaiwidgets.errors import unknown, whole_or_none

ScheduleName = Literal["squares", "linear", "geometric"]
SCHEDULES: tuple[ScheduleName, ...] = ("squares", "linear", "geometric")
DEFAULT_STEPS = 20
"""Steps of the linear and geometric schedules."""


@dataclass(frozen=True)
class Schedule:
    """Patches flipped after each step.

    Attributes:
        counts: cumulative number of flipped patches, one entry a step, beginning with 0 for the untouched image.
        patches: patches of an image.
        gray_last: whether the last step shows nothing but mid-gray, as the published schedule ends.
    """

    counts: tuple[int, ...]
    patches: int
    gray_last: bool = False

    @property
    def steps(self) -> int:
        """Steps after the untouched image."""
        return len(self.counts) - 1

    @property
    def fractions(self) -> Tensor:
        """Share of patches flipped after each step, (steps + 1,), float64."""
        return torch.tensor(self.counts, dtype=torch.float64) / self.patches

    @property
    def flips(self) -> Tensor:
        """Patches flipped at each step, (steps + 1,); the last gray step flips all of them anew."""
        counts = torch.tensor(self.counts)
        flips = torch.diff(counts, prepend=counts[:1])
        if self.gray_last:
            flips[-1] = self.patches
        return flips


def make_schedule(schedule: ScheduleName | Sequence[float], patches: int, steps: int | None = None) -> Schedule:
    """The schedule for an image of so many patches.

    Args:
        schedule: ``"squares"`` flips 1, 3, 5, … patches, k² after k steps, and ends with an all-gray step (as lrp-pf-auc;
            where the number of patches is no square, one more step flips the rest); ``"linear"`` and ``"geometric"`` flip
            all patches in ``steps`` steps; or the fractions of patches flipped after each step, in [0, 1], rising.
        patches: of the image.
        steps: number of steps; None for all of ``"squares"``, of which fewer may be taken (curves then end early, and areas are
            over what was flipped), and 20 for the others.

    Raises:
        ValueError: an unknown name, or steps or fractions that do not fit.
    """
    steps = whole_or_none("steps", steps, 1)
    if not isinstance(schedule, str):
        return _given(schedule, patches, steps)
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    if schedule == "squares":
        return _squares(patches, steps)
    wanted = min(steps or DEFAULT_STEPS, patches)
    if schedule == "linear":
        counts = {round(patches * step / wanted) for step in range(wanted + 1)}
    else:
        counts = {0, *(max(1, round(patches ** (step / wanted))) for step in range(1, wanted + 1))}
    return Schedule(tuple(sorted(counts)), patches)


def _squares(patches: int, steps: int | None) -> Schedule:
    counts = [k * k for k in range(math.isqrt(patches) + 1)]
    if counts[-1] < patches:
        counts.append(patches)
    full = Schedule((*counts, patches), patches, gray_last=True)
    if steps is None or steps == full.steps:
        return full
    if steps > full.steps:
        raise ValueError(
            f"steps={steps} is more than the {full.steps} of schedule='squares' for {patches} patches; "
            "take fewer steps, smaller patches, or None for all"
        )
    return Schedule(full.counts[: steps + 1], patches)


def _given(fractions: Sequence[float], patches: int, steps: int | None) -> Schedule:
    if steps is not None:
        raise ValueError(f"steps={steps} beside given fractions; leave steps out, the fractions say how many there are")
    values = [float(entry) for entry in fractions]
    if not values or any(not 0 <= value <= 1 for value in values):
        raise ValueError(f"schedule={values} must be fractions of flipped patches in [0, 1], at least one")
    if any(after <= before for before, after in pairwise(values)):
        raise ValueError(f"schedule={values} must rise from step to step")
    counts = [round(value * patches) for value in values]
    if counts[-1] == 0:
        raise ValueError(
            f"schedule={values} flips none of {patches} patches; give larger fractions, or smaller patches"
        )
    return Schedule(tuple(counts if values[0] == 0 else [0, *counts]), patches)
