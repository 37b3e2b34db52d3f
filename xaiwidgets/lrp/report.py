"""`check`: what the engine makes of a model, as a table a person can read, before anything is explained."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from xaiwidgets.graph import Graph
from xaiwidgets.graph.kinds import kind_of
from xaiwidgets.graph.local import Local
from xaiwidgets.lrp.account import leaks_into
from xaiwidgets.lrp.composites import Composite, make_composite
from xaiwidgets.lrp.preparing import assign_known
from xaiwidgets.lrp.rehearsal import rehearse
from xaiwidgets.lrp.words import advice
from xaiwidgets.model import ImageModel

__all__ = ["Report", "ReportRow", "check"]

SILENT = frozenset({"move", "pass", "size", "mask", "input"})


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One operation: the layer it belongs to, its ATen name and kind, the rule it gets, and what to know about it."""

    layer: str
    operation: str
    kind: str
    rule: str
    note: str
    supported: bool = True


@dataclass(frozen=True)
class Report:
    """What each operation of a model gets from a composite. `ok` says that LRP with it, CRP and absLRP went through on a random image;
    `unsupported` lists what stands in their way."""

    model: str
    composite: str
    rows: tuple[ReportRow, ...]

    @property
    def unsupported(self) -> tuple[ReportRow, ...]:
        return tuple(row for row in self.rows if not row.supported)

    @property
    def ok(self) -> bool:
        return not self.unsupported

    @property
    def summary(self) -> str:
        count = len(self.rows)
        if self.ok:
            return f"{self.model}: all {count} operations have a rule under {self.composite!r}."
        kinds = ", ".join(
            dict.fromkeys(
                f"{row.layer} ({row.operation})" if row.operation else row.note for row in self.unsupported[:4]
            )
        )
        return f"{self.model}: {len(self.unsupported)} of {count} operations have no rule under {self.composite!r}: {kinds}."

    @property
    def shown(self) -> tuple[ReportRow, ...]:
        """The rows worth a line: those that change relevance, and any unsupported."""
        return tuple(row for row in self.rows if row.kind not in SILENT or not row.supported)

    def __str__(self) -> str:
        titles = ("layer", "operation", "rule", "note")
        cells = [titles, *[(row.layer, row.operation, row.rule, row.note) for row in self.shown]]
        widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(cell, widths, strict=False)), cell[3]]).rstrip() for cell in cells
        ]
        return "\n".join([self.summary, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{title}</th>" for title in ("Layer", "Operation", "Rule", "Note"))
        body = ""
        for row in self.shown:
            style = "" if row.supported else " style='color:var(--jp-error-color1,#b00020);font-weight:600'"
            cells = "".join(
                f"<td style='text-align:left'>{html.escape(c)}</td>"
                for c in (row.layer, row.operation, row.rule, row.note)
            )
            body += f"<tr{style}>{cells}</tr>"
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"<div><p>{html.escape(self.summary)}</p><div style='max-height:30em;overflow:auto'>{table}</div></div>"


def check(model: ImageModel | nn.Module, composite: str | Composite = "epsilon_plus_flat", **parameters: Any) -> Report:
    """What every operation of the model gets from a composite, what is unsupported and what to do, where relevance can leak.

    Relevance passes a random image with this composite and with absLRP, so that nothing is called supported that then fails.
    Raises `GraphError` where the model cannot become a graph at all.
    """
    model = model if isinstance(model, ImageModel) else ImageModel(model)
    chosen = make_composite(composite, **parameters)
    x = torch.randn(1, model.channels, *model.input_size, generator=torch.Generator().manual_seed(0))
    graph, x = model.graph_for(x), x.to(model.device)
    view, absolute = chosen.view(graph), make_composite("abs_lrp")
    rules, unknown = assign_known(chosen, view)
    missing = {operation.index: advice(operation) for operation in unknown}
    if not missing:
        missing = rehearse(view, rules, x, adjoint=chosen.name != absolute.name)
    rows = [*_rows(view, chosen, rules, missing), *_whole(missing)]
    if chosen.name != absolute.name and not missing:
        view = absolute.view(graph)
        rules, unknown = assign_known(absolute, view)
        missing = {operation.index: advice(operation) for operation in unknown} or rehearse(
            view, rules, x, adjoint=False
        )
        missing = {index: f"under absLRP {reason}" for index, reason in missing.items()}
        rows += [*(row for row in _rows(view, absolute, rules, missing) if not row.supported), *_whole(missing)]
    return Report(model.name, chosen.name, tuple(rows))


def _whole(missing: Mapping[int, str]) -> list[ReportRow]:
    """What goes wrong with the model as a whole."""
    return [ReportRow("(model)", "", "", "none", missing[-1], False)] if -1 in missing else []


def _rows(
    graph: Graph, composite: Composite, rules: Sequence[Local | None], missing: Mapping[int, str]
) -> Iterator[ReportRow]:
    for operation in graph.operations[1:]:
        kind, rule = kind_of(operation), rules[operation.index]
        layer = operation.layer or "(model)"
        if operation.index in missing:
            yield ReportRow(layer, operation.target, kind or "unknown", "none", missing[operation.index], False)
        elif rule is not None:
            held = composite.zero_bias and kind != "attention"
            leak = None if held else leaks_into(operation, getattr(rule, "takes_bias", True))
            note = f"can leak into {leak}" if leak else ""
            yield ReportRow(layer, operation.target, kind or "", rule.describe(), note)
