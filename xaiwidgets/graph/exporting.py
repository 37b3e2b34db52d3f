"""From a module to a `Graph`: torch.export, constants evaluated, in-place made functional."""

from __future__ import annotations

import copy
import logging
import operator
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph.fold import fold_batch_norms
from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import GraphError, Operation, Value, rewrite, values_in

__all__ = ["export"]

_export_lock = threading.Lock()  # torch.export keeps global state while it traces, and sizes of its results use that state

# Results share memory with the first argument.
VIEWS = frozenset(
    ["view", "reshape", "flatten", "unflatten", "permute", "transpose", "slice", "select", "squeeze", "unsqueeze", "expand", "chunk", "split", "unbind", "split_with_sizes", "getitem", "t", "swapaxes", "movedim", "contiguous", "detach", "alias", "expand_as", "view_as", "reshape_as", "to", "type_as", "narrow", "unfold", "diagonal"]
)
# Steps that only hand on their first argument.
HANDED_ON = frozenset(["contiguous", "clone", "detach", "alias", "to", "type_as", "lift_fresh_copy", "detach_", "_to_copy"])
# Steps that hold no computation.
SKIPPED = frozenset(["_assert_tensor_metadata", "sym_constrain_range", "sym_constrain_range_for_size", "_assert_scalar"])
# Steps that demand a memory layout, and their twins that take any.
ANY_LAYOUT: dict[str, Callable[..., Any]] = {"view": torch.ops.aten.reshape.default}
# New tensors of which only shape and dtype come from the first argument.
FRESH = frozenset(["new_zeros", "new_ones", "new_full", "new_empty"])


