"""Images to evaluate on: a tensor, or a data set read part by part."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from xaiwidgets.model import ImageModel

_MEMORY = 2**32
"""Bytes of images that are read into memory at the most."""


class Source(Protocol):
    """Images by index."""

    shape: tuple[int, ...]
    tensor: Tensor | None

    def load(self, model: ImageModel, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Images (n, C, H, W) on the model's device, and their labels (n,) where there are any."""
        ...


class TensorSource:
    """A batch (N, C, H, W)."""

    def __init__(self, x: Tensor, labels: Tensor | None = None) -> None:
        self.tensor: Tensor | None = x
        self.shape = tuple(x.shape)
        self.labels = labels

    def load(self, model: ImageModel, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        assert self.tensor is not None
        return self.tensor[start:stop], None if self.labels is None else self.labels[start:stop]


class DatasetSource:
    """A map-style data set of images, or of (image, label): images (C, H, W) as the model takes them, all of one size."""

    def __init__(self, dataset: Any, model: ImageModel, limit: int | None = None) -> None:
        self.dataset = dataset
        self.tensor: Tensor | None = None
        count = len(dataset) if limit is None else min(limit, len(dataset))
        if count == 0:
            raise ValueError("the data set is empty; give at least one image")
        first = model.validate(_image(dataset[0], 0), "dataset[0]")
        self.shape = (count, *first.shape[1:])

    def load(self, model: ImageModel, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        return self.take(model, list(range(start, stop)))

    def take(self, model: ImageModel, indices: list[int]) -> tuple[Tensor, Tensor | None]:
        """The images with these indices."""
        images, labels = [], []
        for index in indices:
            item = self.dataset[index]
            image = _image(item, index)
            if tuple(image.shape) != self.shape[1:]:
                raise ValueError(
                    f"dataset[{index}] has shape {tuple(image.shape)}, dataset[0] has {self.shape[1:]}; "
                    "resize all images to one size"
                )
            images.append(image)
            if isinstance(item, tuple | list) and len(item) > 1:
                labels.append(int(item[1]))
        x = model.validate(torch.stack(images), f"dataset[{indices[0]}:{indices[-1] + 1}]")
        return x, torch.tensor(labels, device=x.device) if len(labels) == len(images) else None


def source_of(model: ImageModel, x: Any, limit: int | None = None) -> TensorSource | DatasetSource:
    """What to evaluate on: images (N, C, H, W), (images, labels), or a data set.

    Raises:
        TypeError, ValueError: anything else, or images that do not fit the model.
    """
    if isinstance(x, tuple | list) and len(x) == 2 and isinstance(x[0], Tensor) and x[0].ndim == 4:
        images = _first(model.validate(x[0]), limit)
        labels = _first(torch.as_tensor(x[1], device=images.device), limit)
        if labels.shape != (len(images),):
            raise ValueError(
                f"labels has shape {tuple(labels.shape)} for {len(images)} images; give one class an image"
            )
        return TensorSource(images, labels)
    if isinstance(x, Tensor):
        return TensorSource(_first(model.validate(x), limit))
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
        return DatasetSource(x, model, limit)
    # Says what to give.
    return TensorSource(model.validate(x))


def gathered(model: ImageModel, x: Any, limit: int | None = None) -> tuple[Tensor, Tensor | None]:
    """All images (N, C, H, W) of what :func:`source_of` takes, and their labels (N,) where there are any, in memory.

    Raises:
        ValueError: a data set too large for that; says how to take a part of it.
    """
    source = source_of(model, x, limit)
    count = source.shape[0]
    size = torch.Size(source.shape).numel() * torch.float32.itemsize
    if source.tensor is None and size > _MEMORY:
        fits = max(1, count * _MEMORY // size)
        raise ValueError(
            f"x has {count} images, {size / 2**30:.1f} GB in memory; take a part of them, such as limit={min(200, fits)}"
        )
    return source.load(model, 0, count)


def _first(values: Tensor, limit: int | None) -> Tensor:
    # Without a limit the tensor itself: a view of all of it would only keep a second one alive.
    return values if limit is None else values[:limit]


def _image(item: Any, index: int) -> Tensor:
    image = item[0] if isinstance(item, tuple | list) else item
    if not isinstance(image, Tensor) or image.ndim != 3:
        raise TypeError(
            f"dataset[{index}] gives {type(image).__name__} {tuple(getattr(image, 'shape', ()))}; "
            "give tensors (C, H, W) as the model takes them, or (tensor, label)"
        )
    return image


def batch_size_for(shape: tuple[int, ...], device: torch.device) -> int:
    """Images a forward pass: enough to keep the device busy, few enough to answer quickly when told to stop."""
    entries = shape[-1] * shape[-2] * shape[-3]
    if device.type == "cpu":
        return max(8, min(64, 2**20 // entries))
    return max(16, min(1024, 2**27 // entries))
