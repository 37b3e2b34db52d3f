"""RELAX written out mask by mask in float64, as the formulas say: what the tests compare with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass
class Slow:
    """importance, uncertainty, standard_error (H, W) of one image."""

    importance: Tensor
    uncertainty: Tensor
    standard_error: Tensor

    def u_relax(self, quantile: float) -> Tensor:
        """Importance at the ⌈q·H·W⌉ pixels of lowest uncertainty (and those equal to the last of them), else 0."""
        ordered = sorted(self.uncertainty.flatten().tolist())
        kept = math.ceil(quantile * len(ordered))
        if kept == 0:
            return torch.zeros_like(self.importance)
        return torch.where(self.uncertainty <= ordered[kept - 1], self.importance, 0.0)


def slow_relax(similarities: Tensor, masks: Tensor) -> Slow:
    """Similarities (n,) of masks (n, H, W), one mask after the other."""
    s, m = similarities.double(), masks.double()
    weight, weighted = torch.zeros_like(m[0]), torch.zeros_like(m[0])
    for value, mask in zip(s, m, strict=True):
        weight += mask
        weighted += value * mask
    importance = weighted / weight
    scatter, squares = torch.zeros_like(m[0]), torch.zeros_like(m[0])
    for value, mask in zip(s, m, strict=True):
        scatter += (value - importance) ** 2 * mask
        squares += mask**2 * (value - importance) ** 2
    return Slow(importance, scatter / weight.mean(), squares.sqrt() / weight)


def slow_mask(grid: Tensor, size: tuple[int, int], shift: tuple[int, int]) -> Tensor:
    """A grid (cells, cells) as a mask (H, W): enlarge, pad by reflection, crop."""
    pad = grid.shape[0] // 2
    large = F.interpolate(grid[None, None], size=size, mode="bilinear", align_corners=False)
    large = F.pad(large, (pad, pad, pad, pad), mode="reflect")
    return large[0, 0, shift[0] : shift[0] + size[0], shift[1] : shift[1] + size[1]]
