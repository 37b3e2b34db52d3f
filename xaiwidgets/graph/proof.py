"""A graph is held against the module it was made from, and where they differ the first step that does is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import GraphError
from xaiwidgets.graph.trial import BATCHES, Trial, Widened

__all__ = ["Proof"]

# Random numbers drawn by steps that need not draw any: what tells whether they do, as (position, name, value that draws none).
MAY_DRAW: dict[str, tuple[int, str, Any]] = {
    "dropout": (2, "train", False),
    "dropout_": (2, "train", False),
    "feature_dropout": (2, "train", False),
    "alpha_dropout": (2, "train", False),
    "feature_alpha_dropout": (2, "train", False),
    "rrelu": (3, "training", False),
    "rrelu_": (3, "training", False),
    "scaled_dot_product_attention": (4, "dropout_p", 0.0),
}
RATHER = "RELAX, RISE and occlusion, which only call the module, explain it."


@dataclass(frozen=True)
class Proof:
    """What it takes to hold a graph against its module.

    `trial` has the module's own answers. `make(dtype, fold)` makes the graph computed throughout in a precision, from its constants
    on; without `fold` it has a step for every step of `program`.
    """

    name: str
    graph: Graph
    program: torch.export.ExportedProgram
    trial: Trial
    make: Callable[..., Graph]

    def check(self) -> None:
        """Raise `GraphError` where graph and module disagree by more than rounding, or the module by itself."""
        trial, answers = self.trial, self.trial.answers
        if self.graph.single and trial.alone is not None:  # a module that takes no more
            if not _close(self.graph.run(trial.x[:1]), trial.alone, within=1e-4):
                raise GraphError(
                    f"{self.name} cannot be explained on a graph: what was traced gives another answer. {RATHER}"
                )
            return
        if trial.failure is not None:
            size = BATCHES[len(answers)]
            said = f"{type(trial.failure).__name__}: {str(trial.failure).strip().rstrip('.!')}"
            raise GraphError(f"{self.name} does not run on {size} image(s): {said}.") from trial.failure
        found = [self.graph.run(trial.x[:size]) for size in BATCHES]
        agree = _agree(found, answers, _narrowest(self.program)) and _agree(
            [answers[0][:1]], [answers[1]], torch.float32
        )
        draws = any(True for _ in _draws(self.program))
        if (draws or not agree) and not self._answers_again(8 if draws else 1):
            raise GraphError(self._random())
        if not agree:
            self._look_closer(found)
        if self._mixing():
            raise GraphError(self._mixed())

    def _mixing(self) -> list[str]:
        """Layers that take statistics over the batch, whether or not a later step undoes what they do."""
        return [o.layer for o in self.graph.operations if o.target == "batch_norm" and o.args[5]]

    def _answers_again(self, times: int) -> bool:
        """Whether the module gives the same answer so many times more: a few draws may happen to make no difference."""
        trial, module = self.trial, self.trial.fresh(hooks=True)
        return all(_close(trial.ask(module, trial.x), trial.answers[0], loose=True) for _ in range(times))

    def _look_closer(self, found: Sequence[Tensor]) -> None:
        """The same in float64, where rounding is out of the question; if it still differs, say where."""
        trial, answers = self.trial, self.trial.answers
        try:
            module, x = trial.fresh(hooks=True, dtype=torch.float64), trial.x.double()
            with Widened():
                answers = [trial.ask(module, x[:size]) for size in BATCHES]
            graph = self.make(torch.float64, True)
            found = [graph.run(x[:size]) for size in BATCHES]
            agree = all(map(_close, found, answers))
        except Exception:  # code that insists on its own precision
            agree = all(_close(ours, theirs, loose=True) for ours, theirs in zip(found, answers, strict=True))
        if not agree:
            raise GraphError(self._difference())
        if answers[1].shape != answers[0][:1].shape:
            raise GraphError(
                f"{self.name} answers two images with shape {tuple(answers[0].shape)} and one with {tuple(answers[1].shape)}: the axis "
                "of the images must stay. Say which axes go: x.squeeze(-1) or x.flatten(1) rather than x.squeeze()."
            )
        if not _close(answers[0][:1], answers[1], loose=True):
            raise GraphError(self._mixed())

    # -- what to say ---------------------------------------------------------------------------------------------------

    def _random(self) -> str:
        where = ", ".join(
            dict.fromkeys(f"{step} in {layer or 'the model itself'!r}" for step, layer in _draws(self.program))
        )
        return (
            f"{self.name} is random in evaluation mode: the same images get other answers each time{f' ({where})' if where else ''}. "
            f"There is no one function to explain: switch that off (dropout needs training=self.training). {RATHER}"
        )

    def _mixed(self) -> str:
        norms = self._mixing()
        where = (
            f" (statistics of the batch in {', '.join(map(repr, norms[:4]))}: no running ones are tracked)"
            if norms
            else ""
        )
        return (
            f"{self.name} answers differently to an image when others are in its batch{where}, so that no image's answer can be "
            "explained by itself. Let it treat each image apart, for example with track_running_stats=True."
        )

    def _difference(self) -> str:
        place, share = self._first_difference()
        return (
            f"{self.name} cannot be explained on a graph: what was traced gives another answer than the module. The first step that "
            f"differs is {place}{'' if share is None else f', by {share:.2g} of its largest value'}: write it another way. {RATHER}"
        )

    def _first_difference(self) -> tuple[str, float | None]:
        x = self.trial.x[:1] if self.graph.single else self.trial.x
        unfolded = self.make(None, False)
        unfolded = unfolded.to(unfolded.dtype)
        if not all(ours.shape == theirs.shape for ours, theirs in zip(self._runs(), self.trial.answers, strict=True)):
            shapes = [tuple(run.shape) for run in (*self._runs(), *self.trial.answers)]
            return f"its output, of shape {shapes[: len(BATCHES)]} and not {shapes[len(BATCHES) :]}", None
        traced = _Recorder(self.program).values(x)
        ours: dict[int, Tensor] = {}
        for index, value in unfolded.steps(x, unfolded.output):
            operation = unfolded.operations[index]
            if not isinstance(value, Tensor) or index == 0:
                continue
            ours[index] = value.clone()
            theirs = traced.get(operation.name)
            if isinstance(theirs, Tensor) and not _close(value, theirs, loose=True):
                return f"{operation.name!r} ({operation.target}) in layer {operation.layer!r}", _distance(value, theirs)
        for layer, theirs in _outputs(self.trial, x):
            place = unfolded.layers.get(layer, -1)
            if place in ours and not _close(ours[place], theirs, loose=True):
                return f"in layer {layer!r} ({unfolded.operations[place].target})", _distance(ours[place], theirs)
        return "a batch norm merged into the step before it", None

    def _runs(self) -> list[Tensor]:
        return [self.graph.run(self.trial.x[:size]) for size in BATCHES]


class _Recorder(torch.fx.Interpreter):
    """Runs a program as torch.export gave it, and keeps the value of every step."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__(program.graph_module)
        self.program, self.kept = program, dict[str, Any]()

    @torch.no_grad()
    def values(self, x: Tensor) -> dict[str, Any]:
        given = []
        for spec in self.program.graph_signature.input_specs:
            held = None if spec.target is None else self.program.state_dict.get(spec.target)
            held = self.program.constants[spec.target] if held is None and spec.target is not None else held
            value = x if held is None else held
            given.append(value.detach().clone() if isinstance(value, Tensor) else value)
        self.run(*given)
        return self.kept

    def run_node(self, node: Any) -> Any:
        result = super().run_node(node)
        entries = result if isinstance(result, tuple | list) else [result]
        for number, entry in enumerate(entries):
            name = node.name if entries is not result else f"{node.name}_{number}"
            self.kept[name] = entry.detach().clone() if isinstance(entry, Tensor) else entry
        return result


