"""Weights in the layout of the CPU's kernels (oneDNN), so that they are not re-ordered at every call.

A convolution or linear layer of torch re-orders its weights each time it runs; where outputs are few (512 channels on 7×7
pixels) that takes as long as the layer itself. The operators that torch's own compiler uses take weights that were re-ordered
before. Where they are missing, or the tensors are not theirs, nothing is packed and the plain functions run.

A convolution of single pixels is a linear layer, and runs as one: the layout that its own kernels ask for depends on the number of
images and threads, and weights in another are re-ordered at every call, which took ten times as long as the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xaiwidgets.graph.winograd import Winograd, pays

__all__ = ["convolution", "convolution_transposed", "linear", "linear_transposed", "worthwhile"]

AS_IT_IS: tuple[str, list[Any], str] = ("none", [], "")  # no step fused to the result
SMALLEST = 2**10  # weights; fewer are re-ordered in no time


def worthwhile(target: str, weight: Tensor, like: Tensor) -> bool:
    """Whether a step of this kind runs faster on packed weights for inputs such as `like`."""
    kinds = {torch.float32, torch.bfloat16} if _has_bfloat16() else {torch.float32}
    fits = weight.device.type == "cpu" and weight.dtype in kinds and like.dtype == weight.dtype
    # A linear layer on one vector only reads its weights once, in whatever order.
    rows = like.shape[-2] > 1 if target == "linear" and like.ndim > 2 else target == "conv2d"
    return fits and rows and weight.numel() >= SMALLEST and _works()


def linear(weight: Tensor, like: Tensor) -> Callable[..., Tensor]:
    """x (…, in) -> x Wᵀ + b."""
    rows = like.shape[-2]
    ready = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
    return lambda x, bias=None: torch.ops.mkldnn._linear_pointwise(x, ready, bias, *AS_IT_IS)


def linear_transposed(weight: Tensor, like: Tensor) -> Callable[..., Tensor]:
    """s (…, out) -> s W."""
    return linear(weight.t(), like)


def convolution(
    weight: Tensor,
    like: Tensor,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Callable[..., Tensor]:
    """x (N, C, H, W) -> W x + b."""
    if _of_pixels(weight, padding, groups):
        dense = _Dense(weight.flatten(1), like)
        return lambda x, bias=None: dense(x[:, :, :: stride[0], :: stride[1]], bias)
    ready = torch.ops.mkldnn._reorder_convolution_weight(
        weight.contiguous(), padding, stride, dilation, groups, [1, *like.shape[-3:]]
    )
    options = (padding, stride, dilation, groups, *AS_IT_IS)
    return lambda x, bias=None: torch.ops.mkldnn._convolution_pointwise(x, ready, bias, *options)


def convolution_transposed(
    weight: Tensor,
    like: Tensor,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Callable[..., Tensor] | None:
    """(s (N, C, H, W), entries lost to the stride, factor) -> (Wᵀ s) ⊙ factor, of the result's shape; None for no factor."""
    if groups > 1:
        return None
    if _of_pixels(weight, padding, groups):
        return _spread(_Dense(weight.flatten(1).t(), like), stride)
    mirrored = [d * (size - 1) - p for d, size, p in zip(dilation, weight.shape[2:], padding, strict=True)]
    if max(stride) == 1 and min(mirrored) >= 0 and _multiplies():
        return _mirrored(weight, like, mirrored, dilation)
    none = [0] * len(stride)
    ready = torch.ops.mkldnn._reorder_convolution_transpose_weight(
        weight.contiguous(), padding, none, stride, dilation, groups, [1, *like.shape[-3:]]
    )
    run, options = torch.ops.mkldnn._convolution_transpose_pointwise, (stride, dilation, groups, *AS_IT_IS)

    def transposed(s: Tensor, lost: list[int], factor: Tensor | None = None) -> Tensor:
        result: Tensor = run(s, ready, None, padding, lost, *options)
        return result if factor is None else result.mul_(factor)

    return transposed


def _of_pixels(weight: Tensor, padding: Sequence[int], groups: int) -> bool:
    """Whether every output reads one pixel."""
    return weight.ndim == 4 and weight.shape[2:].numel() == 1 and not any(padding) and groups == 1


class _Dense:
    """A matrix (out, in) times the channels of every pixel, and then a factor, if any: (N, in, H, W) -> (N, out, H, W)."""

    def __init__(self, matrix: Tensor, like: Tensor) -> None:
        pixels = like.shape[-2:].numel()
        # A few rows only read the weights once, in whatever order.
        self.matrix = matrix if pixels == 1 else torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous(), pixels)

    def __call__(self, x: Tensor, bias: Tensor | None = None, factor: Tensor | None = None) -> Tensor:
        cells = x.shape[0], *x.shape[2:]
        rows, factors = _pixels(x), None if factor is None else _pixels(factor)
        if not self.matrix.is_mkldnn:
            y = F.linear(rows, self.matrix, bias)
        elif factors is not None and len(factors) == len(rows) and _multiplies_rows():
            y, factors = torch.ops.mkldnn._linear_pointwise.binary(rows, factors, self.matrix, bias, "mul"), None
        else:
            y = torch.ops.mkldnn._linear_pointwise(rows, self.matrix, bias, *AS_IT_IS)
        y = y if factors is None else y.mul_(factors)
        return y.view(*cells, y.shape[-1]).permute(0, 3, 1, 2)


