"""Keeps the books of relevance on its way down."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiwidgets.graph import Graph, Operation
from xaiwidgets.graph.kinds import kind_of, offset_of
from xaiwidgets.graph.local import Into
from xaiwidgets.graph.operation import constants_in
from xaiwidgets.graph.propagate import Propagator
from xaiwidgets.lrp.result import Conservation, Leak

__all__ = ["Account", "leaks_into"]


class Account:
    """A `trace` for `Propagator.down` that adds up what arrives at each value and what goes on."""

    def __init__(self, propagator: Propagator) -> None:
        self.propagator = propagator
        self.arrived: dict[int, Tensor] = {}
        self.lost: dict[int, Tensor] = {}

    def __call__(self, index: int, relevance: Tensor, shares: Sequence[Tensor | Into | None]) -> None:
        arrived = relevance.sum()
        operation = self.propagator.graph.operations[index]
        kind = kind_of(operation)
        self.arrived[index] = self.arrived.get(index, 0) + arrived
        if kind not in EXACT and (kind != "pass" or offset_of(operation) is not None):
            parts = [share.relevance if isinstance(share, Into) else share for share in shares if share is not None]
            gone = arrived - torch.stack([part.sum() for part in parts]).sum()
            self.lost[index] = self.lost.get(index, 0) + gone

    def close(self, start: float, reached: float, score: float | None = None, note: str = "") -> Conservation:
        graph, names = self.propagator.graph, _layer_of_each(self.propagator.graph)
        layers = {names[i]: float(total) for i, total in self.arrived.items() if i in names}
        leaks = []
        for index, gone in self.lost.items():
            operation, rule = graph.operations[index], self.propagator.rules[index]
            into = leaks_into(operation, getattr(rule, "takes_bias", True))
            leaks.append(Leak(operation.layer or operation.name, into or "rounding", float(gone)))
        leaks.sort(key=lambda leak: -abs(leak.amount))
        return Conservation(start, reached, layers, tuple(leaks), score, note)


# Kinds that hand on all they get, unless constants are among what they join.
EXACT = frozenset({"winner", "product"})


def leaks_into(operation: Operation, bias: bool = True) -> str | None:
    """What relevance can get lost into at an operation; None where nothing can."""
    kind = kind_of(operation)
    constants = any(c.is_floating_point() for c in constants_in(operation.args))
    if kind == "linear":
        return "bias and ε" if bias and len(operation.args) > 2 and operation.args[2] is not None else "ε"
    if kind == "sum":
        return "an added constant" if constants or (len(operation.inputs) < 2 and operation.target == "add") else "ε"
    if kind == "pass":
        return None if offset_of(operation) is None else "the constant of a non-linearity"
    if kind == "norm":
        return "shift and ε"
    if kind == "move":
        return "constant tokens" if operation.target in {"cat", "concat", "stack"} else None
    return "ε and softmax" if kind == "attention" else None


def _layer_of_each(graph: Graph) -> dict[int, str]:
    """For each step that ends a module, that module's name (the innermost)."""
    names: dict[int, str] = {}
    for name, index in graph.layers.items():
        if len(name) >= len(names.get(index, "")):
            names[index] = name
    return names
