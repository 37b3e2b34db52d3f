"""Explainers by the model's gradient: gradient × input, integrated gradients, SmoothGrad."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xaiwidgets.baselines.explainer import BaselineExplainer, finite
from xaiwidgets.devices import sent
from xaiwidgets.errors import whole
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control
from xaiwidgets.targets import Score

__all__ = ["GradientXInput", "IntegratedGradients", "SmoothGrad"]


class GradientXInput(BaselineExplainer):
    """x ⊙ ∂s/∂x, s being the target's logit or any other score.

    Example:
        >>> xw.GradientXInput(model)(x, target=["star", "heart"]).heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(self, model: ImageModel | nn.Module, batch: int = 16) -> None:
        super().__init__(model, batch)

    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        return self._gradient(x, score) * x


class IntegratedGradients(BaselineExplainer):
    """(x − x₀) ⊙ the mean gradient on the straight way from x₀ to x, by the midpoint rule (Sundararajan et al. 2017).

    Args:
        steps: points on the way. baseline: x₀ as a number or a tensor (C, H, W) or (1, C, H, W), in the model's normalisation.

    Raises:
        ValueError: a parameter that does not fit; the baseline's shape when called.

    Example:
        >>> xw.IntegratedGradients(model, steps=8)(x).heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(
        self, model: ImageModel | nn.Module, steps: int = 32, baseline: float | Tensor = 0.0, batch: int = 16
    ) -> None:
        super().__init__(model, batch, steps=whole("steps", steps, 1), baseline=baseline)

    def _check(self, x: Tensor) -> None:
        self._origin(x[:1])

    def _origin(self, x: Tensor) -> Tensor:
        """x₀, shaped like x (n, C, H, W)."""
        base = self.parameters["baseline"]
        try:
            given = sent(base, x.device, x.dtype)
            if given.ndim not in {0, 3, 4}:
                raise ValueError("axes")
            origin = (given[0] if given.ndim == 4 and len(given) == 1 else given).expand(x.shape[1:]).expand_as(x)
        except (TypeError, ValueError, RuntimeError) as error:
            came = f"has shape {tuple(base.shape)}" if hasattr(base, "shape") else f"is {base!r}"
            raise ValueError(f"baseline {came}; give a number, or a tensor {tuple(x.shape[1:])}") from error
        if not torch.isfinite(given).all():
            raise ValueError("baseline has NaN or infinite values; give finite ones, in the model's normalisation")
        return origin

    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        steps, origin = self.parameters["steps"], self._origin(x)
        total, graph = torch.zeros_like(x), self.model.graph_for(x)
        for step in range(steps):
            total += self._gradient(origin + (x - origin) * ((step + 0.5) / steps), score, graph)
        return (x - origin) * total / steps

    def controls(self) -> list[Control]:
        steps = self.parameters["steps"]
        return [{"name": "steps", "label": "Steps", "type": "int", "value": steps, "min": 4, "max": 128, "step": 4}]


class SmoothGrad(BaselineExplainer):
    """The mean gradient over noisy copies of x, times x (Smilkov et al. 2017).

    Args:
        samples: noisy copies an image. noise: standard deviation as a share of the image's own range.

    Example:
        >>> xw.SmoothGrad(model, samples=4)(x).heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(
        self, model: ImageModel | nn.Module, samples: int = 24, noise: float = 0.15, seed: int = 0, batch: int = 16
    ) -> None:
        noise = finite("noise", noise)
        if noise < 0:
            raise ValueError(f"noise={noise} must be at least 0")
        samples, seed = whole("samples", samples, 1), whole("seed", seed)
        super().__init__(model, batch, samples=samples, noise=noise, seed=seed)

    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        generator = torch.Generator().manual_seed(
            self.parameters["seed"]
        )  # all images share the draws: row i is image i alone
        scale = (x.amax((1, 2, 3)) - x.amin((1, 2, 3))).reshape(-1, 1, 1, 1) * self.parameters["noise"]
        total, graph = torch.zeros_like(x), self.model.graph_for(x)
        for _ in range(self.parameters["samples"]):
            noise = sent(torch.randn(x.shape[1:], generator=generator), x.device, x.dtype)
            total += self._gradient(x + scale * noise, score, graph)
        return total / self.parameters["samples"] * x
