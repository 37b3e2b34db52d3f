"""Every explainer of the package keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.contract import ExplainerContract
from xaiwidgets import CRP, RELAX, RISE, ImageModel
from xaiwidgets.baselines import (
    AttentionRollout,
    GradCAM,
    GradCAMPlusPlus,
    GradientXInput,
    IntegratedGradients,
    LastAttention,
    Occlusion,
    SmoothGrad,
)
from xaiwidgets.lrp import LRP, AbsLRP


class TestRELAX(ExplainerContract):
    takes_targets = False

    def explainer(self, model: ImageModel) -> Any:
        return RELAX(model, n_masks=32, cells=3)


class TestRELAXWithNoise(ExplainerContract):
    takes_targets = False

    def explainer(self, model: ImageModel) -> Any:
        return RELAX(model, n_masks=40, cells=4, masks="random", perturb="noise", keep=0.4, seed=3)


class TestRISE(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return RISE(model, n_masks=32, cells=3)


class TestLRP(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return LRP(model, "epsilon_plus_flat", batch=2)


class TestAbsLRP(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return AbsLRP(model, batch=2)


class TestCRP(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return CRP(model, batch=2)


class TestCRPThroughOneConcept(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        crp = CRP(model, batch=2)

        def explain(x: Any, target: Any = None) -> Any:
            return crp(x, target, layer=crp.layers[0], concepts=[1])

        return explain


class TestGradientXInput(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return GradientXInput(model, batch=2)


class TestIntegratedGradients(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return IntegratedGradients(model, steps=4, batch=2)


class TestSmoothGrad(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return SmoothGrad(model, samples=3, batch=2)


class TestOcclusion(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return Occlusion(model, size=4, batch=2)


class TestGradCAM(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return GradCAM(model, relu=False, batch=2)


class TestGradCAMPlusPlus(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return GradCAMPlusPlus(model, batch=2)


class Tokens(nn.Module):
    """Patches (N, C, h, w) as tokens (N, 1 + h·w, C), after one for the class."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.first.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], 1)


class Mixing(nn.Module):
    """Attention of two heads, with a way around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.qkv = nn.BatchNorm1d(width), nn.Linear(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x.mT).mT).unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        return x + functional.scaled_dot_product_attention(3 * q, k, v).transpose(1, 2).flatten(2)


class First(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


class OfTransformers(ExplainerContract):
    """The contract on a small transformer in place of the small convolutional network."""

    takes_targets = False

    @pytest.fixture
    def small(self) -> ImageModel:
        return self.model()

    @pytest.fixture
    def tiny(self) -> ImageModel:
        return self.model()

    @staticmethod
    def model(channels: int = 3, size: tuple[int, int] = (16, 16)) -> ImageModel:
        torch.manual_seed(0)
        patch = nn.Conv2d(channels, 8, 4, 4)
        parts = [patch, nn.Tanh(), Tokens(8), Mixing(8), nn.Tanh(), Mixing(8), First(), nn.Linear(8, 5)]
        return ImageModel(nn.Sequential(*parts).eval(), input_size=size)

    def test_other_sizes_and_shapes(self) -> None:
        grey = self.model(channels=1, size=(12, 20))
        result = self.explainer(grey)(torch.randn(2, 1, 12, 20, generator=torch.Generator().manual_seed(0)))
        assert result.heatmap.shape == (2, 12, 20)


class TestLastAttention(OfTransformers):
    def explainer(self, model: ImageModel) -> Any:
        return LastAttention(model, batch=2)


class TestAttentionRollout(OfTransformers):
    def explainer(self, model: ImageModel) -> Any:
        return AttentionRollout(model, batch=2)
