"""Parameters of the masking explainers, and what they must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.errors import unknown, whole, whole_or_none
from xaiwidgets.model import Precision
from xaiwidgets.relax.parts import Aggregate, Fill

Masks = Literal["balanced", "random"] | Tensor | Callable[[int, tuple[int, int], torch.Generator], Tensor]
"""A design by name, the masks themselves (n, H, W), or a function (n, (H, W), generator) -> masks (n, H, W)."""
DESIGNS = ("balanced", "random")


@dataclass
class Settings:
    """Parameters that all masking explainers share."""

    n_masks: int = 3000
    cells: int = 7
    keep: float = 0.5
    seed: int = 0
    masks: Masks = "balanced"
    perturb: str | Fill = "zero"
    aggregate: str | Aggregate = "mean"
    control_variate: bool = False
    tolerance: float | None = None
    precision: Precision = "float32"
    batch_size: int | None = None

    def check(self) -> None:
        """Numbers of any kind become Python's own, arrays become tensors.

        Raises:
            TypeError, ValueError: a parameter that does not fit, naming it and what to give.
        """
        self.n_masks = whole("n_masks", self.n_masks, 1)
        self.cells = whole("cells", self.cells, 2, also=": cells along each side of a mask")
        self.seed = whole("seed", self.seed, also="; it fixes all random numbers")
        keep = _number(self.keep)
        if keep is None or not 0 < keep < 1:
            raise ValueError(
                f"keep={self.keep!r} must lie in (0, 1): the probability that a cell of the image is shown"
            )
        self.keep = keep
        if self.tolerance is not None:
            tolerance = _number(self.tolerance)
            if tolerance is None or not tolerance > 0:
                raise ValueError(f"tolerance={self.tolerance!r} must be positive, or None to use all masks")
            self.tolerance = tolerance
        self.batch_size = whole_or_none("batch_size", self.batch_size, 1)
        masks: Any = self.masks
        if isinstance(masks, str):
            if masks not in DESIGNS:
                raise unknown("masks", masks, DESIGNS)
        elif isinstance(masks, np.ndarray):
            self.masks = torch.as_tensor(masks)
        elif not isinstance(masks, Tensor) and not callable(masks):
            raise TypeError(
                f"masks is {type(masks).__name__}; give 'balanced', 'random', masks (n, H, W) in [0, 1], "
                "or a function (n, (H, W), generator) -> such masks"
            )
        if not isinstance(self.control_variate, bool):
            raise TypeError(f"control_variate={self.control_variate!r} must be True or False")
        if self.control_variate and not (isinstance(self.masks, str) and self.masks == "balanced" and keep == 0.5):
            asked = f"masks={self.masks!r}" if isinstance(self.masks, str) else "masks of your own"
            raise ValueError(
                f"control_variate=True came with {asked}, keep={keep:g}; it rests on pairs of complements: "
                "give masks='balanced' and keep=0.5, or leave it out"
            )


def _number(value: object) -> float | None:
    """A real number of any kind as a float; None for anything else."""
    if isinstance(value, bool | str):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return None
