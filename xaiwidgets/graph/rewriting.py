"""Calls that are read as simpler steps, so that every rule for these serves them too.

A product of tensors under any name becomes `linear` where one factor is a constant matrix, else `matmul` or `einsum`; an added term
becomes an `add`; what torch offers as one call for two or three (`glu`, `lerp`, `addcdiv`) becomes these. Each function here takes the
arguments of its call in the order of its schema and says the same with other calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from xaiwidgets.graph.contraction import Equation, matmul_equation, parsed, tensordot_equation

__all__ = ["REWRITES", "Builder"]

aten = torch.ops.aten


class Builder(Protocol):
    """What a rewriting is written with."""

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Add a step; what it gives. Of constants alone: their value."""

    def shape(self, value: Any) -> Sequence[Any]:
        """Sizes of a value or constant; those that depend on the batch are symbols."""

    def constant(self, value: Any) -> Tensor | None:
        """The tensor behind a value that does not depend on the input, with axes of size one where it was expanded over the batch."""


def plus(build: Builder, term: Any, beta: Any, product: Any, alpha: Any) -> Any:
    """beta · term + alpha · product."""
    if beta == 0:
        return scaled(build, product, alpha)
    return build(aten.add.Tensor, scaled(build, term, beta), scaled(build, product, alpha))


def scaled(build: Builder, value: Any, factor: Any) -> Any:
    return value if isinstance(factor, int | float) and factor == 1 else build(aten.mul.Tensor, value, factor)


# -- products of tensors -----------------------------------------------------------------------------------------------


def contract(build: Builder, equation: Equation, left: Any, right: Any) -> Any:
    """The product of two tensors, as a linear step where one of them is constant."""
    factors, letters = [left, right], list(equation.factors)
    weight = next((place for place in (0, 1) if build.constant(factors[place]) is not None), None)
    if weight is not None:
        factors[weight] = build.constant(factors[weight])
    for place in (0, 1):
        factors[place], letters[place] = diagonal(build, factors[place], letters[place])
    for place in (0, 1):  # what is broadcast along an axis does not have it
        for axis in reversed(range(len(letters[place]))):
            letter = letters[place][axis]
            if build.shape(factors[place])[axis] == 1 and letter in letters[1 - place]:
                factors[place] = build(aten.squeeze.dim, factors[place], axis)
                letters[place] = letters[place].replace(letter, "")
    for place in (0, 1):
        kept = set(letters[1 - place]) | set(equation.result)
        alone = [axis for axis, letter in enumerate(letters[place]) if letter not in kept]
        if alone:
            factors[place] = build(aten.sum.dim_IntList, factors[place], alone)
            letters[place] = "".join(letter for letter in letters[place] if letter in kept)
    if weight is not None:
        x, w, out = letters[1 - weight], letters[weight], equation.result
        inner = set(x) & set(w)
        if len(w) == 2 and len(inner) == 1 and x[-1:] in inner and out == x[:-1] + w.strip(x[-1]):
            matrix = factors[weight] if w[1] == x[-1] else factors[weight].mT
            return build(aten.linear.default, factors[1 - weight], matrix.contiguous())
    form = Equation((letters[0], letters[1]), equation.result)
    return build(aten.einsum.default, str(form), factors)


