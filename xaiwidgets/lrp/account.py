"""Keeps the books of relevance on its way down."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

from xaiwidgets.graph import Graph, Operation
from xaiwidgets.graph.carried import Carried, Factor, total
from xaiwidgets.graph.kinds import kind_of, offset_of
from xaiwidgets.graph.linear import bias_of
from xaiwidgets.graph.local import Into, content, speaks_for
from xaiwidgets.graph.operation import constants_in
from xaiwidgets.graph.propagate import Propagator
from xaiwidgets.lrp.result import Conservation, Leak

__all__ = ["Account", "leaks_into"]


_leaks: weakref.WeakKeyDictionary[Propagator, dict[int, str | None]] = weakref.WeakKeyDictionary()


class Account:
    """A `trace` for `Propagator.down` that adds up what arrives at each value and what goes on, from the output to the input."""

    def __init__(self, propagator: Propagator) -> None:
        self.propagator = propagator
        self.arrived: dict[int, Tensor] = {}
        self.lost: dict[int, Tensor] = {}
        self._names = _layer_of_each(propagator.graph)
        # What has been handed to each value so far; None where a part of it was not added up.
        self._handed: dict[int, Tensor | None] = {}

    def __call__(self, index: int, relevance: Carried, shares: Sequence[Carried | Into | None]) -> None:
        graph = self.propagator.graph
        leak, factor = self._leak(index), isinstance(relevance, Factor)
        # A factor goes on without an ε; one is there where relevance becomes a factor.
        becomes = not factor and any(isinstance(content(share), Factor) for share in shares)
        leaks = becomes or (leak is not None and not (leak == "ε" and factor))
        if index == graph.output:
            self._handed.clear()
        arrived = self._handed.pop(index, None)
        if leaks or index in self._names or index == graph.output:
            arrived = total(relevance) if arrived is None else arrived
            self.arrived[index] = self.arrived.get(index, 0) + arrived
        # What is handed to a constant, such as queries that were learned, goes nowhere.
        handed = zip(graph.operations[index].inputs, shares, strict=True)
        parts = [(i, share) for i, share in handed if share is not None and self.propagator.carries[i]]
        sources, given = [i for i, _ in parts], [share for _, share in parts]
        if arrived is None:
            self._handed.update(dict.fromkeys(sources))
            return
        sums = self._sums(given, arrived, leaks=leaks)
        if leaks:
            self.lost[index] = self.lost.get(index, 0) + arrived - sum(sums)
        for source, part in zip(sources, sums, strict=True):
            before = self._handed.get(source, 0)
            self._handed[source] = None if before is None else before + part

    def _sums(self, shares: Sequence[Carried | Into], arrived: Tensor, *, leaks: bool) -> list[Tensor]:
        """The sum of each share. Where nothing is lost, that of the first follows from what arrived: reading all tensors again at each
        step took a tenth of the time of a batch."""
        found = [total(content(share)) for share in shares[0 if leaks else 1 :]]
        return found if leaks or not shares else [arrived - sum(found), *found]

    def _leak(self, index: int) -> str | None:
        """What relevance can get lost into at a step; None where nothing can. Worked out once a propagator."""
        known = _leaks.setdefault(self.propagator, {})
        if index not in known:
            known[index] = self._find_leak(index)
        return known[index]

    def _find_leak(self, index: int) -> str | None:
        rule = self.propagator.rules[index]
        into = leaks_into(self.propagator.graph.operations[index], getattr(rule, "takes_bias", True))
        if into is None and rule is not None and not (rule.conserves and speaks_for(rule, "conserves", "down")):
            into = f"what {rule.describe()} does not conserve"
        return into

    def close(
        self, finite: Tensor, start: Tensor, reached: Tensor, score: Tensor | None = None, note: str = ""
    ) -> tuple[bool, Conservation]:
        """Whether all is `finite`, and the account. All numbers come in one go: each by itself would wait for the device."""
        graph, names = self.propagator.graph, self._names
        sums = [finite, start, reached, *([] if score is None else [score])]
        numbers = _numbers([*sums, *self.arrived.values(), *self.lost.values()])
        good, begun, end, *rest = numbers[: len(sums)]
        arrived = dict(zip(self.arrived, numbers[len(sums) :], strict=False))
        lost = dict(zip(self.lost, numbers[len(sums) + len(arrived) :], strict=True))
        if graph.output in arrived and self.propagator.forms.factored[graph.output]:
            # It became a factor there before anybody looked.
            lost[graph.output] = lost.get(graph.output, 0.0) + begun - arrived[graph.output]
        layers = {names[i]: total for i, total in arrived.items() if i in names}
        leaks = []
        for index, gone in lost.items():
            operation = graph.operations[index]
            leaks.append(Leak(operation.layer or operation.name, self._leak(index) or "ε", gone))
        leaks.sort(key=lambda leak: -abs(leak.amount))
        return bool(good), Conservation(begun, end, layers, tuple(leaks), rest[0] if rest else None, note)


def _numbers(totals: Sequence[Tensor]) -> list[float]:
    # Apple's device has no float64.
    kind = torch.float32 if totals[0].device.type == "mps" else torch.float64
    found: list[float] = torch.stack([total.to(kind) for total in totals]).tolist()
    return found


# Steps that may put in what is no entry of what they read: tokens, zeros or numbers beside it, a bound that wins against it.
BY_TARGET: dict[str, str] = {
    target: into
    for into, targets in {
        "constant tokens": "cat concat concatenate stack hstack vstack dstack column_stack row_stack",
        "entries filled in": """
            pad constant_pad_nd where masked_fill masked_scatter scatter select_scatter slice_scatter diagonal_scatter index_put
            index_copy index_fill max_unpool2d max_unpool3d tril triu diag diag_embed block_diag im2col nan_to_num
        """,
        "a fixed bound": "maximum minimum fmax fmin",
    }.items()
    for target in targets.split()
}
BY_KIND = {"norm": "shift and ε", "attention": "ε and softmax"}


def leaks_into(operation: Operation, bias: bool = True) -> str | None:
    """What relevance can get lost into at an operation; None where nothing can."""
    kind = kind_of(operation)
    if kind == "linear":
        return "bias and ε" if bias and bias_of(operation) is not None else "ε"
    if kind == "sum":
        constants = any(c.is_floating_point() for c in constants_in((operation.args, operation.kwargs)))
        return "an added constant" if constants or (len(operation.inputs) < 2 and operation.target == "add") else "ε"
    if kind == "pass":
        return None if offset_of(operation) is None else "the constant of a non-linearity"
    return BY_KIND.get(kind or "") or BY_TARGET.get(operation.target)


def _layer_of_each(graph: Graph) -> dict[int, str]:
    """For each step that ends a module, that module's name (the innermost)."""
    names: dict[int, str] = {}
    for name, index in graph.layers.items():
        if len(name) >= len(names.get(index, "")):
            names[index] = name
    return names
