"""Where relevance begins: at classes of the output, at a layer, or anywhere with a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.devices import sent, taken
from xaiwidgets.errors import unknown
from xaiwidgets.graph import Record
from xaiwidgets.lrp.starts import at_targets
from xaiwidgets.model import ImageModel
from xaiwidgets.targets import Score, is_classes, score_of

__all__ = ["Begin", "Classes", "given_start", "named", "target_start"]

Classes = tuple[Any, ...] | None
"""The classes, or other targets, that a condition names; None where it names none."""
Begin = Callable[[Record, Sequence[int], Sequence[Classes]], tuple[Tensor, Score | list[Any]]]
"""(recording, numbers of its images, classes named for each) -> relevance (1, N, …) and what the images start from: a score; or for
each a class, a tuple of classes, a target in words, or None."""


def target_start(model: ImageModel, kind: str, x: Tensor, target: Any, against: Any) -> Begin:
    """At the output: the classes a condition names together, else the `target` of images x (None: what the model predicts).

    kind: "logit" or "one". against: another target, or "rest" for the mean of all other classes.
    """
    start = at_targets(model, [target], x, kind=kind, against=against)

    def begin(record: Record, images: Sequence[int], classes: Sequence[Classes]) -> tuple[Tensor, Score | list[Any]]:
        output = record.output
        if not any(classes):
            begun = start(output, images)
            return begun.relevance, begun.scores[0]
        if output.ndim == 2 and all(entry is None or is_classes(list(entry)) for entry in classes):
            value = output if kind == "logit" else torch.ones_like(output)
            mask, found = _kept(model, output, value, classes)
            return (value * mask)[None], found
        parts = [
            _together(model, kind, output[row : row + 1], x[image : image + 1], entry or (None,))
            for row, (image, entry) in enumerate(zip(images, classes, strict=True))
        ]
        return torch.cat([part for part, _ in parts])[None], [words for _, words in parts]

    return begin


def named(found: Score | list[Any]) -> list[Any]:
    """What each image starts from: a class, a tuple of classes, a target in words, or None."""
    if not isinstance(found, Score):
        return found
    return list(found.names) if found.classes is None else found.classes.tolist()


def _together(model: ImageModel, kind: str, output: Tensor, x: Tensor, targets: tuple[Any, ...]) -> tuple[Tensor, Any]:
    """Relevance (1, …) of one image for several targets together, and what they are."""
    scores = [score_of(model, output, target, x) for target in targets]
    start = sum((score.start(output, kind) for score in scores), torch.zeros_like(output))  # type: ignore[arg-type]
    words = tuple(named(score)[0] for score in scores)
    return start, words[0] if len(words) == 1 else words


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

    def begin(record: Record, images: Sequence[int], classes: Sequence[Classes]) -> tuple[Tensor, Score | list[Any]]:
        value = record.values[index]
        if isinstance(start, Tensor):
            given = taken(start, images) if start.ndim > len(shape) else start.expand(len(images), *shape)
            value = given.to(value).reshape(value.shape)
        elif start == "ones":
            value = torch.ones_like(value)
        if not any(classes):
            return value[None], [None] * len(images)
        mask, found = _kept(model, record.output, value, classes)
        return (value * mask)[None], found

    return begin


def _kept(model: ImageModel, output: Tensor, like: Tensor, classes: Sequence[Classes]) -> tuple[Tensor, list[Any]]:
    """A mask (N, classes) of those named, all where none are; and the names as numbers."""
    # On the CPU, where each look at a number costs nothing.
    output, mask, found = output.cpu(), torch.zeros(like.shape), []
    for i, entry in enumerate(classes):
        numbers = [int(model.targets(output[i : i + 1], given)[0]) for given in entry or ()]
        mask[i, numbers or slice(None)] = 1.0
        found.append(numbers[0] if len(numbers) == 1 else tuple(numbers) or None)
    return sent(mask, like.device, like.dtype), found
