"""Regions of an image, as people give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["region_weights"]


def region_weights(region: Any, count: int, height: int, width: int, device: torch.device) -> Tensor:
    """Weights (1 or N, H, W) float32, one inside the region.

    Args:
        region: (left, top, right, bottom) in pixels, right and bottom exclusive; or a mask (H, W) or (N, H, W), True inside, or
            weights from 0 to 1.
        count: N.

    Raises:
        ValueError: outside the image, or nothing in it.
    """
    if not hasattr(region, "shape") and isinstance(region, Sequence) and len(region) == 4:
        return _box(tuple(region), height, width, device)
    try:
        mask = torch.as_tensor(region).detach().to(device=device, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        mask = torch.empty(0)
    if mask.ndim == 1 and len(mask) == 4:
        return _box(tuple(mask.tolist()), height, width, device)
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.ndim != 3 or tuple(mask.shape[1:]) != (height, width) or len(mask) not in (1, count):
        came = f"has shape {tuple(region.shape)}" if hasattr(region, "shape") else f"is {region!r}"
        raise ValueError(
            f"region {came}; give (left, top, right, bottom) in pixels or a mask ({height}, {width}), as the image has."
        )
    if not torch.isfinite(mask).all() or not mask.flatten(1).any(1).all():
        raise ValueError(
            "region is empty: no pixel of the mask is set (or some are not finite); mark at least one pixel."
        )
    return mask


def _box(box: tuple[Any, ...], height: int, width: int, device: torch.device) -> Tensor:
    text = "(" + ", ".join(f"{side:g}" if isinstance(side, (int, float)) else repr(side) for side in box) + ")"
    if any(not isinstance(side, (int, float)) and not hasattr(side, "__index__") for side in box):
        raise ValueError(f"region={text} has sides that are no numbers; give (left, top, right, bottom) in pixels.")
    left, top, right, bottom = (round(float(side)) for side in box)
    if left < 0 or top < 0 or right > width or bottom > height:
        raise ValueError(
            f"region={text} reaches outside the image, which is {width} wide and {height} high; "
            f"give left and right within 0 to {width}, top and bottom within 0 to {height}."
        )
    if left >= right or top >= bottom:
        raise ValueError(f"region={text} is empty; give (left, top, right, bottom) with left < right and top < bottom.")
    weights = torch.zeros(1, height, width, device=device)
    weights[:, top:bottom, left:right] = 1.0
    return weights