def diagonal(build: Builder, value: Any, letters: str) -> tuple[Any, str]:
    """A tensor whose letters all differ: axes with one letter become their diagonal."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first, second = letters.index(letter), letters.rindex(letter)
            value = build(aten.diagonal.default, value, 0, first, second)
            letters = "".join(c for axis, c in enumerate(letters) if axis not in (first, second)) + letter
    return value, letters


def matmul(build: Builder, left: Any, right: Any) -> Any:
    ranks = len(build.shape(left)), len(build.shape(right))
    constant = build.constant(left) is not None or build.constant(right) is not None
    if constant or min(ranks) == 1:
        return contract(build, matmul_equation(*ranks), left, right)
    return build(aten.matmul.default, left, right)


def einsum(build: Builder, equation: str, tensors: Sequence[Any], path: Any = None) -> Any:
    form = parsed(equation, [len(build.shape(tensor)) for tensor in tensors])
    if len(tensors) == 1:
        return rearranged(build, tensors[0], form.factors[0], form.result)
    value, letters = tensors[0], form.factors[0]
    for number in range(1, len(tensors)):
        later = set("".join(form.factors[number + 1 :])) | set(form.result)
        last = number == len(tensors) - 1
        both = dict.fromkeys(letters + form.factors[number])
        result = form.result if last else "".join(letter for letter in both if letter in later)
        value = contract(build, Equation((letters, form.factors[number]), result), value, tensors[number])
        letters = result
    return value


def rearranged(build: Builder, value: Any, letters: str, result: str) -> Any:
    """One tensor: diagonals, sums, another order of axes."""
    value, letters = diagonal(build, value, letters)
    summed = [axis for axis, letter in enumerate(letters) if letter not in result]
    if summed:
        value = build(aten.sum.dim_IntList, value, summed)
        letters = "".join(letter for letter in letters if letter in result)
    return build(aten.permute.default, value, [letters.index(letter) for letter in result])


def tensordot(build: Builder, left: Any, right: Any, over_left: Sequence[int], over_right: Sequence[int]) -> Any:
    ranks = len(build.shape(left)), len(build.shape(right))
    return contract(build, tensordot_equation(*ranks, over_left, over_right), left, right)


def inner(build: Builder, left: Any, right: Any) -> Any:
    if not (build.shape(left) and build.shape(right)):
        return build(aten.mul.Tensor, left, right)
    return tensordot(build, left, right, [-1], [-1])


def outer(build: Builder, left: Any, right: Any) -> Any:
    return build(aten.mul.Tensor, build(aten.unsqueeze.default, left, -1), right)


def multi_dot(build: Builder, tensors: Sequence[Any]) -> Any:
    value = tensors[0]
    for tensor in tensors[1:]:
        value = matmul(build, value, tensor)
    return value


def linear(build: Builder, x: Any, weight: Any, bias: Any = None) -> Any:
    """A linear layer whose weights come from the image: a product of two activations."""
    constant = build.constant(weight)
    if constant is not None:
        return None if isinstance(weight, Tensor) else build(aten.linear.default, x, constant, bias)
    product = contract(build, tensordot_equation(len(build.shape(x)), len(build.shape(weight)), [-1], [-1]), x, weight)
    return product if bias is None else build(aten.add.Tensor, product, bias)


def bilinear(build: Builder, left: Any, right: Any, weight: Any, bias: Any = None) -> Any:
    batch = "abcdefgh"[: len(build.shape(left)) - 1]
    half = contract(build, Equation((batch + "x", "zxy"), batch + "zy"), left, weight)
    product = contract(build, Equation((batch + "zy", batch + "y"), batch + "z"), half, right)
    return product if bias is None else build(aten.add.Tensor, product, bias)


def addmm(build: Builder, term: Any, left: Any, right: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return plus(build, term, beta, matmul(build, left, right), alpha)


def addbmm(build: Builder, term: Any, left: Any, right: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return plus(build, term, beta, contract(build, Equation(("axy", "ayz"), "xz"), left, right), alpha)


def addr(build: Builder, term: Any, left: Any, right: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return plus(build, term, beta, outer(build, left, right), alpha)


def attention(build: Builder, q: Any, k: Any, v: Any, *more: Any, enable_gqa: bool = False, **options: Any) -> Any:
    """Keys and values that several heads, or all images, share are repeated for each of them."""
    if enable_gqa:
        groups = int(build.shape(q)[-3]) // int(build.shape(k)[-3])
        k, v = (build(aten.repeat_interleave.self_int, x, groups, -3) for x in (k, v))
    elif all(not isinstance(x, Tensor) and build.shape(x)[:-2] == build.shape(q)[:-2] for x in (q, k, v)):
        return None
    rank = max(len(build.shape(x)) for x in (q, k, v))
    whole = []
    for x in (q, k, v):
        for _ in range(rank - len(build.shape(x))):
            x = build(aten.unsqueeze.default, x, 0)  # noqa: PLW2901
        whole.append(x)
    for place, x in enumerate(whole):
        sizes: list[Any] = [-1] * rank
        for axis in range(rank - 2):
            other = next((y for y in whole if build.shape(y)[axis] != 1), None)
            if build.shape(x)[axis] == 1 and other is not None:
                size = build.shape(other)[axis]
                sizes[axis] = size if isinstance(size, int) else build(aten.sym_size.int, other, axis)
        if isinstance(x, Tensor) and all(isinstance(size, int) for size in sizes):
            # Of sizes known beforehand it would stay a constant, and rules read three values.
            for axis, other in ((axis, y) for axis in range(rank) for y in whole if not isinstance(y, Tensor)):
                if build.shape(other)[axis] == (build.shape(x)[axis] if sizes[axis] == -1 else sizes[axis]):
                    sizes[axis] = build(aten.sym_size.int, other, axis)
                    break
        if any(size != -1 for size in sizes):
            whole[place] = build(aten.expand.default, x, sizes)
    return build(aten.scaled_dot_product_attention.default, *whole, *more, **options)


# -- a few element-wise calls in one -------------------------------------------------------------------------------------


def addcmul(build: Builder, term: Any, left: Any, right: Any, *, value: Any = 1) -> Any:
    return plus(build, term, 1, build(aten.mul.Tensor, left, right), value)


def addcdiv(build: Builder, term: Any, left: Any, right: Any, *, value: Any = 1) -> Any:
    return plus(build, term, 1, build(aten.div.Tensor, left, right), value)


def lerp(build: Builder, start: Any, end: Any, weight: Any) -> Any:
    rest = 1 - weight if isinstance(weight, int | float) else build(aten.rsub.Scalar, weight, 1)
    return build(aten.add.Tensor, build(aten.mul.Tensor, start, rest), build(aten.mul.Tensor, end, weight))


def glu(build: Builder, x: Any, dim: int = -1) -> Any:
    half = int(build.shape(x)[dim]) // 2
    value, gate = (build(aten.slice.Tensor, x, dim, first, first + half) for first in (0, half))
    return build(aten.mul.Tensor, value, build(aten.sigmoid.default, gate))


def cosine_similarity(build: Builder, left: Any, right: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    norms = [build(aten.linalg_vector_norm.default, x, 2, [dim], True) for x in (left, right)]
    a, b = (
        build(aten.div.Tensor, x, build(aten.clamp_min.default, norm, eps))
        for x, norm in zip((left, right), norms, strict=True)
    )
    return build(aten.sum.dim_IntList, build(aten.mul.Tensor, a, b), [dim])


def diff(build: Builder, x: Any, n: int = 1, dim: int = -1, *around: Any) -> Any:
    prepend, append = (*around, None, None)[:2]
    joined = [part for part in (prepend, x, append) if part is not None]
    x = build(aten.cat.default, joined, dim) if len(joined) > 1 else x
    for _ in range(n):
        later = build(aten.slice.Tensor, x, dim, 1)
        x = build(aten.sub.Tensor, later, build(aten.slice.Tensor, x, dim, 0, -1))
    return x


# -- the same by another name ----------------------------------------------------------------------------------------------


def group_norm(build: Builder, x: Any, weight: Any, bias: Any, *sizes: Any) -> Any:
    *_, groups, eps = sizes
    return build(aten.group_norm.default, x, groups, weight, bias, eps), None, None


def batch_norm(build: Builder, x: Any, *given: Any) -> Any:
    weight, bias, mean, variance, momentum, eps = given
    return build(aten.batch_norm.default, x, weight, bias, mean, variance, False, momentum, eps, False), None, None


def convolution(build: Builder, x: Any, weight: Any, bias: Any, *given: Any) -> Any:
    stride, padding, dilation, transposed, output_padding, groups = given
    axes = len(build.shape(weight)) - 2
    if transposed:
        call = (aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input)[axes - 1]
        return build(call, x, weight, bias, stride, padding, output_padding, groups, dilation)
    call = (aten.conv1d.default, aten.conv2d.default, aten.conv3d.default)[axes - 1]
    return build(call, x, weight, bias, stride, padding, dilation, groups)


def copied(build: Builder, before: Any, x: Any, non_blocking: bool = False) -> Any:
    """Everything is written over: what was there does not matter."""
    if len(build.shape(x)) == len(build.shape(before)) and build.shape(x) == build.shape(before):
        return x
    return build(aten.expand_as.default, x, before)


def repeated(build: Builder, x: Any, repeats: Any, dim: int | None = None, *, output_size: Any = None) -> Any:
    """Each entry as often as a constant says."""
    if not isinstance(repeats, Tensor):
        return None
    if dim is None:
        x, dim = build(aten.flatten.using_ints, x), 0
    positions = torch.arange(repeats.numel() if repeats.numel() > 1 else int(build.shape(x)[dim]))
    return build(aten.index_select.default, x, dim, positions.to(repeats.device).repeat_interleave(repeats))


def msort(build: Builder, x: Any) -> Any:
    return build(aten.sort.default, x, 0)[0]


def aminmax(build: Builder, x: Any, *, dim: int | None = None, keepdim: bool = False) -> tuple[Any, Any]:
    """Older versions of torch cannot differentiate the pair."""
    axes = () if dim is None else (dim,)
    return build(aten.amin.default, x, axes, keepdim), build(aten.amax.default, x, axes, keepdim)


REWRITES: dict[str, Callable[..., Any]] = {
    "aminmax": aminmax,
    "mm": matmul,
    "mv": matmul,
    "dot": matmul,
    "bmm": matmul,
    "matmul": matmul,
    "addmm": addmm,
    "addmv": addmm,
    "baddbmm": addmm,
    "addbmm": addbmm,
    "addr": addr,
    "outer": outer,
    "ger": outer,
    "inner": inner,
    "tensordot": tensordot,
    "einsum": einsum,
    "linalg_multi_dot": multi_dot,
    "chain_matmul": multi_dot,
    "linear": linear,
    "bilinear": bilinear,
    "scaled_dot_product_attention": attention,
    "addcmul": addcmul,
    "addcdiv": addcdiv,
    "lerp": lerp,
    "glu": glu,
    "cosine_similarity": cosine_similarity,
    "diff": diff,
    "native_group_norm": group_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "convolution": convolution,
    "copy": copied,
    "repeat_interleave": repeated,
    "msort": msort,
}
"""By ATen name. What gives None is read as it is."""
