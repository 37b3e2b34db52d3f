"""Conditional heatmaps against the definition, carried out with zennit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.crp.oracle import conditional
from tests.lrp.conftest import randomise
from xaiwidgets import CRP

SIZES = [64, pytest.param(224, marks=pytest.mark.slow)]
Model = Callable[..., nn.Module]


def check(found: Tensor, expected: Tensor) -> None:
    """Every row on its own, so that a large one hides no small one."""
    assert found.shape == expected.shape
    error = (found - expected).flatten(1).norm(dim=1)
    assert (error <= 1e-3 * expected.flatten(1).norm(dim=1)).all(), error / expected.flatten(1).norm(dim=1)
    assert expected.flatten(1).norm(dim=1).min() > 0


def image(size: int) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))


def build(name: str, size: int, random_model: Model) -> nn.Module:
    """The network itself at full size; at the small one VGG gets a small classifier in place of its 120 million weights."""
    if name == "resnet18" or size == 224:
        return random_model(f"torchvision:{name}")
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(1)
    parts = {"features": make_layers(cfgs["D"]), "average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    classifier = nn.Sequential(nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))
    return randomise(nn.Sequential(OrderedDict(**parts, classifier=classifier)))


def strongest(crp: CRP, x: Tensor, layer: str, target: Any, n: int) -> list[int]:
    """Concepts with relevance, so that there is something to compare."""
    return crp.rank(x, target, layer).concepts[0, :n].tolist()


CASES = {
    "resnet18": ("layer4.1.conv2", "layer3.0.conv1", "layer2.0.downsample.0"),
    "vgg16": ("features.28", "features.17", "features.7"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exclude_parallel", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CASES)
def test_conditions_on_one_and_on_several_layers(
    name: str, size: int, exclude_parallel: bool, random_model: Model
) -> None:
    module, x = build(name, size, random_model), image(size)
    crp = CRP(module, chunk=5)
    top, middle, low = CASES[name]
    a, b, c = (strongest(crp, x, layer, 7, 6) for layer in CASES[name])
    conditions: list[dict[str, list[int]]] = [
        {"y": [7], top: a[:1]},
        {"y": [7], top: a[1:2]},
        {"y": [3], middle: b[:2]},
        {"y": [7], low: c[:1], top: a[:3]},
        {"y": [7, 9], top: a, middle: b},
        {"y": [3], top: a, middle: b, low: c},
        {"y": [3]},
    ]
    found = crp.attribute(x, conditions, exclude_parallel=exclude_parallel)
    check(found.relevance, conditional(module, x, conditions, exclude_parallel=exclude_parallel))
    assert [row.condition for row in found.rows] == conditions
    assert [row.target for row in found.rows] == [7, 7, 3, 7, (7, 9), 3, 3]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("start", ["activation", "ones", "tensor"])
def test_start_layers(name: str, size: int, start: str, random_model: Model) -> None:
    module, x = build(name, size, random_model), image(size)
    crp = CRP(module)
    top, middle, _ = CASES[name]
    shape = crp.known(x).shapes[crp.known(x).graph.index(top)]
    given = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    begin: dict[str, Callable[[Tensor], Tensor]] = {
        "activation": torch.clone,
        "ones": torch.ones_like,
        "tensor": lambda value: given,
    }
    conditions: list[dict[str, list[int]]] = [{top: [5]}, {top: [8, 9], middle: [0, 1, 2, 3]}, {middle: [1, 3, 4, 6]}]
    for exclude_parallel in (True, False):
        found = crp.attribute(
            x,
            conditions,
            start_layer=top,
            start=given[0] if start == "tensor" else start,
            exclude_parallel=exclude_parallel,
        )
        check(
            found.relevance,
            conditional(module, x, conditions, exclude_parallel=exclude_parallel, start_layer=top, start=begin[start]),
        )
