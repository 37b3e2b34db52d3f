"""Scores that pick their numbers out of an output: of classes, regions, queries, values, likenesses, detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.devices import taken
from xaiwidgets.targets.score import Begin, Indexed, Rows, Score

__all__ = ["ClassScore", "DetectionScore", "QueryScore", "RegionScore", "SimilarityScore", "ValueScore", "overlap"]


class ClassScore(Score):
    """The logit of one class an image, of outputs (n, classes).

    Args:
        model: whose classes they are. classes: (N,). Of two classes that one output (n, 1) tells apart, the first has the opposite
            score.
    """

    unit = "logit"

    classes: Tensor

    def __init__(self, model: Any, classes: Tensor) -> None:
        self.model, self.classes = model, classes

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.model.class_name(index) for index in self.classes.tolist())

    def __len__(self) -> int:
        return len(self.classes)

    def of(self, rows: Rows) -> ClassScore:
        return ClassScore(
            self.model, self.classes[rows] if isinstance(rows, slice | Tensor) else taken(self.classes, rows)
        )

    def joined(self, others: Sequence[Any]) -> ClassScore:
        return ClassScore(self.model, torch.cat([self.classes, *(score.classes for score in others)]))

    def __call__(self, output: Tensor) -> Tensor:
        return self._picked(self.model.class_scores(output))

    def probability(self, output: Tensor) -> Tensor:
        return self._picked(self.model.probabilities(output))

    def columns(self, output: Tensor) -> Tensor | None:
        return self.classes if self.model.class_scores(output) is output else None

    def _picked(self, values: Tensor) -> Tensor:
        return values.gather(1, self.classes.to(values.device)[:, None])[:, 0]


class RegionScore(Indexed):
    """A class's logits inside a mask, added up, of maps (n, classes, H, W), or of one map (n, H, W).

    Numbers: ``index`` (N,), the class; ``weights`` (N, H, W), of the maps' size.
    """

    unit = "logit of pixels"

    def __call__(self, output: Tensor) -> Tensor:
        maps = output[:, None] if output.ndim == 3 else output
        index = self.numbers["index"].to(output.device)[:, None, None, None].expand(-1, 1, *maps.shape[2:])
        return (maps.gather(1, index)[:, 0] * self.numbers["weights"].to(output)).sum((1, 2))


class QueryScore(Indexed):
    """One class's logit of one query or anchor, of outputs (n, queries, columns), or (n, columns, queries).

    Its probability is the class's; where boxes stand beside the classes, how much of the box is still found (D-RISE, Petsiuk et al.,
    CVPR 2021, equations 3 and 4): the largest IoU × cosine of class probabilities × objectness of all anchors, as a masked picture may
    have it found by another one. Where nothing says how sure an anchor is that there is anything, its likeliest class does: classes
    that are each for themselves are alike in all anchors that find nothing.

    Numbers: ``query`` and ``column``, (N,); ``boxes`` (N, 4) and ``classes`` (N, classes), those of the query with the class asked
    for. same: (`Columns`, what makes probabilities of scores).
    """

    unit = "logit"

    def __call__(self, output: Tensor) -> Tensor:
        table = self.same[0].table(output)
        rows = torch.arange(len(table), device=table.device)
        return table[rows, self.numbers["query"].to(table.device), self.numbers["column"].to(table.device)]

    def probability(self, output: Tensor) -> Tensor:
        columns, probabilities = self.same
        table = columns.table(output)
        shares = columns.classes_of(table, probabilities)
        if "boxes" not in self.numbers:
            rows = torch.arange(len(table), device=table.device)
            query, column = (self.numbers[name].to(table.device) for name in ("query", "column"))
            found: Tensor = shares[rows, query, column - columns.first]
            return found
        sure = columns.objectness(table) if columns.first == 5 else shares.amax(2)
        alike = F.cosine_similarity(shares, self.numbers["classes"].to(shares)[:, None], dim=2)
        return (overlap(columns.corners(table), self.numbers["boxes"].to(table)[:, None]) * alike * sure).amax(1)


class ValueScore(Indexed):
    """One number of the output (n, values) relative to a reference value, z − y₀. Relevance begins with just that.

    Numbers: ``index`` and ``against``, (N,).
    """

    def __call__(self, output: Tensor) -> Tensor:
        picked = output.flatten(1).gather(1, self.numbers["index"].to(output.device)[:, None])[:, 0]
        return picked - self.numbers["against"].to(output)

    def start(self, output: Tensor, begin: Begin = "logit") -> Tensor:
        gradient = self.gradient(output)
        return gradient if begin == "one" else gradient * self(output).reshape(-1, *[1] * (output.ndim - 1))


class SimilarityScore(Indexed):
    """Likeness of outputs (n, D) to a vector; ``same`` is ("cosine",) or ("dot",).

    Numbers: ``vectors`` (N, D).
    """

    @property
    def unit(self) -> str:  # type: ignore[override]
        return "dot product" if self.same == ("dot",) else "cosine"

    @property
    def note(self) -> str:  # type: ignore[override]
        if self.same == ("dot",):
            return ""
        return (
            "Relevance begins with the dot product with the vector over both lengths, of which the output's is held fixed: the "
            "cosine does not change with it, so that output ⊙ gradient would sum to 0."
        )

    def __call__(self, output: Tensor) -> Tensor:
        vectors = self.numbers["vectors"].to(output)
        return (output * vectors).sum(1) if self.same == ("dot",) else F.cosine_similarity(output, vectors, dim=1)

    def start(self, output: Tensor, begin: Begin = "logit") -> Tensor:
        vectors = self.numbers["vectors"].to(output)
        if self.same == ("cosine",):
            length = output.norm(dim=1, keepdim=True).clamp(min=torch.finfo(output.dtype).tiny)
            vectors = F.normalize(vectors, dim=1) / length
        return vectors if begin == "one" else output * vectors


class DetectionScore(Indexed):
    """How much of a box a list of detections still holds (D-RISE, Petsiuk et al., CVPR 2021, equations 3 and 4).

    Of detections (n, K, 6 + classes) with their class probabilities it is the largest IoU × cosine of these; the paper leaves the
    objectness out where a detector has none. Of (n, K, 6), which say the label alone, a detection's probabilities are all at its label,
    and its score stands for what the cosine would say of it: the largest IoU × [same label] × score.

    Numbers: ``boxes`` (N, 4), left, top, right, bottom; ``labels`` (N,); ``classes`` (N, classes) where detections have probabilities.
    """

    unit = "detection"

    def __call__(self, output: Tensor) -> Tensor:
        alike = overlap(output[..., :4], self.numbers["boxes"].to(output)[:, None])
        if "classes" in self.numbers:
            same = F.cosine_similarity(output[..., 6:], self.numbers["classes"].to(output)[:, None], dim=2)
            return (alike * same * (output[..., 5] >= 0)).amax(1)
        same = output[..., 5] == self.numbers["labels"].to(output)[:, None]
        return (alike * same * output[..., 4]).amax(1)


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes (…, 4), left, top, right, bottom; shapes broadcast. Of two empty boxes 0."""
    low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(each[..., 2:] - each[..., :2]).clamp(min=0).prod(-1) for each in (boxes, others)]
    union = areas[0] + areas[1] - shared
    return torch.where(union > 0, shared / union.clamp(min=torch.finfo(union.dtype).tiny), 0.0)
