"""Preparation, once a model: a composite, put on the model's graph, gives every operation its rule.

composite_for   the composite, with what only the model knows
survey          what there is to know of each operation of the graph
assign          the rule of each, from the two
prepare         the graph with its rules, ready for passes
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.graph import Graph, GraphError, Operation, Propagator, Value
from xaiwidgets.graph.kinds import GATES, KEEPS_SIGN, NEVER_NEGATIVE, kind_of, offset_of
from xaiwidgets.graph.local import Gate, Local, Pass, Surroundings
from xaiwidgets.graph.moves import Move
from xaiwidgets.graph.operation import argument, constants_in
from xaiwidgets.lrp.attention import FusedAttention, MatrixProduct, Softmax
from xaiwidgets.lrp.composites import Composite, make_composite
from xaiwidgets.lrp.rules import Rule
from xaiwidgets.lrp.treatments import Hold, Normalise, Product, Share, Shifted, Spread
from xaiwidgets.lrp.winners import Winner
from xaiwidgets.lrp.words import advice
from xaiwidgets.model import ImageModel
from xaiwidgets.model.arguments import per_channel

__all__ = ["assign", "assign_known", "composite_for", "prepare"]

BOXED = frozenset({"epsilon_gamma_box", "lrp_tutorial"})  # composites with a z-box, whose bounds the model knows


def composite_for(model: ImageModel, composite: str | Composite, parameters: Mapping[str, Any]) -> Composite:
    """A composite by name or as given, with its parameters; bounds of pixels are the model's where they are not given."""
    if not isinstance(composite, str) or composite not in BOXED:
        return make_composite(composite, **parameters)
    bounds = {
        name: per_channel(name, parameters[name], 0.0, model.channels)
        if name in parameters
        else tuple((pixel - mean) / std for mean, std in zip(model.mean, model.std, strict=True))
        for name, pixel in (("low", 0.0), ("high", 1.0))
    }
    return make_composite(composite, **{**parameters, **bounds})


def prepare(composite: Composite, graph: Graph) -> Propagator:
    """The graph of a model with the rules of a composite.

    Raises:
        ValueError: `layers` of the composite names what is not there.
        GraphError: operations that have no rule.
    """
    return Propagator(graph, assign(composite, graph))


def assign(composite: Composite, graph: Graph) -> list[Local | None]:
    """The `Local` of each operation of the graph. Raises `GraphError` for operations that have no rule, all at once."""
    locals_, without = assign_known(composite, graph)
    if without:
        lines = "; ".join(dict.fromkeys(f"{o.layer or o.name!r}: {advice(o)}" for o in without[:4]))
        more = "" if len(without) <= 4 else f"; and {len(without) - 4} more, see check(model)"
        raise GraphError(f"{len(without)} operation(s) have no rule. {lines}{more}.")
    return locals_


def assign_known(composite: Composite, graph: Graph) -> tuple[list[Local | None], list[Operation]]:
    """As `assign`, with the operations that have no rule listed instead of raised."""
    steps = survey(graph)
    _check_layers(composite, [step.operation for step in steps if step.kind == "linear"])
    locals_: list[Local | None] = []
    reached: list[bool] = []  # whether relevance at a value can go on to the input
    without: list[Operation] = []
    for step in steps:
        index = step.operation.index
        local: Local | None = None
        if step.carries and (step.kind == "mask" or not any(reached[i] for i in step.operation.feeds)):
            local = Hold()  # whatever it is, no relevance passes here
        elif step.carries:
            local = _local(composite, step)
            without += [step.operation] if local is None else []
        locals_.append(local)
        reached.append(index == 0 or (step.carries and not (local is not None and local.holds)))
    return locals_, without


