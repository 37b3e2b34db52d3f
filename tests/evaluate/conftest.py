"""Small models and pictures that the evaluation tests share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xaiwidgets import ImageModel, load
from xaiwidgets.demo import Batch, Shapes


def small_model(channels: int = 3, classes: int = 5, seed: int = 0) -> ImageModel:
    """An untrained network that takes images of any size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(channels, 6, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, classes),
        )
    mean, std = (0.4, 0.5, 0.6)[:channels], (0.2, 0.25, 0.3)[:channels]
    return ImageModel(module.eval(), mean=mean, std=std, input_size=(20, 28), name="small")


@pytest.fixture(scope="package")
def model() -> ImageModel:
    return small_model()


@pytest.fixture(scope="package")
def gray_model() -> ImageModel:
    return small_model(channels=1)


@pytest.fixture(scope="package")
def cnn() -> ImageModel:
    return load("demo:shapes-cnn")


@pytest.fixture(scope="package")
def shapes() -> Batch:
    return Shapes(12).batch(range(12))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(3, 3, 20, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def heat() -> torch.Tensor:
    return torch.randn(3, 20, 28, generator=torch.Generator().manual_seed(2))
