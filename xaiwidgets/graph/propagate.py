"""Relevance down a recorded forward pass, and the adjoint up.

Going down, the relevance of a value is complete once all its readers have handed theirs over, so one walk from the last
operation to the first does it. Conditions multiply the relevance of a value by a mask at that moment; a mask with K rows
turns one row into K from there on, so all rows share everything above their layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.graph.carried import Carried, Forms, hand_over
from xaiwidgets.graph.graph import Graph, joined
from xaiwidgets.graph.local import Into, Local, Site
from xaiwidgets.graph.operation import GraphError

__all__ = ["Masks", "Propagator", "Record", "Trace"]

Trace = Callable[[int, Carried, Sequence[Carried | Into | None]], None]


@dataclass(frozen=True)
class Record:
    """One forward pass: the values rules asked for, the shapes of all, and the output.

    `memory` (a dict) lets rules keep what they compute from activations alone for further passes over this record. `parts` are the
    records of single images, where the graph takes no more at once.
    """

    values: dict[int, Any]
    shapes: tuple[Any, ...]
    output: Tensor
    memory: dict[Any, Any] | None = None
    parts: tuple[Record, ...] = ()

    @property
    def batch(self) -> int:
        return int(self.shapes[0][0])


@dataclass(frozen=True)
class Masks:
    """Conditions on relevance, ready to multiply.

    `masks`: index of a value -> (K, N or 1, *broadcastable to the value), or 1 instead of K.
    `only_through`: index -> (K,) flags, on the CPU, of the rows whose relevance may pass only through that value: what runs beside it,
    over shortcuts, is dropped.
    """

    masks: Mapping[int, Tensor] = field(default_factory=dict)
    only_through: Mapping[int, Tensor] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return max((mask.shape[0] for mask in (*self.masks.values(), *self.only_through.values())), default=1)

    @property
    def top(self) -> int:
        """The value nearest to the output that has a condition; -1 where none has."""
        return max((*self.masks, *self.only_through), default=-1)

    def image(self, number: int) -> Masks:
        """Those of one image."""
        return Masks({index: _images(mask, number) for index, mask in self.masks.items()}, self.only_through)

    def part(self, rows: slice) -> Masks:
        return Masks(
            {index: _rows(mask, rows) for index, mask in self.masks.items()},
            {index: flags[rows] for index, flags in self.only_through.items()},
        )


class Propagator:
    """A graph with one rule (`Local`) for each operation. Holds no state of a pass; threads may share it.

    Names of layers, of steps, "input" and "output", and indices of operations all name values.
    """

    def __init__(self, graph: Graph, rules: Sequence[Local | None]) -> None:
        self.graph = graph
        self.rules = tuple(rules)
        carries = [True] + [False] * (len(rules) - 1)
        for operation in graph.operations[1:]:
            rule = rules[operation.index]
            carries[operation.index] = (
                rule is not None and not rule.holds and any(carries[index] for index in operation.feeds)
            )
        self.carries = tuple(carries)
        if not self.carries[graph.output]:
            raise GraphError(
                f"no relevance can reach the input: every path to it is held constant by this composite{self._held()}."
            )
        self.forms = Forms.of(graph.operations, self.rules, self.carries)
        self._needed = frozenset(self._values_needed())

    def index(self, name: str | int) -> int:
        if isinstance(name, int):
            return name
        return self.graph.output if name == "output" else self.graph.index(name)

    def _held(self) -> str:
        """Where relevance would have come from the input."""
        steps = [
            f"{o.target} in {o.layer!r}" if o.layer else o.target
            for o, rule in zip(self.graph.operations, self.rules, strict=True)
            if rule is not None and rule.holds and any(self.carries[i] for i in o.feeds)
        ]
        return f" ({', '.join(dict.fromkeys(steps[:3]))})" if steps else ""

    # -- forward ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def record(self, x: Tensor, keep: Iterable[str | int] = (), memory: bool = False) -> Record:
        """One forward pass of x (N, C, H, W), keeping what the rules need and the values named by `keep`."""
        self.graph.check_input(x)
        if self.graph.single and len(x) > 1:
            return _together([self.record(image, keep, memory) for image in x.split(1)])
        kept = self._needed | {self.index(name) for name in keep} | {self.graph.output}
        values: dict[int, Any] = {}
        shapes: list[Any] = [None] * len(self.graph.operations)
        for index, value in self.graph.steps(x, self.graph.output, keep=kept):
            if isinstance(value, Tensor):
                shapes[index] = tuple(value.shape)
                if index in kept:
                    values[index] = value
            else:
                values[index] = value
        return Record(values, tuple(shapes), values[self.graph.output], {} if memory else None)

    def _values_needed(self) -> Iterator[int]:
        for operation in self.graph.operations[1:]:
            rule = self.rules[operation.index]
            if rule is None or not self.carries[operation.index]:
                continue
            masks = (index for index in operation.inputs if self.graph.operations[index].selects)
            yield from operation.inputs if rule.needs_inputs else masks
            if rule.needs_output:
                yield operation.index
            if self.forms.factored[operation.index]:
                # What a factor is multiplied with, where the other form is asked for.
                yield operation.index
                yield from (index for index in operation.inputs if self.carries[index])

    def _site(self, record: Record, index: int, wanted: Sequence[bool]) -> Site:
        operation, rule = self.graph.operations[index], self.rules[index]
        inputs = operation.inputs
        all_inputs = (rule is not None and rule.needs_inputs) or self.forms.factored[index]
        return Site(
            operation,
            tuple(record.values.get(i) if all_inputs or self._recorded(record, i) else None for i in inputs),
            record.values.get(index),
            tuple(record.shapes[i] for i in inputs),
            record.shapes[index],
            tuple(self.carries[i] for i in inputs),
            tuple(wanted[i] for i in inputs),
            record.batch,
            record.memory,
        )

    def _recorded(self, record: Record, index: int) -> bool:
        """Whether any rule may read this value: sizes, masks and positions."""
        return record.shapes[index] is None or self.graph.operations[index].selects

    # -- down ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def down(
        self,
        record: Record,
        start: Mapping[Any, Tensor],
        to: Sequence[str | int] = ("input",),
        conditions: Masks | None = None,
        *,
        chunk: int | None = None,
        stop: bool = False,
        trace: Trace | None = None,
    ) -> dict[str | int, Tensor]:
        """Relevance at the values named by `to`, each (K, N, *shape of the value).

        Args:
            record: from `record`.
            start: relevance (K or 1, N, *shape) at one or more values ("output", a layer).
            conditions: masks on the way; their rows and those of `start` broadcast.
            chunk: how many rows to carry below the first condition at once; bounds memory. Default: all.
            stop: let relevance end at the values of `to`, and leave out those that none reaches: who feeds whom directly.
            trace: called as trace(index, relevance, shares of its inputs) for every operation passed.
        """
        conditions = conditions or Masks()
        if record.parts:
            options: dict[str, Any] = {"chunk": chunk, "stop": stop, "trace": trace}
            return _image_by_image(
                record, start, lambda part, i, begun: self.down(part, begun, to, conditions.image(i), **options)
            )
        given = {self.index(name): tensor for name, tensor in start.items()}
        forms = self.forms.given_at(given)
        state = {index: forms.begun(tensor, record.values.get(index), index) for index, tensor in given.items()}
        targets = {self.index(name): name for name in to}
        rows = max(conditions.rows, *(tensor.shape[0] for tensor in state.values()))
        leads = self._leads(targets)
        fixed: dict[str, Any] = {"targets": targets, "leads": leads, "stop": stop, "trace": trace, "forms": forms}
        top = first = max(state)
        if chunk is None or rows <= chunk:
            found = self._descend(record, state, range(top, -1, -1), conditions, **fixed)
        else:
            shared: dict[int, Tensor] = {}
            if all(tensor.shape[0] == 1 for tensor in state.values()) and conditions.top < top:
                shared = self._descend(record, state, range(top, conditions.top, -1), conditions, **fixed)
                top = conditions.top
            parts = []
            for row in range(0, rows, chunk):
                part = slice(row, min(row + chunk, rows))
                begun = {index: _rows(tensor, part) for index, tensor in state.items()}
                limits = conditions.part(part)
                parts.append(self._descend(record, begun, range(top, -1, -1), limits, **fixed))
            found = shared | {
                index: torch.cat([_at_least(part[index], min(chunk, rows - i * chunk)) for i, part in enumerate(parts)])
                for index in parts[0]
            }
        if first in found and forms.factored[first] and first not in conditions.masks:
            # What was given is what is there, at an entry of zero too.
            found[first] = given[first].expand_as(found[first])
        result: dict[str | int, Tensor] = {}
        for index, name in targets.items():
            if index not in found and stop:
                continue
            if index not in found:
                raise GraphError(f"no relevance reaches {name!r}: it does not lie between the start and the input.")
            result[name] = found[index]
        return result

    def _leads(self, targets: Iterable[int]) -> list[bool]:
        """For each value, whether relevance at it can still reach a target."""
        wanted = set(targets)
        leads: list[bool] = []
        for operation in self.graph.operations:
            index = operation.index
            leads.append(self.carries[index] and (index in wanted or any(leads[i] for i in operation.inputs)))
        return leads

    def _descend(
        self,
        record: Record,
        state: dict[int, Tensor],
        walk: range,
        conditions: Masks,
        *,
        targets: Mapping[int, Any],
        leads: Sequence[bool],
        stop: bool,
        trace: Trace | None,
        forms: Forms,
    ) -> dict[int, Tensor]:
        """Carry the relevance in `state` down the operations of `walk`; `state` keeps what lies below."""
        found: dict[int, Tensor] = {}
        own: set[int] = set()  # values of `state` that nobody else holds and that may be added to in place
        for index in walk:
            if index in conditions.only_through:
                _drop_beside(state, index, conditions.only_through[index])
            relevance = state.pop(index, None)
            if relevance is None:
                continue
            if index in conditions.masks:
                relevance = relevance * conditions.masks[index]
            if index in targets:
                found[index] = forms.relevance(relevance, record.values.get(index), index)
                if stop:
                    continue
            operation, rule = self.graph.operations[index], self.rules[index]
            if rule is None or not any(leads[i] for i in operation.inputs):
                continue
            site, factor = self._site(record, index, leads), forms.factored[index]
            given = rule.down_factor(relevance, site) if factor else rule.down(relevance, site)
            fresh = rule.fresh_factor if factor else rule.fresh
            shares = []
            for source, share in zip(operation.inputs, given, strict=True):
                shares.append(forms.handed(share, record.values.get(source), source, factor=factor, fresh=fresh))
            if trace is not None:
                seen = zip(operation.inputs, shares, strict=True)
                trace(
                    index,
                    forms.told(relevance, record.values.get(index), index),
                    [forms.told(share, record.values.get(source), source) for source, share in seen],
                )
            for source, share in zip(operation.inputs, shares, strict=True):
                if share is not None and leads[source]:
                    alone = fresh or forms.factored[source] != factor
                    hand_over(state, own, source, share, record.shapes[source], fresh=alone)
        return found

    # -- up --------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def up(
        self,
        record: Record,
        start: Mapping[Any, Tensor],
        to: Sequence[str | int] = ("output",),
        conditions: Masks | None = None,
    ) -> dict[str | int, Tensor]:
        """The adjoint of `down`: for v at the input (or any value), what each entry above would send to v.

        ⟨v, down(R)⟩ = ⟨up(v), R⟩ for any R at a value named by `to`. With v the indicator of a region, up(v) times the
        relevance at a layer is, entry by entry, the relevance that flows from there into the region.
        """
        conditions = conditions or Masks()
        if record.parts:
            return _image_by_image(record, start, lambda part, i, begun: self.up(part, begun, to, conditions.image(i)))
        given = {self.index(name): tensor for name, tensor in start.items()}
        targets = {self.index(name): name for name in to}
        forms = self.forms.given_at(targets)
        state = {index: forms.relevance(tensor, record.values.get(index), index) for index, tensor in given.items()}
        last, lowest = max(targets), min(given)
        reader = [0] * len(self.graph.operations)
        for operation in self.graph.operations[: last + 1]:
            for source in operation.inputs:
                reader[source] = operation.index
        found: dict[str | int, Tensor] = {}
        wanted = [True] * len(self.graph.operations)
        for operation in self.graph.operations[: last + 1]:
            index, rule = operation.index, self.rules[operation.index]
            value = state.pop(index, None)
            if rule is not None and self.carries[index]:
                factor = forms.factored[index]
                below = [
                    forms.lifted(state.get(source), record.values.get(source), source, factor=factor)
                    if self.carries[source]
                    else None
                    for source in operation.inputs
                ]
                if any(item is not None for item in below):
                    site = self._site(record, index, wanted)
                    lifted = rule.up_factor(below, site) if factor else rule.up(below, site)
                    value = lifted if value is None else value + lifted
            if value is not None:
                if index in conditions.masks:
                    value = value * conditions.masks[index]
                state[index] = value
                if index in targets:
                    back = forms.begun(value, record.values.get(index), index)
                    # As `down` has it: what was given is what is there.
                    found[targets[index]] = given[index] if index == lowest and index not in conditions.masks else back
            for source in operation.inputs:
                if reader[source] == index:
                    state.pop(source, None)
        missing = [name for name in targets.values() if name not in found]
        if missing:
            raise GraphError(f"nothing reaches {missing[0]!r} from {', '.join(map(str, start))}.")
        return found


def _together(parts: Sequence[Record]) -> Record:
    """Records of single images as one."""
    first = parts[0]
    values = {index: joined([part.values[index] for part in parts]) for index in first.values}
    shapes = tuple(shape and (shape[0] * len(parts), *shape[1:]) for shape in first.shapes)
    return Record(values, shapes, torch.cat([part.output for part in parts]), first.memory, tuple(parts))


def _image_by_image(
    record: Record, start: Mapping[Any, Tensor], go: Callable[..., dict[Any, Tensor]]
) -> dict[Any, Tensor]:
    """`go` for the record of each image with its number and what starts there of `start` (K, N, …); put together."""
    count = len(record.parts)
    found = [
        go(part, i, {name: _images(tensor, i, tensor.shape[1] // count) for name, tensor in start.items()})
        for i, part in enumerate(record.parts)
    ]
    return {name: torch.cat([each[name] for each in found], 1) for name in found[0]}


def _images(tensor: Tensor, number: int, size: int = 1) -> Tensor:
    """The part of (K, N, …) of one image; one entry of the batch may stand for all."""
    return tensor if tensor.shape[1] == 1 else tensor[:, number * size : (number + 1) * size]


def _drop_beside(state: dict[int, Tensor], index: int, rows: Tensor) -> None:
    """Of the rows flagged, keep only the relevance at value `index`."""
    for other in [i for i in state if i != index]:
        if bool(rows.all()):
            del state[other]
        else:
            kept = sent(~rows, state[other].device, state[other].dtype)
            state[other] = state[other] * kept.reshape(-1, *[1] * (state[other].ndim - 1))


def _rows(tensor: Tensor, rows: slice) -> Tensor:
    return tensor if tensor.shape[0] == 1 else tensor[rows]


def _at_least(tensor: Tensor, rows: int) -> Tensor:
    return tensor.expand(rows, *tensor.shape[1:]) if tensor.shape[0] == 1 else tensor
