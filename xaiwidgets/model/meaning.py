"""What a model's scores mean, and the probabilities that follow."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from xaiwidgets.graph import Graph

__all__ = ["MEANINGS", "Meaning", "class_axis", "guessed_from_graph", "guessed_from_parts", "probabilities"]

Meaning = Literal["softmax", "sigmoid", "probabilities", "values"]
MEANINGS: tuple[Meaning, ...] = ("softmax", "sigmoid", "probabilities", "values")
"""One class of several; each class for itself (several labels, or one logit); probabilities already; plain numbers."""

# Steps that change no number's meaning on its way to the output.
_HANDING_ON = frozenset(
    {
        "clone", "contiguous", "dropout", "flatten", "permute", "reshape", "select", "slice", "squeeze", "to", "transpose",
        "unsqueeze", "view",
    }
)  # fmt: skip
_ENDING_IN_PROBABILITIES = frozenset({"softmax", "sigmoid"})


def class_axis(scores: Tensor) -> int:
    """The axis of classes: of maps (N, classes, H, W) and scores (N, classes) the second, of queries (N, queries, classes) the last."""
    return 2 if scores.ndim == 3 else min(1, scores.ndim - 1)


def probabilities(scores: Tensor, meaning: str) -> Tensor:
    """Probabilities of scores; plain values have none and stay what they are."""
    if meaning == "softmax":
        return scores.softmax(class_axis(scores))
    return scores.sigmoid() if meaning == "sigmoid" else scores


def guessed_from_graph(graph: Graph) -> Meaning:
    """By the step that a model ends in, and the number of its outputs."""
    operation = graph.operations[graph.output]
    shape = operation.shape
    while operation.target in _HANDING_ON and operation.inputs:
        operation = graph.operations[operation.inputs[0]]
    if operation.target in _ENDING_IN_PROBABILITIES:
        return "probabilities"
    return "sigmoid" if _alone(shape) else "softmax"


def _alone(shape: tuple[int | None, ...]) -> bool:
    """Whether there is one score for each place: softmax would make it one, whatever it is."""
    return len(shape) > 1 and shape[2 if len(shape) == 3 else 1] == 1


def guessed_from_parts(module: nn.Module) -> Meaning:
    """By the last of a module's parts, for modules that have no graph, or none yet."""
    parts = [part for part in module.modules() if not any(True for _ in part.children())]
    parts = [part for part in parts if not isinstance(part, nn.Identity | nn.Dropout | nn.Flatten)]
    last = parts[-1] if parts else None
    if isinstance(last, nn.Softmax | nn.Softmax2d | nn.Sigmoid):
        return "probabilities"
    outputs = getattr(last, "out_features", getattr(last, "out_channels", None))
    return "sigmoid" if outputs == 1 else "softmax"


def of_two(scores: Tensor, meaning: str) -> Tensor:
    """Scores (N, 2) of the two classes that one score (N, 1) tells apart, such that the larger one is the class predicted."""
    return torch.cat([(1 - scores) if meaning == "probabilities" else -scores, scores], 1)
