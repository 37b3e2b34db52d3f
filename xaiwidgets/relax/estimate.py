"""From running sums to results, with the standard error that fits the design of the masks."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiwidgets.relax.moments import Moments
from xaiwidgets.relax.parts import Aggregate
from xaiwidgets.relax.result import RelaxResult
from xaiwidgets.results import Provenance

_PRIOR_BLOCKS = 4.0
"""How many blocks the image's average variance counts beside a pixel's own, which few blocks tell badly."""


class Estimate:
    """The growing answer for N images that share their masks.

    Independent masks give the standard error of a ratio estimate. Balanced ones are not independent within a block:
    their standard error is what blocks differ by. With few blocks that is noisy pixel by pixel, so each pixel's
    variance between blocks is drawn towards the image's mean (as in moderated statistics, Smyth 2004, doi
    10.2202/1544-6115.1027).
    """

    def __init__(
        self,
        images: int,
        size: tuple[int, int],
        device: torch.device,
        *,
        total: int,
        keep: float,
        aggregate: Aggregate,
        provenance: Provenance,
        blocks: bool,
        target: Tensor | None = None,
    ) -> None:
        self._shape = (images, size, device)
        self._total = total
        self._keep = keep
        self._aggregate = aggregate
        self._provenance = provenance
        self._target = target
        self._moments = Moments(images, size, device)
        self._by_blocks = blocks
        self._block = Moments(images, size, device)
        self._blocks = 0
        self._block_mean = torch.zeros(images, *size, dtype=torch.float64, device=device)
        self._block_scatter = torch.zeros_like(self._block_mean)

    def add(self, similarities: Tensor, masks: Tensor) -> None:
        """Add n masks (n, H, W) with their similarities (N, n)."""
        self._moments.add(similarities, masks)
        if self._by_blocks:
            self._block.add(similarities, masks)

    def end_block(self) -> None:
        """What was added since the last call is one replicate of the design."""
        self._blocks += 1
        if self._by_blocks:
            # Welford's update of mean and scatter over blocks.
            mean = self._block.mean
            step = mean - self._block_mean
            self._block_mean += step / self._blocks
            self._block_scatter += step * (mean - self._block_mean)
            self._block = Moments(*self._shape)

    @property
    def settled(self) -> bool:
        """Whether the standard error rests on enough masks to stop on its word."""
        return self._blocks >= 2

    def result(self, *, final: bool = False) -> RelaxResult:
        """The answer so far. ``final`` says that no more masks will come, whatever was planned."""
        moments = self._moments
        mean, weight = moments.mean, moments.weight
        importance = torch.stack([self._aggregate(row * weight, weight, moments.count, self._keep) for row in mean])
        # Another aggregation scales each pixel; its standard error scales alike.
        scale = torch.stack([self._aggregate(weight, weight, moments.count, self._keep)] * len(mean)).abs()
        return RelaxResult(
            provenance=self._provenance,
            importance=importance.float(),
            uncertainty=(moments.scatter / weight.mean()).float(),
            standard_error=(self._standard_error() * scale).float(),
            mean_similarity=moments.mean_similarity.float(),
            n_masks=moments.count,
            total=moments.count if final else self._total,
            target=self._target,
        )

    def _standard_error(self) -> Tensor:
        if not self._by_blocks or self._blocks < 2:
            return self._moments.standard_error
        freedom = self._blocks - 1
        own = self._block_scatter / freedom
        average = own.mean((1, 2), keepdim=True)
        variance = (_PRIOR_BLOCKS * average + freedom * own) / (_PRIOR_BLOCKS + freedom)
        # The variance itself is estimated: Student's t needs this much more than the normal's 1.96 (Cornish-Fisher).
        widened = 1 + (1.96**2 + 1) / (4 * (_PRIOR_BLOCKS + freedom))
        return (variance / self._blocks).sqrt() * widened
