from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from tests.lrp.zoo import named_model, randomise

__all__ = ["random_model", "randomise"]


@pytest.fixture
def random_model() -> Callable[..., nn.Module]:
    """random_model("torchvision:resnet18") or random_model("timm:…"), seeded."""
    return named_model
