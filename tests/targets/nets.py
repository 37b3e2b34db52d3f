"""Small networks of every kind of output, and images for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets import ImageModel

NAMES = ("background", "road", "sky", "car")


class Segmenter(nn.Module):
    """{"out": maps (N, 4, H, W), "aux": others}, as torchvision's segmentation models give; maps at half the image's size."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Conv2d(8, 4, 1)
        self.auxiliary = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.features(x).relu()
        return {"out": self.head(features), "aux": self.auxiliary(features)}


class Detector(nn.Module):
    """{"logits": (N, queries, 4), "pred_boxes": (N, queries, 4)}, as DETR gives: a query for each quarter of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        tokens = self.pool(self.features(x).relu()).flatten(2).transpose(1, 2)
        centres = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
        boxes = torch.cat([centres, torch.full((4, 2), 0.5)], 1)
        return {"logits": self.head(tokens), "pred_boxes": boxes.expand(x.shape[0], 4, 4)}


def segmenter(**options: Any) -> ImageModel:
    torch.manual_seed(1)
    return ImageModel(Segmenter().eval(), input_size=16, class_names=NAMES, mean=0, std=1, **options)


def detector(**options: Any) -> ImageModel:
    torch.manual_seed(2)
    options = {"class_names": ("dog", "cat", "bird"), **options}
    return ImageModel(Detector().eval(), input_size=16, mean=0, std=1, **options)


def classifier(outputs: int = 5, *ending: nn.Module, seed: int = 0, **options: Any) -> ImageModel:
    """3×16×16 to so many numbers."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(96, outputs)]
    return ImageModel(nn.Sequential(*layers, *ending).eval(), input_size=16, mean=0, std=1, **options)


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(4))
