"""absLRP: relative absolute magnitude propagation, contrasted against all other classes (doi 10.1145/3649458)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph import Graph, Propagator
from xaiwidgets.lrp.abs_rules import normalise
from xaiwidgets.lrp.account import Account
from xaiwidgets.lrp.explainer import LRP
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control

__all__ = ["AbsLRP"]


class AbsLRP(LRP):
    """absLRP of any model the engine takes; both rows of the contrast go down together.

    Calls are as those of `LRP`: `(x, target=None, layers=())`. Each map is divided by its largest magnitude. With `against`, the
    second row starts from that class instead of from all others.
    """

    def __init__(
        self, model: ImageModel | nn.Module, *, batch: int = 16, precision: str = "float32", epsilon: float = 1e-9
    ) -> None:
        parameters = {} if epsilon == 1e-9 else {"epsilon": epsilon}
        super().__init__(model, "abs_lrp", start="one", batch=batch, precision=precision, **parameters)

    def propagator(self, x: Tensor) -> Propagator:
        propagator = super().propagator(x)
        if self.batch > 1 and not batch_leads(propagator.graph):
            self.batch = 1  # its sums over each sample need the batch outermost
        return propagator

    def _start(self, output: Tensor, target: Tensor, against: Any, start: Tensor | None, part: slice) -> Tensor:
        if start is not None or against is not None:
            begin = super()._start(output, target, against, start, part)
            begin = torch.cat([begin.clamp(min=0), -begin.clamp(max=0)])
        else:
            one = torch.zeros_like(output).scatter_(1, target[:, None], 1.0)
            begin = torch.stack([one, (1 - one) / max(1, output.shape[1] - 1)])
        return normalise(begin, len(output))

    def _pass(
        self, propagator: Propagator, record: Any, start: Tensor, to: Sequence[str], account: Account
    ) -> dict[Any, Tensor]:
        found = propagator.down(record, {"output": start}, to)
        maps = {}
        for name, both in found.items():
            rows = normalise(both, record.batch)
            difference = rows[0] - rows[1]
            largest = difference.flatten(1).abs().amax(1).clamp(min=1e-30)
            maps[name] = difference / largest.reshape(-1, *[1] * (difference.ndim - 1))
        return maps

    def _conservation(self, account: Account, start: float, reached: float) -> Any:
        return None

    def with_parameters(self, **changes: Any) -> AbsLRP:
        return AbsLRP(self.model, batch=self.batch, precision=self.precision, **changes)

    def controls(self) -> list[Control]:
        return []


def batch_leads(graph: Graph) -> bool:
    """Whether the batch is the outermost axis wherever sizes are merged. Where a reshape merges an axis before the batch with
    it (tokens × batch, as torch's MultiheadAttention does), the samples of a value are interleaved."""
    for operation in graph.operations:
        if operation.target in {"reshape", "view", "flatten"} and operation.inputs:
            before = graph.operations[operation.inputs[0]].shape
            if before and operation.shape and before[0] is not None and operation.shape[0] is None:
                return False
    return True
