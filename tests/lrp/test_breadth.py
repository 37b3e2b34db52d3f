"""Every method on many architectures, without a line of code for any of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.lrp.zoo import QUICK, SLOW, build
from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import assign, check, make_composite
from xaiwidgets.lrp.absolute.contrast import batch_leads
from xaiwidgets.model import ImageModel

MODELS = [*QUICK, *[pytest.param(name, marks=pytest.mark.slow) for name in SLOW]]


@pytest.mark.parametrize("name", MODELS)
def test_methods_run_on(name: str, record_property: Callable[..., None]) -> None:
    module, x = build(name)
    graph = export(module, x).to(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = module(x)
    assert (graph.run(x) - expected).abs().max() <= 1e-3 * expected.abs().max()
    attention = any(o.target in {"softmax", "scaled_dot_product_attention"} for o in graph.operations)
    for composite in ("epsilon_plus_flat", "attn_lrp", *(("cp_lrp",) if attention else ())):
        chosen = make_composite(composite)
        propagator = Propagator(graph, assign(chosen, graph))
        record = propagator.record(x, memory=True)
        start = torch.zeros_like(record.output)
        start[:, 3] = record.output[:, 3]
        relevance = propagator.down(record, {"output": start[None]})["input"]
        assert torch.isfinite(relevance).all()
        assert torch.equal(propagator.down(record, {"output": start[None]})["input"], relevance)
        record_property(composite, float(relevance.sum() / start.sum()))
        r = torch.randn(2, *record.output.shape)
        down = propagator.down(record, {"output": r})["input"]
        v = torch.randn_like(down)
        up = propagator.up(record, {"input": v})["output"]
        assert abs(float((v * down).sum() - (up * r).sum())) <= 1e-5 * float(v.norm() * down.norm())
    conserving = Propagator(graph, assign(make_composite("epsilon_plus", zero_bias=True), graph))
    record = conserving.record(x)
    total = conserving.down(record, {"output": start[None]})["input"].sum()
    record_property("zero_bias", float(total / start.sum()))
    magnitude = Propagator(graph, assign(make_composite("abs_lrp"), graph))
    images = x if batch_leads(graph) else x[:1]
    record = magnitude.record(images)
    rows = torch.zeros(2, *record.output.shape)
    rows[0, :, 3], rows[1, :, 4] = 1, 1
    relevance = magnitude.down(record, {"output": rows})["input"]
    assert torch.isfinite(relevance).all()
    assert relevance.abs().sum() > 0


@pytest.mark.parametrize("name", QUICK[:2])
def test_check_lists_every_layer(name: str) -> None:
    module, _ = build(name)
    report = check(ImageModel(module))
    assert report.ok
    assert {row.layer for row in report.rows if row.kind == "linear"} == set(ImageModel(module).layers)
