"""Detectors' outputs: which columns are classes, which query or detection is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from xaiwidgets.errors import whole
from xaiwidgets.targets.score import TargetError
from xaiwidgets.targets.scores import overlap
from xaiwidgets.targets.target import Asked

__all__ = ["Columns", "columns_of", "detection_of", "query_of"]


class Columns(NamedTuple):
    """Where the classes are in an output of queries.

    axis: of the columns, 2 in (N, queries, columns), 1 in (N, columns, queries). first: column of class 0: before it stand a box's
    centre and size, in pixels, and, where it is 5, how sure it is that there is anything. classes: how many.
    """

    axis: int
    first: int
    classes: int


def columns_of(asked: Asked) -> Columns:
    """By the number of class names: columns may be classes alone, with or without one for "nothing", or boxes and classes, as YOLO and
    its kin give (4 + classes, or 5 + classes with the objectness)."""
    _, queries, columns = asked.output.shape
    known = None if asked.model.class_names is None else len(asked.model.class_names)
    if known is not None:
        for axis, size, other in ((2, columns, queries), (1, queries, columns)):
            if size - known in (4, 5) and other - known not in (0, 1):
                return Columns(axis, size - known, known)
    return Columns(2, 0, columns)


def query_of(asked: Asked, target: Any, row: int) -> tuple[int, int]:
    """The query and the column of one image's output (1, …)."""
    axis, first, classes = columns_of(asked)
    table = asked.output[0] if axis == 2 else asked.output[0].T
    scores = table[:, first : first + classes]
    index = None if target.target is None else asked.model.class_index(target.target, classes, asked.argument)
    named = scores if asked.model.class_names is None else scores[:, : len(asked.model.class_names)]
    if _is_box(target.which):
        query = _matching(asked, target, table[:, :4] if first else None)
    elif target.which is None:
        query = int((named.amax(1) if index is None else scores[:, index]).argmax())
    else:
        query = _number(target, len(table), asked, "queries")
    return query, first + (int(named[query].argmax()) if index is None else index)


def detection_of(asked: Asked, target: Any, row: int) -> tuple[Tensor, int]:
    """The box (4,) and label that are meant, of one image's detections (1, K, 6)."""
    table = asked.output[0]
    there = int((table[:, 5] >= 0).sum())
    label = None if target.target is None else _label(asked, target)
    if _is_box(target.which):
        box = _box(target, asked).to(table)
        if label is None:
            alike = overlap(table[:there, :4], box)
            if there == 0 or float(alike.max()) == 0:
                raise TargetError(
                    f"{asked.argument}={target}: {asked.model.name} detects nothing in that box of image {row}; name its class too"
                )
            label = int(table[int(alike.argmax()), 5])
        return box, label
    if there == 0:
        raise TargetError(
            f"{asked.argument}={target}: {asked.model.name} detects nothing in image {row}; give a box (left, top, right, bottom) "
            "and its class"
        )
    if target.which is None:
        alike = (table[:there, 5] == label).nonzero()[:, 0] if label is not None else torch.arange(there)
        if not len(alike):
            raise TargetError(
                f"{asked.argument}={target}: {asked.model.name} detects none in image {row}; give a box as well"
            )
        number = int(alike[0])
    else:
        number = _number(target, there, asked, "detections")
    return table[number, :4], int(table[number, 5]) if label is None else label


def _label(asked: Asked, target: Any) -> int:
    names = asked.model.class_names
    if isinstance(target.target, str) or names is not None:
        return asked.model.class_index(target.target, len(names or ()), asked.argument)
    return whole(asked.argument, target.target, 0)


def _is_box(which: Any) -> bool:
    entries = which.tolist() if hasattr(which, "tolist") else which
    return isinstance(entries, Sequence) and not isinstance(entries, str)


def _box(target: Any, asked: Asked) -> Tensor:
    try:
        box = torch.as_tensor(target.which, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        box = torch.empty(0)
    if tuple(box.shape) != (4,) or not torch.isfinite(box).all() or not (box[:2] < box[2:]).all():
        raise TargetError(
            f"{asked.argument}={target}: a box is (left, top, right, bottom) in pixels with left < right and top < bottom"
        )
    return box


def _matching(asked: Asked, target: Any, own: Tensor | None) -> int:
    """The query whose box overlaps most with the one given. ``own``: boxes that stand in the output itself, centre and size in pixels."""
    box = _box(target, asked)
    if own is not None:
        centre, half = own[:, :2], own[:, 2:] / 2
        boxes = torch.cat([centre - half, centre + half], 1)
    else:
        found = None if asked.x is None else asked.model.boxes(asked.x)
        if found is None:
            raise TargetError(
                f"{asked.argument}={target} is to be matched with the model's boxes, and {asked.model.name} gives none that are known; "
                "give the number of the query, or ImageModel(…, boxes=) where they are"
            )
        boxes = found[0]
    alike = overlap(boxes, box.to(boxes))
    if float(alike.max()) == 0:
        raise TargetError(
            f"{asked.argument}={target} overlaps with no box of {asked.model.name}; give one near a box it finds"
        )
    return int(alike.argmax())


def _number(target: Any, count: int, asked: Asked, what: str) -> int:
    try:
        number = whole("which", target.which)
    except ValueError:
        number = -1
    if not 0 <= number < count:
        raise TargetError(
            f"{asked.argument}={target} is out of range; {asked.model.name} gives {count} {what}: give 0 to {count - 1}, or a box "
            "(left, top, right, bottom) in pixels"
        )
    return number
