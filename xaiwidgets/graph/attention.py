"""The attention of a graph: its steps in order, and the weights (N, heads, queries, keys) that each gives to the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import Operation, Value, fill

__all__ = ["Attention", "attentions"]

FUSED = "scaled_dot_product_attention"


@dataclass(frozen=True)
class Attention:
    """One step that mixes tokens by their weights.

    Attributes:
        index: of the step that gives the mixed values (…, queries, D). weights: of the softmax before it, None for fused attention.
        layer: name of the module it runs in.
    """

    index: int
    weights: int | None
    layer: str
    operation: Operation

    @property
    def reads(self) -> tuple[int, ...]:
        """The steps whose values the weights are made of."""
        return self.operation.inputs if self.weights is None else (self.weights,)

    def weigh(self, values: Mapping[int, Tensor], images: int) -> Tensor:
        """The weights of N images: (N, heads, queries, keys); attention in windows gives (N·windows, heads, queries, keys)."""
        found = self._fused(values) if self.weights is None else values[self.weights]
        if found.ndim == 3:
            # Heads in the batch axis, as torch's own multi-head attention has them.
            found = found.unflatten(0, (images, -1)) if len(found) % images == 0 else found[:, None]
        return found.float()

    def _fused(self, values: Mapping[int, Tensor]) -> Tensor:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = dict(zip(names, fill(self.operation.args, values), strict=False)) | fill(self.operation.kwargs, values)
        query, key, mask = given["query"], given["key"], given.get("attn_mask")
        if key.ndim == 4 and key.shape[1] != query.shape[1]:
            key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)  # several heads of queries share one of keys
        scale = given.get("scale")
        logits = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if mask is not None:
            logits = logits.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else logits + mask
        if given.get("is_causal"):
            lower = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
            logits = logits.masked_fill(~lower, -torch.inf)
        return logits.softmax(-1)


def attentions(graph: Graph) -> Iterator[Attention]:
    """All attention of a graph, from input to output."""
    softmax: dict[int, int] = {}
    for operation in graph.operations:
        first = operation.args[0].index if operation.args and isinstance(operation.args[0], Value) else -1
        if operation.target == "softmax":
            softmax[operation.index] = operation.index
        elif operation.target in {"dropout", "expand", "view", "reshape", "to"} and first in softmax:
            softmax[operation.index] = softmax[first]
        elif operation.target == FUSED:
            yield Attention(operation.index, None, operation.layer, operation)
        elif operation.target in {"matmul", "bmm"} and first in softmax and len(operation.shape) in (3, 4):
            yield Attention(operation.index, softmax[first], operation.layer, operation)
