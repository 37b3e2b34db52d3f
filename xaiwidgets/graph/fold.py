"""Batch norm folded into the convolution or linear layer before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.operation import Operation, Value

__all__ = ["Steps", "fold_batch_norms"]

FOLDABLE = frozenset({"conv1d", "conv2d", "conv3d", "linear"})


Steps = tuple[list[Operation], int, dict[str, int]]


def fold_batch_norms(operations: list[Operation], output: int, names: dict[str, int]) -> tuple[Steps, bool]:
    """Operations, output and names with each batch norm that alone reads a linear step's result merged into that step; and
    whether there was any.

    The merged step goes by both layers' names; the batch norm stays in the list, unread. A batch norm in any other place is kept.
    """
    readers = [0] * len(operations)
    readers[output] += 1
    for operation in operations:
        for index in operation.inputs:
            readers[index] += 1
    merged: dict[int, int] = {}
    result: list[Operation] = []

    def follow(leaf: Value | Tensor) -> Value | Tensor:
        return Value(merged.get(leaf.index, leaf.index)) if isinstance(leaf, Value) else leaf

    for read in operations:
        operation = read.with_arguments(follow)
        result.append(operation)
        if operation.target != "batch_norm" or operation.args[5]:
            continue
        source = result[operation.inputs[0]]
        if source.target in FOLDABLE and readers[source.index] == 1 and _folds_along_channels(source):
            result[source.index] = _merge(source, operation)
            merged[operation.index] = source.index
            readers[source.index] = readers[operation.index]  # those of the batch norm are its own now
    names = {name: merged.get(index, index) for name, index in names.items()}
    return (result, merged.get(output, output), names), bool(merged)


def _folds_along_channels(source: Operation) -> bool:
    """Batch norm normalises dimension 1, which for a linear layer is the feature dimension only in a (N, C) result."""
    return isinstance(source.args[1], Tensor) and (source.target != "linear" or len(source.shape) == 2)


def _merge(source: Operation, norm: Operation) -> Operation:
    _, gain, shift, mean, variance, _, _, eps, *_ = norm.args
    weight, bias = source.args[1], source.args[2] if len(source.args) > 2 else None
    wide: dict[str, Any] = {"dtype": torch.float64}  # rounding once, at the end
    scale = (gain.to(**wide) if gain is not None else 1.0) / (variance.to(**wide) + eps).sqrt()
    offset = -mean.to(**wide) if bias is None else bias.to(**wide) - mean.to(**wide)
    offset = offset * scale + (shift.to(**wide) if shift is not None else 0.0)
    folded = weight.to(**wide) * scale.reshape(-1, *[1] * (weight.ndim - 1))
    args = (source.args[0], folded.to(weight.dtype), offset.to(weight.dtype), *source.args[3:])
    return replace(source, args=args)
