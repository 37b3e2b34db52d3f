"""Fills hidden pixels from their surroundings: a pyramid on the device, and OpenCV's Telea."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

MID_GRAY = 0.5


def push_pull(pixels: Tensor, hidden: Tensor) -> Tensor:
    """Hidden pixels filled from what shows around them, by averages on ever coarser grids (Gortler et al. 1996, push-pull).

    A hole takes its colours from the finest grid on which something shows near it, interpolated. Where nothing shows at all the
    picture is mid-gray.

    Args:
        pixels: (n, C, H, W) in [0, 1].
        hidden: (n, 1, H, W) bool.

    Returns:
        (n, C, H, W) in [0, 1], what shows unchanged.
    """
    weight = (~hidden).to(pixels.dtype)
    # One contiguous block of colours and weight, so that each level is one pooling.
    levels = [torch.cat([pixels * weight, weight], 1)]
    while max(levels[-1].shape[-2:]) > 1:
        pooled = F.avg_pool2d(levels[-1], 2, ceil_mode=True)
        # What shows even a little counts in full one level up; between the two lie the paper's saturating weights.
        full = pooled[:, -1:].mul(4).clamp_(max=1)
        scale = full / pooled[:, -1:].clamp_min(1e-12)
        levels.append(pooled.mul_(scale))
    top = levels.pop()
    filled = torch.where(top[:, -1:] > 0, top[:, :-1] / top[:, -1:].clamp_min(1e-12), MID_GRAY)
    while levels:
        level = levels.pop()
        coarse = F.interpolate(filled, level.shape[-2:], mode="bilinear", align_corners=False)
        filled = level[:, :-1].addcmul_(coarse, 1 - level[:, -1:])
    return filled.clamp_(0, 1)


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
