"""Memory stays within bounds, whatever the batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.benchmarks.memory import LARGEST, peak
from xaiwidgets.lrp import LRP
from xaiwidgets.lrp.passing import images_at_once


@pytest.mark.slow
def test_a_batch_of_64_on_resnet50() -> None:
    assert peak("lrp", "resnet50", 64) < LARGEST


@pytest.mark.parametrize(
    ("images", "side", "expected"), [(10, 48, 64), (17, 48, 64), (18, 48, 9), (40, 48, 14), (16, 128, 6)]
)
def test_images_at_once_are_few_where_values_are_large(images: int, side: int, expected: int) -> None:
    # 64 × 48 × 48 float32 are 0.56 MiB, of which 17 fit into 10 MiB; at 128 × 128 only two do, and six are the least.
    module = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2)
    )
    lrp, x = LRP(module.eval()), torch.zeros(images, 3, side, side)
    assert images_at_once(lrp.propagator(x[:1]), x, 64) == expected
    assert len(lrp(x[:2], 0).heatmap) == 2