def _outputs(trial: Trial, x: Tensor) -> list[tuple[str, Tensor]]:
    """What each part of a module gave in its last call, in the order of these."""
    module = trial.fresh(hooks=True)
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, given: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                found.pop(name, None)
                found[name] = output.detach().clone()

        return hook

    for name, part in trial.parts(module):
        part.register_forward_hook(keep(name))
    trial.ask(module, x)
    return list(found.items())


def _draws(program: torch.export.ExportedProgram) -> Iterator[tuple[str, str]]:
    """Steps of a program that draw random numbers, each with its layer."""
    for node in program.graph.nodes:
        tags = getattr(node.target, "tags", ())
        if node.op != "call_function" or torch.Tag.nondeterministic_seeded not in tags:
            continue
        name = node.target._schema.name.split("::")[1]
        if name in MAY_DRAW:
            position, keyword, none = MAY_DRAW[name]
            given = node.args[position] if len(node.args) > position else node.kwargs.get(keyword, none)
            if given == none:
                continue
        stack = node.meta.get("nn_module_stack") or {}
        yield name, next((path.split("@")[0] for path, _ in reversed(stack.values())), "")


# -- how near is near enough -------------------------------------------------------------------------------------------


def _narrowest(program: torch.export.ExportedProgram) -> torch.dtype:
    """The least precise floating-point type among a program's values."""
    kinds = {torch.float32}
    for node in program.graph.nodes:
        value = node.meta.get("val")
        kinds.update(
            entry.dtype
            for entry in (value if isinstance(value, tuple | list) else [value])
            if isinstance(entry, Tensor) and entry.is_floating_point()
        )
    return max(kinds, key=lambda kind: torch.finfo(kind).eps)


def _agree(found: Sequence[Tensor], expected: Sequence[Tensor], precision: torch.dtype) -> bool:
    """Whether no more than rounding of float32 lies between answers. Those of 16 bits are never near enough to tell."""
    return precision == torch.float32 and all(
        _close(ours, theirs, like=expected[0], within=1e-5) for ours, theirs in zip(found, expected, strict=True)
    )


def _close(ours: Tensor, theirs: Tensor, loose: bool = False, like: Tensor | None = None, within: float = 1e-6) -> bool:
    """Whether two answers are one: to `within` of the largest value and, since that may be the same for all images, to a
    thousandth of what two images (`like`) differ by."""
    if ours.shape != theirs.shape or not torch.equal(ours.isfinite(), theirs.isfinite()):
        return False
    distance, size = _distance(ours, theirs), float(_finite(theirs).abs().max()) if theirs.numel() else 0.0
    if loose:
        return distance <= 5e-3
    like = theirs if like is None else like
    spread = float((_finite(like[:1]) - _finite(like[1:])).abs().max()) if len(like) > 1 else size
    return distance <= within and distance * size <= 1e-3 * max(spread, 1e-12 * size)


def _distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    if ours.shape != theirs.shape:
        return float("inf")
    if not ours.numel():
        return 0.0
    ours, theirs = _finite(ours).double(), _finite(theirs).double()
    size = max(float(theirs.abs().max()), float(ours.abs().max()))
    return float((ours - theirs).abs().max()) / size if size else 0.0


def _finite(x: Tensor) -> Tensor:
    return torch.where(x.isfinite(), x, torch.zeros((), dtype=x.dtype, device=x.device)) if x.is_floating_point() else x
