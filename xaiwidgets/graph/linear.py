"""The linear steps as maps of (rows, …) tensors: with any weights of the right shape, forward and transposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xaiwidgets.graph import packed
from xaiwidgets.graph.contraction import Equation
from xaiwidgets.graph.operation import Operation

__all__ = ["LinearMap", "bias_of", "is_linear", "weight_of"]

Shape = tuple[int, ...]
CONVOLUTIONS: dict[str, tuple[Any, Any, int]] = {
    "conv1d": (F.conv1d, F.conv_transpose1d, 1),
    "conv2d": (F.conv2d, F.conv_transpose2d, 2),
    "conv3d": (F.conv3d, F.conv_transpose3d, 3),
    "conv_transpose1d": (F.conv_transpose1d, F.conv1d, 1),
    "conv_transpose2d": (F.conv_transpose2d, F.conv2d, 2),
    "conv_transpose3d": (F.conv_transpose3d, F.conv3d, 3),
}


def is_linear(operation: Operation) -> bool:
    """Whether the step applies constant weights that can be exchanged for others."""
    if operation.target == "einsum":
        return [isinstance(factor, Tensor) for factor in operation.args[1]] in ([True, False], [False, True])
    known = operation.target == "linear" or operation.target in CONVOLUTIONS
    return known and isinstance(operation.args[1], Tensor)


def weight_of(operation: Operation) -> Tensor:
    given = operation.args[1]
    weight: Tensor = given if isinstance(given, Tensor) else next(f for f in given if isinstance(f, Tensor))
    return weight


def bias_of(operation: Operation) -> Tensor | None:
    """The bias as it was given, (outputs,)."""
    if operation.target == "einsum":
        return None
    bias: Tensor | None = operation.args[2] if len(operation.args) > 2 else operation.kwargs.get("bias")
    return bias


class LinearMap:
    """A linear step with weights of its own: x ↦ W x + b and s ↦ Wᵀ s, for tensors with any number of leading axes.

    A linear layer, a convolution, or any product with a constant (`einsum`). The one place where weights are prepared for speed: on a
    CPU they are re-ordered once, not at every call (`packed`).
    """

    def __init__(self, operation: Operation, weight: Tensor | None = None, groups: int | None = None) -> None:
        self.operation, self.weight = operation, weight_of(operation) if weight is None else weight
        self.axes = CONVOLUTIONS[operation.target][2] if operation.target in CONVOLUTIONS else 0
        self.product: tuple[str, str] | None = None
        if operation.target == "einsum":
            equation, (first, _) = operation.args
            place = 1 if isinstance(first, Tensor) else 0  # that of the activation
            form = Equation.read(equation)
            self.product = form.applied(place), form.transposed(place)
        self.kernel = tuple(self.weight.shape[2:])
        self.uneven: list[int] = []  # entries of padding more at the end of each axis than at its beginning
        if self.axes:
            self.options = _options(operation, self.axes)
            self.options["groups"] = self.options["groups"] if groups is None else groups
            self.uneven = self.options.pop("uneven")
            self.plain = {name: value for name, value in self.options.items() if name != "output_padding"}
        # What two maps agree in that do the same: the weights themselves and how they are applied.
        how = repr(getattr(self, "options", self.product))
        self.key = (operation.target, id(self.weight), how, tuple(self.uneven))
        self.in_patches = operation.target == "conv2d" and _in_patches(self.weight, **self.options)
        self.channels = -1 if not self.axes else 1  # the axis of the channels in (N, …)
        self._packed: dict[str, Callable[..., Tensor] | None] = {}

    def apply(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """W x + b for x (…, *input shape) and b (outputs,)."""
        if self.product is not None:
            y = torch.einsum(self.product[0], x, self.weight)
            return y if bias is None else y + bias
        fast = self._fast("apply", x, packed.linear, packed.convolution)
        if not self.axes:
            return F.linear(x, self.weight, bias) if fast is None else fast(x, bias)
        forward = CONVOLUTIONS[self.operation.target][0]
        call = fast or (lambda batch, bias: forward(batch, self.weight, bias, **self.options))
        return _on_batch(lambda batch: call(self._padded(batch), bias), x, self.axes)

    def transpose(self, s: Tensor, shape: Shape, factor: Tensor | None = None) -> Tensor:
        """(Wᵀ s) ⊙ factor for s (…, *output shape), in memory of its own; `shape` is that of the step's input, needed where strides lose
        it. The factor, if any, is shaped to multiply the result."""
        if factor is None:
            return self._transposed(s, shape)
        # One row alone: what of the step knows how to multiply may do so.
        same = self.axes == 2 and factor.ndim == self.axes + 2 and s.shape[: -self.axes - 1].numel() == factor.shape[0]
        if same and self.operation.target == "conv2d" and not self.in_patches and not any(self.uneven):
            call = self._fast("transpose", s, None, packed.convolution_transposed)
            lost = self._lost(s, shape)
            if call is not None:
                return _on_batch(lambda batch: call(batch, lost, factor), s, self.axes)
        return self._transposed(s, shape).mul_(factor)

    def _transposed(self, s: Tensor, shape: Shape) -> Tensor:
        if self.product is not None:
            return torch.einsum(self.product[1], s, self.weight)
        if not self.axes:
            dense = self._fast("transpose", s, packed.linear_transposed, None)
            return s @ self.weight if dense is None else dense(s)
        backward = CONVOLUTIONS[self.operation.target][1]
        if self.operation.target.startswith("conv_transpose"):
            # An output padding of a stride or more (a large dilation allows it) makes room for more inputs than there are.
            space = tuple(slice(size) for size in shape[-self.axes :])
            return _on_batch(
                lambda batch: backward(batch, self.weight, None, **self.plain)[(..., *space)], s, self.axes
            )
        padded = (
            *shape[: -self.axes],
            *(size + extra for size, extra in zip(shape[-self.axes :], self.uneven, strict=True)),
        )
        lost = self._lost(s, padded)
        if self.in_patches:
            return _on_batch(lambda batch: self._to_patches(batch, lost), s, self.axes)
        fast = self._fast("transpose", s, None, packed.convolution_transposed)
        call = fast or (lambda batch, lost: backward(batch, self.weight, None, **self.plain, output_padding=lost))
        return _on_batch(lambda batch: self._unpadded(call(batch, lost)), s, self.axes)

    def _padded(self, batch: Tensor) -> Tensor:
        if not any(self.uneven):
            return batch
        return F.pad(batch, [size for extra in reversed(self.uneven) for size in (0, extra)])

    def _unpadded(self, batch: Tensor) -> Tensor:
        for axis, extra in enumerate(self.uneven, start=batch.ndim - self.axes):
            batch = batch.narrow(axis, 0, batch.shape[axis] - extra) if extra else batch
        return batch

    def _lost(self, s: Tensor, shape: Shape) -> list[int]:
        """How many entries at the end of each axis of the input the stride leaves out."""
        o, kernel, axes = self.options, self.kernel, self.axes
        reach = [
            (s.shape[-axes + i] - 1) * o["stride"][i] - 2 * o["padding"][i] + o["dilation"][i] * (kernel[i] - 1) + 1
            for i in range(axes)
        ]
        return [shape[-axes + i] - reach[i] for i in range(axes)]

    def _to_patches(self, s: Tensor, lost: list[int]) -> Tensor:
        """Wᵀ s where each output has a patch of its own: one product of matrices, several times faster than a convolution."""
        outputs, channels, *kernel = self.weight.shape
        cells = s.shape[2:]
        y = s.permute(0, 2, 3, 1).reshape(-1, outputs) @ self.weight.reshape(outputs, -1)
        y = y.view(-1, *cells, channels, *kernel).permute(0, 3, 1, 4, 2, 5)
        y = y.reshape(-1, channels, cells[0] * kernel[0], cells[1] * kernel[1])
        return F.pad(y, (0, lost[1], 0, lost[0])) if any(lost) else y

    def _fast(self, way: str, like: Tensor, dense: Any, convolution: Any) -> Callable[..., Tensor] | None:
        """The packed form of one way, made when it is first needed; None where there is none."""
        weight = self.weight  # before looking, since another thread may let go of it once it has packed both ways
        if way not in self._packed:
            make = None
            if packed.worthwhile(self.operation.target, weight, like):
                make = dense(weight, like) if not self.axes else convolution(weight, like, **self.options)
            self._packed[way] = make
            if len(self._packed) == 2 and all(self._packed.values()):
                self.weight = self.weight.new_empty(0)  # nobody reads the plain ones any more
        return self._packed[way]


def _in_patches(weight: Tensor, stride: list[int], padding: list[int], dilation: list[int], groups: int) -> bool:
    """Whether a kernel cuts its input into patches that do not overlap, as transformers do."""
    kernel = list(weight.shape[2:])
    return max(kernel) > 1 and kernel == stride and not any(padding) and max(dilation) == 1 and groups == 1


def _on_batch(function: Callable[[Tensor], Tensor], x: Tensor, axes: int) -> Tensor:
    lead = x.shape[: x.ndim - axes - 1]
    batch = x.flatten(0, len(lead) - 1) if lead[:-1].numel() > 1 else x.reshape(x.shape[len(lead) - 1 :])
    result = function(batch)
    if axes == 2:
        # A 1×1 kernel has no memory format of its own, so torch may return another than came in; what follows would be slow.
        result = result.contiguous(memory_format=_format_of(batch))
    # Axes of size one with strides of their own choice would hide the memory format from torch's kernels; so no unflatten here.
    step = result.stride(0)
    strides = [step * lead[i + 1 :].numel() for i in range(len(lead))]
    return result.as_strided((*lead, *result.shape[1:]), (*strides, *result.stride()[1:]))


def _format_of(batch: Tensor) -> torch.memory_format:
    last = batch.stride(1) == 1 and batch.shape[1] > 1
    return torch.channels_last if last else torch.contiguous_format


def _options(operation: Operation, axes: int) -> dict[str, Any]:
    """Stride, padding, dilation and groups of a convolution as full lists, whatever form the call had; and as "uneven" what
    padding="same" has more at the end of an axis, where kernel and dilation ask for an odd number."""
    transposed = operation.target.startswith("conv_transpose")
    names = (
        ["stride", "padding", "output_padding", "groups", "dilation"]
        if transposed
        else ["stride", "padding", "dilation", "groups"]
    )
    given = dict(zip(names, operation.args[3:], strict=False)) | {
        k: v for k, v in operation.kwargs.items() if k in names
    }
    options: dict[str, Any] = {"groups": given.get("groups", 1), "uneven": [0] * axes}
    for name in names:
        if name == "groups":
            continue
        value = given.get(name, 0 if "padding" in name else 1)
        if value == "valid":
            value = 0
        elif value == "same":
            kernel, dilation = weight_of(operation).shape[2:], _full(given.get("dilation", 1), axes)
            both = [dilation[i] * (kernel[i] - 1) for i in range(axes)]
            value, options["uneven"] = [total // 2 for total in both], [total % 2 for total in both]
        options[name] = _full(value, axes)
    return options


def _full(value: Any, axes: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * axes if len(values) == 1 else values
