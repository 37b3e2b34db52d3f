"""What a model itself finds in pictures: the class predicted at each place of a map, the boxes of a detector."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xaiwidgets.targets.queries import columns_of, corners_of
from xaiwidgets.targets.scores import overlap
from xaiwidgets.targets.segments import positive
from xaiwidgets.targets.target import Answering, Asked

__all__ = ["Found", "class_count", "found_boxes", "gives_boxes", "gives_maps", "predicted_classes"]

MOST = 20
"""Boxes of an image that are told, the surest."""
SURE = 0.05
"""What is less probable is told only where nothing else is there."""
_SAME = 0.7
"""Boxes of one class that overlap more than this are one thing found twice."""


@dataclass(frozen=True)
class Found:
    """A box that a detector finds in an image.

    Attributes:
        number: of the query, anchor or detection. box: left, top, right, bottom in pixels. label: its class. share: its probability,
            with the objectness where there is one.
    """

    number: int
    box: tuple[float, float, float, float]
    label: int
    share: float


def gives_boxes(model: Answering, output: Tensor) -> bool:
    """Whether an output is of queries, anchors or detections."""
    return output.ndim == 3 and (model.detects or model.meaning != "values")


def gives_maps(model: Answering, output: Tensor) -> bool:
    """Whether an output is of maps, in which a region can be asked about."""
    return output.ndim == 4 or (output.ndim == 3 and not gives_boxes(model, output))


def class_count(model: Answering, output: Tensor) -> int | None:
    """How many classes an output tells of; None where it does not say, as lists of detections do not."""
    if output.ndim == 2:
        return model.class_scores(output).shape[1]
    if gives_boxes(model, output):
        return None if model.detects else columns_of(Asked(model, output)).classes
    return {3: 1, 4: output.shape[1]}.get(output.ndim)


def predicted_classes(model: Answering, output: Tensor) -> Tensor | None:
    """The class predicted at each place of maps, (N, h, w) long, −1 where a single map predicts nothing; None where maps have no
    classes, or where the output is no map."""
    if not gives_maps(model, output) or model.meaning == "values":
        return None
    maps = output[:, None] if output.ndim == 3 else output
    return maps.argmax(1) if maps.shape[1] > 1 else positive(maps[:, 0], model.meaning).long() - 1


def found_boxes(model: Answering, output: Tensor, x: Tensor, most: int = MOST) -> list[Found] | None:
    """The boxes that a detector finds in one image, the surest first; None where its boxes are not known, or it has none.

    Args:
        output: (1, …) of x (1, C, H, W).
    """
    if not gives_boxes(model, output):
        return None
    if model.detects:
        table = output[0][output[0, :, 5] >= 0]
        boxes, shares, labels = table[:, :4], table[:, 4], table[:, 5].long()
    else:
        asked = Asked(model, output, x)
        own = corners_of(asked)
        if own is None:
            return None
        boxes = own
        shares, labels = _likeliest(asked)
    order = shares.argsort(descending=True, stable=True).tolist()
    kept: list[int] = []
    for number in order:
        alike = [other for other in kept if labels[other] == labels[number]]
        if alike and float(overlap(boxes[alike], boxes[number]).max()) > _SAME:
            continue
        # The first few of a model that is sure of nothing, which is no reason to show none.
        if len(kept) == most or (len(kept) >= 3 and shares[number] < SURE):
            break
        kept.append(number)
    return [Found(number, _sides(boxes[number]), int(labels[number]), float(shares[number])) for number in kept]


def _likeliest(asked: Asked) -> tuple[Tensor, Tensor]:
    """The probability and the number of the likeliest named class of each query of one image, (queries,) each."""
    columns = columns_of(asked)
    table = columns.table(asked.output)
    shares = columns.classes_of(table, asked.model.probabilities)[0]
    named = shares if asked.model.class_names is None else shares[:, : len(asked.model.class_names)]
    best, labels = named.max(1)
    return best * columns.objectness(table)[0], labels


def _sides(box: Tensor) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(side) for side in torch.as_tensor(box).cpu())
    return left, top, right, bottom
