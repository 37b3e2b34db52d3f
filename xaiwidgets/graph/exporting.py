"""From a module to a `Graph`: torch.export, constants evaluated, in-place made functional."""

from __future__ import annotations

import copy
import io
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph.fold import fold_batch_norms
from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import GraphError, Operation, Value
from xaiwidgets.graph.reading import Reader, ViewWritten

__all__ = ["export"]

# torch.export keeps global state while it traces, and the sizes of its results use that state.
_export_lock = threading.Lock()


def export(module: nn.Module, example: Tensor, select: Callable[[Any], Tensor] | None = None) -> Graph:
    """The computation of `module` in evaluation mode as a `Graph`.

    `example` (N, C, H, W) gives channels, size, dtype and device; its values do not matter and the batch size stays free.
    `select` picks the one tensor to explain of whatever the module returns; the steps that only others need are left out.
    The module itself is not touched: what is traced is a copy that shares its parameters.

    Raises `GraphError` when the module cannot be exported, naming why and what to do, and what `select` raises.
    """
    if not isinstance(module, nn.Module):
        raise GraphError(f"module is a {type(module).__name__}: give a torch.nn.Module.")
    if not isinstance(example, Tensor) or example.ndim < 2 or example.shape[0] < 1:
        shape = tuple(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise GraphError(f"example is {shape}: give one batch of inputs, (N, C, H, W) with N ≥ 1.")
    with _export_lock:
        return _export(module, example.detach()[:1].repeat(2, *[1] * (example.ndim - 1)), select)


def _export(module: nn.Module, example: Tensor, select: Callable[[Any], Tensor] | None) -> Graph:
    traced = _private_copy(module)
    if select is not None:
        # On the copy itself: a module around it would stand before the names of all layers.
        traced.forward = _selecting(traced.forward, select)
    program = _program(traced, example, type(module))
    structure = program.call_spec.out_spec
    if structure is not None and not structure.is_leaf():
        # Taking one of several outputs unasked would explain something else than what was meant.
        raise GraphError(
            f"{type(module).__name__} returns a {getattr(structure.type, '__name__', structure.type)}, not one tensor: "
            "wrap the module so that it returns the one tensor to explain."
        )
    try:
        reading = Reader(program).read()
    except ViewWritten:
        reading = Reader(program.run_decompositions({})).read()
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


def _selecting(forward: Callable[[Tensor], Any], select: Callable[[Any], Tensor]) -> Callable[[Tensor], Tensor]:
    """A module's forward, of whose result one tensor is taken."""

    # torch.export looks at the code of a plain function.
    def selected(x: Tensor) -> Tensor:
        return select(forward(x))

    return selected


def _program(module: nn.Module, example: Tensor, kind: type) -> torch.export.ExportedProgram:
    batch = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings(), torch.no_grad(), _silence():
        warnings.simplefilter("ignore")
        try:
            return torch.export.export(module, (example,), dynamic_shapes=({0: batch},), strict=False)
        except GraphError:
            raise
        except Exception as error:
            raise GraphError(_explain(error, module, example, kind)) from error


CHATTER = ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor", "torch.export._trace")


@contextmanager
def _silence() -> Iterator[None]:
    """Without what torch.export logs and prints when it fails; the error says it."""
    loggers = [logging.getLogger(name) for name in CHATTER]
    levels, stream = [logger.level for logger in loggers], sys.stderr
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    sys.stderr = _OtherThreads(stream)
    try:
        yield
    finally:
        sys.stderr = stream
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _OtherThreads(io.TextIOBase):
    """Hands on what is written to a stream, except by the thread that made this."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() != self.thread:
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()


def _explain(error: Exception, module: nn.Module, example: Tensor, kind: type) -> str:
    name, text, size = kind.__name__, str(error), ", ".join(map(str, example.shape[1:]))
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:200]
    if any(
        sign in text for sign in ("data-dependent", "GuardOnDataDependent", "Could not guard", "_local_scalar_dense")
    ):
        reason = (
            "its control flow depends on values of the input (an `if`, `.item()` or a Python loop over a tensor), so it has no "
            "fixed graph: replace that step by torch.where or a fixed computation"
        )
    elif "Constraints violated" in text or "specializ" in text.lower():
        reason = "it only works at one batch size: use x.shape[0] or -1 for the batch size (len(x) fixes it as well)"
    else:
        try:
            with torch.no_grad():
                module(example)
        except Exception as failure:  # the model does not run at all on this input
            said = str(failure).strip().rstrip(".!")
            return (
                f"x of shape (N, {size}) in {example.dtype} on {example.device} does not run through {name}: "
                f"{type(failure).__name__}: {said}. Give images of the size, channels, dtype and device it was built for "
                "(many transformers take one size only)."
            )
        reason = "torch.export cannot trace it"
    return f"{name} cannot become a graph: {reason}. torch.export says: {first}"


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
