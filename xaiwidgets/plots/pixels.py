"""Pictures of any number of channels as screens and papers show them: grey or in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def drawable(pixels: Tensor) -> Tensor:
    """A picture (C, H, W) as (1, H, W), grey, or (3, H, W), in colour.

    Of 2 channels, or more than 3, nobody knows the colours: their mean is shown. js/src/shared/data/picture.ts does the same.
    """
    return pixels if len(pixels) in (1, 3) else pixels.float().mean(0, keepdim=True)


_PALE = 0.72


def paled(pixels: Any) -> np.ndarray:
    """A picture (C, H, W) of values in [0, 1] without its colours and paler, (H, W): what lies beneath a heatmap.

    The luma of ITU-R BT.601, as in js/src/shared/drawing/overlay.ts.
    """
    shown = drawable(torch.as_tensor(pixels).detach().cpu().float().clamp(0, 1))
    luma = shown[0] if len(shown) == 1 else 0.299 * shown[0] + 0.587 * shown[1] + 0.114 * shown[2]
    pale: np.ndarray = (1 - _PALE * (1 - luma)).numpy()
    return pale


def drawn(pixels: Any) -> np.ndarray:
    """A picture (C, H, W) of values in [0, 1] as matplotlib draws it: (H, W), to be shown in grey, or (H, W, 3)."""
    shown = drawable(torch.as_tensor(pixels).detach().cpu().float().clamp(0, 1))
    return (shown[0] if len(shown) == 1 else shown.permute(1, 2, 0)).numpy()
