"""What RELAX and RISE return."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiwidgets.results import Result


@dataclass(frozen=True, eq=False, repr=False)
class RelaxResult(Result):
    """Importance of every pixel, and how sure it is.

    ``uncertainty`` and ``standard_error`` answer different questions: uncertainty is the spread of the similarities
    among the masks that show a pixel and stays as it is with more masks; the standard error is that of the estimated
    importance and shrinks with them.

    Example:
        >>> result = xw.RELAX(model, n_masks=128)(x)
        >>> kept = result.u_relax(quantile=0.5) != 0
        >>> isinstance(result, xw.RelaxResult), round(float(kept.float().mean()), 1)
        (True, 0.5)
    """

    figure = "relax"

    importance: Tensor
    """R, (N, H, W): mean similarity of the masks that show the pixel (RELAX, equation 4)."""
    uncertainty: Tensor
    """U, (N, H, W): Σ (s − R)²·M over the mean of Σ M, in the scale of a variance (RELAX, equation 5)."""
    standard_error: Tensor
    """Standard error of ``importance``, (N, H, W)."""
    mean_similarity: Tensor
    """Mean similarity over all masks, (N,): the importance of a pixel that makes no difference."""
    n_masks: int
    """Masks seen so far."""
    total: int
    """Masks to see in all; more than ``n_masks`` in a partial result."""
    target: Tensor | None = None
    """The class explained, (N,); None for a representation, and for another target, which the provenance names."""

    @property
    def heatmap(self) -> Tensor:
        """The importance, (N, H, W)."""
        return self.importance

    @property
    def final(self) -> bool:
        """False for a partial result."""
        return self.n_masks >= self.total

    @property
    def largest_error(self) -> float:
        """The largest standard error of any pixel of any image."""
        return float(self.standard_error.max())

    @property
    def relative_importance(self) -> Tensor:
        """Importance above that of a pixel that makes no difference, (N, H, W): positive where showing it helps."""
        return self.importance - self.mean_similarity[:, None, None]

    def beyond_error(self, errors: float = 2.0) -> Tensor:
        """`relative_importance` where it is larger than so many of its standard errors, else 0, (N, H, W): what few masks leave to
        chance is not counted.

        Raises:
            ValueError: a negative number, or none.
        """
        if not errors >= 0:
            raise ValueError(f"errors={errors} must be a number from 0")
        relative = self.relative_importance
        return torch.where(relative.abs() > errors * self.standard_error, relative, 0.0)

    def u_relax(self, quantile: float = 0.5) -> Tensor:
        """Importance where the uncertainty is among the lowest ``quantile`` of the image's pixels, else 0, (N, H, W).

        The published method has ``quantile=0.5`` (RELAX, section 3.3).

        Raises:
            ValueError: quantile outside [0, 1].
        """
        return torch.where(self.sure(quantile), self.importance, 0.0)

    def sure(self, quantile: float = 0.5) -> Tensor:
        """Which pixels are among the surest ``quantile`` of their image, bool (N, H, W)."""
        if not 0 <= quantile <= 1:
            raise ValueError(f"quantile={quantile} must lie in [0, 1]: the share of pixels to keep")
        flat = self.uncertainty.flatten(1)
        rank = math.ceil(quantile * flat.shape[1])
        if rank == 0:
            return torch.zeros_like(self.uncertainty, dtype=torch.bool)
        limit = flat.kthvalue(rank, dim=1).values
        return self.uncertainty <= limit[:, None, None]
