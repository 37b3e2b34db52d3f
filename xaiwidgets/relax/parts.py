"""The exchangeable parts of a masking explanation: how to perturb, how to compare, how to aggregate.

Each is a small function; a user's own one fits wherever a name does. (MUPPET composes the same family from an explorer,
a perturbator, an attributor and an aggregator.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.devices import sent
from xaiwidgets.errors import unknown

Fill = Callable[[Tensor, torch.Generator], Tensor]
"""(image (1, C, H, W), generator) -> what shows where a mask hides the image, of a shape that broadcasts to it."""
Similarity = Callable[[Tensor, Tensor], Tensor]
"""(representations (n, D), reference (D,)) -> similarities (n,)."""
Aggregate = Callable[[Tensor, Tensor, int, float], Tensor]
"""(Σ s·M (H, W), Σ M (H, W), number of masks, keep) -> importance (H, W)."""


def fill_blur(image: Tensor, generator: torch.Generator) -> Tensor:
    """The image, blurred until no object is left: a Gaussian with a standard deviation of 1/8 of the shorter side."""
    sigma = min(image.shape[-2:]) / 8
    radius = min(int(3 * sigma), min(image.shape[-2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(image.shape[1], 1)
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[:, None, :, None], groups=image.shape[1])
    return F.conv2d(rows, kernel[:, None, None, :], groups=image.shape[1])


def fill_noise(image: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise with each channel's mean and standard deviation, the same for all masks."""
    noise = sent(torch.randn(image.shape, generator=generator), image.device, image.dtype)
    return noise * image.std((2, 3), keepdim=True) + image.mean((2, 3), keepdim=True)


def fill_zero(image: Tensor, generator: torch.Generator) -> Tensor:
    return image.new_zeros(())


def fill_mean(image: Tensor, generator: torch.Generator) -> Tensor:
    return image.mean((2, 3), keepdim=True)


def cosine(h: Tensor, reference: Tensor) -> Tensor:
    return F.cosine_similarity(h, reference[None], dim=1)


def dot(h: Tensor, reference: Tensor) -> Tensor:
    return h @ reference


def negative_distance(h: Tensor, reference: Tensor) -> Tensor:
    return -torch.linalg.vector_norm(h - reference, dim=1)


def mean(weighted: Tensor, weight: Tensor, count: int, keep: float) -> Tensor:
    """RELAX, equation 4: the mean similarity of the masks that show a pixel; zero where none did yet."""
    return weighted / weight.clamp_min(1e-12)


def total(weighted: Tensor, weight: Tensor, count: int, keep: float) -> Tensor:
    """MUPPET's WeightedSumAggregator."""
    return weighted


def expected(weighted: Tensor, weight: Tensor, count: int, keep: float) -> Tensor:
    """RISE, equation 6: by the expected number of masks that show a pixel."""
    return weighted / (count * keep)


# Functions with names, so that who holds them can be pickled.
FILLS: Mapping[str, Fill] = {"zero": fill_zero, "mean": fill_mean, "blur": fill_blur, "noise": fill_noise}
SIMILARITIES: Mapping[str, Similarity] = {"cosine": cosine, "dot": dot, "l2": negative_distance}
AGGREGATES: Mapping[str, Aggregate] = {"mean": mean, "sum": total, "expected": expected}


def part(argument: str, choice: Any, known: Mapping[str, Any]) -> Any:
    """The function a name stands for, or the user's own function.

    Raises:
        ValueError: an unknown name, with the nearest ones.
        TypeError: neither a name nor a function.
    """
    if isinstance(choice, str):
        if choice not in known:
            raise unknown(argument, choice, known)
        return known[choice]
    if not callable(choice):
        raise TypeError(
            f"{argument} is {type(choice).__name__}; give one of {', '.join(map(repr, known))}, or a function"
        )
    return choice
