"""Batch norm in evaluation mode as the affine map that it is.

torch's own backward of it is wrong on CPUs for one image whose memory has the channels innermost (seen with torch 2.6 and 2.14:
off by more than the gradient itself), so whatever takes derivatives goes this way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xaiwidgets.graph.operation import Operation

__all__ = ["differentiable"]


def differentiable(operation: Operation) -> Callable[..., Any]:
    """The operation's function, or one whose values are the same and whose derivative is right."""
    return batch_norm if operation.target == "batch_norm" else operation.function


def batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, *more: Any) -> Tensor:
    """x · a + b with a = weight / √(variance + eps) and b = bias − mean · a, along the channels of x (N, C, …)."""
    mean, variance, training, momentum, eps = more[:5]
    if training or mean is None or variance is None:  # statistics of the batch itself
        return F.batch_norm(x, mean, variance, weight, bias, training, momentum, eps)
    scale = torch.rsqrt(variance + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    column = (-1, *[1] * (x.ndim - 2))
    return x * scale.reshape(column) + shift.reshape(column)
