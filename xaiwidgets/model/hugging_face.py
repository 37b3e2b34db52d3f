"""What a transformers model and its processor say of themselves: classes, statistics, size, what its scores mean, its towers.

Recognised by what they have, not by where they come from: transformers itself is imported by `load` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from xaiwidgets.model.arguments import pair, timm_config
from xaiwidgets.model.outputs import entries_of
from xaiwidgets.model.towers import Text, image_tower

__all__ = ["own_parts", "semantic_map"]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    **dict.fromkeys(
        ("vit", "beit", "data2vec-vision", "siglip", "dpt", "zoedepth", "mobilenet_v1", "mobilenet_v2"), HALF
    ),
    **dict.fromkeys(("clip", "metaclip_2", "blip", "groupvit", "owlvit", "owlv2", "chinese_clip", "altclip"), CLIP),
    **dict.fromkeys(("rt_detr", "rt_detr_v2", "d_fine", "glpn", "mobilevit", "mobilevitv2"), PLAIN),
}
"""Kind of model -> mean and std that its published weights were trained with; ImageNet's for all others."""
BLUE_FIRST = frozenset({"mobilevit", "mobilevitv2"})
MEANINGS = {
    "regression": "values", "single_label_classification": "softmax", "multi_label_classification": "sigmoid",
}  # fmt: skip
WITH_NOTHING = frozenset({"detr", "yolos", "table-transformer"})
"""Detectors whose last class is "nothing"; others say of each class whether it is there."""


def own_parts(module: nn.Module, processor: Any = None) -> dict[str, Any]:
    """What a module says of itself, as arguments of `ImageModel`: `module` (the image tower of one that has two), `class_names`, `mean`,
    `std`, `order`, `input_size`, `channels`, `transform`, `output`, `scores`, `text`; `assumed` where statistics are those of its kind.

    Args:
        module: of transformers, timm, open_clip, or any other. processor: what transformers' `AutoProcessor` or
            `AutoImageProcessor` gives, or None.

    Raises:
        TypeError, ValueError: a processor that makes no images of pictures.
    """
    config = getattr(module, "config", None)
    if isinstance(getattr(config, "model_type", None), str) and hasattr(config, "to_dict"):
        return _described(module, processor)
    found: dict[str, Any] = {"module": module, **_of_timm(module)}
    if hasattr(module, "encode_image") and hasattr(module, "encode_text"):
        found |= {"module": image_tower(module, "encode_image"), "scores": "values"}
    return found if processor is None else found | processing(getattr(processor, "image_processor", processor))


def _described(module: nn.Module, processor: Any) -> dict[str, Any]:
    """The same of a transformers model."""
    config, kind = module.config, _kind(module)
    found: dict[str, Any] = {"module": module}
    if hasattr(module, "get_image_features"):
        found |= {"module": image_tower(module, "get_image_features"), "text": Text(module, _tokenizer(processor))}
    vision = getattr(config, "vision_config", config)
    found["channels"] = int(getattr(vision, "num_channels", 3) or 3)
    if kind.startswith("For"):
        found["class_names"] = _names(config)
    found |= _answer(config, kind)
    image_processor = getattr(processor, "image_processor", processor)
    if image_processor is not None:
        return found | processing(image_processor, found["channels"])
    return found | _usual(module, vision, kind)


