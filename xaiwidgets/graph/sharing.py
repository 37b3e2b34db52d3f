"""Graphs of one model for several image sizes share what is alike: weights, and what was prepared from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.graph import Before, Graph
from xaiwidgets.graph.linear import LinearMap

__all__ = ["own_bytes", "sharing"]

Key = tuple[Any, ...]


def sharing(graph: Graph, others: Iterable[Graph]) -> Graph:
    """`graph` with every constant and every linear map that one of the others has in place of its own."""
    tensors: dict[Key, list[Tensor]] = {}
    maps: dict[Key, LinearMap] = {}
    before = graph.before
    for other in others:
        if before is not None and other.before is not None:
            before = Before(before.graph, other.before.made)
        for tensor in other.constants:
            known = tensors.setdefault(_kind(tensor), [])
            if not any(tensor is entry for entry in known):
                known.append(tensor)
        maps.update((entry.key, entry) for entry in other.linear_maps)
    if not tensors:
        return graph

    def find(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return next((known for known in tensors.get(_kind(leaf), ()) if _same(known, leaf)), leaf)

    return Graph(
        [operation.with_arguments(find) for operation in graph.operations],
        graph.output,
        graph.layers,
        graph.example_shape,
        dtype=graph.dtype,
        memory_format=graph.memory_format,
        before=before,
        maps=maps,
    )


def own_bytes(graph: Graph, others: Iterable[Graph]) -> int:
    """Memory of the constants that none of the others has."""
    shared = {tensor.untyped_storage().data_ptr() for other in others for tensor in other.constants}
    own = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in graph.constants}
    return sum(size for place, size in own.items() if place not in shared)


def _kind(tensor: Tensor) -> Key:
    return (tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)


def _same(known: Tensor, tensor: Tensor) -> bool:
    return known is tensor or known.data_ptr() == tensor.data_ptr() or torch.equal(known, tensor)
