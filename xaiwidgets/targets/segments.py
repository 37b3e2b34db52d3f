"""Segmentation maps: which class is predicted where, what belongs to a point, masks at another size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["around", "main_class", "on_map", "positive"]

BACKGROUND = frozenset({"background", "__background__", "bg", "unlabeled", "unlabelled", "other", "void"})


def positive(scores: Tensor, meaning: str) -> Tensor:
    """Where the one class of a map (h, w) is predicted; of plain values everywhere."""
    if meaning == "values":
        return torch.ones_like(scores, dtype=torch.bool)
    return scores > (0.5 if meaning == "probabilities" else 0.0)


def main_class(model: Any, best: Tensor, weights: Tensor | None = None) -> int:
    """The class predicted on most of the map (h, w), or of a part of it; the background only where there is nothing else."""
    size = torch.ones_like(best, dtype=torch.float32) if weights is None else weights.float()
    counted = best >= 0
    areas = torch.zeros(int(best.max()) + 1 or 1, device=best.device).index_add_(0, best[counted], size[counted])
    for index in areas.argsort(descending=True, stable=True).tolist():
        if areas[index] > 0 and model.class_name(index).lower() not in BACKGROUND:
            return int(index)
    return int(areas.argmax())


def around(inside: Tensor, y: int, x: int) -> Tensor:
    """The connected part of a mask (h, w) that holds a place, sides touching."""
    found = torch.zeros_like(inside, dtype=torch.float32)
    found[y, x] = 1.0
    cross = found.new_tensor([[0, 1, 0], [1, 1, 1], [0, 1, 0]])[None, None]
    count = 0
    while (reached := int(found.sum())) != count:
        count = reached
        found = (F.conv2d(found[None, None], cross, padding=1)[0, 0] > 0).float() * inside
    return found


def on_map(weights: Tensor, size: tuple[int, int]) -> Tensor:
    """Weights (H, W) of pixels as weights of a map's places: the share of each that they cover."""
    return weights if tuple(weights.shape) == size else F.interpolate(weights[None, None], size, mode="area")[0, 0]
