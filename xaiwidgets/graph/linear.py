"""The linear steps as maps of (rows, …) tensors: with any weights of the right shape, forward and transposed."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xaiwidgets.graph.operation import Operation

__all__ = ["apply", "bias_of", "in_channels_first", "transpose", "weight_of"]

Shape = tuple[int, ...]
CONVOLUTIONS: dict[str, tuple[Any, Any, int]] = {
    "conv1d": (F.conv1d, F.conv_transpose1d, 1),
    "conv2d": (F.conv2d, F.conv_transpose2d, 2),
    "conv3d": (F.conv3d, F.conv_transpose3d, 3),
    "conv_transpose1d": (F.conv_transpose1d, F.conv1d, 1),
    "conv_transpose2d": (F.conv_transpose2d, F.conv2d, 2),
    "conv_transpose3d": (F.conv_transpose3d, F.conv3d, 3),
}


def weight_of(operation: Operation) -> Tensor:
    weight: Tensor = operation.args[1]
    return weight


def bias_of(operation: Operation) -> Tensor | None:
    """The bias, shaped to add to an output (N, …)."""
    bias = operation.args[2] if len(operation.args) > 2 else operation.kwargs.get("bias")
    if bias is None or operation.target == "linear":
        return bias
    return bias.reshape(-1, *[1] * CONVOLUTIONS[operation.target][2])


def in_channels_first(operation: Operation) -> bool:
    """Whether channels are axis 1 of (N, C, …) rather than the last."""
    return operation.target != "linear"


def apply(operation: Operation, x: Tensor, weight: Tensor, groups: int | None = None) -> Tensor:
    """W x without bias, for x (…, *input shape) with any number of leading axes."""
    if operation.target == "linear":
        return F.linear(x, weight)
    forward, _, axes = CONVOLUTIONS[operation.target]
    options = _options(operation, axes)
    if groups is not None:
        options["groups"] = groups
    return _on_batch(lambda batch: forward(batch, weight, None, **options), x, axes)


def transpose(operation: Operation, s: Tensor, weight: Tensor, shape: Shape, groups: int | None = None) -> Tensor:
    """Wᵀ s for s (…, *output shape); `shape` is that of the step's input, needed where strides lose it."""
    if operation.target == "linear":
        return s @ weight
    _, backward, axes = CONVOLUTIONS[operation.target]
    options = _options(operation, axes)
    options["groups"] = options["groups"] if groups is None else groups
    if operation.target.startswith("conv_transpose"):
        options.pop("output_padding")
    else:
        kernel = weight.shape[2:]
        options["output_padding"] = [
            shape[-axes + i]
            - (
                (s.shape[-axes + i] - 1) * options["stride"][i]
                - 2 * options["padding"][i]
                + options["dilation"][i] * (kernel[i] - 1)
                + 1
            )
            for i in range(axes)
        ]
    return _on_batch(lambda batch: backward(batch, weight, None, **options), s, axes)


def _on_batch(function: Any, x: Tensor, axes: int) -> Tensor:
    lead = x.ndim - axes - 2
    batch = x if lead <= 0 else x.flatten(0, lead)
    result: Tensor = function(batch)
    if axes == 2:
        # A 1×1 kernel has no memory format of its own, so torch may return another than came in; what follows would be slow.
        result = result.contiguous(memory_format=_format_of(batch))
    return result if lead <= 0 else result.unflatten(0, x.shape[: lead + 1])


def _format_of(batch: Tensor) -> torch.memory_format:
    last = batch.stride(1) == 1 and batch.shape[1] > 1
    return torch.channels_last if last else torch.contiguous_format


def _options(operation: Operation, axes: int) -> dict[str, Any]:
    """Stride, padding, dilation and groups of a convolution as full lists, whatever form the call had."""
    transposed = operation.target.startswith("conv_transpose")
    names = (
        ["stride", "padding", "output_padding", "groups", "dilation"]
        if transposed
        else ["stride", "padding", "dilation", "groups"]
    )
    given = dict(zip(names, operation.args[3:], strict=False)) | {
        k: v for k, v in operation.kwargs.items() if k in names
    }
    options: dict[str, Any] = {"groups": given.get("groups", 1)}
    for name in names:
        if name == "groups":
            continue
        value = given.get(name, 0 if "padding" in name else 1)
        if value == "valid":
            value = 0
        elif value == "same":
            kernel, dilation = weight_of(operation).shape[2:], _full(given.get("dilation", 1), axes)
            value = [dilation[i] * (kernel[i] - 1) // 2 for i in range(axes)]
        options[name] = _full(value, axes)
    return options


def _full(value: Any, axes: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * axes if len(values) == 1 else values


def ones_like_channels(weight: Tensor, axes: int) -> Tensor:
    """A kernel of ones for one channel, of the spatial size of `weight`."""
    return torch.ones(1, 1, *weight.shape[-axes:], dtype=weight.dtype, device=weight.device)
