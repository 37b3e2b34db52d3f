"""Attribution graphs: who feeds whom, and edges that are relevance."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xaiwidgets import CRP, ImageModel


def test_feeders_are_the_nearest_layers_below(residual: ImageModel, images: Tensor) -> None:
    focus = CRP(residual).focus(images[:1])
    assert focus.feeders("output") == ("hidden",)
    assert focus.feeders("head") == ("hidden",)
    assert focus.feeders("hidden") == ("conv4", "side")
    assert focus.feeders("conv4") == ("conv3",)
    assert focus.feeders("side") == focus.feeders("conv3") == ("conv2", "stem")
    assert focus.feeders("conv2") == ("conv1",)
    assert focus.feeders("stem") == ()


def test_feeders_in_a_transformer(vit: ImageModel, x: Tensor) -> None:
    focus = CRP(vit, "attn_lrp").focus(x[:1])
    below = ["blocks.1.mlp.fc1", "blocks.1.attn:heads", "blocks.0.mlp.fc1", "blocks.0.attn:heads", "patch_embed.proj"]
    assert focus.feeders("blocks.2.attn:heads") == tuple(below)
    assert focus.feeders("blocks.2.mlp.fc1") == ("blocks.2.attn:heads", *below)


def test_edges_are_conditional_relevance(residual: ImageModel, images: Tensor) -> None:
    crp, x = CRP(residual), images[:1]
    best = int(crp.rank(x, 3, "conv4").concepts[0, 0])
    graph = crp.graph(x, 3, "conv4", best, width=(3, 2))
    root = graph.root
    assert (root.layer, root.concept, root.depth, graph.target) == ("conv4", best, 0, 3)
    ranking = crp.rank(x, 3, "conv4")
    assert root.relevance == pytest.approx(float(ranking.relevance[0, 0]), rel=1e-5)
    assert root.share == pytest.approx(float(ranking.share[0, 0]), rel=1e-5)
    first = graph.below(0)
    assert len(first) == 3
    assert [abs(edge.relevance) for edge in first] == sorted((abs(edge.relevance) for edge in first), reverse=True)
    flow = crp.attribute(x, [{"y": [3], "conv4": [best]}], layers=["conv3"]).layers["conv3"].sum((2, 3))[0]
    assert {graph.nodes[e.target].concept for e in first} == set(flow.abs().topk(3).indices.tolist())
    for edge in first:
        child = graph.nodes[edge.target]
        assert child.layer == "conv3"
        assert edge.relevance == pytest.approx(float(flow[child.concept]), rel=1e-4, abs=1e-7)
        assert child.share == pytest.approx(float(flow[child.concept] / flow.abs().sum()), rel=1e-4)
        # One step further, through both: conv3 is fed by conv2 and, past it, by the stem.
        condition = [{"y": [3], "conv4": [best], "conv3": [child.concept]}]
        through = crp.attribute(x, condition, layers=["conv2"]).layers["conv2"].sum((2, 3))[0]
        below = [e for e in graph.below(edge.target) if graph.nodes[e.target].layer == "conv2"]
        assert {graph.nodes[e.target].concept for e in below} == set(through.abs().topk(2).indices.tolist())
        for lower in below:
            assert lower.relevance == pytest.approx(
                float(through[graph.nodes[lower.target].concept]), rel=1e-4, abs=1e-7
            )
        assert {graph.nodes[e.target].layer for e in graph.below(edge.target)} == {"conv2", "stem"}
    assert len(graph.edges) == 3 + 3 * (2 + 2)


def test_relevance_is_neither_lost_nor_counted_twice(residual: ImageModel, images: Tensor) -> None:
    """Followed through all concepts of all layers without biases, what leaves a concept is what reached it."""
    graph = CRP(residual, zero_bias=True).graph(images[:1], width=(100,) * 8, branches=None)
    assert graph.root.layer == "output"
    for number, node in enumerate(graph.nodes):
        above, below = graph.above(number), graph.below(number)
        if above:
            assert sum(edge.relevance for edge in above) == pytest.approx(node.relevance, rel=1e-4, abs=1e-7)
        if node.layer != "stem":
            assert sum(edge.relevance for edge in below) == pytest.approx(node.relevance, rel=2e-3, abs=1e-6), node
    stem = sum(node.relevance for node in graph.nodes if node.layer == "stem")
    assert stem == pytest.approx(graph.root.relevance, rel=1e-3)
    assert len({(node.layer, node.concept) for node in graph.nodes}) == len(graph.nodes)


def test_shape_of_a_graph(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual)
    graph = crp.graph(
        images[:1], None, "hidden", int(crp.rank(images[:1], layer="hidden").concepts[0, 0]), (2, 1), branches=1
    )
    assert len(graph.below(0)) == 2
    assert len({graph.nodes[e.target].layer for e in graph.below(0)}) == 1
    assert max(node.depth for node in graph.nodes) == 2
    assert all(graph.nodes[e.source].depth < graph.nodes[e.target].depth for e in graph.edges)
    assert str(graph).splitlines()[0].startswith("hidden ")
    assert len(str(graph).splitlines()) == 1 + len(graph.edges)


def test_graph_of_a_transformer(vit: ImageModel, x: Tensor) -> None:
    crp = CRP(vit, "attn_lrp", gamma=0.1)
    best = int(crp.rank(x[:1], layer="blocks.3.mlp.fc1").concepts[0, 0])
    graph = crp.graph(x[:1], layer="blocks.3.mlp.fc1", concept=best, width=(3, 2), branches=2)
    assert len({graph.nodes[e.target].layer for e in graph.below(0)}) == 2
    assert len(graph.below(0)) == 6
    assert torch.isfinite(torch.tensor([e.relevance for e in graph.edges])).all()
