"""Small networks of every kind of output, and images for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets import ImageModel

NAMES = ("background", "road", "sky", "car")
THINGS = ("__background__", "red square", "blue square")
"""Of pictures of a red and a blue square, and where these are in `two_things`."""
RED, BLUE = (0, 0, 28, 28), (36, 36, 64, 64)
SIDE = 64


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


class ColourDetector(nn.Module):
    """Finds the red and the blue thing of a picture: a box around what is coloured so, as sure as it fills its box. Its boxes depend on
    the pixels' values, so it has no graph, as torchvision's detectors have none."""

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        return [self._detect(image) for image in x]

    @staticmethod
    def _detect(image: Tensor) -> dict[str, Tensor]:
        boxes, scores, labels = [], [], []
        for label, channel in ((1, 0), (2, 2)):
            amount = (image[channel] - image.sum(0) / 2).clamp(min=0) * 2
            places = (amount > 0.2).nonzero()
            if len(places):
                top, left, bottom, right = *places.amin(0).tolist(), *(places.amax(0) + 1).tolist()
                boxes.append([float(left), float(top), float(right), float(bottom)])
                scores.append(float(amount[top:bottom, left:right].mean().clamp(max=1)))
                labels.append(label)
        return {
            "boxes": torch.tensor(boxes).reshape(-1, 4),
            "scores": torch.tensor(scores),
            "labels": torch.tensor(labels, dtype=torch.long),
        }


class ColourSegmenter(nn.Module):
    """Maps (N, 3, H, W) of `THINGS`: at each place of what colour its surroundings are; made by hand, so that all is known."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = nn.AvgPool2d(3, 1, 1)
        self.head = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.head.weight[:, :, 0, 0] = torch.tensor([[0.0, 0.0, 0.0], [4.0, -2.0, -2.0], [-2.0, -2.0, 4.0]])
            assert self.head.bias is not None
            self.head.bias[:] = torch.tensor([0.5, 0.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.head(self.blur(x))
        return maps


def two_things() -> Tensor:
    """(1, 3, 64, 64): a red square in the upper left corner, a blue one in the lower right."""
    picture = torch.zeros(1, 3, SIDE, SIDE)
    for channel, (left, top, right, bottom) in ((0, RED), (2, BLUE)):
        picture[:, channel, top:bottom, left:right] = 1.0
    return picture


def colour_detector() -> ImageModel:
    return ImageModel(ColourDetector().eval(), input_size=SIDE, channels=3, class_names=THINGS, mean=0, std=1)


def colour_segmenter() -> ImageModel:
    return ImageModel(ColourSegmenter().eval(), input_size=SIDE, class_names=THINGS, mean=0, std=1)


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
