"""From running sums to results, with the standard error that fits the design of the masks."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiwidgets.relax.control import ControlVariate
from xaiwidgets.relax.masks import Grids
from xaiwidgets.relax.moments import Moments
from xaiwidgets.relax.parts import Aggregate
from xaiwidgets.relax.result import RelaxResult
from xaiwidgets.results import Provenance

_PRIOR_BLOCKS = 4.0
"""How many blocks the image's average variance counts beside a pixel's own, which few blocks tell badly."""
_PRIOR_LEVELS = 1.0
"""How many blocks the variance of independent pairs counts beside that of the blocks' levels."""


class Estimate:
    """The growing answer for N images that share their masks.

    Independent masks give the standard error of a ratio estimate. Balanced ones are not independent within a block:
    their standard error is what blocks differ by. With few blocks that is noisy pixel by pixel, so each pixel's
    variance between blocks is drawn towards the image's mean (as in moderated statistics, Smyth 2004, doi
    10.2202/1544-6115.1027).

    With a control variate the importance is the mean of the blocks' corrected estimates, as of the last whole block; the first
    block's masks count as they are until it ends. What is left of the noise is to a good part common to all pixels (the level),
    and for that the image has no more to tell than one pixel: its variance is drawn towards that of independent pairs.
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
        control: ControlVariate | None = None,
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
        self._control = control
        self._answers: list[Tensor] = []
        self._levels: list[Tensor] = []
        self._block = Moments(images, size, device)
        self._blocks = 0
        self._block_mean = torch.zeros(images, *size, dtype=torch.float64, device=device)
        self._block_scatter = torch.zeros_like(self._block_mean)

    def add(self, similarities: Tensor, masks: Tensor) -> None:
        """Add n masks (n, H, W) with their similarities (N, n)."""
        self._moments.add(similarities, masks)
        if self._control is not None:
            self._answers.append(similarities)
        elif self._by_blocks:
            self._block.add(similarities, masks)

    def end_block(self, drawn: object) -> None:
        """What was added since the last call is one replicate of the design: all masks of ``drawn``."""
        if self._control is not None:
            assert isinstance(drawn, Grids)
            means, anew = self._control.add(drawn, torch.cat(self._answers, 1))
            self._answers = []
            if anew:
                self._blocks = 0
                self._block_mean.zero_()
                self._block_scatter.zero_()
                self._levels = []
            for mean in means:
                self._count_block(mean)
        elif self._by_blocks:
            self._count_block(self._block.mean)
            self._block = Moments(*self._shape)
        else:
            self._blocks += 1

    def _count_block(self, mean: Tensor) -> None:
        """Welford's update of mean and scatter over blocks."""
        self._blocks += 1
        step = mean - self._block_mean
        self._block_mean += step / self._blocks
        self._block_scatter += step * (mean - self._block_mean)
        self._levels.append(mean.mean((1, 2)))

    @property
    def settled(self) -> bool:
        """Whether the standard error rests on enough masks to stop on its word."""
        return self._blocks >= 2

    def result(self, *, final: bool = False) -> RelaxResult:
        """The answer so far. ``final`` says that no more masks will come, whatever was planned."""
        moments = self._moments
        weight = moments.weight
        mean = self._block_mean if self._control is not None and self._blocks else moments.mean
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
        if self._control is not None:
            level = torch.stack(self._levels).var(0)
            careful = (_PRIOR_LEVELS * self._control.level_variance + freedom * level) / (_PRIOR_LEVELS + freedom)
            own = (own - level[:, None, None]).clamp_min(0) + careful[:, None, None]
        average = own.mean((1, 2), keepdim=True)
        variance = (_PRIOR_BLOCKS * average + freedom * own) / (_PRIOR_BLOCKS + freedom)
        # The variance itself is estimated: Student's t needs this much more than the normal's 1.96 (Cornish-Fisher).
        widened = 1 + (1.96**2 + 1) / (4 * (_PRIOR_BLOCKS + freedom))
        return (variance / self._blocks).sqrt() * widened
