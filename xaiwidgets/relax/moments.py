"""Running sums from which importance, uncertainty and standard error follow at any time."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Sums over masks, for N images that share them.

    With s the similarities and M the masks: Σ M, Σ t·M, Σ t²·M and the same with M², where t = s − c and c is the mean
    of the image's first batch. Around c, differences of sums lose no digits, and float64 totals add up batches of any
    number.
    """

    def __init__(self, images: int, size: tuple[int, int], device: torch.device) -> None:
        self.count = 0
        self.size = size
        self.centre: Tensor | None = None
        rows = 2 * images + 1
        self._plain = torch.zeros(rows, size[0] * size[1], dtype=torch.float64, device=device)
        self._squared = torch.zeros_like(self._plain)
        self._total = torch.zeros(images, dtype=torch.float64, device=device)

    def add(self, similarities: Tensor, masks: Tensor) -> None:
        """Add n masks (n, H, W) with their similarities (N, n)."""
        if self.centre is None:
            self.centre = similarities.double().mean(1, keepdim=True)
        t = similarities - self.centre.to(similarities.dtype)
        factors = torch.cat([torch.ones_like(t[:1]), t, t * t])
        flat = masks.flatten(1)
        self._plain += factors @ flat
        self._squared += factors @ flat.square()
        self._total += t.double().sum(1)
        self.count += masks.shape[0]

    @property
    def weight(self) -> Tensor:
        """Σ M, (H, W)."""
        return self._plain[0].view(self.size)

    @property
    def mean_similarity(self) -> Tensor:
        """Mean of the similarities of all masks, (N,)."""
        assert self.centre is not None
        return self.centre[:, 0] + self._total / self.count

    @property
    def mean(self) -> Tensor:
        """R = Σ s·M / Σ M, (N, H, W): RELAX, equation 4."""
        assert self.centre is not None
        return (self.centre + self._centred_mean()).view(-1, *self.size)

    @property
    def scatter(self) -> Tensor:
        """Σ (s − R)²·M, (N, H, W): RELAX's uncertainty (equation 5) before it is divided by a constant."""
        weight, first, second = self._parts(self._plain)
        return (second - first * first / weight.clamp_min(_TINY)).clamp_min(0).view(-1, *self.size)

    @property
    def standard_error(self) -> Tensor:
        """√(Σ M²·(s − R)²) / Σ M, (N, H, W): that of a ratio estimate from independent masks."""
        r = self._centred_mean()
        weight, first, second = self._parts(self._squared)
        scatter = (second - 2 * r * first + r * r * weight).clamp_min(0)
        return (scatter.sqrt() / self._plain[0].clamp_min(_TINY)).view(-1, *self.size)

    def _centred_mean(self) -> Tensor:
        weight, first, _ = self._parts(self._plain)
        return first / weight.clamp_min(_TINY)

    def _parts(self, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = (len(sums) - 1) // 2
        return sums[0], sums[1 : 1 + images], sums[1 + images :]


# Keeps a pixel that no mask has shown yet at zero in place of NaN.
_TINY = 1e-12
