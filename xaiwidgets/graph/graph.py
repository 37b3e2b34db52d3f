"""The graph of a model: its operations in order, its layers by name, and the plain forward run."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from xaiwidgets.graph.affine import differentiable
from xaiwidgets.graph.linear import LinearMap, bias_of, is_linear
from xaiwidgets.graph.operation import GraphError, Operation, Value, constants_in, fill, leaves, values_in

__all__ = ["Graph"]

PRE_LOGITS = "pre_logits"

# Steps that may stand between a classifier and the output (an average of several heads included).
AFTER_CLASSIFIER = frozenset(
    [
        "relu",
        "dropout",
        "softmax",
        "log_softmax",
        "sigmoid",
        "flatten",
        "view",
        "reshape",
        "squeeze",
        "select",
        "mean",
        "avg_pool2d",
        "adaptive_avg_pool2d",
        "add",
        "div",
        "mul",
    ]
)

# Steps whose result is memory of its own, so that an element-wise step which alone reads it may overwrite it.
OWN_MEMORY = frozenset(
    {"conv1d", "conv2d", "conv3d", "linear", "batch_norm", "layer_norm", "group_norm", "matmul", "add"}
)
OVERWRITING: dict[str, Callable[..., Any]] = {
    "relu": torch.relu_,
    "hardtanh": torch.nn.functional.hardtanh_,
    "hardswish": torch.ops.aten.hardswish_.default,
    "silu": torch.ops.aten.silu_.default,
    "sigmoid": torch.sigmoid_,
    "gelu": torch.ops.aten.gelu_.default,
    "add": torch.ops.aten.add_.Tensor,
}


@dataclass(frozen=True, slots=True)
class Before:
    """A graph as it was before its batch norms were folded.

    `made`: what was made of it for graphs of this model that still live, whatever their size and precision (`unfolding`).
    """

    graph: Graph
    made: WeakKeyDictionary[Graph, Graph] = field(default_factory=WeakKeyDictionary)


@dataclass(frozen=True, slots=True)
class Step:
    """What the interpreter does for one operation: call, store, forget what nobody reads any more."""

    index: int
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    holes: tuple[tuple[int, int], ...] | None  # (position in args, index of value), or None where values are nested
    forget: tuple[int, ...]


class Graph:
    """A model as a flat list of operations. Made by `export`; nothing on it changes while it runs, so threads may share it.

    Attributes:
        operations: the steps in order; `operations[0]` stands for the input.
        output: index of the step that gives the model's output.
        layers: name of a module -> index of the step that gives its output (its last call). Names of steps work as well.
        heads: "name of an attention module:heads" -> index of the step that gives its heads' outputs (N, heads, T, D).
        example_shape: (C, H, W) the graph was exported for.
        dtype, memory_format: of the weights; inputs are converted to them.
        maps: (argument) linear maps of other graphs, by their keys, to use instead of making the same.
    """

    def __init__(
        self,
        operations: list[Operation],
        output: int,
        layers: dict[str, int],
        example_shape: tuple[int, ...],
        *,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
        before: Before | None = None,
        maps: Mapping[Any, LinearMap] | None = None,
    ) -> None:
        self.operations = tuple(operations)
        self.output = output
        self.layers = dict(sorted(layers.items(), key=lambda item: item[1]))
        self.example_shape = example_shape
        self.dtype = dtype or next(
            (c.dtype for c in self.constants if c.is_floating_point()), torch.get_default_dtype()
        )
        self.memory_format = memory_format
        self.heads = dict(_heads(self.operations))
        self._by_step = {operation.name: operation.index for operation in operations} | self.heads
        self._plans: dict[tuple[int, frozenset[int] | None, bool], tuple[Step, ...]] = {}
        made = {o.index: LinearMap(o) for o in self.operations if is_linear(o)}
        self._linear = {index: (maps or {}).get(entry.key, entry) for index, entry in made.items()}
        self.before = before

    @property
    def constants(self) -> list[Tensor]:
        """Weights, tables and all other tensors that do not come from the input."""
        return [constant for operation in self.operations for constant in _constants_of(operation)]

    @property
    def linear_maps(self) -> list[LinearMap]:
        """The linear steps with the weights of the model, prepared for speed as they are used."""
        return list(self._linear.values())

    @property
    def single(self) -> bool:
        """Whether the steps take one image at a time, since the model can be traced no other way; several go one after the other."""
        return self.operations[0].shape[:1] == (1,)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the modules in the order in which their outputs are computed."""
        return tuple(self.layers)

    @property
    def concept_layers(self) -> tuple[str, ...]:
        """Names of the convolution and linear layers, in order: those whose channels or features can be concepts.

        `CRP.layers` lists those of them that are worth ranking, and the heads of attention.
        """
        linear = {o.index for o in self.operations if o.target == "linear" or o.target.startswith("conv")}
        own = {o.layer for o in self.operations if o.index in linear}
        return tuple(name for name, index in self.layers.items() if index in linear and name in own)

    def index(self, name: str) -> int:
        """The step that gives the output of a layer or step. Raises `GraphError` with the nearest names."""
        found = self.layers.get(name, self._by_step.get(name))
        if found is None:
            near = difflib.get_close_matches(name, [*self.layers, *self._by_step], n=4, cutoff=0.3)
            raise GraphError(
                f"layer {name!r} is not in this model; nearest: {', '.join(near) or ', '.join(self.layers)}."
            )
        return found

    def run(self, x: Tensor, stop: str | None = None) -> Tensor:
        """The model's output for x (N, C, H, W), or the output of layer `stop`.

        `stop="pre_logits"` gives the input of the classifier (the last linear layer or 1×1 convolution) as (N, D).
        """
        self.check_input(x)
        result = self._run(x, self.check_stop(stop))
        return result.flatten(1) if stop == PRE_LOGITS else result

    def check_stop(self, stop: str | None) -> int:
        """The step a run with this `stop` ends at. Raises `GraphError` where there is none."""
        if stop == PRE_LOGITS:
            return self._classifier().inputs[0]
        return self.output if stop is None else self.index(stop)

    def to(self, dtype: torch.dtype | None = None, memory_format: torch.memory_format | None = None) -> Graph:
        """A graph with its weights converted once, for example to bfloat16 and `torch.channels_last`. This one stays.

        A constant of another precision than the graph's is converted too.
        """
        dtype, memory_format = dtype or self.dtype, memory_format or self.memory_format
        if dtype == self.dtype and memory_format == self.memory_format and self._is_one():
            return self
        with torch.no_grad():
            operations = [operation.to(dtype, memory_format) for operation in self.operations]
        options: dict[str, Any] = {"dtype": dtype, "memory_format": memory_format, "before": self.before}
        return Graph(operations, self.output, self.layers, self.example_shape, **options)

    def _is_one(self) -> bool:
        """Whether all that is asked for is of the graph's precision already."""
        kinds = {o.dtype for o in self.constants if o.is_floating_point()}
        asked = {leaf for o in self.operations for leaf in leaves((o.args, o.kwargs)) if isinstance(leaf, torch.dtype)}
        return all(kind == self.dtype for kind in kinds | {leaf for leaf in asked if leaf.is_floating_point})

    def check_input(self, x: Tensor) -> None:
        if not isinstance(x, Tensor):
            raise GraphError(
                f"x is a {type(x).__name__}: give a tensor (N, {', '.join(map(str, self.example_shape))})."
            )
        if tuple(x.shape[1:]) != self.example_shape or x.ndim != len(self.example_shape) + 1:
            expected = ", ".join(map(str, self.example_shape))
            raise GraphError(
                f"x has shape {tuple(x.shape)}; this graph was exported for (N, {expected}): resize x or export again."
            )

    def prepare(self, x: Tensor) -> Tensor:
        """x in the graph's precision and memory format."""
        x = x.detach().to(self.dtype)
        return x.contiguous(memory_format=self.memory_format) if x.ndim == 4 else x

    @torch.inference_mode()
    def _run(self, x: Tensor, stop: int) -> Tensor:
        result = x
        for _, value in self.steps(x, stop, keep=frozenset()):
            result = value
        return result

    def steps(
        self, x: Tensor, stop: int, keep: frozenset[int] | None = None, attached: bool = False
    ) -> Iterator[tuple[int, Any]]:
        """(index, value) of every step that leads to `stop`, which comes last. Values nobody reads any more are let go.

        With `keep`, element-wise steps write into values that only they read, unless `keep` names these: for callers that look at
        no others. With `attached`, x goes in as it is and steps are such that autograd finds the way to it.
        """
        if self.single and len(x) > 1:
            yield from self._one_by_one(x, stop, keep, attached)
            return
        values: list[Any] = [None] * len(self.operations)
        values[0] = x if attached else self.prepare(x)
        yield 0, values[0]
        for step in self._plan(stop, keep, attached):
            if step.holes is None:
                args, kwargs = fill(step.args, values), fill(step.kwargs, values)
                values[step.index] = step.function(*args, **kwargs)
            else:
                arguments = list(step.args)
                for position, index in step.holes:
                    arguments[position] = values[index]
                values[step.index] = step.function(*arguments, **step.kwargs)
            for index in step.forget:
                values[index] = None
            yield step.index, values[step.index]

    def _one_by_one(
        self, x: Tensor, stop: int, keep: frozenset[int] | None, attached: bool
    ) -> Iterator[tuple[int, Any]]:
        """As `steps`, each image on its own; their values are put together."""
        for entries in zip(*(self.steps(image, stop, keep, attached) for image in x.split(1)), strict=True):
            yield entries[0][0], joined([value for _, value in entries])

    def _plan(self, stop: int, keep: frozenset[int] | None, attached: bool) -> tuple[Step, ...]:
        """The steps that lead to `stop`. Worked out once for each way of running."""
        key = (stop, keep, attached)
        if key not in self._plans:
            needed, last = {stop}, {stop: len(self.operations)}
            readers: Counter[int] = Counter()
            for operation in reversed(self.operations[: stop + 1]):
                if operation.index in needed:
                    readers.update(operation.inputs)
                    for index in operation.inputs:
                        needed.add(index)
                        last.setdefault(index, operation.index)
            ending: dict[int, list[int]] = {}
            for index, reader in last.items():
                ending.setdefault(reader, []).append(index)
            self._plans[key] = tuple(
                self._step(operation, readers, tuple(ending.get(operation.index, ())), keep, attached)
                for operation in self.operations[1 : stop + 1]
                if operation.index in needed
            )
        return self._plans[key]

    def _step(
        self,
        operation: Operation,
        readers: Counter[int],
        forget: tuple[int, ...],
        keep: frozenset[int] | None,
        attached: bool,
    ) -> Step:
        index, args, first = operation.index, operation.args, operation.args[0] if operation.args else None
        if index in self._linear and isinstance(first, Value) and not attached:
            arguments = (first, bias_of(operation))
            return Step(index, self._linear[index].apply, arguments, {}, ((0, first.index),), forget)
        holes: tuple[tuple[int, int], ...] | None = None
        if not any(True for _ in values_in((operation.kwargs, [a for a in args if not isinstance(a, Value)]))):
            holes = tuple((i, a.index) for i, a in enumerate(args) if isinstance(a, Value))
        overwrites = keep is not None and self._may_overwrite(operation, readers, keep)
        function = OVERWRITING[operation.target] if overwrites else operation.function
        function = differentiable(operation) if attached else function
        return Step(index, function, args, operation.kwargs, holes, forget)

    def _may_overwrite(self, operation: Operation, readers: Counter[int], keep: frozenset[int]) -> bool:
        """Whether only this step reads its first input (nor any view of it), which has memory of its own and is not kept."""
        first = operation.args[0] if operation.args else None
        if operation.target not in OVERWRITING or not isinstance(first, Value) or first.index in keep:
            return False
        source = self.operations[first.index]
        return readers[first.index] == 1 and source.target in OWN_MEMORY and source.shape == operation.shape

    def _classifier(self) -> Operation:
        """The linear layer or 1×1 convolution from which only pooling and reshaping lead to the output."""
        operation = self.operations[self.output]
        while operation.target in AFTER_CLASSIFIER:
            operation = self.operations[operation.inputs[0]]
        weight = operation.args[1] if len(operation.args) > 1 else None
        linear = operation.target == "linear" or operation.target.startswith("conv")
        if linear and isinstance(weight, Tensor) and all(size == 1 for size in weight.shape[2:]):
            return operation
        raise GraphError(
            f"this model does not end in a classifier (a linear layer or 1×1 convolution): its last step is {operation.name!r} in "
            f"{operation.layer or 'the model itself'!r}. Name a layer to take the representation from; its own output is one."
        )


def _constants_of(operation: Operation) -> list[Tensor]:
    return list(constants_in((operation.args, operation.kwargs)))


def joined(values: Sequence[Any]) -> Any:
    """What a step gave for one image after the other, as for all at once."""
    first = values[0]
    return torch.cat(tuple(values)) if isinstance(first, Tensor) and first.ndim else first


def _heads(operations: tuple[Operation, ...]) -> Iterator[tuple[str, int]]:
    """Fused attention, and the product of what a softmax gave with anything else."""
    weights = [False] * len(operations)
    for operation in operations:
        first = operation.inputs[0] if operation.inputs else 0
        if operation.target in {"softmax", "dropout"}:
            weights[operation.index] = operation.target == "softmax" or weights[first]
        product = operation.target in {"matmul", "bmm"} and weights[first] and len(operation.shape) == 4
        if product or operation.target == "scaled_dot_product_attention":
            yield f"{operation.layer}:heads", operation.index
