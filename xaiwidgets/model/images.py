"""Reads what people call an image: a path, a PIL image, an array or a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

KINDS = "a path, a PIL image, an (H, W, C) uint8 array, a (C, H, W) tensor of pixel values, or a list of these"

VOLUMES = "volumes and videos (N, C, D, H, W) are not taken; explain slices of them, a batch of images (N, C, H, W), with a model of such"


def as_list(images: Any) -> list[Any]:
    """One image or several, always as a list.

    Raises:
        ValueError: an empty list.
    """
    if isinstance(images, Tensor | np.ndarray) and images.ndim > 4:
        raise ValueError(f"images has shape {tuple(images.shape)}: {VOLUMES}")
    if isinstance(images, Tensor | np.ndarray) and images.ndim == 4:
        images = list(images)
    if not isinstance(images, Sequence) or isinstance(images, str | bytes):
        images = [images]
    if len(images) == 0:
        raise ValueError("images is empty; give at least one image")
    return list(images)


def to_pil(image: Any, channels: int) -> Image.Image:
    """``image`` as a PIL image with 1 (grey) or 3 (RGB) channels.

    Raises:
        FileNotFoundError: a path without a file.
        TypeError, ValueError: anything that is not an image, says what came and what to give.
    """
    if isinstance(image, str | Path):
        image = _read(Path(image))
    elif isinstance(image, Tensor):
        image = _from_array(_channels_last(image), "tensor")
    elif isinstance(image, np.ndarray):
        image = _from_array(image, "array")
    elif not isinstance(image, Image.Image):
        raise TypeError(f"an image is {type(image).__name__}; give {KINDS}")
    # As the camera was held, whether the picture was opened here or before.
    image = ImageOps.exif_transpose(image)
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image = _eight_bits(image)
    # Colours multiplied by their transparency are PIL's own affair.
    image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
    # A transparent picture is laid on white: what is hidden must not come back as colour.
    if image.mode in {"RGBA", "LA", "PA"} or (image.mode == "P" and "transparency" in image.info):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    if image.mode == "LAB":
        image = image.convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of whole numbers beyond a byte, or of floats, which PIL would cut off at 0 and 255."""
    values = np.asarray(image, np.float32)
    if image.mode.startswith("I;16"):
        limit = 65535.0
    else:
        # These modes do not say what white is: floats are shares as a rule, but PIL's own conversion gives 0 to 255.
        largest = float(values.max(initial=0)) if np.isfinite(values).all() else 0.0
        limits = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        limit = next((each for each in limits if largest <= each + 1e-3), limits[-1])
    return Image.fromarray(_scaled(values, limit, f"picture of PIL's mode {image.mode!r}"))


def to_planes(image: Tensor | np.ndarray, channels: int, own_units: bool) -> Tensor:
    """An array (H, W, C) or a tensor (C, H, W) of any number of channels, as floats (C, H, W).

    Args:
        own_units: values stay as they are, since the model's statistics are in their units; else whole numbers become shares of what
            their type holds, and floats have to lie in [0, 1].

    Raises:
        ValueError: another shape, or values that do not fit.
    """
    array = image.detach().cpu() if isinstance(image, Tensor) else torch.from_numpy(np.ascontiguousarray(image))
    shape = tuple(array.shape)
    first, last = array.ndim == 3 and shape[0] == channels, array.ndim == 3 and shape[2] == channels
    if not (first or last) or array.numel() == 0:
        kind = "tensor" if isinstance(image, Tensor) else "array"
        raise ValueError(
            f"an image {kind} has shape {shape}; give an array (H, W, {channels}) or a tensor ({channels}, H, W)"
        )
    if (last and not first) or (last and not isinstance(image, Tensor)):
        array = array.permute(2, 0, 1)
    values = array.float()
    if not torch.isfinite(values).all():
        raise ValueError("an image has NaN or infinite values; clean it first")
    if own_units:
        return values
    limit = {torch.uint8: 255.0, torch.uint16: 65535.0}.get(array.dtype, 1.0)
    low, high = float(values.min()), float(values.max())
    if low < -1e-3 or high > limit + 1e-3:
        raise ValueError(
            f"an image of {str(array.dtype).removeprefix('torch.')} has values from {low:.3g} to {high:.3g}, not in [0, {limit:g}]; "
            "give ImageModel(…, mean=, std=) in the units of these values, or pass a normalised batch (N, C, H, W)"
        )
    return values / limit


def _read(path: Path) -> Image.Image:
    path = path.expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no image file at {path} (looked in {Path.cwd()}); check the path")
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not an image that PIL can read; convert it to PNG or JPEG") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read as an image ({error}); save or download it again") from error


def _channels_last(image: Tensor) -> np.ndarray:
    if image.ndim == 3:
        if image.shape[0] not in (1, 3):
            raise ValueError(f"an image tensor has shape {tuple(image.shape)}; give (C, H, W) with C = 1 or 3")
        image = image.permute(1, 2, 0)
    if image.dtype == torch.bfloat16:
        image = image.float()
    return image.detach().cpu().numpy()


def _from_array(image: np.ndarray, kind: str) -> Image.Image:
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or image.size == 0:
        raise ValueError(
            f"an image {kind} has shape {image.shape}; give (H, W, C) arrays or (C, H, W) tensors, C = 1 or 3"
        )
    if image.dtype == np.bool_:
        image = image.astype(np.uint8) * 255
    elif image.dtype != np.uint8:
        image = _to_bytes(image, kind)
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _to_bytes(image: np.ndarray, kind: str) -> np.ndarray:
    limit = 1.0
    if np.issubdtype(image.dtype, np.integer):
        limit = 65535.0 if image.dtype == np.uint16 else 255.0
    return _scaled(image.astype(np.float32), limit, f"{kind} of {image.dtype}")


def _scaled(values: np.ndarray, limit: float, kind: str) -> np.ndarray:
    """Values of which `limit` is white, as bytes."""
    if not np.isfinite(values).all():
        raise ValueError(f"an image {kind.split(' of ', maxsplit=1)[0]} has NaN or infinite values; clean it first")
    # A little beyond [0, 1] is rounding; more says that the image was normalised already.
    if values.min() < -1e-3 or values.max() > limit + 1e-3:
        raise ValueError(
            f"an image {kind} has values from {values.min():.3g} to {values.max():.3g}, "
            f"not in [0, {limit:g}]; give pixel values, or pass a normalised batch (N, C, H, W) to the explainer"
        )
    return np.rint(np.clip(values / limit, 0, 1) * 255).astype(np.uint8)
