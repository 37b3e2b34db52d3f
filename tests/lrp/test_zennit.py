"""Composites against zennit's on whole networks, with random batch norm statistics."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.lrp import LRP

COMPOSITES: dict[str, tuple[str, dict[str, Any]]] = {
    "epsilon_plus": ("EpsilonPlus", {}),
    "epsilon_plus_flat": ("EpsilonPlusFlat", {}),
    "epsilon_alpha2_beta1": ("EpsilonAlpha2Beta1", {}),
    "epsilon_alpha2_beta1_flat": ("EpsilonAlpha2Beta1Flat", {}),
    "epsilon_gamma_box": ("EpsilonGammaBox", {"low": -3.0, "high": 3.0}),
}


def by_zennit(module: nn.Module, name: str, x: Tensor, start: Tensor, **options: Any) -> Tensor:
    import zennit.composites
    from zennit.attribution import Gradient
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    canonizer = ResNetCanonizer() if "ResNet" in type(module).__name__ else VGGCanonizer()
    composite = getattr(zennit.composites, name)(canonizers=[canonizer], **options)
    with Gradient(model=copy.deepcopy(module), composite=composite) as attributor:
        _, relevance = attributor(x.clone(), lambda output: start)
    return relevance.detach()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("resnet18", 64),
        ("vgg11_bn", 64),
        pytest.param("vgg16", 224, marks=pytest.mark.slow),
        pytest.param("vgg16_bn", 224, marks=pytest.mark.slow),
        pytest.param("resnet50", 224, marks=pytest.mark.slow),
        pytest.param("resnet18", 224, marks=pytest.mark.slow),
    ],
)
def test_same_as_zennit(model: str, size: int, composite: str, random_model: Callable[..., nn.Module]) -> None:
    module = random_model(f"torchvision:{model}")
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    name, options = COMPOSITES[composite]
    found = LRP(module, composite, **options)(x)
    assert found.target is not None
    start = nn.functional.one_hot(found.target, found.output.shape[1]) * found.output
    expected = by_zennit(module, name, x, start, **options)
    error = (found.relevance - expected).norm() / expected.norm()
    correlation = torch.corrcoef(torch.stack([found.relevance.flatten(), expected.flatten()]).double())[0, 1]
    assert error <= 1e-3
    assert correlation >= 0.99999
