"""The contrast that absLRP begins with and ends in: rows of relevance for and against a class, which alternate."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiwidgets.graph import Graph
from xaiwidgets.graph.kinds import kind_of
from xaiwidgets.lrp.absolute.rules import normalise

__all__ = ["abs_maps", "batch_leads", "for_and_against"]


ROUNDING = 1e-6
"""What two rows of float32 may differ by, as a share of the largest entry, without there being any difference. On networks with random
weights differences of 3.4e-6 were seen that agree with those of float64 (r = .996)."""


def for_and_against(begin: Tensor) -> Tensor:
    """Signed starts (K, N, …) as their positive and negative parts, (2K, N, …)."""
    both = torch.stack([begin.clamp(min=0), -begin.clamp(max=0)], 1).flatten(0, 1)
    return normalise(both, both.shape[1])


def abs_maps(rows: Tensor, batch: int) -> Tensor:
    """Rows (2K, N, …) that came down as K maps (K, N, …): for less against, divided by the largest magnitude.

    Where the two rows are alike but for rounding, there is no contrast: zeros.
    """
    rows = normalise(rows, batch)
    difference = rows[0::2] - rows[1::2]
    largest = difference.flatten(2).abs().amax(2)
    alike = largest <= ROUNDING * rows[0::2].flatten(2).abs().amax(2)
    column = (*largest.shape, *[1] * (difference.ndim - 2))
    return (difference / largest.clamp(min=1e-30).reshape(column)).masked_fill_(alike.reshape(column), 0.0)


def batch_leads(graph: Graph) -> bool:
    """Whether the batch is the outermost axis wherever relevance is normalised: at every step that does more than move entries. Where
    another axis comes before it there (tokens × batch, as in torch's MultiheadAttention), the samples of a value are interleaved."""
    values = graph.operations
    for operation in values[1:]:
        if kind_of(operation) in {"move", "size"}:
            continue
        for shape in (operation.shape, *(values[index].shape for index in operation.inputs)):
            if shape and None in shape and shape[0] is not None:
                return False
    return True
