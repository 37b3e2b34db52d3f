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


def as_list(images: Any) -> list[Any]:
    """One image or several, always as a list.

    Raises:
        ValueError: an empty list.
    """
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
    if image.mode in {"I;16", "I;16B", "I"}:
        # PIL would cut sixteen bits off at 255.
        image = Image.fromarray(np.rint(np.clip(np.asarray(image, np.float32) / 65535, 0, 1) * 255).astype(np.uint8))
    # A transparent picture is laid on white: what is hidden must not come back as colour.
    if image.mode in {"RGBA", "LA", "PA"} or (image.mode == "P" and "transparency" in image.info):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("L" if channels == 1 else "RGB")


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
    values = image.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"an image {kind} has NaN or infinite values; clean it first")
    limit = 1.0
    if np.issubdtype(image.dtype, np.integer):
        limit = 65535.0 if image.dtype == np.uint16 else 255.0
    # A little beyond [0, 1] is rounding; more says that the image was normalised already.
    if values.min() < -1e-3 or values.max() > limit + 1e-3:
        raise ValueError(
            f"an image {kind} of {image.dtype} has values from {values.min():.3g} to {values.max():.3g}, "
            f"not in [0, {limit:g}]; give pixel values, or pass a normalised batch (N, C, H, W) to the explainer"
        )
    return np.rint(np.clip(values / limit, 0, 1) * 255).astype(np.uint8)
