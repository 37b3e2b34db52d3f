"""What a heatmap overlay is given: explainers by name, images, and how these look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from xaiwidgets.model import ImageModel
from xaiwidgets.widgets.choices import given_pixels

__all__ = ["batch_of", "by_name", "pixels_of"]


def by_name(explainers: Any) -> dict[str, Any]:
    if isinstance(explainers, Mapping):
        if not explainers:
            raise ValueError("explainers is empty; give at least one")
        return {str(name): source for name, source in explainers.items()}
    method = getattr(explainers, "method", None) or getattr(getattr(explainers, "provenance", None), "method", None)
    return {str(method or getattr(explainers, "__name__", type(explainers).__name__)): explainers}


def batch_of(x: Any) -> Tensor:
    if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[0] == 0:
        came = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x is {came}; give images (N, C, H, W), as model.prepare(image) makes")
    return x.detach().float()


def pixels_of(x: Tensor, model: ImageModel | None, pixels: Tensor | None) -> Tensor:
    """The images as people see them, (N, C, H, W) in [0, 1].

    Args:
        pixels: given by a person; None for what the model says x are.
    """
    if pixels is not None:
        return given_pixels(pixels, x)
    if model is not None:
        return model.pixels(x).cpu()
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    if low.min() >= 0 and high.max() <= 1:
        return x.cpu()
    # Without a model nobody knows the normalisation: each image's own range is the best guess.
    return ((x - low) / (high - low).clamp_min(1e-12)).cpu()
