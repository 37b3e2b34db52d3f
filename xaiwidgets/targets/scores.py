"""Scores that pick their numbers out of an output: of classes, regions, queries, values, likenesses, detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.targets.score import Begin, Indexed, Rows, Score

__all__ = ["ClassScore", "DetectionScore", "QueryScore", "RegionScore", "SimilarityScore", "ValueScore", "overlap"]


class ClassScore(Score):
    """The logit of one class an image, of outputs (n, classes).

    Args:
        model: whose classes they are. classes: (N,). Of two classes that one output (n, 1) tells apart, the first has the opposite
            score.
    """

    classes: Tensor

    def __init__(self, model: Any, classes: Tensor) -> None:
        self.model, self.classes = model, classes

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.model.class_name(index) for index in self.classes.tolist())

    def __len__(self) -> int:
        return len(self.classes)

    def of(self, rows: Rows) -> ClassScore:
        return ClassScore(self.model, self.classes[rows if isinstance(rows, slice | Tensor) else list(rows)])

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

    def __call__(self, output: Tensor) -> Tensor:
        maps = output[:, None] if output.ndim == 3 else output
        index = self.numbers["index"].to(output.device)[:, None, None, None].expand(-1, 1, *maps.shape[2:])
        return (maps.gather(1, index)[:, 0] * self.numbers["weights"].to(output)).sum((1, 2))


class QueryScore(Indexed):
    """One class's logit of one query or anchor, of outputs (n, queries, columns); or (n, columns, queries), where ``same`` is (1,).

    Numbers: ``query`` and ``column``, (N,).
    """

    def __call__(self, output: Tensor) -> Tensor:
        output = output.transpose(1, 2) if self.same == (1,) else output
        rows = torch.arange(len(output), device=output.device)
        return output[rows, self.numbers["query"].to(output.device), self.numbers["column"].to(output.device)]


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
    """How much of a box a list of detections (n, K, 6) still holds: the largest IoU × score of a detection of its class (D-RISE,
    Petsiuk et al., CVPR 2021, equation 3, with a detection's class probabilities all at its label).

    Numbers: ``boxes`` (N, 4), left, top, right, bottom; ``labels`` (N,).
    """

    def __call__(self, output: Tensor) -> Tensor:
        alike = overlap(output[..., :4], self.numbers["boxes"].to(output)[:, None])
        same = output[..., 5] == self.numbers["labels"].to(output)[:, None]
        return (alike * same * output[..., 4]).amax(1)


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes (…, 4), left, top, right, bottom; shapes broadcast. Of two empty boxes 0."""
    low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(each[..., 2:] - each[..., :2]).clamp(min=0).prod(-1) for each in (boxes, others)]
    union = areas[0] + areas[1] - shared
    return torch.where(union > 0, shared / union.clamp(min=torch.finfo(union.dtype).tiny), 0.0)
