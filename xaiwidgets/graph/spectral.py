"""Detours through complex numbers (Fourier transforms, filters on them) that are linear: each becomes one step from reals to reals.

A complex number is a pair of real ones, and a Fourier transform, a product with a constant, a sum, a real part are linear in these
pairs. So is all that lies between real inputs and one real result, which therefore is a fixed linear map like any other (kind "sum").
What is not linear there (a magnitude, a product of two activations) stays as it is, and is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.operation import Operation, Value, constants_in, fill, rewrite

__all__ = ["SPECTRAL", "real_detours"]

SPECTRAL = "spectral"
"""The name of such a step."""

# Entries change place, or pairs become tensors of another kind; linear in all that they read.
PLAIN = frozenset([
    "real", "imag", "conj", "_conj", "_conj_physical", "conj_physical", "resolve_conj", "resolve_neg",
    "view_as_real", "view_as_complex", "complex", "view", "reshape", "flatten", "unflatten", "permute", "transpose",
    "squeeze", "unsqueeze", "expand", "slice", "select", "narrow", "cat", "stack", "roll", "flip", "_unsafe_view",
    "clone", "contiguous", "neg", "sum", "mean", "index", "index_select", "repeat", "tile", "fft_fftshift",
    "fft_ifftshift",
])  # fmt: skip
PRODUCTS = frozenset(["mul", "multiply", "matmul", "bmm", "einsum", "linear"])  # linear where one factor is constant
QUOTIENTS = frozenset(["div", "divide", "true_divide"])  # and these where the divisor is
SUMS = frozenset(["add", "sub"])


def real_detours(operations: list[Operation]) -> list[Operation]:
    """`operations` with each real result of a linear detour as one step; the steps on the way are read by nobody any more."""
    return [
        _joined(operations, operation) or operation if _returns(operations, operation) else operation
        for operation in operations
    ]


def _returns(operations: list[Operation], operation: Operation) -> bool:
    """Whether a step gives real numbers of complex ones, or does so within."""
    if _is_complex(operation) or not operation.tensor or operation.selects:
        return False
    inside = operation.target.startswith("fft_") and operation.target not in PLAIN
    return inside or any(_is_complex(operations[i]) for i in operation.inputs)


def _is_complex(operation: Operation) -> bool:
    return operation.dtype is not None and operation.dtype.is_complex


def _joined(operations: list[Operation], last: Operation) -> Operation | None:
    """All that leads from real values to `last` as one step; None where some of it is not linear."""
    inside, open_ = {last.index}, [last]
    while open_:
        step = open_.pop()
        if not _is_linear(operations, step):
            return None
        for index in step.inputs:
            if _is_complex(operations[index]) and index not in inside:
                inside.add(index)
                open_.append(operations[index])
    steps = [operations[index] for index in sorted(inside)]
    given = list(dict.fromkeys(i for step in steps for i in step.inputs if i not in inside))
    constants = [tensor for step in steps for tensor in constants_in((step.args, step.kwargs))]
    place: dict[Any, int] = {index: number for number, index in enumerate(given)}
    place |= {id(tensor): len(given) + number for number, tensor in enumerate(constants)}
    place |= {step.index: len(given) + len(constants) + number for number, step in enumerate(steps)}

    def placed(leaf: Any) -> Any:
        if isinstance(leaf, torch.dtype):
            return leaf
        return Value(place[leaf.index if isinstance(leaf, Value) else id(leaf)])

    calls = tuple((step.function, rewrite(step.args, placed), rewrite(step.kwargs, placed)) for step in steps)
    return replace(
        last, target=SPECTRAL, function=Detour(calls), args=(*[Value(index) for index in given], *constants), kwargs={}
    )


def _is_linear(operations: list[Operation], step: Operation) -> bool:
    """Whether a step is linear in the numbers it reads, all of them together."""
    moving = [i for i in step.inputs if operations[i].tensor and not operations[i].selects]
    fixed = any(tensor.is_floating_point() or tensor.is_complex() for tensor in constants_in((step.args, step.kwargs)))
    if step.target in PLAIN:
        return not fixed
    if step.target in {"pad", "constant_pad_nd"}:
        return not any(step.args[2:]) and step.kwargs.get("value") in {None, 0}
    if step.target in SUMS:
        return not fixed and all(isinstance(term, Value) for term in step.args[:2])
    if step.target in QUOTIENTS:
        return len(moving) == 1 and isinstance(step.args[0], Value) and moving[0] == step.args[0].index
    if step.target == "linear":
        return len(moving) == 1 and not any(
            isinstance(bias, Tensor) for bias in (*step.args[2:], *step.kwargs.values())
        )
    return len(moving) == 1 and (step.target in PRODUCTS or step.target.startswith("fft_"))


@dataclass(frozen=True, slots=True)
class Detour:
    """Some calls as one: `Value(i)` in their arguments is the i-th of what is given and of the results so far. In float32 at least,
    which is what Fourier transforms need."""

    calls: tuple[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]], ...]

    def __call__(self, *given: Any) -> Tensor:
        kinds = [x.dtype for x in given if isinstance(x, Tensor) and x.is_floating_point()]
        narrow = kinds[0] if kinds and kinds[0].itemsize < 4 else None
        values = [x.float() if isinstance(x, Tensor) and x.dtype == narrow else x for x in given]
        for function, args, kwargs in self.calls:
            values.append(function(*fill(args, values), **fill(kwargs, values)))
        result = torch.resolve_neg(values[-1])
        return result if narrow is None else result.to(narrow)
