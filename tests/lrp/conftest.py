from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Evaluation mode with random batch norm statistics, and no parameter left at zero."""
    torch.manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            assert part.running_var is not None
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2.0)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, 0, 0.2)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.02)
    return module.eval()


@pytest.fixture
def random_model() -> Callable[..., nn.Module]:
    """random_model("torchvision:resnet18") or random_model("timm:…"), seeded."""

    def make(name: str, **options: Any) -> nn.Module:
        import timm
        import torchvision

        torch.manual_seed(0)
        library, model = name.split(":")
        if library == "timm":
            return randomise(timm.create_model(model, pretrained=False, **options))
        if model in {"googlenet", "inception_v3"}:
            options["init_weights"] = False
        return randomise(torchvision.models.get_model(model, weights=None, **options))

    return make
