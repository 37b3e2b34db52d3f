"""Samples of any map-style data set: images as the model takes them, and the classes to explain."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from xaiwidgets.errors import unknown
from xaiwidgets.model import ImageModel

__all__ = ["Samples", "classes_of"]

_PROBES = 8


class Samples:
    """A map-style data set of images, or of (image, label): tensors (C, H, W) as the model takes them, all of one size, or PIL
    pictures, which the model's own preprocessing prepares.

    Raises:
        TypeError, ValueError: not such a data set, or an empty one.
    """

    def __init__(self, dataset: Any, model: ImageModel) -> None:
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise TypeError(
                f"dataset is {type(dataset).__name__}; give a map-style data set: dataset[i] -> (image, label), and len(dataset)"
            )
        if len(dataset) == 0:
            raise ValueError("the data set is empty; give at least one image")
        self.dataset, self.model, self.length = dataset, model, len(dataset)
        item = dataset[0]
        self.shape = tuple(model.validate(self._image(item, 0), "dataset[0]").shape[1:])
        self.labelled = label_in(item) is not None

    def batch(self, items: Sequence[Any], indices: Sequence[int]) -> Tensor:
        """The images (N, C, H, W) of some items, on the model's device."""
        images = [self._image(item, index) for item, index in zip(items, indices, strict=True)]
        for image, index in zip(images, indices, strict=True):
            if tuple(image.shape) != self.shape:
                raise ValueError(
                    f"dataset[{index}] has shape {tuple(image.shape)}, dataset[0] has {self.shape}; resize all images to one size"
                )
        return self.model.validate(torch.stack(images), f"dataset[{indices[0]}:{indices[-1] + 1}]")

    def take(self, indices: Sequence[int]) -> Tensor:
        """The images (N, C, H, W) with these indices."""
        return self.batch([self.dataset[index] for index in indices], indices)

    def read(self, ranges: Sequence[range], workers: int = 0) -> Iterator[list[Any]]:
        """The items of each range, read by `workers` processes beside this one."""
        loader = DataLoader(
            self.dataset, batch_sampler=[list(part) for part in ranges], collate_fn=list, num_workers=workers
        )
        yield from loader

    def fingerprint(self) -> str:
        """A hash of the data set's own `fingerprint`, where it has one, and of some of its samples.

        Raises:
            ValueError: a sample that is not the same when read again.
        """
        digest = hashlib.sha256(str(getattr(self.dataset, "fingerprint", "")).encode())
        probes = sorted({round(k * (self.length - 1) / (_PROBES - 1)) for k in range(_PROBES)})
        for index in probes:
            digest.update(self._bytes(index))
        if self._bytes(0) != self._bytes(0):
            raise ValueError(
                "dataset[0] gives other pixels each time it is read; use transforms without random changes, so that "
                "the index shows what was explained"
            )
        return digest.hexdigest()

    def _bytes(self, index: int) -> bytes:
        item = self.dataset[index]
        image = self._image(item, index).detach().cpu().float().contiguous()
        return repr((tuple(image.shape), _plain(label_in(item)))).encode() + image.numpy().tobytes()

    def _image(self, item: Any, index: int) -> Tensor:
        image = item[0] if isinstance(item, tuple | list) else item
        if isinstance(image, Image.Image):
            return self.model.prepare(image)[0]
        if not isinstance(image, Tensor) or image.ndim != 3:
            raise TypeError(
                f"dataset[{index}] gives {type(image).__name__} {tuple(getattr(image, 'shape', ()))}; "
                "give tensors (C, H, W) as the model takes them or PIL pictures, alone or as (image, label)"
            )
        return image


def label_in(item: Any) -> Any:
    """The label of an item; None where it has none."""
    return item[1] if isinstance(item, tuple | list) and len(item) > 1 else None


def classes_of(label: Any, index: int, classes: int, names: Sequence[str] | None = None) -> tuple[int, ...]:
    """The classes of a label, ascending: a class or its name, a list or set of them, or a multi-hot vector (classes,).

    Lists, sets and tuples hold classes; a tensor or array as long as there are classes, all zeros and ones, is multi-hot.

    Args:
        names: of the classes, where labels may be names.

    Raises:
        TypeError, ValueError: anything else, a class that the model does not have, or one class twice.
    """
    plain = _plain(label)
    if isinstance(label, Tensor | np.ndarray) and label.ndim == 1:
        hot = np.asarray(label.cpu() if isinstance(label, Tensor) else label)
        if len(hot) == classes and np.isin(hot, (0, 1)).all():
            return tuple(np.flatnonzero(hot).tolist())
    entries = plain if isinstance(plain, list) else [plain]
    found = []
    for given in entries:
        if isinstance(given, str) and names is not None and given not in names:
            raise unknown(f"the label of dataset[{index}]", given, names)
        entry = list(names).index(given) if isinstance(given, str) and names is not None else given
        if isinstance(entry, bool) or not isinstance(entry, int):
            raise TypeError(
                f"dataset[{index}] has the label {label!r}; give a class, a list or set of classes, or a multi-hot vector "
                f"({classes},), or choose targets='predicted'"
            )
        if not 0 <= entry < classes:
            raise ValueError(f"dataset[{index}] has the label {entry}; the model has the classes 0 to {classes - 1}")
        found.append(entry)
    if len(set(found)) != len(found):
        raise ValueError(f"dataset[{index}] names a class twice: {label!r}; give a multi-hot vector as a tensor")
    return tuple(sorted(found))


def _plain(label: Any) -> Any:
    """Numbers of torch and numpy as Python's own."""
    if isinstance(label, Tensor | np.ndarray | np.generic):
        return label.tolist()
    if isinstance(label, set | frozenset):
        return sorted((_plain(entry) for entry in label), key=str)
    if isinstance(label, list | tuple):
        return [_plain(entry) for entry in label]
    return label