def _pixels(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N H W, C), without a copy where channels come last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _spread(dense: _Dense, stride: Sequence[int]) -> Callable[..., Tensor]:
    """Wᵀ s of a step that reads every stride-th pixel; no other pixel takes anything."""
    if max(stride) == 1:
        return lambda s, lost, factor=None: dense(s, None, factor)

    def transposed(s: Tensor, lost: list[int], factor: Tensor | None = None) -> Tensor:
        places = (..., slice(None, None, stride[0]), slice(None, None, stride[1]))
        read = dense(s, None, None if factor is None else factor[places])
        size = [(cells - 1) * step + 1 + rest for cells, step, rest in zip(s.shape[2:], stride, lost, strict=True)]
        whole = s.new_zeros((len(s), *size, read.shape[1])).permute(0, 3, 1, 2)
        whole[places] = read
        return whole

    return transposed


def _mirrored(weight: Tensor, like: Tensor, padding: list[int], dilation: Sequence[int]) -> Callable[..., Tensor]:
    """Without strides, Wᵀ s is a convolution with the mirrored kernels, to whose results the kernel multiplies a factor while they are
    at hand: reading and writing all of them once more takes as long as a 1×1 convolution."""
    ones, (outputs, channels) = [1] * len(padding), weight.shape[:2]
    ready = torch.ops.mkldnn._reorder_convolution_weight(
        weight.transpose(0, 1).flip(*range(2, weight.ndim)).contiguous(),
        padding,
        ones,
        dilation,
        1,
        [1, *like.shape[-3:]],
    )
    options = (padding, ones, dilation, 1)
    small = weight.dtype == torch.float32 and tuple(weight.shape[2:]) == (3, 3) and max(dilation) == 1
    fewer = cache(lambda: Winograd(ready.to_dense(), (padding[0], padding[1])))  # made when it first pays

    def transposed(s: Tensor, lost: list[int], factor: Tensor | None = None) -> Tensor:
        height, width = (size + 2 * edge - 2 for size, edge in zip(s.shape[2:], padding, strict=True))
        if small and pays(outputs, channels, len(s), height, width):
            result = fewer()(s)
            return result if factor is None else result.mul_(factor)
        # One pixel has little to read once more, and strides that the kernel of torch 2.6 refuses.
        one = s.shape[-2:].numel() == 1
        if factor is None or one or not factor.is_contiguous(memory_format=torch.channels_last):
            result = torch.ops.mkldnn._convolution_pointwise(s, ready, None, *options, *AS_IT_IS)
            return result if factor is None else result.mul_(factor)
        return _times(s, factor, ready, *options)

    return transposed


def _times(s: Tensor, factor: Tensor, ready: Tensor, *options: Any) -> Tensor:
    result: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
        s, factor, ready, None, *options, "mul", None, None, [], None
    )
    return result


@cache
def _multiplies() -> bool:
    """Whether this build of torch multiplies a convolution's results while they are at hand, rightly."""
    s, weight, factor = torch.ones(1, 2, 4, 4), torch.rand(3, 2, 3, 3), torch.rand(1, 3, 4, 4)
    options = ([1, 1], [1, 1], [1, 1], 1)
    try:
        with torch.inference_mode():
            s, factor = (part.contiguous(memory_format=torch.channels_last) for part in (s, factor))
            ready = torch.ops.mkldnn._reorder_convolution_weight(weight, *options, [1, 2, 4, 4])
            return torch.allclose(_times(s, factor, ready, *options), F.conv2d(s, weight, padding=1) * factor)
    except (AttributeError, RuntimeError, TypeError):
        return False


@cache
def _multiplies_rows() -> bool:
    """The same of a linear layer."""
    x, matrix, factor = torch.rand(6, 16), torch.rand(5, 16), torch.rand(6, 5)
    try:
        with torch.inference_mode():
            ready = torch.ops.mkldnn._reorder_linear_weight(matrix, 6)
            y = torch.ops.mkldnn._linear_pointwise.binary(x, factor, ready, None, "mul")
            return torch.allclose(y, F.linear(x, matrix) * factor)
    except (AttributeError, RuntimeError, TypeError):
        return False


@cache
def _has_bfloat16() -> bool:
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def _works() -> bool:
    """Whether this build of torch has the operators with the signatures used here. They are not part of its public face."""
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight = torch.ones(1, 2, 4, 4), torch.ones(3, 2, 3, 3)
    options: dict[str, Any] = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
    try:
        with torch.inference_mode():
            y = F.conv2d(x, weight, None, **options)
            back = convolution_transposed(weight, y, **options)
            tokens, square = x.flatten(2), torch.ones(5, 16)
            return (
                back is not None
                and torch.allclose(convolution(weight, x, **options)(x), y)
                and torch.allclose(back(y, [0, 0]), F.conv_transpose2d(y, weight, None, padding=1))
                and torch.allclose(linear(square, tokens)(tokens), F.linear(tokens, square))
            )
    except (AttributeError, RuntimeError, TypeError):
        return False
