"""A small network with everything that concepts have to cope with, and images for it: for the tests of several rooms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import ImageModel

__all__ = ["Residual", "images", "residual"]


class Residual(nn.Module):
    """A small network with a shortcut, a shortcut with a convolution, a max pooling and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.conv1, self.conv2 = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.conv3, self.conv4 = nn.Conv2d(8, 12, 3, 2, 1), nn.Conv2d(12, 12, 3, padding=1)
        self.side = nn.Conv2d(8, 12, 1, 2)
        self.hidden, self.head = nn.Linear(12, 10), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.norm(self.stem(x))))
        x = torch.relu(x + self.conv2(torch.relu(self.conv1(x))))
        x = torch.relu(self.side(x) + self.conv4(torch.relu(self.conv3(x))))
        return self.head(torch.relu(self.hidden(x.mean((2, 3)))))


@pytest.fixture(scope="session")
def residual() -> ImageModel:
    """Read it, do not change it."""
    torch.manual_seed(0)
    return ImageModel(Residual().eval(), input_size=(16, 20), class_names=list("abcde"))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(5, 3, 16, 20, generator=torch.Generator().manual_seed(1))
