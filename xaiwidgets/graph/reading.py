"""The nodes of an exported program, read into operations: constants evaluated, in-place steps made functional."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph.operation import GraphError, Operation, Result, Value, fill, rewrite, values_in
from xaiwidgets.graph.rewriting import REWRITES

__all__ = ["Reader", "ViewWritten"]

# Results share memory with the first argument.
VIEWS = frozenset(
    [
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "slice",
        "select",
        "squeeze",
        "unsqueeze",
        "expand",
        "chunk",
        "split",
        "unbind",
        "split_with_sizes",
        "getitem",
        "t",
        "swapaxes",
        "movedim",
        "contiguous",
        "detach",
        "alias",
        "expand_as",
        "view_as",
        "reshape_as",
        "to",
        "type_as",
        "narrow",
        "unfold",
        "diagonal",
    ]
)
# Steps that only hand on their first argument.
HANDED_ON = frozenset(
    ["contiguous", "clone", "detach", "alias", "to", "type_as", "lift_fresh_copy", "detach_", "_to_copy"]
)
# Steps that hold no computation.
SKIPPED = frozenset(
    ["_assert_tensor_metadata", "sym_constrain_range", "sym_constrain_range_for_size", "_assert_scalar"]
)
# Steps that demand a memory layout, and their twins that take any.
ANY_LAYOUT: dict[str, Callable[..., Any]] = {
    "view": torch.ops.aten.reshape.default,
    "_unsafe_view": torch.ops.aten.reshape.default,
    "view_as": torch.ops.aten.reshape_as.default,
}
# What the results of calls that give several are, where that is not the call's own name.
RESULTS: dict[str, tuple[str, ...]] = {
    "aminmax": ("amin", "amax"),
    "var_mean": ("var", "mean"),
    "std_mean": ("std", "mean"),
    "max_pool2d_with_indices": ("max_pool2d",),
    "max_pool3d_with_indices": ("max_pool3d",),
    "max_pool1d_with_indices": ("max_pool1d",),
    "native_layer_norm": ("layer_norm",),
    "native_batch_norm": ("batch_norm",),
    "native_dropout": ("dropout",),
}
SPLITS = frozenset(["chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split"])
# Two calls under one name.
OVERLOADS = {("max", "other"): "maximum", ("min", "other"): "minimum"}
# New tensors of which only shape and dtype come from the first argument.
FRESH = frozenset(["new_zeros", "new_ones", "new_full", "new_empty"])


Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class ViewWritten(Exception):
    """The program writes into part of a value that is read again as a whole: it must be made functional first."""


class Reader:
    """Reads one program. After `read`: `operations`, `output` (an index) and `names` (layer -> index of its output)."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.nodes = list(program.graph.nodes)
        self.constants = _constants(program, self.nodes)
        self.order = {node: position for position, node in enumerate(self.nodes)}
        self.known: dict[Any, Any] = {}  # node -> Value, constant, or tuple of them
        self.root: dict[Any, Any] = {}  # node -> the node whose memory it shares
        self.last_reader: dict[Any, int] = {}
        for node in self.nodes:
            self.root[node] = self.root[node.args[0]] if _shares_memory(node) else node
            for source in node.all_input_nodes:
                self.last_reader[source] = max(self.last_reader.get(source, 0), self.order[node])
        self.operations: list[Operation] = []
        self.examples: list[Any] = []  # what torch.export made of each step's result: its sizes and type, no values
        self.names: dict[str, int] = {}
        self.output = 0

    def read(self) -> tuple[list[Operation], int, dict[str, int]]:
        """Operations, index of the output, index of each layer's output. Raises `ViewWritten`, `GraphError`."""
        inputs = set(self.program.graph_signature.user_inputs)
        for node in self.nodes:
            if node.op == "placeholder" and node.name in inputs:
                self._add(node, Operation(0, "input", "input", _no_function, (), {}), node.meta.get("val"))
                self.known[node] = Value(0)
            elif node.op == "placeholder":
                self.known[node] = self.constants[node.name]
            elif node.op == "get_attr":
                self.known[node] = getattr(self.program.graph_module, node.target)
            elif node.op == "output":
                self.output = self._output(node)
            elif _name(node.target) not in SKIPPED:
                self._call(node)
        return self.operations, self.output, self.names

    def _call(self, node: Any) -> None:
        target, in_place = _name(node.target), _is_in_place(_name(node.target))
        args, kwargs = self._arguments(node.args), self._arguments(node.kwargs)
        dynamic = any(True for _ in values_in((args, kwargs)))
        if target == "getitem" and isinstance(args[0], tuple):
            self.known[node] = args[0][args[1]]
        elif target in FRESH and not any(True for _ in values_in((args[1:], kwargs))):
            self.known[node] = node.target(self._like(), *args[1:], **kwargs)
        elif not dynamic:
            with torch.no_grad():
                self.known[node] = node.target(*args, **kwargs)
        elif target in HANDED_ON and _keeps_kind(node):
            self.known[node] = args[0]
            self.names.update(dict.fromkeys(_scope(node), args[0].index))
        else:
            function = _functional(node.target) if in_place else ANY_LAYOUT.get(target, node.target)
            self.known[node] = self._append(node, function, args, kwargs)
        if in_place and isinstance(self.known[node], Value):
            if self._read_later_elsewhere(node):
                raise ViewWritten
            self.known[node.args[0]] = self.known[node]  # later readers of the old name see the new content

    def _arguments(self, tree: Any) -> Any:
        """`tree` with each node replaced by what is known of it, in plain containers."""
        if isinstance(tree, torch.fx.Node):
            return self.known[tree]
        if isinstance(tree, tuple):
            return tuple(self._arguments(item) for item in tree)
        if isinstance(tree, list):
            return [self._arguments(item) for item in tree]
        if isinstance(tree, dict):
            return {key: self._arguments(item) for key, item in tree.items()}
        return tree

    def _like(self) -> Tensor:
        floats = (c for c in self.constants.values() if isinstance(c, Tensor) and c.is_floating_point())
        return next(floats, torch.ones(()))

    def _append(self, node: Any, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add the call, as simpler steps where there is a way to say it with them."""
        simpler = REWRITES.get(_plain(function))
        if simpler is not None:
            first = len(self.operations)
            found = simpler(_Building(self, node), *args, **kwargs)
            if found is not None:
                if isinstance(found, Value) and found.index >= first:  # the last step goes by the name of the call
                    self.operations[found.index] = replace(self.operations[found.index], name=node.name)
                return found
        return self._steps(node, node.name, (function, args, kwargs), node.meta.get("val"))

    def _steps(self, node: Any, name: str, call: Call, results: Any) -> Any:
        """Add one step, or one for each result. Parts of a tensor are read as slices of it."""
        function, args, kwargs = call
        target = _plain(function)
        if not isinstance(results, (tuple, list)):
            return self._add(node, Operation(0, name, target, function, args, kwargs), results)
        picks: list[tuple[str, Any, tuple[Any, ...], dict[str, Any]]]
        edges = _edges(results, args[2] if len(args) > 2 else kwargs.get("dim", 0)) if target in SPLITS else None
        if target == "unbind":
            dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
            picks = [("select", torch.ops.aten.select.int, (args[0], dim, i), {}) for i in range(len(results))]
        elif edges is not None:
            dim = args[2] if len(args) > 2 else kwargs.get("dim", 0)
            bounds = pairwise(edges)
            picks = [("slice", torch.ops.aten.slice.Tensor, (args[0], dim, *bound), {}) for bound in bounds]
        else:
            names = RESULTS.get(target, (target,))
            names = (*names, *(f"{target}.{number}" for number in range(len(names), len(results))))
            picks = [(names[i], Result(function, i), args, kwargs) for i in range(len(results))]
        steps = [Operation(0, f"{name}_{i}", *pick) for i, pick in enumerate(picks)]
        return tuple(self._add(node, step, result) for step, result in zip(steps, results, strict=True))

    def _add(self, node: Any, step: Operation, result: Any) -> Value:
        index, scope = len(self.operations), _scope(node)
        shape = tuple(size if isinstance(size, int) else None for size in getattr(result, "shape", ()))
        tensor = not isinstance(result, (int, float, bool, torch.SymInt, torch.SymFloat, torch.SymBool))
        kind = getattr(result, "dtype", None)
        self.operations.append(replace(step, index=index, scope=scope, shape=shape, tensor=tensor, dtype=kind))
        self.examples.append(result)
        self.names.update(dict.fromkeys(scope, index))
        return Value(index)

    def _read_later_elsewhere(self, node: Any) -> bool:
        """Whether another name of the memory this in-place step writes to, taken before, is read after it."""
        mutated, now = node.args[0], self.order[node]
        return any(
            self.root[other] is self.root[mutated]
            and other is not mutated
            and self.order[other] < now < self.last_reader.get(other, 0)
            for other in self.root
        )

    def _output(self, node: Any) -> int:
        """The index of the first floating-point result of the model."""
        for result in node.all_input_nodes:
            value, example = self.known.get(result), result.meta.get("val")
            if isinstance(value, Value) and isinstance(example, Tensor) and example.is_floating_point():
                return value.index
        raise GraphError("The model's output does not depend on its input: there is nothing to explain.")


class _Building:
    """Adds the steps of one call that is said in simpler ones (a `Builder`)."""

    def __init__(self, reader: Reader, node: Any) -> None:
        self.reader, self.node = reader, node
        self.taken: Counter[str] = Counter()

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not any(True for _ in values_in((args, kwargs))):
            with torch.no_grad():
                return function(*args, **kwargs)
        examples = self.reader.examples
        mode = examples[0].fake_mode
        like, options = (
            rewrite(
                fill(tree, examples),
                lambda leaf: leaf if not isinstance(leaf, Tensor) or _is_fake(leaf) else mode.from_tensor(leaf),
            )
            for tree in (args, kwargs)
        )
        with torch.no_grad():
            result = function(*like, **options)
        name = f"{self.node.name}.{_plain(function)}"
        self.taken[name] += 1
        name += f"_{self.taken[name]}" if self.taken[name] > 1 else ""
        return self.reader._steps(self.node, name, (function, args, kwargs), result)

    def shape(self, value: Any) -> Sequence[Any]:
        like = self.reader.examples[value.index] if isinstance(value, Value) else value
        return tuple(like.shape) if isinstance(like, Tensor) else ()

    def constant(self, value: Any) -> Tensor | None:
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, Value):
            return None
        step = self.reader.operations[value.index]
        if step.target not in {"expand", "expand_as"} or not isinstance(step.args[0], Tensor):
            return None
        source: Tensor = step.args[0]
        return source.reshape(*[1] * (len(step.shape) - source.ndim), *source.shape)


def _is_fake(value: Any) -> bool:
    return isinstance(value, Tensor) and hasattr(value, "fake_mode")


def _edges(parts: Sequence[Any], dim: int) -> list[int] | None:
    """Where the parts of a split begin and end; None where that depends on the batch."""
    edges = [0]
    for part in parts:
        if not isinstance(part.shape[dim], int):
            return None
        edges.append(edges[-1] + part.shape[dim])
    return edges


def _no_function() -> None:
    """The input has none."""


def _constants(program: torch.export.ExportedProgram, nodes: list[Any]) -> dict[str, Any]:
    """Parameters, buffers and lifted constants by placeholder name, detached; copied where the graph writes into constants."""
    writes = any(
        node.op == "call_function"
        and _is_in_place(_name(node.target))
        and isinstance(node.meta.get("val"), Tensor)
        and not any(isinstance(size, torch.SymInt) for size in node.meta["val"].shape)
        for node in nodes
    )
    found: dict[str, Any] = {}
    for spec in program.graph_signature.input_specs:
        if spec.target is None:
            continue
        tensor = program.state_dict.get(spec.target, None)
        if tensor is None:
            tensor = program.constants[spec.target]
        if isinstance(tensor, Tensor):
            tensor = tensor.detach().clone() if writes else tensor.detach()
        found[spec.arg.name] = tensor
    return found


def _plain(function: Any) -> str:
    """The name of a call as the tables know it: without its overload, and out of place."""
    name = _name(function)
    name = name.removesuffix("_") if _is_in_place(name) else name
    return OVERLOADS.get((name, getattr(function, "_overloadname", "")), name)


def _name(target: Any) -> str:
    """ "conv2d" of torch.ops.aten.conv2d.default; the Python name of anything else."""
    schema = getattr(target, "_schema", None)
    if schema is not None:
        space, name = schema.name.split("::")
        return name if space == "aten" else f"{space}.{name}"
    return str(getattr(target, "__name__", target))


def _scope(node: Any) -> tuple[str, ...]:
    stack = node.meta.get("nn_module_stack") or {}
    return tuple(path.split("@")[0] for path, _ in stack.values() if path and not path.startswith("_empty_nn_module"))


def _shares_memory(node: Any) -> bool:
    return (
        node.op == "call_function"
        and bool(node.args)
        and _name(node.target) in VIEWS
        and isinstance(node.args[0], torch.fx.Node)
    )


def _keeps_kind(node: Any) -> bool:
    """Whether the step changes at most between floating-point precisions (a graph has one precision throughout)."""
    before, after = node.args[0].meta.get("val"), node.meta.get("val")
    return before is None or before.dtype == after.dtype or (before.is_floating_point() and after.is_floating_point())


def _is_in_place(target: str) -> bool:
    return target.endswith("_") and not target.endswith("__")


def _functional(target: Any) -> Callable[..., Any]:
    """The out-of-place twin of an in-place ATen operator."""
    space, name = target._schema.name.split("::")
    packet = getattr(getattr(torch.ops, space), name.removesuffix("_"), None)
    overload = getattr(packet, target._overloadname, None)
    if overload is None:
        raise GraphError(f"{target} has no out-of-place twin: write that step of the model out of place.")
    return overload
