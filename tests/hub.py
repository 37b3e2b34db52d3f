"""Vision models of transformers from small random configurations, behind a module that returns one tensor of scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.lrp.zoo import randomise

CLASSES = 6


@dataclass(frozen=True)
class Tiny:
    """A class of transformers, what its configuration is made with, the side of its images, and which output is explained."""

    model: str
    options: dict[str, Any] = field(default_factory=dict)
    size: int = 64
    scores: Callable[[Any], Tensor] = lambda out: out.logits


class Scores(nn.Module):
    """The wrapper that a person writes: (N, C, H, W) to scores (N, classes)."""

    def __init__(self, model: nn.Module, scores: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.model, self.scores = model, scores

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(self.model(pixel_values=x))


def built(tiny: Tiny, bare: bool = False) -> tuple[nn.Module, Tensor]:
    """The model with random weights, wrapped or as it comes, and two images."""
    import transformers

    kind = getattr(transformers, tiny.model)
    torch.manual_seed(0)
    options = {name: value(transformers) if callable(value) else value for name, value in tiny.options.items()}
    config = kind.config_class(**options)
    config.num_labels = CLASSES
    model = randomise(kind(config))
    x = torch.randn(2, 3, tiny.size, tiny.size, generator=torch.Generator().manual_seed(2))
    return model.eval() if bare else Scores(model, tiny.scores).eval(), x


def pooled(out: Any) -> Tensor:
    """A representation, as scores."""
    found: Tensor = out.pooler_output
    return found


def tokens(out: Any) -> Tensor:
    found: Tensor = out.last_hidden_state.mean(1)
    return found


def space(out: Any) -> Tensor:
    found: Tensor = out.last_hidden_state.mean((2, 3))
    return found


def dense(out: Any) -> Tensor:
    """Scores of a map, averaged over it."""
    return out.logits.mean((2, 3))


def queries(out: Any) -> Tensor:
    """Class scores of detected objects, averaged."""
    return out.logits.mean(1)


def masks(out: Any) -> Tensor:
    return out.class_queries_logits.mean(1)


def depth(out: Any) -> Tensor:
    """Mean depth of the four quarters."""
    return nn.functional.adaptive_avg_pool2d(out.predicted_depth[:, None], 2).flatten(1)


VIT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 64, "patch_size": 16,
}  # fmt: skip
STAGES: dict[str, Any] = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}
RESNET: dict[str, Any] = {
    "embedding_size": 8,
    "hidden_sizes": [8, 16, 24, 32],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
DETR: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "num_queries": 5,
}  # fmt: skip
SWIN: dict[str, Any] = {
    "embed_dim": 16,
    "depths": [1, 1, 2],
    "num_heads": [2, 2, 4],
    "window_size": 4,
    "image_size": 64,
}


def backbone(library: Any) -> Any:
    """A small ResNet for those that stand on one."""
    return library.ResNetConfig(**RESNET, out_features=["stage2", "stage3", "stage4"])


def resnet_of_detr(library: Any) -> Any:
    options = {**RESNET, "out_features": ["stage2", "stage3", "stage4"]}
    return library.RTDetrResNetConfig(**options)


def swin(library: Any) -> Any:
    return library.SwinConfig(
        **{**SWIN, "depths": [1, 1, 1, 1], "num_heads": [2, 2, 4, 4]},
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )


def dino(library: Any) -> Any:
    return library.Dinov2Config(
        **{**VIT, "num_hidden_layers": 4}, out_indices=[1, 2, 3, 4], reshape_hidden_states=False
    )


MODELS: dict[str, Tiny] = {
    "vit": Tiny("ViTForImageClassification", VIT),
    "deit": Tiny("DeiTForImageClassification", VIT),
    "beit": Tiny("BeitForImageClassification", {**VIT, "use_relative_position_bias": True, "vocab_size": 32}),
    "data2vec": Tiny("Data2VecVisionForImageClassification", {**VIT, "use_shared_relative_position_bias": True}),
    "dinov2": Tiny("Dinov2ForImageClassification", VIT),
    "dinov2_registers": Tiny("Dinov2WithRegistersForImageClassification", VIT),
    "dinov3": Tiny("DINOv3ViTModel", {**VIT, "num_register_tokens": 2}, scores=pooled),
    "ijepa": Tiny("IJepaForImageClassification", VIT),
    "vit_msn": Tiny("ViTMSNForImageClassification", VIT),
    "yolos": Tiny("YolosForObjectDetection", {**VIT, "image_size": [64, 64], "num_detection_tokens": 5}, scores=queries),
    "clip": Tiny("CLIPVisionModel", VIT, scores=pooled),
    "siglip": Tiny("SiglipVisionModel", VIT, scores=pooled),
    "swin": Tiny("SwinForImageClassification", SWIN),
    "swinv2": Tiny("Swinv2ForImageClassification", SWIN),
    "donut_swin": Tiny("DonutSwinForImageClassification", SWIN),
    "convnext": Tiny("ConvNextForImageClassification", STAGES),
    "convnextv2": Tiny("ConvNextV2ForImageClassification", STAGES),
    "resnet": Tiny("ResNetForImageClassification", RESNET),
    "bit": Tiny("BitForImageClassification", {**RESNET, "layer_type": "preactivation", "num_groups": 4}),
    "regnet": Tiny("RegNetForImageClassification", {**RESNET, "layer_type": "y", "groups_width": 8}),
    "mobilenet_v1": Tiny("MobileNetV1ForImageClassification", {"depth_multiplier": 0.25}),
    "mobilenet_v2": Tiny("MobileNetV2ForImageClassification", {"depth_multiplier": 0.25}),
    "mobilevit": Tiny(
        "MobileViTForImageClassification",
        {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 12, 16, 24, 32, 48], "image_size": 64, "num_attention_heads": 4},
    ),
    "mobilevitv2": Tiny("MobileViTV2ForImageClassification", {"width_multiplier": 0.25, "image_size": 64}),
    "efficientnet": Tiny("EfficientNetForImageClassification", {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320}),
    "levit": Tiny(
        "LevitForImageClassification",
        {"image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 2, 2], "depths": [1, 1, 1], "key_dim": [8, 8, 8]},
    ),
    "poolformer": Tiny("PoolFormerForImageClassification", STAGES),
    "pvt": Tiny("PvtForImageClassification", {**STAGES, "image_size": 64, "num_attention_heads": [1, 2, 2, 4]}),
    "pvt_v2": Tiny("PvtV2ForImageClassification", {**STAGES, "image_size": 64, "num_attention_heads": [1, 2, 2, 4]}),
    "segformer": Tiny("SegformerForSemanticSegmentation", {**STAGES, "num_attention_heads": [1, 2, 2, 4], "decoder_hidden_size": 16}, scores=dense),
    "focalnet": Tiny("FocalNetForImageClassification", {"image_size": 64, "embed_dim": 16, "depths": [1, 1],
         "hidden_sizes": [16, 32], "focal_levels": [2, 2], "focal_windows": [3, 3]}),
    "hiera": Tiny("HieraForImageClassification", {"image_size": [64, 64], "embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8]}),
    "swiftformer": Tiny("SwiftFormerForImageClassification", {"depths": [1, 1, 1, 1], "embed_dims": [8, 16, 24, 32]}),
    "textnet": Tiny("TextNetForImageClassification"),
    "hgnet_v2": Tiny("HGNetV2ForImageClassification", {"embedding_size": 16}),
    "detr": Tiny("DetrForObjectDetection", {**DETR, "use_timm_backbone": False, "backbone_config": backbone, "backbone": None}, scores=queries),
    "rt_detr": Tiny(
        "RTDetrForObjectDetection",
        {**DETR, "num_queries": 8, "encoder_in_channels": [16, 24, 32], "encoder_hidden_dim": 32, "decoder_in_channels": [32, 32, 32],
         "encoder_layers": 1, "num_denoising": 0, "backbone_config": resnet_of_detr},
        scores=queries,
    ),
    "mask2former": Tiny(
        "Mask2FormerForUniversalSegmentation",
        {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 24, "dim_feedforward": 24,
         "encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 2, "num_queries": 5, "backbone_config": swin},
        scores=masks,
    ),
    "dpt": Tiny("DPTForDepthEstimation", {**VIT, "num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3],
         "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8, "is_hybrid": False}, scores=depth),
    "depth_anything": Tiny(
        "DepthAnythingForDepthEstimation",
        {"backbone_config": dino, "reassemble_hidden_size": 32, "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8,
         "head_hidden_size": 8, "patch_size": 16, "depth_estimation_type": "metric", "max_depth": 10},
        scores=depth,
    ),
    "sam": Tiny("SamVisionModel", {**VIT, "output_channels": 16, "window_size": 2, "global_attn_indexes": [1], "mlp_dim": 48}, scores=space),
    "vit_mae": Tiny("ViTMAEModel", VIT, scores=tokens),
}  # fmt: skip
