"""Patches of an image, and the order in which a heatmap flips them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.errors import whole

Order = Literal["morf", "lerf", "random"]
ORDERS: tuple[Order, ...] = ("morf", "lerf", "random")


@dataclass(frozen=True)
class Grid:
    """An image of height × width in patches of ``patch`` × ``patch``, row by row; those at the lower and right edge may be smaller.

    Raises:
        ValueError: a patch that is not a whole number of at least 1, or larger than the image.
    """

    height: int
    width: int
    patch: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", whole("patch", self.patch, 1, also=" (pixels)"))
        if self.patch > min(self.height, self.width):
            raise ValueError(
                f"patch={self.patch} is larger than the image of {self.height}×{self.width} pixels; "
                f"take {min(self.height, self.width)} or less"
            )

    @property
    def rows(self) -> int:
        return -(-self.height // self.patch)

    @property
    def columns(self) -> int:
        return -(-self.width // self.patch)

    @property
    def patches(self) -> int:
        """Number of patches of an image."""
        return self.rows * self.columns

    def spread(self, values: Tensor) -> Tensor:
        """One value a patch (n, patches) as one value a pixel, (n, H, W)."""
        out = values.view(-1, self.rows, self.columns)
        if self.patch > 1:
            out = out.repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2)
        return out[:, : self.height, : self.width]

    def sums(self, heatmaps: Tensor) -> Tensor:
        """A heatmap's sum over every patch: (N, H, W) to (N, patches), float64."""
        padded = torch.nn.functional.pad(
            heatmaps.double(),
            (0, self.columns * self.patch - self.width, 0, self.rows * self.patch - self.height),
        )
        return (
            padded.unflatten(1, (self.rows, self.patch)).unflatten(3, (self.columns, self.patch)).sum((2, 4)).flatten(1)
        )


def ranks_of(sums: Tensor, seed: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """When each patch is flipped most relevant first, and how many patches are tied.

    Equal patches come in a random order of their own for every image, drawn from (seed, index of the image): the same in every run
    and for any batch, and without favour for a place. Least relevant first is the exact reverse.

    Args:
        sums: (N, patches) of relevance.
        seed: of the order among ties.
        first: index of the first image, where the batch is a part of a data set.

    Returns:
        ranks (N, patches), 0 for the patch that is flipped first; share of patches that equal another one, (N,).
    """
    drawn = torch.stack([_permutation(sums.shape[1], seed, first + row) for row in range(len(sums))])
    shuffled = sent(drawn, sums.device)
    order = shuffled.gather(1, torch.sort(sums.gather(1, shuffled), dim=1, descending=True, stable=True).indices)
    ordered = sums.gather(1, order)
    same = ordered[:, 1:] == ordered[:, :-1]
    tied = torch.zeros_like(ordered, dtype=torch.bool)
    tied[:, 1:] |= same
    tied[:, :-1] |= same
    return inverse(order), tied.double().mean(1)


def random_ranks(count: int, patches: int, seed: int, repeat: int, first: int = 0) -> Tensor:
    """A random order for each image, (count, patches): drawn from (seed, repeat, index of the image)."""
    return torch.stack([inverse(_permutation(patches, seed, first + row, 1 + repeat)[None])[0] for row in range(count)])


def inverse(order: Tensor) -> Tensor:
    """Ranks of an order of patches, and the other way, (N, patches)."""
    return torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )


def _permutation(count: int, seed: int, *key: int) -> Tensor:
    import numpy as np

    return torch.from_numpy(np.random.default_rng((seed, *key, 7)).permutation(count))
