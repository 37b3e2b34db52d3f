"""Models of many architectures by name, with random weights that leave nothing at zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SIZES = {"inception_v3": 299, "swin_v2_t": 256, "nfnet_f0": 192, "mobilevit_s": 256}
QUICK = ["torchvision:mobilenet_v3_small", "timm:levit_128s"]
SLOW = [
    "torchvision:resnet18",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:vgg11_bn",
    "torchvision:wide_resnet50_2",
    "torchvision:resnext50_32x4d",
    "torchvision:densenet121",
    "torchvision:googlenet",
    "torchvision:inception_v3",
    "torchvision:mobilenet_v2",
    "torchvision:efficientnet_b0",
    "torchvision:regnet_y_400mf",
    "torchvision:squeezenet1_1",
    "torchvision:mnasnet0_5",
    "torchvision:convnext_tiny",
    "torchvision:swin_t",
    "torchvision:swin_v2_t",
    "torchvision:vit_b_16",
    "torchvision:maxvit_t",
    "torchvision:alexnet",
    "timm:convnextv2_atto",
    "timm:vit_small_patch16_224",
    "timm:deit3_small_patch16_224",
    "timm:vit_small_patch14_dinov2",
    "timm:beit_base_patch16_224",
    "timm:eva02_tiny_patch14_224",
    "timm:swin_tiny_patch4_window7_224",
    "timm:mixer_s16_224",
    "timm:resmlp_12_224",
    "timm:efficientformer_l1",
    "timm:mobilevit_s",
    "timm:coatnet_0_rw_224",
    "timm:resnetv2_50",
    "timm:nfnet_f0",
]


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Evaluation mode with random batch norm statistics, and no parameter left near zero, as layer scales and tokens begin."""
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
        for name, parameter in module.named_parameters():
            if parameter.abs().max() < 1e-3:
                parameter.normal_(0, 0.02)
            if ".gamma" in f".{name}" or "layer_scale" in name or "ls1" in name or "ls2" in name:
                parameter.uniform_(0.1, 0.3)
    return module.eval()


def named_model(name: str, **options: Any) -> nn.Module:
    """ "torchvision:resnet18" or "timm:…", seeded."""
    import timm
    import torchvision

    torch.manual_seed(0)
    library, model = name.split(":")
    if library == "timm":
        return randomise(timm.create_model(model, pretrained=False, **options))
    if model in {"googlenet", "inception_v3"}:
        options["init_weights"] = False
    return randomise(torchvision.models.get_model(model, weights=None, **options))


def build(name: str, batch: int = 2) -> tuple[nn.Module, Tensor]:
    """A model of the lists above, and images of the size it takes."""
    options: dict[str, Any] = {"img_size": 224} if "dinov2" in name else {}
    if "eva02" in name or "dinov2" in name:
        options["num_classes"] = 10
    size = SIZES.get(name.split(":")[1], 224)
    return named_model(name, **options), torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(2))
