"""Baselines against their definitions, and the adapter for what others wrote."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.baselines import GradientXInput, IntegratedGradients, Occlusion, SmoothGrad, as_explainer
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    ).eval()


@pytest.fixture
def model(module: nn.Module) -> ImageModel:
    return ImageModel(module, input_size=(10, 8))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 3, 10, 8, generator=torch.Generator().manual_seed(1))


def gradient(module: nn.Module, x: Tensor, target: int) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(module(x)[:, target].sum(), x)[0]


def test_gradient_x_input(model: ImageModel, module: nn.Module, x: Tensor) -> None:
    found = GradientXInput(model)(x, 2).relevance
    assert torch.allclose(found, gradient(module, x, 2) * x, atol=1e-6)
    assert torch.allclose(LRP(model, "gradient_x_input")(x, 2).relevance, found, atol=1e-5)


def test_integrated_gradients_are_complete(model: ImageModel, module: nn.Module, x: Tensor) -> None:
    found = IntegratedGradients(model, steps=64, baseline=0.3)(x, 1).relevance.sum((1, 2, 3))
    expected = (module(x) - module(torch.full_like(x, 0.3)))[:, 1]
    assert torch.allclose(found, expected, atol=1e-4)


def test_smoothgrad_without_noise_is_the_gradient(model: ImageModel, x: Tensor) -> None:
    assert torch.allclose(
        SmoothGrad(model, noise=0.0)(x, 1).relevance, GradientXInput(model)(x, 1).relevance, atol=1e-6
    )
    noisy = SmoothGrad(model, seed=1)(x, 1).relevance
    assert torch.equal(noisy, SmoothGrad(model, seed=1)(x, 1).relevance)
    assert not torch.equal(noisy, SmoothGrad(model, seed=2)(x, 1).relevance)


def test_occlusion_pixel_by_pixel(model: ImageModel, module: nn.Module, x: Tensor) -> None:
    found = Occlusion(model, size=1, stride=1)(x, 0).heatmap
    covered = x.clone()
    covered[:, :, 4, 5] = 0
    assert torch.allclose(found[:, 4, 5], (module(x) - module(covered))[:, 0], atol=1e-5)


class LikeCaptum:
    def attribute(self, x: Tensor, target: Tensor | None = None, scale: float = 1.0) -> Tensor:
        assert target is not None
        return x * target.reshape(-1, 1, 1, 1) * scale


class LikeGradCam:
    activations_and_grads: Any = None

    def __call__(self, input_tensor: Tensor, targets: list[Any]) -> Any:
        return torch.stack(
            [image.sum(0) * t(torch.arange(5.0)) for image, t in zip(input_tensor, targets, strict=True)]
        ).numpy()


def test_what_others_wrote_becomes_an_explainer(model: ImageModel, x: Tensor) -> None:
    captum = as_explainer(LikeCaptum(), scale=2.0)
    assert torch.allclose(captum(x, [1, 2, 3])[2], x[2].sum(0) * 6, atol=1e-5)
    assert torch.allclose(as_explainer(LikeGradCam())(x, 3), x.sum(1) * 3, atol=1e-5)
    assert torch.allclose(as_explainer(lambda x: x)(x, 3), x.sum(1), atol=1e-6)
    assert torch.allclose(as_explainer(lambda x, target: x * target)(x, 3), x.sum(1) * 3, atol=1e-5)
    lrp = LRP(model)
    assert as_explainer(lrp) is lrp
    with pytest.raises(TypeError, match="give a callable"):
        as_explainer(3)
    with pytest.raises(ValueError, match="shape"):
        as_explainer(lambda x: x[:, :, :4])(x)
