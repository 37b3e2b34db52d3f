"""Images to evaluate on: a tensor, or a data set read part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from xaiwidgets.devices import sent, taken
from xaiwidgets.errors import whole
from xaiwidgets.model import ImageModel
from xaiwidgets.model.fingerprint import described, text_hash

_MEMORY = 2**32
"""Bytes of images that are read into memory at the most."""
_PROBES = 8


class Source(Protocol):
    """Images by index.

    Attributes:
        shape: (N, C, H, W). given: how many images there were, before a limit.
        tensor: the images, where they are in memory.
    """

    shape: tuple[int, ...]
    given: int
    tensor: Tensor | None

    def take(self, model: ImageModel, indices: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """The images (n, C, H, W) with these indices on the model's device, and their labels (n,) where there are any."""
        ...

    def part(self, indices: Sequence[int]) -> Source | None:
        """What a worker needs for these images beside :meth:`travelling`; None where that is enough."""
        ...

    def travelling(self) -> Source:
        """What all workers share: images in memory travel part by part instead."""
        ...

    def fingerprint(self) -> str:
        """What tells these images from others: a hash of all in memory; of a data set, of its own `fingerprint`, where it has one, and of
        some of its images."""
        ...


class TensorSource:
    """A batch (N, C, H, W), or a part of one, whose images keep their indices."""

    def __init__(self, x: Tensor, labels: Tensor | None = None, given: int | None = None) -> None:
        self.tensor: Tensor | None = x
        self.shape = tuple(x.shape)
        self.given = len(x) if given is None else given
        self.labels = labels
        self._held: dict[int, int] | None = None

    def take(self, model: ImageModel, indices: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        assert self.tensor is not None
        if self._held is not None:
            indices = [self._held[index] for index in indices]
        return taken(self.tensor, indices), None if self.labels is None else taken(self.labels, indices)

    def part(self, indices: Sequence[int]) -> TensorSource:
        assert self.tensor is not None
        labels = None if self.labels is None else self.labels[list(indices)]
        part = TensorSource(self.tensor[list(indices)], labels, self.given)
        part.shape, part._held = self.shape, {index: place for place, index in enumerate(indices)}
        return part

    def travelling(self) -> TensorSource:
        return self.part(())

    def fingerprint(self) -> str:
        return text_hash(described([self.tensor, self.labels]))


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
        self.given = len(dataset)

    def part(self, indices: Sequence[int]) -> None:
        return None

    def travelling(self) -> DatasetSource:
        return self

    def fingerprint(self) -> str:
        count = self.shape[0]
        places = sorted({round(k * (count - 1) / (_PROBES - 1)) for k in range(_PROBES)})
        images = [_image(self.dataset[index], index) for index in places]
        if not torch.equal(images[0], _image(self.dataset[0], 0)):
            raise ValueError(
                "dataset[0] gives other pixels each time it is read, so that curves begun in a folder cannot go on; use transforms "
                "without random changes, or do without folder"
            )
        return text_hash(described([str(getattr(self.dataset, "fingerprint", "")), *images]))

    def take(self, model: ImageModel, indices: Sequence[int]) -> tuple[Tensor, Tensor | None]:
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
            given = item[1] if isinstance(item, tuple | list) and len(item) > 1 else None
            label = _label(given, index, model)
            labels += [] if label is None else [label]
        x = model.validate(torch.stack(images), f"dataset[{indices[0]}:{indices[-1] + 1}]")
        return x, sent(labels, x.device) if len(labels) == len(images) else None


def source_of(model: ImageModel, x: Any, limit: int | None = None) -> TensorSource | DatasetSource:
    """What to evaluate on: images (N, C, H, W), (images, labels), or a data set.

    Raises:
        TypeError, ValueError: anything else, or images that do not fit the model.
    """
    if isinstance(x, tuple | list) and len(x) == 2 and isinstance(x[0], Tensor) and x[0].ndim == 4:
        images = model.validate(x[0])
        labels = None if x[1] is None else _labels(x[1], len(images), model).to(images.device)
        return TensorSource(_first(images, limit), None if labels is None else _first(labels, limit), len(images))
    if isinstance(x, Tensor):
        images = model.validate(x)
        return TensorSource(_first(images, limit), given=len(images))
    if hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, str | bytes | Mapping):
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
    if isinstance(source, TensorSource) and source.tensor is not None:
        return source.tensor, source.labels
    return source.take(model, range(count))


def _first(values: Tensor, limit: int | None) -> Tensor:
    # The tensor itself, or a copy of the part: a view would keep all of it alive, and torch aborts on some at the interpreter's end.
    return values if limit is None or limit >= len(values) else values[:limit].clone()


def _image(item: Any, index: int) -> Tensor:
    image = item[0] if isinstance(item, tuple | list) else item
    if not isinstance(image, Tensor) or image.ndim != 3:
        raise TypeError(
            f"dataset[{index}] gives {type(image).__name__} {tuple(getattr(image, 'shape', ()))}; "
            "give tensors (C, H, W) as the model takes them, or (tensor, label)"
        )
    return image


def _label(given: Any, index: int, model: ImageModel) -> int | None:
    """The class that is given with an image, by index or name; None for what is no class, such as a mask."""
    if isinstance(given, str):
        names = model.class_names or ()
        return names.index(given) if given in names else None
    try:
        label = whole("label", given)
    except ValueError:
        return None
    if label < 0:
        raise ValueError(f"the label of image {index} is {label}; give classes from 0 on")
    return label


def _labels(given: Any, count: int, model: ImageModel) -> Tensor:
    """Labels (N,) of N images, by index or name.

    Raises:
        ValueError: another number of them, or one that is no class.
    """
    entries = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(entries) != count:
        raise ValueError(f"labels has {len(entries)} classes for {count} images; give one class an image")
    chosen = [_label(entry, place, model) for place, entry in enumerate(entries)]
    if None in chosen:
        wrong = chosen.index(None)
        raise ValueError(
            f"labels[{wrong}]={entries[wrong]!r} is not a class; give one class an image, by index or name"
        )
    return torch.tensor(chosen)


def batch_size_for(shape: tuple[int, ...], device: torch.device) -> int:
    """Images a forward pass: enough to keep the device busy, few enough to answer quickly when told to stop."""
    entries = shape[-1] * shape[-2] * shape[-3]
    if device.type == "cpu":
        return max(8, min(64, 2**20 // entries))
    return max(16, min(1024, 2**27 // entries))
