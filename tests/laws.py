"""Laws of propagation that tests of several rooms hold operations against."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiwidgets.graph import Graph, Propagator
from xaiwidgets.lrp import assign, make_composite

__all__ = ["assert_adjoint"]


def assert_adjoint(graph: Graph, composite: str, x: Tensor) -> None:
    """Going up with v and going down with r give the same product, ⟨v, down r⟩ = ⟨up v, r⟩, in float64."""
    propagator = Propagator(graph, assign(make_composite(composite), graph))
    for memory in (False, True):
        record = propagator.record(x, memory=memory)
        r = record.output * torch.randn(3, *record.output.shape, dtype=torch.float64)
        down = propagator.down(record, {"output": r})["input"]
        v = torch.randn_like(down)
        up = propagator.up(record, {"input": v})["output"]
        assert abs(float((v * down).sum() - (up * r).sum())) <= 1e-9 * float(v.norm() * down.norm())
