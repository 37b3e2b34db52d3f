"""Fills hidden pixels from their surroundings: a pyramid on the device, and OpenCV's Telea."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

MID_GRAY = 0.5
_CACHED = 4
"""Pictures filled at a time on a CPU."""


def push_pull(pixels: Tensor, hidden: Tensor) -> Tensor:
    """Hidden pixels filled from what shows around them, by averages on ever coarser grids (Gortler et al. 1996, push-pull).

    A hole takes its colours from the finest grid on which something shows near it, interpolated and smoothed. Where nothing shows
    at all the picture is mid-gray.

    Args:
        pixels: (n, C, H, W) in [0, 1].
        hidden: (n, 1, H, W) bool.

    Returns:
        (n, C, H, W) in [0, 1], what shows unchanged.
    """
    if pixels.device.type != "cpu":
        return _filled(pixels, hidden)
    # On a CPU a few pictures at a time stay in its cache, several times faster than the whole batch.
    out = torch.empty_like(pixels, memory_format=torch.contiguous_format)
    for start in range(0, len(pixels), _CACHED):
        part = slice(start, start + _CACHED)
        out[part] = _filled(pixels[part], hidden[part])
    return out


def _filled(pixels: Tensor, hidden: Tensor) -> Tensor:
    colours, weight = pixels.contiguous(), (~hidden).to(pixels.dtype)
    levels = [(colours * weight, weight)]
    while max(weight.shape[-2:]) > 1:
        colours, sums = (_halved(values) for values in levels[-1])
        # What shows even a little counts in full one level up.
        weight = sums.clamp(max=1)
        levels.append((colours * (weight / sums.clamp_min(1e-12)), weight))
    colours, weight = levels.pop()
    filled = torch.where(weight > 0, colours, MID_GRAY)
    while levels:
        colours, weight = levels.pop()
        hole = 1 - weight
        filled = F.interpolate(filled, colours.shape[-2:], mode="bilinear", align_corners=False)
        filled = filled.mul_(hole).add_(colours)
        if levels:
            # Takes the blocks of the coarser grid out of what was filled in; the finest grid needs it least and costs most.
            smooth = F.avg_pool2d(F.pad(filled, (1, 1, 1, 1), mode="replicate"), 3, 1)
            filled = smooth.mul_(hole).add_(colours)
    return filled.clamp_(0, 1)


def _halved(values: Tensor) -> Tensor:
    """Sums over 2 × 2 blocks; an odd edge gets an empty line."""
    height, width = values.shape[-2:]
    if height % 2 or width % 2:
        values = F.pad(values, (0, width % 2, 0, height % 2))
    rows = values[..., ::2, :] + values[..., 1::2, :]
    return rows[..., ::2] + rows[..., 1::2]


def telea(pixels: Tensor, hidden: Tensor, radius: float = 3) -> Tensor:
    """OpenCV's inpainting after Telea 2004, image by image on the CPU in 8 bits, as lrp-pf-auc does.

    Colours are rounded to the nearest of 256 and clamped, so that 1.0000002 is no error. An image with nothing left to go by becomes
    mid-gray (OpenCV itself would give back what is hidden).

    Args:
        pixels: (n, C, H, W) in [0, 1], C = 1 or 3. hidden: (n, 1, H, W) bool. radius: in pixels.

    Raises:
        ImportError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "perturb='telea' needs OpenCV, which is not installed; pip install 'xaiwidgets[telea]', or take perturb='inpaint'"
        ) from error
    channels = pixels.shape[1]
    out = np.empty(pixels.shape, dtype=np.float32)
    images = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    masks = hidden[:, 0].to(torch.uint8).cpu().numpy()
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if mask.all():
            out[row] = MID_GRAY
            continue
        source = np.ascontiguousarray(image[..., ::-1]) if channels == 3 else np.ascontiguousarray(image[..., 0])
        done = cv2.inpaint(source, mask, radius, cv2.INPAINT_TELEA).reshape(*mask.shape, channels)
        out[row] = (done[..., ::-1] if channels == 3 else done).transpose(2, 0, 1) / np.float32(255)
    return torch.from_numpy(out).to(pixels)
