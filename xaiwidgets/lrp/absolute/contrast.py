"""The contrast that absLRP begins with and ends in: rows of relevance for and against a class, which alternate."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiwidgets.graph import Graph
from xaiwidgets.lrp.absolute.rules import normalise
from xaiwidgets.lrp.starts import class_starts

__all__ = ["abs_maps", "abs_starts", "batch_leads", "for_and_against"]


def abs_starts(output: Tensor, targets: Tensor) -> Tensor:
    """Starts (2K, N, classes) for targets (K, N): each class, and all others in equal parts."""
    one = class_starts(output, targets, "one")
    return _alternating(one, (1 - one) / max(1, output.shape[1] - 1))


def for_and_against(begin: Tensor) -> Tensor:
    """Signed starts (K, N, classes) as their positive and negative parts, (2K, N, classes)."""
    return _alternating(begin.clamp(min=0), -begin.clamp(max=0))


def abs_maps(rows: Tensor, batch: int) -> Tensor:
    """Rows (2K, N, …) that came down as K maps (K, N, …): for less against, divided by the largest magnitude."""
    rows = normalise(rows, batch)
    difference = rows[0::2] - rows[1::2]
    largest = difference.flatten(2).abs().amax(2).clamp(min=1e-30)
    return difference / largest.reshape(*largest.shape, *[1] * (difference.ndim - 2))


def batch_leads(graph: Graph) -> bool:
    """Whether the batch is the outermost axis wherever sizes are merged. Where a reshape merges an axis before the batch with
    it (tokens × batch, as torch's MultiheadAttention does), the samples of a value are interleaved."""
    for operation in graph.operations:
        if operation.target in {"reshape", "view", "flatten"} and operation.inputs:
            before = graph.operations[operation.inputs[0]].shape
            if before and operation.shape and before[0] is not None and operation.shape[0] is None:
                return False
    return True


def _alternating(first: Tensor, second: Tensor) -> Tensor:
    both = torch.stack([first, second], 1).flatten(0, 1)
    return normalise(both, both.shape[1])
