"""Baselines against their definitions, and the adapter for what others wrote."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.baselines import (
    GradCAM,
    GradCAMPlusPlus,
    GradientXInput,
    IntegratedGradients,
    Occlusion,
    SmoothGrad,
    as_explainer,
)
from xaiwidgets.lrp import LRP, AbsLRP
from xaiwidgets.model import ImageModel
from xaiwidgets.targets import TargetError


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


MAKERS: list[Callable[[ImageModel], Any]] = [
    GradientXInput,
    lambda model: IntegratedGradients(model, steps=3),
    lambda model: SmoothGrad(model, samples=2),
    lambda model: Occlusion(model, size=4),
    lambda model: LRP(model, "gradient_x_input"),
    LRP,
    AbsLRP,
]


@pytest.mark.parametrize("make", MAKERS)
def test_inference_mode_and_its_tensors(make: Any, module: nn.Module, x: Tensor) -> None:
    module[1] = nn.GELU()  # type: ignore[operator]
    expected = make(ImageModel(module, input_size=(10, 8)))(x, 1).relevance
    explain = make(ImageModel(module, input_size=(10, 8)))
    with torch.inference_mode():
        frozen = x.clone()
        explain.model.scores(frozen)
        found = explain(frozen, 1).relevance
    for relevance in (found, explain(frozen, 1).relevance):
        torch.testing.assert_close(relevance, expected)
        assert not relevance.is_inference()


def test_a_module_made_in_inference_mode(module: nn.Module, x: Tensor) -> None:
    with torch.inference_mode():
        made = copy.deepcopy(module)
    assert next(made.parameters()).is_inference()
    for make in MAKERS:
        found, expected = (make(ImageModel(each, input_size=(10, 8)))(x, 1).heatmap for each in (made, module))
        torch.testing.assert_close(found, expected)
    assert all(weight.is_inference() for weight in made.parameters())


def test_parameters_that_do_not_fit(model: ImageModel, x: Tensor) -> None:
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: IntegratedGradients(model, steps=0), "steps=0 must be a whole number of at least 1"),
        (lambda: IntegratedGradients(model, batch=-1), "batch=-1 must be a whole number of at least 1"),
        (lambda: GradientXInput(model, batch=0), "batch=0 must be a whole number of at least 1"),
        (lambda: SmoothGrad(model, samples=0), "samples=0 must be a whole number of at least 1"),
        (lambda: SmoothGrad(model, noise=-0.1), "noise=-0.1 must be at least 0"),
        (lambda: SmoothGrad(model, noise="a"), "noise='a' must be a finite number"),  # type: ignore[arg-type]
        (lambda: SmoothGrad(model, seed=None), "seed=None must be a whole number"),  # type: ignore[arg-type]
        (lambda: Occlusion(model, size=0), "size=0 must be a whole number of at least 1, or None"),
        (lambda: Occlusion(model, size=-3), "size=-3 must be a whole number of at least 1, or None"),
        (lambda: Occlusion(model, stride=0), "stride=0 must be a whole number of at least 1, or None"),
        (lambda: Occlusion(model, value=float("nan")), "value=nan must be a finite number"),
        (lambda: Occlusion(model, size=2, stride=3)(x), "stride=3 is more than size=2: pixels between the squares"),
        (lambda: Occlusion(model, stride=5)(x), "stride=5 is more than size=1"),
    ]
    for shape in ((3, 8, 10), (2, 3, 10, 8), (8,)):
        given = IntegratedGradients(model, baseline=torch.zeros(shape))
        calls.append((lambda given=given: given(x), r"baseline has shape .*; give a number, or a tensor \(3, 10, 8\)"))  # type: ignore[misc]
    odd: Any = IntegratedGradients(model, baseline="black")  # type: ignore[arg-type]
    calls.append((lambda: odd(x), "baseline is 'black'; give a number, or a tensor"))
    calls.append((lambda: IntegratedGradients(model, baseline=float("nan"))(x), "baseline has NaN or infinite values"))
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()


def test_numbers_of_any_kind(model: ImageModel, x: Tensor) -> None:
    two: Any = np.int64(2)
    assert torch.equal(Occlusion(model, two, two, batch=two)(x, two).heatmap, Occlusion(model, 2, 2)(x, 2).heatmap)
    assert torch.equal(SmoothGrad(model, two, seed=two)(x, 0).heatmap, SmoothGrad(model, 2, seed=2)(x, 0).heatmap)
    zeros: Any = np.zeros((1, 3, 10, 8))
    found = IntegratedGradients(model, two, baseline=zeros)(x, [two, torch.tensor(1), 0])
    assert torch.equal(found.heatmap, IntegratedGradients(model, 2)(x, [2, 1, 0]).heatmap)
    assert found.provenance.parameters["baseline"] == "given, (1, 3, 10, 8)"


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


@pytest.mark.parametrize("method", [GradientXInput, IntegratedGradients, SmoothGrad, GradCAM, GradCAMPlusPlus])
def test_gradients_that_are_no_numbers_are_said(method: Any, model: ImageModel, x: Tensor) -> None:
    with pytest.raises(TargetError, match="has a gradient that is NaN or infinite at this output"):
        method(model)(x, lambda output: (output[:, 0] * 0).sqrt())


@pytest.mark.parametrize("method", [GradientXInput, IntegratedGradients])
def test_a_model_without_a_finite_slope_is_said(method: Any, x: Tensor) -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * (x > 0)).sqrt().mean((2, 3))

    with pytest.raises(
        ValueError, match="the gradient of class 1 in Root is NaN or infinite: one of its steps has no finite slope"
    ):
        method(ImageModel(Root().eval(), input_size=(10, 8)))(x, 1)