# -- what there is to know -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """An operation and its place in the graph.

    Attributes:
        carries: its value depends on the values of the input, so that relevance can pass it.
        first: it is linear, and sees the input through no other linear step. last: the linear step nearest the output.
        place: of a linear step among all, 0 at the input and 1 at the output.
    """

    operation: Operation
    kind: str | None
    carries: bool
    first: bool
    last: bool
    place: float
    surroundings: Surroundings


def survey(graph: Graph) -> list[Step]:
    """The steps of a graph, in one walk from the input to the output."""
    operations, kinds = graph.operations, [kind_of(operation) for operation in graph.operations]
    readers = Counter(index for operation in operations for index in operation.inputs)
    plain = not any(operation.target == "add" and len(operation.inputs) == 2 for operation in operations)
    linear = [index for index, kind in enumerate(kinds) if kind == "linear"]
    place = {index: number / max(1, len(linear) - 1) for number, index in enumerate(linear)}
    from_input: list[bool] = []
    past_linear: list[bool] = []
    positive: list[bool] = []
    steps = []
    for operation, kind in zip(operations, kinds, strict=True):
        index, sources = operation.index, operation.inputs
        from_input.append(index == 0 or (kind != "size" and any(from_input[i] for i in operation.feeds)))
        past_linear.append(kind == "linear" or any(past_linear[i] for i in sources))
        positive.append(_never_negative(operation, [positive[i] for i in sources if operations[i].tensor]))
        source = sources[0] if sources else 0
        placed = _adds_constant(operations[source], from_input)
        steps.append(
            Step(
                operation,
                kind,
                carries=from_input[index] and kind not in {"input", "size"},
                first=kind == "linear" and not any(past_linear[i] for i in sources),
                last=bool(linear) and index == linear[-1],
                place=place.get(index, 0.0),
                surroundings=Surroundings(positive[source], readers[source] != 1 or source == 0, plain, placed),
            )
        )
    return steps


def _adds_constant(operation: Operation, from_input: Sequence[bool]) -> bool:
    """Whether a step adds a tensor that does not depend on the input to one that does."""
    tensors = [item for item in operation.args[:2] if isinstance(item, Value | Tensor)]
    moving = [isinstance(item, Value) and from_input[item.index] for item in tensors]
    return operation.target == "add" and sorted(moving) == [False, True]


def _never_negative(operation: Operation, positive: Sequence[bool]) -> bool:
    """Whether the result cannot be negative, given whether each tensor it reads cannot be."""
    target = operation.target
    if target == "hardtanh":
        return bool(argument(operation, 1, "min_val", -1) >= 0)
    if target not in KEEPS_SIGN or not operation.inputs:
        return target in NEVER_NEGATIVE
    numbers = [a for a in operation.args[1:2] if isinstance(a, int | float)] if target in {"add", "mul"} else []
    return (
        all(positive)
        and all(bool((constant >= 0).all()) for constant in constants_in(operation.args))
        and all(number >= 0 for number in numbers)
    )


# -- which rule ------------------------------------------------------------------------------------------------------


def _local(composite: Composite, step: Step) -> Local | None:
    """What an operation gets: the composite's own treatment, the rule of a linear step, or the treatment of its kind."""
    operation = step.operation
    if operation.target in composite.treatments:
        return composite.treatments[operation.target](operation, step.surroundings)
    if step.kind == "linear":
        rule = _chosen(composite, step)
        rule = dataclasses.replace(rule, zero_bias=True) if composite.zero_bias else rule
        return rule.prepare(operation, step.surroundings.positive)
    return None if step.kind is None else TREATMENTS[step.kind](operation, composite)


def _chosen(composite: Composite, step: Step) -> Rule:
    """The rule of a linear step: the first that fits."""
    for pattern, rule in composite.layers.items():
        if _matches(step.operation, pattern):
            return rule
    if step.first and composite.first is not None:
        return composite.first
    if step.last and composite.last is not None:
        return composite.last
    for up_to, rule in composite.steps:
        if step.place <= up_to:
            return rule
    target = step.operation.target
    family = "conv" if target.startswith("conv") else target
    return composite.kinds.get(target) or composite.kinds.get(family) or composite.default


def _check_layers(composite: Composite, linear: Sequence[Operation]) -> None:
    """Raise ValueError for a name or glob in `layers` that no linear step has."""
    for pattern in composite.layers:
        if not any(_matches(operation, pattern) for operation in linear):
            raise unknown("layers", pattern, [operation.layer or operation.name for operation in linear])


def _matches(operation: Operation, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in (operation.layer, operation.name))


def _sum(operation: Operation, composite: Composite) -> Local:
    if operation.target not in {"add", "sub", "rsub"}:
        return Spread(composite.stabiliser)
    constant = len(operation.inputs) < 2
    return Pass() if constant and composite.zero_bias else Share(composite.stabiliser)


def _pass(operation: Operation, composite: Composite) -> Local:
    offset = None if composite.zero_bias else offset_of(operation)
    if offset is None:
        return Gate() if operation.target in GATES else Pass()
    return Shifted(offset, composite.stabiliser)


def _norm(operation: Operation, composite: Composite) -> Local:
    return Normalise(operation, composite.stabiliser, composite.zero_bias)


def _attention(operation: Operation, composite: Composite) -> Local:
    held = composite.attention == "cp"
    if operation.target == "softmax":
        return Hold() if held else Softmax()
    if operation.target == "scaled_dot_product_attention":
        return FusedAttention(held, composite.stabiliser)
    return MatrixProduct(composite.stabiliser)


TREATMENTS: dict[str, Callable[[Operation, Composite], Local]] = {
    "sum": _sum,
    "pass": _pass,
    "norm": _norm,
    "attention": _attention,
    "move": lambda operation, composite: Move(),
    "winner": lambda operation, composite: Winner(),
    "product": lambda operation, composite: Product(),
    "statistic": lambda operation, composite: Hold(),
}
"""What operations of each kind but "linear" get."""
