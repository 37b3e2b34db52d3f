"""Fills hidden pixels from their surroundings: ring by ring on the device, and OpenCV's Telea."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.devices import sent

MID_GRAY = 0.5
_CACHED = 8
"""Pictures filled at a time on a CPU."""
_FINE = 64
"""Side of the grid on which holes are filled ring by ring; larger pictures are halved until they fit."""
_REACH = 2
"""Width of a ring, in cells of that grid."""
_RINGS = 4
"""Rings between two looks at whether all is filled."""


def onion(pixels: Tensor, hidden: Tensor) -> Tensor:
    """Hidden pixels filled from the rim of their hole inwards, ring by ring, each from what is known close by.

    Telea's idea (2004) without his gradients and his strict order, so that a whole batch is filled at once: colours on the two sides of
    an edge stay apart, which averages over ever coarser grids (push-pull) would mix. Large pictures are filled on a coarser grid and
    smoothed. Where nothing shows at all the picture is mid-gray.

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
    weight = (~hidden).to(pixels.dtype)
    levels = [torch.cat([pixels * weight, weight], 1)]
    while max(levels[-1].shape[-2:]) > _FINE:
        sums = _halved(levels[-1])
        # What shows even a little counts in full one level up.
        levels.append(sums / sums[:, -1:].clamp_min(1))
    coarse = levels.pop()
    filled = _ring_by_ring(coarse)
    while levels:
        fine = levels.pop()
        hole = 1 - fine[:, -1:]
        filled = F.interpolate(filled, fine.shape[-2:], mode="bilinear", align_corners=False)
        filled = filled.mul_(hole).add_(fine[:, :-1])
    return filled.clamp_(0, 1)


def _ring_by_ring(colours: Tensor) -> Tensor:
    """Colours times weight, and the weight (0 or 1), (n, C + 1, H, W), to colours everywhere (n, C, H, W)."""
    channels, side = colours.shape[1], 2 * _REACH + 1
    nothing = (~(colours[:, -1:] > 0).flatten(1).any(1)).view(-1, 1, 1, 1).to(colours.dtype)
    gray = sent([MID_GRAY] * (channels - 1) + [1.0], colours.device, colours.dtype).view(1, -1, 1, 1)
    colours = colours + nothing * gray
    box = colours.new_ones(channels, 1, side, side)
    # On a CPU a look tells when all is filled; elsewhere it would wait for the device, and rings that fill nothing cost little.
    looks = colours.device.type == "cpu"
    left = -(-max(colours.shape[-2:]) // _REACH)
    while left > 0 and not (looks and (colours[:, -1:] > 0).all()):
        left -= _RINGS
        for _ in range(_RINGS):
            near = F.conv2d(colours, box, padding=_REACH, groups=channels)
            # The mean of what is known near by, for what is not known yet.
            share = near[:, -1:].clamp_min(1).reciprocal_().mul_(colours[:, -1:] == 0)
            colours = torch.addcmul(colours, near, share)
    return colours[:, :-1]


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
