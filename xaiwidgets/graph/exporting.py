"""From a module to a `Graph`: torch.export, constants evaluated, in-place made functional."""

from __future__ import annotations

import io
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator
from torch.nn.parameter import is_lazy

from xaiwidgets.graph.copying import unwrapped
from xaiwidgets.graph.everywhere import everywhere, refuse_changed_answers
from xaiwidgets.graph.fold import Steps, fold_batch_norms
from xaiwidgets.graph.graph import Before, Graph
from xaiwidgets.graph.inlining import inline_regions
from xaiwidgets.graph.memory import hand_back
from xaiwidgets.graph.operation import GraphError, Operation, Value
from xaiwidgets.graph.proof import Proof
from xaiwidgets.graph.reach import Reach
from xaiwidgets.graph.reading import Reader, ViewWritten
from xaiwidgets.graph.sharing import sharing
from xaiwidgets.graph.spectral import real_detours
from xaiwidgets.graph.tracing import KeepsTensors, OneSizeOnly, Outer, trace
from xaiwidgets.graph.trial import Trial, apart

__all__ = ["export", "refuse_without_values"]

# torch.export keeps global state while it traces, and the sizes of its results use that state.
_export_lock = threading.Lock()
MANY = 64  # images at once that a trial can afford
FEW = 2**15  # images at once; kernels have bounds of their own, beyond that


