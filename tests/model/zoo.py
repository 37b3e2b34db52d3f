"""Small models of other libraries with random weights, a function each: transformers, torchvision's segmentation, smp.

Every function gives a fresh module in evaluation mode; the same seed gives the same weights. Sizes are the smallest that keep
what is particular to the architecture: several windows in Swin, registers in DINO, several queries in detectors.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

__all__ = ["CLASSIFIERS", "DENSE", "DETECTORS", "ENCODERS", "MODELS", "build"]

LABELS = {"id2label": {0: "cat", 1: "dog", 2: "fox", 3: "owl"}, "label2id": {"cat": 0, "dog": 1, "fox": 2, "owl": 3}}
VIT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32, "patch_size": 8,
}  # fmt: skip
STAGES: dict[str, Any] = {"hidden_sizes": [16, 32], "depths": [1, 2]}


def make(kind: str, config: str, **options: Any) -> Callable[[], nn.Module]:
    """A transformers class on a configuration of its own."""

    def build() -> nn.Module:
        library = import_module("transformers")
        return getattr(library, kind)(getattr(library, config)(**options))

    return build


def clip(kind: str) -> Callable[[], nn.Module]:
    """A CLIP or SigLIP with both towers."""

    def build() -> nn.Module:
        library = import_module("transformers")
        text = {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "vocab_size": 99,
        }
        text |= {"max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        more = {"projection_dim": 24} if kind == "CLIP" else {}
        config = getattr(library, f"{kind}Config")(text_config=text, vision_config=dict(VIT), **more)
        return getattr(library, f"{kind}Model")(config)

    return build


def timm_wrapper() -> nn.Module:
    library = import_module("transformers")
    config = library.TimmWrapperConfig(architecture="resnet10t", do_pooling=True, **LABELS)
    return library.TimmWrapperForImageClassification(config)


def torchvision(name: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from torchvision import models

        return models.get_model(name, weights=None, weights_backbone=None, num_classes=4)

    return build


def smp(kind: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return getattr(import_module("segmentation_models_pytorch"), kind)("resnet18", encoder_weights=None, classes=4)

    return build


BACKBONE = {"model_type": "resnet", "embedding_size": 16, "hidden_sizes": [16, 32, 32, 64], "depths": [1, 1, 1, 1]}
SWIN = {
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 2, 4, 8],
    "window_size": 4,
}

CLASSIFIERS: dict[str, Callable[[], nn.Module]] = {
    "ViT": make("ViTForImageClassification", "ViTConfig", **VIT, **LABELS),
    "DeiT": make("DeiTForImageClassification", "DeiTConfig", **VIT, **LABELS),
    "DeiT distilled": make("DeiTForImageClassificationWithTeacher", "DeiTConfig", **VIT, **LABELS),
    "BEiT": make("BeitForImageClassification", "BeitConfig", **VIT, **LABELS, use_relative_position_bias=True),
    "DINOv2": make("Dinov2ForImageClassification", "Dinov2Config", **VIT, **LABELS),
    "DINOv2 with registers": make(
        "Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig", **VIT, **LABELS, num_register_tokens=2
    ),
    "SigLIP classifier": make("SiglipForImageClassification", "SiglipConfig", vision_config=dict(VIT), **LABELS),
    "CLIP classifier": make("CLIPForImageClassification", "CLIPConfig", vision_config=dict(VIT), **LABELS),
    "Swin": make(
        "SwinForImageClassification", "SwinConfig", image_size=32, patch_size=2, embed_dim=16, depths=[2, 2],
        num_heads=[2, 4], window_size=4, **LABELS,
    ),
    "Swin v2": make(
        "Swinv2ForImageClassification", "Swinv2Config", image_size=32, patch_size=2, embed_dim=16, depths=[2, 2],
        num_heads=[2, 4], window_size=4, **LABELS,
    ),
    "ConvNeXt": make("ConvNextForImageClassification", "ConvNextConfig", **STAGES, num_stages=2, **LABELS),
    "ConvNeXt V2": make("ConvNextV2ForImageClassification", "ConvNextV2Config", **STAGES, num_stages=2, **LABELS),
    "ResNet": make("ResNetForImageClassification", "ResNetConfig", **STAGES, embedding_size=16, **LABELS),
    "Hiera": make(
        "HieraForImageClassification", "HieraConfig", image_size=[64, 64], embed_dim=16, depths=[1, 1, 2, 1],
        num_heads=[1, 1, 2, 4], **LABELS,
    ),
    "MobileViT": make(
        "MobileViTForImageClassification", "MobileViTConfig", image_size=64, hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 32], num_attention_heads=2, **LABELS,
    ),
    "EfficientNet": make(
        "EfficientNetForImageClassification", "EfficientNetConfig", image_size=64, width_coefficient=0.25,
        depth_coefficient=0.5, hidden_dim=320, **LABELS,
    ),
    "RegNet": make(
        "RegNetForImageClassification", "RegNetConfig", embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1],
        groups_width=8, **LABELS,
    ),
    "PVT v2": make(
        "PvtV2ForImageClassification", "PvtV2Config", image_size=64, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 4], **LABELS,
    ),
    "TimmWrapper": timm_wrapper,
}  # fmt: skip

ENCODERS: dict[str, Callable[[], nn.Module]] = {
    "DINOv3": make("DINOv3ViTModel", "DINOv3ViTConfig", **VIT, num_register_tokens=2),
    "DINOv3 ConvNeXt": make("DINOv3ConvNextModel", "DINOv3ConvNextConfig", hidden_sizes=[16, 32], depths=[1, 2]),
    "SigLIP vision": make("SiglipVisionModel", "SiglipVisionConfig", **VIT),
    "CLIP vision": make("CLIPVisionModel", "CLIPVisionConfig", **VIT),
    "CLIP vision, projected": make("CLIPVisionModelWithProjection", "CLIPVisionConfig", **VIT, projection_dim=24),
    "CLIP": clip("CLIP"),
    "SigLIP": clip("Siglip"),
}

DENSE: dict[str, Callable[[], nn.Module]] = {
    "SegFormer": make(
        "SegformerForSemanticSegmentation", "SegformerConfig", hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 4], decoder_hidden_size=32, image_size=64, **LABELS,
    ),
    "Mask2Former": make(
        "Mask2FormerForUniversalSegmentation", "Mask2FormerConfig", backbone_config={"model_type": "swin", **SWIN,
        "out_features": ["stage1", "stage2", "stage3", "stage4"]}, feature_size=32, mask_feature_size=32, hidden_dim=32,
        encoder_feedforward_dim=32, encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=32,
        num_queries=5, **LABELS,
    ),
    "UPerNet": make(
        "UperNetForSemanticSegmentation", "UperNetConfig", backbone_config={"model_type": "convnext",
        "hidden_sizes": [8, 16, 32, 32], "depths": [1, 1, 1, 1], "out_features": ["stage1", "stage2", "stage3", "stage4"]},
        hidden_size=16, auxiliary_channels=8, auxiliary_in_channels=32, **LABELS,
    ),
    "DPT (depth)": make(
        "DPTForDepthEstimation", "DPTConfig", **VIT | {"num_hidden_layers": 4}, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16,
    ),
    "torchvision FCN": torchvision("fcn_resnet50"),
    "torchvision DeepLabV3": torchvision("deeplabv3_mobilenet_v3_large"),
    "torchvision LR-ASPP": torchvision("lraspp_mobilenet_v3_large"),
    "smp Unet": smp("Unet"),
    "smp FPN": smp("FPN"),
}  # fmt: skip

DETECTORS: dict[str, Callable[[], nn.Module]] = {
    "DETR": make(
        "DetrForObjectDetection", "DetrConfig", use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
        backbone_config={**BACKBONE, "out_features": ["stage4"]}, d_model=32, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=5, **LABELS,
    ),
    "YOLOS": make(
        "YolosForObjectDetection", "YolosConfig", **VIT | {"image_size": [32, 32]}, num_detection_tokens=5, **LABELS
    ),
    "RT-DETR": make(
        "RTDetrForObjectDetection", "RTDetrConfig", backbone=None, use_pretrained_backbone=False, use_timm_backbone=False,
        backbone_config={"model_type": "rt_detr_resnet", "embedding_size": 16, "hidden_sizes": [16, 16, 32, 32],
        "depths": [1, 1, 1, 1], "layer_type": "basic", "out_features": ["stage2", "stage3", "stage4"]},
        encoder_in_channels=[16, 32, 32], encoder_hidden_dim=32, feat_strides=[8, 16, 32], encoder_layers=1, encoder_ffn_dim=32,
        encoder_attention_heads=2, d_model=32, num_queries=6, decoder_in_channels=[32, 32, 32], decoder_layers=1,
        decoder_attention_heads=2, decoder_ffn_dim=32, num_denoising=0, disable_custom_kernels=True, **LABELS,
    ),
}  # fmt: skip

MODELS: dict[str, Callable[[], nn.Module]] = {**CLASSIFIERS, **ENCODERS, **DENSE, **DETECTORS}


def build(name: str) -> nn.Module:
    """The module of one of `MODELS`, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MODELS[name]().eval()
