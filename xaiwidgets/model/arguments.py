"""What `ImageModel` is given, checked; and what a module says of itself: its channels, image size and statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from typing import Any

from PIL import Image
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from xaiwidgets.errors import whole

__all__ = ["assumed", "class_names_of", "first_channels", "length", "pair", "per_channel", "ready", "timm_config"]


def pair(argument: str, value: Any) -> tuple[int, int]:
    """(H, W) from a pair, or from one number for a square.

    Raises:
        ValueError: anything but whole numbers of at least 1.
    """
    try:
        sides = [value, value] if length(value) is None else list(value)
        if isinstance(value, str) or len(sides) != 2:
            raise ValueError(argument)
        return whole(argument, sides[0], 1), whole(argument, sides[1], 1)
    except (TypeError, ValueError):
        raise ValueError(
            f"{argument}={value!r} must be (H, W), whole numbers of at least 1, or one such number for a square"
        ) from None


def length(value: Any) -> int | None:
    """How many entries; None for a single value, an array without axes included."""
    return None if not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0 else len(value)


def class_names_of(given: Any) -> tuple[str, ...] | None:
    """Names of classes in their order; None stays.

    Raises:
        TypeError: no list of names. ValueError: none in it.
    """
    if given is None:
        return None
    if isinstance(given, str | bytes | Mapping | Set) or not isinstance(given, Iterable):
        raise TypeError(
            f"class_names is {type(given).__name__}; give a list of one name a class, in the classes' order"
        )
    names = tuple(str(entry) for entry in given)
    if not names:
        raise ValueError("class_names is empty; give one name a class, or None")
    return names


def per_channel(argument: str, given: Any, default: float, channels: int) -> tuple[float, ...]:
    """One number a channel; a single number is that of all channels.

    Raises:
        ValueError: another number of values than channels, or one that is not a finite number.
    """
    if given is None:
        return (default,) * channels
    try:
        values = [given] * channels if length(given) is None else list(given)
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if isinstance(given, str | bytes) or not numbers or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{argument}={given!r} must be finite numbers, one a channel")
    if len(numbers) != channels:
        raise ValueError(f"{argument} has {len(numbers)} values for {channels} channels; give one a channel")
    return numbers


def assumed(own: Mapping[str, Any], mean: Any, std: Any, input_size: Any, transform: Any) -> str:
    """What has to be assumed of how a module takes its images, and what to give instead; empty where all is known."""
    if own or transform is not None:
        return ""
    parts, give = [], []
    if mean is None or std is None:
        unknown = " and ".join(name for name, given in (("mean 0", mean), ("std 1", std)) if given is None)
        parts.append(
            f"{unknown} were assumed, for pixel values in [0, 1]" if " and " in unknown else f"{unknown} was assumed"
        )
        give.append(
            "mean= and std= as it was trained (for ImageNet mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))"
        )
    if input_size is None:
        parts.append("224×224 pixels were assumed" if not parts else "224×224 pixels")
        give.append("input_size=")
    return f"{', and '.join(parts)}; give {' and '.join(give)}" if parts else ""


def ready(result: Any, channels: int) -> Tensor:
    """What a person's ``transform`` gave, which must be one image as a tensor (C, H, W).

    Raises:
        TypeError, ValueError: something else came; says what to return.
    """
    if not isinstance(result, Tensor):
        kind = "a PIL image" if isinstance(result, Image.Image) else type(result).__name__
        raise TypeError(
            f"transform gives {kind}; let it return a tensor ({channels}, H, W), say with torchvision's ToTensor at its end"
        )
    if result.ndim != 3 or result.shape[0] != channels or not result.is_floating_point():
        raise ValueError(
            f"transform gives {str(result.dtype).removeprefix('torch.')} of shape {tuple(result.shape)}; "
            f"let it return floats ({channels}, H, W), normalised as the model takes them"
        )
    return result


def first_channels(module: nn.Module) -> int:
    """The channels that the first convolution takes; 3 where there is none.

    Raises ValueError for a lazy one, which does not know yet.
    """
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    if first is not None and is_lazy(first.weight):
        raise ValueError(
            f"module has no weights yet: its {type(first).__name__} is lazy; call it on images once, then give it"
        )
    return 3 if first is None else first.in_channels


def timm_config(module: nn.Module, *, size: Any = None) -> dict[str, Any]:
    """How a timm model takes its images, as timm's `create_transform` wants it; empty for other modules.

    The module itself goes before what its weights were made with: it may have been built for other channels or another size.

    Args:
        size: (H, W) or one number it was built for, where that is known.
    """
    if not isinstance(getattr(module, "pretrained_cfg", None), dict):
        return {}
    from timm.data import resolve_model_data_config

    config: dict[str, Any] = resolve_model_data_config(module)
    channels = _own_channels(module, config["input_size"][0])
    height, width = pair("img_size", size if size is not None else _own_size(module) or config["input_size"][1:])
    config["input_size"] = (channels, height, width)
    for name in ("mean", "std"):
        values = tuple(config[name])
        # Grey of a picture is about the mean of its colours, and so are its statistics.
        config[name] = values if len(values) == channels else (sum(values) / len(values),) * channels
    return config


def _own_channels(module: nn.Module, usual: int) -> int:
    named = getattr(module, "pretrained_cfg", {}).get("first_conv")
    if named is not None and not isinstance(named, str):
        if not named:  # timm's word for pixels that meet no convolution (CSATv2 begins with a cosine transform)
            return usual
        named = named[0]
    parts = dict(module.named_modules())
    first = parts.get(named) if named else next((p for p in parts.values() if isinstance(p, nn.Conv2d)), None)
    # Where space becomes depth, the first convolution takes many channels for one of the image.
    folded = any(type(part).__name__ == "SpaceToDepth" for part in parts.values())
    return first.in_channels if isinstance(first, nn.Conv2d) and not folded else usual


def _own_size(module: nn.Module) -> Any:
    places = (module, getattr(module, "patch_embed", None), getattr(module, "stem", None))
    sizes = (getattr(place, "img_size", None) for place in places)
    return next((size for size in sizes if isinstance(size, int | tuple | list)), None)