def export(module: nn.Module, example: Tensor) -> Graph:
    """The computation of `module` in evaluation mode as a `Graph`.

    `example` (N, C, H, W) gives channels, size, dtype and device; its values do not matter and the batch size stays free.
    The module itself is not touched: what is traced is a copy that shares its parameters.

    Raises `GraphError` when the module cannot be exported, naming why and what to do.
    """
    if not isinstance(module, nn.Module):
        raise GraphError(f"module is a {type(module).__name__}: give a torch.nn.Module.")
    if not isinstance(example, Tensor) or example.ndim < 2 or example.shape[0] < 1:
        shape = tuple(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise GraphError(f"example is {shape}: give one batch of inputs, (N, C, H, W) with N ≥ 1.")
    with _export_lock:
        return _export(module, example.detach()[:1].repeat(2, *[1] * (example.ndim - 1)))


def _export(module: nn.Module, example: Tensor) -> Graph:
    program = _program(_private_copy(module), example, type(module))
    structure = program.call_spec.out_spec
    if structure is not None and not structure.is_leaf():
        # Taking one of several outputs unasked would explain something else than what was meant.
        raise GraphError(
            f"{type(module).__name__} returns a {getattr(structure.type, '__name__', structure.type)}, not one tensor: "
            "wrap the module so that it returns the one tensor to explain."
        )
    reading = _read(program)
    if reading is None:  # an in-place step on part of a tensor that is read again: let torch make the graph functional
        reading = _read(program.run_decompositions({}))
        if reading is None:
            raise GraphError(f"{type(module).__name__} writes into views of its activations: use out-of-place steps.")
    operations, output, names = _without_dead_steps(*fold_batch_norms(*_without_dead_steps(*reading)))
    return Graph(operations, output, names, example_shape=tuple(example.shape[1:]))


def _private_copy(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode with modules of its own and the same tensors."""
    shared: dict[int, Any] = {}
    for part in module.modules():
        for value in [*vars(part).values(), *part._parameters.values(), *part._buffers.values()]:
            if isinstance(value, Tensor):
                shared[id(value)] = value
    try:
        return copy.deepcopy(module, shared).eval()
    except Exception as error:
        raise GraphError(
            f"{type(module).__name__} cannot be copied ({type(error).__name__}: {error}). The copy keeps your module "
            "untouched while it is traced; remove the attribute that cannot be copied."
        ) from error


def _program(module: nn.Module, example: Tensor, kind: type) -> torch.export.ExportedProgram:
    batch = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        chatter = logging.getLogger("torch.fx.experimental.symbolic_shapes")
        level = chatter.level
        chatter.setLevel(logging.CRITICAL)
        try:
            return torch.export.export(module, (example,), dynamic_shapes=({0: batch},), strict=False)
        except Exception as error:
            raise GraphError(_explain(error, module, example, kind)) from error
        finally:
            chatter.setLevel(level)


def _explain(error: Exception, module: nn.Module, example: Tensor, kind: type) -> str:
    name, text = kind.__name__, str(error)
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:200]
    if any(
        sign in text for sign in ("data-dependent", "GuardOnDataDependent", "Could not guard", "_local_scalar_dense")
    ):
        reason = (
            "its control flow depends on values of the input (an `if`, `.item()` or a Python loop over a tensor), so it has no "
            "fixed graph: replace that step by torch.where or a fixed computation"
        )
    elif "Constraints violated" in text or "specializ" in text.lower():
        reason = "it only works at one batch size: replace the fixed batch size in its reshapes by x.shape[0] or -1"
    else:
        try:
            with torch.no_grad():
                module(example)
        except Exception as failure:  # the model does not run at all on this input
            return (
                f"{name} fails on an input of shape {tuple(example.shape)}: {type(failure).__name__}: {failure}. "
                "Check input size, channels, dtype and device."
            )
        reason = "torch.export cannot trace it"
    return f"{name} cannot become a graph: {reason}. torch.export says: {first}"


def _read(
    program: torch.export.ExportedProgram,
) -> tuple[list[Operation], int, dict[str, int]] | None:
    """Operations, index of the output and index of each layer's output. None when an in-place step cannot be undone."""
    nodes = list(program.graph.nodes)
    constants = _constants(program, nodes)
    user_inputs = set(program.graph_signature.user_inputs)
    known: dict[Any, Any] = {}  # node -> Value, constant, or tuple of them
    root: dict[Any, Any] = {}  # node -> the node whose memory it shares
    last_reader: dict[Any, int] = {}
    order = {node: position for position, node in enumerate(nodes)}
    operations: list[Operation] = []
    names: dict[str, int] = {}

    for node in nodes:
        root[node] = root[node.args[0]] if _shares_memory(node) else node
        for source in node.all_input_nodes:
            last_reader[source] = max(last_reader.get(source, 0), order[node])

    for node in nodes:
        if node.op == "placeholder":
            if node.name in user_inputs:
                operations.append(Operation(0, "input", "input", lambda: None, (), {}))
                known[node] = Value(0)
            else:
                known[node] = constants[node.name]
        elif node.op == "get_attr":
            known[node] = getattr(program.graph_module, node.target)
        elif node.op == "output":
            return operations, _output(node, known), names
        elif node.op == "call_function":
            target = _name(node.target)
            if target in SKIPPED:
                continue
            look_up = torch.fx.node.map_arg
            args, kwargs = look_up(node.args, known.__getitem__), look_up(node.kwargs, known.__getitem__)
            args, kwargs = rewrite(tuple(args), _same), rewrite(dict(kwargs), _same)
            in_place = _is_in_place(target)
            mutated = node.args[0] if in_place else None
            if target == "getitem" and isinstance(args[0], tuple):
                known[node] = args[0][args[1]]
            elif target in FRESH and not any(True for _ in values_in((args[1:], kwargs))):
                like = next(
                    (c for c in constants.values() if isinstance(c, Tensor) and c.is_floating_point()), torch.ones(())
                )
                known[node] = node.target(like, *args[1:], **kwargs)
            elif not any(True for _ in values_in((args, kwargs))):
                with torch.no_grad():
                    known[node] = node.target(*args, **kwargs)
            elif target in HANDED_ON and _keeps_kind(node):
                known[node] = args[0]
                names.update({name: args[0].index for name in _scope(node) if isinstance(args[0], Value)})
            else:
                function = _functional(node.target) if in_place else ANY_LAYOUT.get(target, node.target)
                known[node] = _append(operations, names, node, target, function, args, kwargs)
            if in_place:
                if not isinstance(known[node], Value):
                    continue
                if _read_later_elsewhere(mutated, order[node], root, order, last_reader):
                    return None
                known[mutated] = known[node]  # later readers of the old name see the new content
    return None


def _append(
    operations: list[Operation],
    names: dict[str, int],
    node: Any,
    target: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Add the step; one with several results (chunk, split, unbind) becomes one step a result."""

    results = node.meta.get("val")

    def add(
        name: str, target: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Value:
        shape = tuple(size if isinstance(size, int) else None for size in getattr(result, "shape", ()))
        operation = Operation(
            len(operations), name, target, function, args, kwargs, _scope(node), shape, not isinstance(result, (int, torch.SymInt, float))
        )
        operations.append(operation)
        names.update(dict.fromkeys(operation.scope, operation.index))
        return Value(operation.index)

    aten = torch.ops.aten
    if not isinstance(results, (tuple, list)):
        return add(
            node.name, target.removesuffix("_") if _is_in_place(target) else target, function, args, kwargs, results
        )
    if target == "unbind":
        dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        return tuple(
            add(f"{node.name}_{i}", "select", aten.select.int, (args[0], dim, i), {}, result)
            for i, result in enumerate(results)
        )
    if target in {"chunk", "split", "split_with_sizes", "tensor_split"}:
        dim = args[2] if len(args) > 2 else kwargs.get("dim", 0)
        edges = [0]
        for result in results:
            edges.append(edges[-1] + int(result.shape[dim]))
        return tuple(
            add(f"{node.name}_{i}", "slice", aten.slice.Tensor, (args[0], dim, edges[i], edges[i + 1]), {}, result)
            for i, result in enumerate(results)
        )
    whole = add(node.name, target, function, args, kwargs, None)
    return tuple(
        add(f"{node.name}_{i}", "getitem", operator.getitem, (whole, i), {}, result) for i, result in enumerate(results)
    )


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


def _output(node: Any, known: dict[Any, Any]) -> int:
    """The index of the first floating-point result of the model."""
    for result in node.all_input_nodes:
        value, example = known.get(result), result.meta.get("val")
        if isinstance(value, Value) and isinstance(example, Tensor) and example.is_floating_point():
            return value.index
    raise GraphError("The model's output does not depend on its input: there is nothing to explain.")


def _without_dead_steps(
    operations: list[Operation], output: int, names: dict[str, int]
) -> tuple[list[Operation], int, dict[str, int]]:
    """Only the steps the output needs, renumbered."""
    needed = {0, output}
    for operation in reversed(operations):
        if operation.index in needed:
            needed.update(operation.inputs)
    position = {index: new for new, index in enumerate(sorted(needed))}
    kept = []
    for operation in operations:
        if operation.index in needed:
            moved = operation.with_arguments(
                lambda leaf: Value(position[leaf.index]) if isinstance(leaf, Value) else leaf
            )
            kept.append(replace(moved, index=position[operation.index]))
    return kept, position[output], {name: position[index] for name, index in names.items() if index in needed}


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


def _read_later_elsewhere(
    mutated: Any, now: int, root: dict[Any, Any], order: dict[Any, int], last_reader: dict[Any, int]
) -> bool:
    """Whether another name of the memory written to at position `now`, taken before that, is read after it."""
    return any(
        root[other] is root[mutated] and other is not mutated and order[other] < now < last_reader.get(other, 0)
        for other in root
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
    return overload  # type: ignore[no-any-return]


def _same(leaf: Any) -> Any:
    return leaf
