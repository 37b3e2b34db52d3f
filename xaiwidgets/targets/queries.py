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

__all__ = ["Columns", "columns_of", "corners_of", "detection_of", "one_of", "query_of"]


class Columns(NamedTuple):
    """Where the classes are in an output of queries.

    axis: of the columns, 2 in (N, queries, columns), 1 in (N, columns, queries). first: column of class 0: before it stand a box's
    centre and size, in pixels, and, where it is 5, how sure it is that there is anything. classes: how many.
    """

    axis: int
    first: int
    classes: int

    def table(self, output: Tensor) -> Tensor:
        """An output as (N, queries, columns)."""
        return output if self.axis == 2 else output.transpose(1, 2)

    def corners(self, table: Tensor) -> Tensor:
        """The boxes that stand in a table (…, queries, columns), (…, queries, 4): left, top, right, bottom."""
        centre, half = table[..., :2], table[..., 2:4] / 2
        return torch.cat([centre - half, centre + half], -1)

    def classes_of(self, table: Tensor, probabilities: Any) -> Tensor:
        """The probabilities of the classes in a table (N, queries, columns), (N, queries, classes).

        Args:
            probabilities: takes scores of classes alone. Beside boxes each class is for itself, whatever it takes them for.
        """
        scores = table[..., self.first : self.first + self.classes]
        return probabilities(scores) if self.first == 0 else _likely(scores)

    def objectness(self, table: Tensor) -> Tensor:
        """How sure each box of a table (…, queries, columns) is that there is anything, (…, queries); one where nothing says so."""
        return _likely(table[..., 4]) if self.first == 5 else torch.ones_like(table[..., 0])


def _likely(scores: Tensor) -> Tensor:
    """Probabilities of what is or is not: as they are, where all are such already, as exported heads give them; else of logits."""
    return scores if bool(((scores >= 0) & (scores <= 1)).all()) else scores.sigmoid()


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
    columns = columns_of(asked)
    first, classes = columns.first, columns.classes
    table = columns.table(asked.output)[0]
    scores = table[:, first : first + classes]
    index = None if target.target is None else asked.model.class_index(target.target, classes, asked.argument)
    named = scores if asked.model.class_names is None else scores[:, : len(asked.model.class_names)]
    if _is_box(target.which):
        query = _matching(asked, target)
    elif target.which is None:
        surest = named.amax(1) if index is None else scores[:, index]
        if first == 5:  # a class of a box that is nothing is none, however sure
            surest = _likely(surest) * columns.objectness(table)
        query = int(surest.argmax())
    else:
        query = _number(target, len(table), asked, "queries")
    return query, first + (int(named[query].argmax()) if index is None else index)


def one_of(index: int, like: Tensor) -> Tensor:
    """Probabilities (classes,) that are all at one class."""
    found = torch.zeros_like(like)
    found[index] = 1.0
    return found


def detection_of(asked: Asked, target: Any, row: int) -> tuple[Tensor, int, Tensor | None]:
    """The box (4,), the label and the class probabilities (classes,) that are meant, of one image's detections (1, K, 6 + classes);
    None where detections say their label alone."""
    table = asked.output[0]
    box, label, number = _detection(asked, target, row, table)
    if table.shape[1] == 6:
        return box, label, None
    if label >= table.shape[1] - 6:
        raise TargetError(
            f"{asked.argument}={target} is class {label}; detections have probabilities of {table.shape[1] - 6} classes"
        )
    own = number is not None and target.target is None
    return box, label, table[number, 6:] if own else one_of(label, table[0, 6:])


def _detection(asked: Asked, target: Any, row: int, table: Tensor) -> tuple[Tensor, int, int | None]:
    """Box, label, and the number of the detection, where it is one of the model's."""
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
            number = int(alike.argmax())
            return box, int(table[number, 5]), number
        return box, label, None
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
    return table[number, :4], int(table[number, 5]) if label is None else label, number


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


def corners_of(asked: Asked) -> Tensor | None:
    """The boxes of one image's queries, (queries, 4), in the output itself or beside it; None where they are not known."""
    columns = columns_of(asked)
    if columns.first:
        return columns.corners(columns.table(asked.output)[0])
    found = None if asked.x is None else asked.model.boxes(asked.x)
    return None if found is None else found[0]


def _matching(asked: Asked, target: Any) -> int:
    """The query whose box overlaps most with the one given."""
    box, boxes = _box(target, asked), corners_of(asked)
    if boxes is None:
        raise TargetError(
            f"{asked.argument}={target} is to be matched with the model's boxes, and {asked.model.name} gives none that are known; "
            "give the number of the query, or ImageModel(…, boxes=) where they are"
        )
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
        if isinstance(target.which, str):
            raise TargetError(
                f"{asked.argument}={target}: which={target.which!r} is no box; give the number of one, 0 to {count - 1}, or (left, top, "
                f"right, bottom) in pixels; of a class, T.box(target={target.which!r})"
            ) from None
        number = -1
    if not 0 <= number < count:
        raise TargetError(
            f"{asked.argument}={target} is out of range; {asked.model.name} gives {count} {what}: give 0 to {count - 1}, or a box "
            "(left, top, right, bottom) in pixels"
        )
    return number
