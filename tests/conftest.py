"""What all tests share: the demo models, loaded and exported once, and a few demo images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import ImageModel, load
from xaiwidgets.demo import examples

# Small work on a busy machine is faster without a pool of threads.
torch.set_num_threads(1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes: see ``tests.spread``."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.spread import Spread

    return Spread(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of several processes: the order in which tests are handed out."""
    if hasattr(config, "workerinput"):
        from tests.spread import in_order

        items[:] = [items[i] for i in in_order([item.nodeid for item in items])]


@pytest.fixture(scope="session")
def cnn() -> ImageModel:
    """The demo CNN, 64×64, 8 classes. Read it, do not change it."""
    return load("demo:shapes-cnn", device="cpu")


@pytest.fixture(scope="session")
def vit() -> ImageModel:
    """The demo transformer, 64×64, 8 classes. Read it, do not change it."""
    return load("demo:shapes-vit", device="cpu")


@pytest.fixture(scope="session")
def x(cnn: ImageModel) -> Tensor:
    """Three demo images as the demo models take them, (3, 3, 64, 64)."""
    return cnn.prepare([sample.image for sample in examples(3)])


@pytest.fixture
def tiny() -> ImageModel:
    """A small model of its own for each test, which may change it: 3×16×16 to 5 scores, with a batch norm."""
    return _small_model()


@pytest.fixture(scope="session")
def small() -> ImageModel:
    """The same, exported once. Read it, do not change it."""
    return _small_model()


def _small_model() -> ImageModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(96, 5),
    )
    return ImageModel(module.eval(), input_size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
