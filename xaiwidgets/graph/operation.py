"""One operation of a graph, and how its arguments are filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "GraphError",
    "Operation",
    "Result",
    "Value",
    "argument",
    "constants_in",
    "converted",
    "fill",
    "leaves",
    "rewrite",
    "values_in",
]


# Calls that take of their second argument its shape or type only.
SHAPED_LIKE = frozenset(["expand_as", "view_as", "reshape_as", "type_as"])


class GraphError(RuntimeError):
    """The model cannot be turned into, or explained on, a graph. The message names the place and what to do."""


@dataclass(frozen=True, slots=True)
class Value:
    """A reference to the result of operation `index`; index 0 is the graph's input."""

    index: int


@dataclass(frozen=True)
class Operation:
    """A step of the model: `function(*args, **kwargs)`, where a `Value` stands for an earlier result. A step has one result: a call
    that gives several (a maximum and where it is, the parts of a split) is one step a result.

    `target` is the ATen name without its overload ("conv2d"). `scope` lists the names of the modules the step runs in,
    outermost first; `layer` is the innermost. Constants (weights, tables) stand in `args` as tensors. `shape` is the
    result's shape, with None where a size depends on the batch; `dtype` its type.
    """

    index: int
    name: str
    target: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    scope: tuple[str, ...] = ()
    shape: tuple[int | None, ...] = ()
    tensor: bool = True  # whether the result is a tensor, not a size
    dtype: torch.dtype | None = None

    @property
    def layer(self) -> str:
        return self.scope[-1] if self.scope else ""

    @property
    def selects(self) -> bool:
        """Whether the result is whole numbers or truth values: a mask or positions, by which others are chosen."""
        return self.dtype is not None and not self.dtype.is_floating_point and not self.dtype.is_complex

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """The indices of the operations whose results this one reads, in the order of the arguments."""
        return tuple(value.index for value in values_in((self.args, self.kwargs)))

    @cached_property
    def feeds(self) -> tuple[int, ...]:
        """Those of `inputs` whose values matter, not their shape alone."""
        return tuple(value.index for value in values_in(self.args[:1])) if self.target in SHAPED_LIKE else self.inputs

    def run(self, values: Sequence[Any]) -> Any:
        return self.function(*fill(self.args, values), **fill(self.kwargs, values))

    def arguments(self, inputs: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """`args` and `kwargs` with something in the place of each of `inputs`; a value read in two places may differ in them."""
        places = iter(inputs)
        filled: tuple[tuple[Any, ...], dict[str, Any]] = rewrite(
            (self.args, self.kwargs), lambda leaf: next(places) if isinstance(leaf, Value) else leaf
        )
        return filled

    def with_arguments(self, change: Callable[[Any], Any]) -> Operation:
        """The same operation with every value, tensor and dtype among its arguments replaced by `change` of it."""
        return replace(self, args=rewrite(self.args, change), kwargs=rewrite(self.kwargs, change))

    def to(self, dtype: torch.dtype, memory_format: torch.memory_format | None = None) -> Operation:
        """The same operation in one precision: every floating-point constant, and every type it asks for."""

        return self.with_arguments(lambda leaf: converted(leaf, dtype, memory_format))


def argument(operation: Operation, position: int, name: str, default: Any) -> Any:
    """An argument of the call, given by position or by name."""
    if len(operation.args) > position:
        return operation.args[position]
    return operation.kwargs.get(name, default)


@dataclass(frozen=True, slots=True)
class Result:
    """One result of a function that gives several, as a function of its own."""

    whole: Callable[..., Any]
    number: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.whole(*args, **kwargs)[self.number]


def converted(leaf: Any, dtype: torch.dtype, memory_format: torch.memory_format | None = None) -> Any:
    """A tensor or type among arguments in one precision, and a tensor of four dimensions in one layout."""
    if isinstance(leaf, torch.dtype):
        return dtype if leaf.is_floating_point else leaf
    if not isinstance(leaf, Tensor):
        return leaf
    leaf = leaf.to(dtype) if leaf.is_floating_point() else leaf
    return leaf.contiguous(memory_format=memory_format) if memory_format and leaf.ndim == 4 else leaf


def rewrite(tree: Any, change: Callable[[Any], Any]) -> Any:
    """`tree` (nested tuples, lists, dicts) with `change` applied to each value, tensor and dtype in it."""
    if isinstance(tree, (Value, Tensor, torch.dtype)):
        return change(tree)
    if isinstance(tree, tuple):
        return tuple(rewrite(item, change) for item in tree)
    if isinstance(tree, list):
        return [rewrite(item, change) for item in tree]
    if isinstance(tree, dict):
        return {key: rewrite(item, change) for key, item in tree.items()}
    return tree


def fill(tree: Any, values: Sequence[Any] | Mapping[int, Any]) -> Any:
    """`tree` with each `Value` replaced by the result it refers to."""
    return rewrite(tree, lambda leaf: values[leaf.index] if isinstance(leaf, Value) else leaf)


def values_in(tree: Any) -> Iterator[Value]:
    return (leaf for leaf in leaves(tree) if isinstance(leaf, Value))


def constants_in(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in leaves(tree) if isinstance(leaf, Tensor))


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (tuple, list)):
        for item in tree:
            yield from leaves(item)
    elif isinstance(tree, dict):
        yield from leaves(list(tree.values()))
    else:
        yield tree