def export(
    module: nn.Module,
    example: Tensor,
    *,
    reach: Reach | None = None,
    select: Callable[[Any], Tensor] | None = None,
    memory_format: torch.memory_format = torch.contiguous_format,
    like: Iterable[Graph] = (),
) -> Graph:
    """The computation of `module` in evaluation mode as a `Graph`, which was seen to give the module's answers.

    `example` (N, C, H, W) gives channels, size, dtype and device; its values do not matter and the batch size stays free.
    The module itself is not touched: what is traced and run is a copy that shares its parameters.

    Args:
        reach: of the module; learns which places a forward pass writes to.
        select: picks the one tensor to explain of whatever the module returns; the steps that only others need are left out.
        memory_format: of the graph's weights.
        like: graphs of the module for other sizes, to share weights with.

    Raises `GraphError` when the module cannot be exported, naming why and what to do, and when the graph gives another answer
    than the module: then it names the first step that differs; and what `select` raises.
    """
    if not isinstance(module, nn.Module):
        raise GraphError(f"module is a {type(module).__name__}: give a torch.nn.Module.")
    if not isinstance(example, Tensor) or example.ndim < 2 or example.shape[0] < 1:
        shape = tuple(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise GraphError(f"example is {shape}: give one batch of inputs, (N, C, H, W) with N ≥ 1.")
    refuse_without_values(module)
    reach = Reach(module) if reach is None else reach

    hooks = everywhere()

    def finish(graph: Graph) -> Graph:
        return sharing(graph.to(graph.dtype, memory_format), like)

    with _export_lock, apart(reach, example.device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trial = Trial(module, example, reach, select)
        trial.refuse_odd_answers()
        refuse_changed_answers(trial, hooks)
        try:
            graph = _export(trial, finish, hooks=False)
            if not trial.faithful(reach):
                raise GraphError(
                    f"{type(module).__name__} cannot become a graph: a copy of it, which is what is traced, gives another answer than "
                    "the module itself. Keep what it computes with in its parameters, buffers and attributes."
                )
            return graph
        except GraphError:
            if trial.hooks.count == len(trial.hooks.taking_part):
                raise
            # A hook may take part in ways that do not show where it hangs.
            return _export(trial, finish, hooks=True)
        finally:
            trial.put_back()
            hand_back()


def refuse_without_values(module: nn.Module) -> None:
    """Raise `GraphError` for a module with weights that are lazy still, or on the meta device."""
    name = type(module).__name__
    for place, value in [*module.named_parameters(), *module.named_buffers()]:
        if is_lazy(value):
            raise GraphError(f"{name} has no weights yet: {place!r} is lazy. Call it on images once, then explain it.")
        if value.is_meta:
            raise GraphError(
                f"{name} has no weights: {place!r} is on the meta device. Load them on a device that keeps values, such as 'cpu'."
            )


def _export(trial: Trial, finish: Callable[[Graph], Graph], *, hooks: bool) -> Graph:
    """For any number of images at once; where the module knows one number only, for a single one."""
    try:
        return _graph(trial, finish, hooks=hooks, single=False)
    except GraphError as error:
        if not isinstance(error, OneBatchSize) and trial.alone is None:
            raise
        try:
            return _graph(trial, finish, hooks=hooks, single=True)
        except GraphError:
            raise error from None


class OneBatchSize(GraphError):
    """The batch size is fixed in what the module does."""


def _graph(trial: Trial, finish: Callable[[Graph], Graph], *, hooks: bool, single: bool) -> Graph:
    name, example = type(unwrapped(trial.module)).__name__, trial.x
    program = _program(trial, name, hooks, single)
    structure = program.call_spec.out_spec
    if structure is not None and not structure.is_leaf():
        # Taking one of several outputs unasked would explain something else than what was meant.
        raise GraphError(
            f"{name} returns a {getattr(structure.type, '__name__', structure.type)}, not one tensor: "
            "wrap the module so that it returns the one tensor to explain."
        )
    if not single:
        _refuse_bounded(program, name, trial)
    inline_regions(program.graph_module)
    _refuse_higher_order(program, name)
    try:
        reading = Reader(program).read()
    except ViewWritten:
        program = program.run_decompositions({})
        inline_regions(program.graph_module)
        reading = Reader(program).read()
    operations, output, names = _without_dead_steps(real_detours(reading[0]), *reading[1:])
    if single and operations[output].shape[:1] != (1,):
        raise GraphError(f"{name} gives no result an image.")
    operations = [_plainly(operation) for operation in operations]

    def make(dtype: torch.dtype | None = None, fold: bool = True) -> Graph:
        steps = (operations if dtype is None else [operation.to(dtype) for operation in operations], output, names)
        size = tuple(example.shape[1:])
        return _folded(steps, size) if fold else Graph(*steps, example_shape=size)

    graph = finish(make())
    Proof(name, graph, program, trial, make).check()
    return graph


def _refuse_bounded(program: torch.export.ExportedProgram, name: str, trial: Trial) -> None:
    """A branch on the batch size leaves a bound on it: what was traced is one side of the branch. Where the other side answers alike,
    as where torch itself chooses another way of computing, one image is traced."""
    images = set(program.graph_signature.user_inputs)
    node = next(node for node in program.graph.nodes if node.op == "placeholder" and node.name in images)
    size = node.meta["val"].shape[0]
    bounds = program.range_constraints.get(size.node.expr) if isinstance(size, torch.SymInt) else None
    if bounds is None or bounds.upper >= FEW:
        return
    if bounds.upper < MANY and trial.answers_one_by_one(int(bounds.upper) + 1):
        raise OneBatchSize(f"{name} is computed in another way for more than {bounds.upper} images at once.")
    raise GraphError(
        f"{name} treats more than {bounds.upper} images at once another way than fewer: its code branches on the batch size. "
        "Explain it with that branch taken out, so that each image's answer is one function of the image."
    )


def _refuse_higher_order(program: torch.export.ExportedProgram, name: str) -> None:
    for node in program.graph.nodes:
        branches = isinstance(node.target, HigherOrderOperator)
        if branches or str(getattr(node.target, "__module__", "")).startswith(
            ("torch._functorch", "torch._C._functorch")
        ):
            step = "torch.vmap or another function of torch.func" if not branches else f"torch.{node.target}"
            raise GraphError(
                f"{name} cannot become a graph: it calls {step}, which runs a function as one step. Write that step with "
                f"tensor operations (torch.where for a branch, a batch axis for vmap). {WITHOUT_GRAPH}"
            )


def _folded(plain: Steps, size: tuple[int, ...]) -> Graph:
    """A graph with its batch norms merged into the steps before them, which knows what it was before."""
    folded, merged = fold_batch_norms(*plain)
    if not merged:
        return Graph(*plain, example_shape=size)
    return Graph(*_without_dead_steps(*folded), example_shape=size, before=Before(Graph(*plain, size)))


def _plainly(operation: Operation) -> Operation:
    """An instance norm on running statistics as the batch norm in evaluation mode that it is."""
    if operation.target != "instance_norm" or operation.args[5]:
        return operation
    return replace(operation, target="batch_norm", function=torch.ops.aten.batch_norm.default)


def _selecting(forward: Callable[[Tensor], Any], select: Callable[[Any], Tensor]) -> Callable[[Tensor], Tensor]:
    """A module's forward, of whose result one tensor is taken."""

    # torch.export looks at the code of a plain function.
    def selected(x: Tensor) -> Tensor:
        return select(forward(x))

    return selected


def _copy(trial: Trial, hooks: bool) -> nn.Module:
    module = trial.fresh(hooks=hooks)
    if trial.select is not None:
        # On the copy itself: a module around it would stand before the names of all layers.
        module.forward = _selecting(module.forward, trial.select)
    return module


def _program(trial: Trial, name: str, hooks: bool, single: bool) -> torch.export.ExportedProgram:
    with torch.no_grad(), _silence():
        try:
            x = trial.x[:1] if single else trial.x
            module = _copy(trial, hooks)
            stand = trial.stands[module]
            try:
                with stand.inside():
                    return trace(_traced(module, stand.modules), x, any_batch=not single)
            except KeepsTensors:
                trial.put_back()
                module = _copy(trial, hooks)
                with trial.stands[module].inside():
                    return trace(Outer(module, {}), x, any_batch=not single)
        except GraphError:
            raise
        except Exception as error:
            said = _explain(error, trial, name)
            raise (OneBatchSize if ONE_SIZE in said else GraphError)(said) from error
        finally:
            trial.put_back()


def _traced(module: nn.Module, beside: dict[str, nn.Module]) -> nn.Module:
    # Of a module of torch.fx, torch.export would describe the answer by the module's own code, whatever is taken of it.
    return Outer(module, beside) if beside or isinstance(module, torch.fx.GraphModule) else module


ONE_SIZE = "it only works at one batch size"

WITHOUT_GRAPH = "RISE and Occlusion need no graph: they explain it as it is."

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


def _explain(error: Exception, trial: Trial, name: str) -> str:
    text, example, failure = str(error), trial.x, trial.failure
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:200]
    if any(
        sign in text for sign in ("data-dependent", "GuardOnDataDependent", "Could not guard", "_local_scalar_dense")
    ):
        reason = (
            "its control flow depends on values of the input (an `if`, `.item()` or a Python loop over a tensor), so it has no "
            "fixed graph: replace that step by torch.where or a fixed computation"
        )
    elif "Constraints violated" in text or "specializ" in text.lower():
        reason = f"{ONE_SIZE}: use x.shape[0] or -1 for the batch size (len(x) fixes it as well)"
    elif isinstance(error, OneSizeOnly):
        reason = f"{ONE_SIZE} with torch {torch.__version__}"
    elif "fake tensor in the exported program constant" in text:
        reason = "it uses `.data` of an activation, which leaves no trace: use the tensor itself, or .detach()"
    elif failure is not None:  # the model does not run at all on this input
        size, said = ", ".join(map(str, example.shape[1:])), str(failure).strip().rstrip(".!")
        if isinstance(failure, TypeError) and "required positional argument" in said:
            return f"{name} takes more than the images: {said}. Wrap it in a module whose forward(x) takes the images alone."
        return (
            f"x of shape (N, {size}) in {example.dtype} on {example.device} does not run through {name}: "
            f"{type(failure).__name__}: {said}. Give images of the size, channels, dtype and device it was built for "
            "(many transformers take one size only)."
        )
    else:
        reason = "torch.export cannot trace it"
    # Detectors, with their suppression of boxes, are the most of these.
    return f"{name} cannot become a graph: {reason}. {WITHOUT_GRAPH} torch.export says: {first}"


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