def processing(processor: Any, channels: int = 3) -> dict[str, Any]:
    """`transform`, `mean`, `std`, `order` and `input_size` of an image processor, found out by what it makes of plain pictures.

    Processors scale, shift and normalise in many ways, some twice, some with blue first; what counts is what comes out.

    Raises:
        TypeError: it does not give pixel_values (1, C, H, W) of a picture.
        ValueError: what it gives is not its pixels, channel by channel, scaled and shifted.
    """
    transform = Processed(processor)
    colours = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)] if channels == 3 else [0, 255]
    pictures = [Image.new("RGB" if channels == 3 else "L", (256, 256), colour) for colour in colours]
    outputs = [transform(picture) for picture in pictures]
    height, width = outputs[0].shape[1:]
    black, *bright = (output[:, height // 2, width // 2].double() for output in outputs)
    # (channel of the output, colour of the picture): how far the one rises with the other.
    rise = torch.stack([each - black for each in bright], 1)
    order = rise.abs().argmax(1).tolist()
    scale = rise.gather(1, torch.tensor(order)[:, None])[:, 0]
    rest = rise.abs().sum(1) - scale.abs()
    if (
        sorted(order) != list(range(channels))
        or float(scale.min()) <= 0
        or float(rest.max()) > 1e-3 * float(scale.max())
    ):
        raise ValueError(
            f"processor {type(processor).__name__} mixes the channels of a picture or turns them; give mean=, std= and "
            "transform= instead"
        )
    std = 1 / scale
    return {
        "transform": transform, "order": tuple(order), "input_size": (int(height), int(width)),
        "mean": tuple((-black * std).tolist()), "std": tuple(std.tolist()),
    }  # fmt: skip


class Processed:
    """A processor as a function from a picture to (C, H, W)."""

    def __init__(self, processor: Any) -> None:
        if not callable(processor):
            raise TypeError(
                f"processor is {type(processor).__name__}; give what transformers' AutoProcessor or AutoImageProcessor gives"
            )
        self.processor = processor

    def __call__(self, picture: Image.Image) -> Tensor:
        made = self.processor(images=picture, return_tensors="pt")
        values = made.get("pixel_values") if isinstance(made, Mapping) or hasattr(made, "get") else None
        if not isinstance(values, Tensor) or values.ndim != 4:
            came = f"a tensor {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            raise TypeError(
                f"processor {type(self.processor).__name__} gives {came} as pixel_values of a picture; it must give one image (1, C, H, W)"
            )
        return values[0]


def semantic_map(returned: Any) -> Tensor:
    """What MaskFormer and its kin say of each pixel, (N, classes, H, W): the probability of each query's class times that of its mask,
    summed over queries, without the class "nothing" (Cheng et al., NeurIPS 2021, eq. 2)."""
    entries = entries_of(returned)
    classes, masks = entries["class_queries_logits"].softmax(-1)[..., :-1], entries["masks_queries_logits"].sigmoid()
    return torch.einsum("nqc,nqhw->nchw", classes, masks)


# -- what a configuration says -----------------------------------------------------------------------------------------


def _kind(module: nn.Module) -> str:
    """ "ForImageClassification" and the like, also of a class made of such a class; "" for encoders."""
    heads = (re.search(r"For[A-Z]\w*", kind.__name__) for kind in type(module).__mro__)
    return next((head[0] for head in heads if head is not None), "")


def _names(config: Any) -> tuple[str, ...] | None:
    """Class names; None where the configuration only counts classes."""
    labels = getattr(config, "id2label", None) or {}
    names = {int(index): str(name) for index, name in labels.items()}
    if sorted(names) != list(range(len(names))) or all(re.fullmatch(r"LABEL_\d+", name) for name in names.values()):
        return None
    return tuple(names[index] for index in range(len(names)))


def _answer(config: Any, kind: str) -> dict[str, Any]:
    """`scores` and `output`, where they are not the usual."""
    if not kind or "Depth" in kind:
        return {"scores": "values"}
    if "ObjectDetection" in kind:
        return {"scores": "softmax" if config.model_type in WITH_NOTHING else "sigmoid"}
    if "UniversalSegmentation" in kind or "InstanceSegmentation" in kind:
        return {"output": semantic_map, "scores": "values"}
    if "Classification" in kind:
        alone = getattr(config, "num_labels", None) == 1
        return {"scores": MEANINGS.get(getattr(config, "problem_type", None) or "", "values" if alone else "softmax")}
    return {}


def _usual(module: nn.Module, vision: Any, kind: str) -> dict[str, Any]:
    """Size, mean and std without a processor: timm's own, else those of the model's kind."""
    own = _of_timm(getattr(module, "timm_model", module))
    if own:
        return own
    config: Any = module.config
    model_type = str(config.model_type)
    family = next((name for name in (model_type, model_type.removesuffix("_vision_model")) if name in STATISTICS), "")
    mean, std = STATISTICS.get(family, IMAGENET)
    channels = int(getattr(vision, "num_channels", 3) or 3)
    found: dict[str, Any] = {"assumed": True}
    if channels == 3:
        found |= {"mean": mean, "std": std, "order": (2, 1, 0) if family in BLUE_FIRST else (0, 1, 2)}
    size = getattr(vision, "image_size", None)
    if isinstance(size, Mapping):
        size = (size.get("height"), size.get("width"))
    fallback = 640 if "ObjectDetection" in kind else 224
    found["input_size"] = pair("image_size", fallback if size is None else size)
    return found


def _of_timm(module: nn.Module) -> dict[str, Any]:
    own = timm_config(module)
    if not own:
        return {}
    channels, *size = own["input_size"]
    return {"channels": channels, "input_size": tuple(size), "mean": tuple(own["mean"]), "std": tuple(own["std"])}


def _tokenizer(processor: Any) -> Any:
    return getattr(processor, "tokenizer", None)
