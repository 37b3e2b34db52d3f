"""Where relevance begins: at classes of the output, at a layer, or anywhere with a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.errors import unknown
from xaiwidgets.graph import Record
from xaiwidgets.lrp.starts import class_starts, contrast
from xaiwidgets.model import ImageModel

__all__ = ["Begin", "Classes", "class_start", "given_start"]

Classes = tuple[Any, ...] | None
"""The classes a condition names; None where it names none."""
Begin = Callable[[Record, Sequence[int], Sequence[Classes]], tuple[Tensor, list[Any]]]
"""(recording, numbers of its images, classes named for each) -> relevance (1, N, …) and what each image starts from: a class, a
tuple of classes, or None."""


def class_start(model: ImageModel, kind: str, target: list[Any] | None, against: list[Any] | None) -> Begin:
    """At the output: the classes a condition names together, else the image's `target` (None: the predicted class).

    kind: "logit" or "one". against: for each image another class, or "rest" for the mean of all others.
    """

    def begin(record: Record, images: Sequence[int], classes: Sequence[Classes]) -> tuple[Tensor, list[Any]]:
        output = record.output
        if not any(classes):
            chosen = model.targets(output, target and [target[i] for i in images])
            rivals = against and [against[i] for i in images]
            if rivals is None:
                return class_starts(output, chosen[None], kind), chosen.tolist()
            other = "rest" if rivals[0] == "rest" else model.targets(output, rivals)
            return contrast(output, chosen, other, kind), chosen.tolist()
        value = output if kind == "logit" else torch.ones_like(output)
        mask, named = _kept(model, output, value, classes)
        return (value * mask)[None], named

    return begin


def given_start(model: ImageModel, known: ConceptLayers, origin: str, start: Any, count: int) -> Begin:
    """At a layer or the output: its activation, ones, or a tensor or array for `count` images; of the output, only the classes named.

    Raises:
        TypeError, ValueError: no such start, or a tensor or array of another shape.
    """
    if isinstance(start, str) and start not in ("activation", "ones"):
        raise unknown("start", start, ("activation", "ones"))
    index = known.propagator.index(origin)
    windows, *rest = known.shapes[index]
    shape = tuple(rest) if windows == 1 else (windows, *rest)
    if start is not None and not isinstance(start, str):
        try:
            start = torch.as_tensor(start)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(
                f"start is {type(start).__name__}; give 'activation', 'ones', or relevance at {origin!r}, {shape}."
            ) from None
    if isinstance(start, Tensor) and tuple(start.shape) not in (shape, (count, *shape)):
        raise ValueError(
            f"start has shape {tuple(start.shape)}; at {origin!r} give {shape}, or one an image, {(count, *shape)}."
        )

    def begin(record: Record, images: Sequence[int], classes: Sequence[Classes]) -> tuple[Tensor, list[Any]]:
        value = record.values[index]
        if isinstance(start, Tensor):
            given = start[list(images)] if start.ndim > len(shape) else start.expand(len(images), *shape)
            value = given.to(value).reshape(value.shape)
        elif start == "ones":
            value = torch.ones_like(value)
        if not any(classes):
            return value[None], [None] * len(images)
        mask, named = _kept(model, record.output, value, classes)
        return (value * mask)[None], named

    return begin


def _kept(model: ImageModel, output: Tensor, like: Tensor, classes: Sequence[Classes]) -> tuple[Tensor, list[Any]]:
    """A mask (N, classes) of those named, all where none are; and the names as numbers."""
    mask, named = torch.zeros_like(like), []
    for i, entry in enumerate(classes):
        numbers = [int(model.targets(output[i : i + 1], given)[0]) for given in entry or ()]
        mask[i, numbers or slice(None)] = 1.0
        named.append(numbers[0] if len(numbers) == 1 else tuple(numbers) or None)
    return mask, named
