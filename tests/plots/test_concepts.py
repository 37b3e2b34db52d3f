"""Figures of concepts: what they show, and what they refuse."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets import CRP, ImageModel


@pytest.fixture
def crp(residual: ImageModel) -> CRP:
    return CRP(residual)


def texts(figure: Figure) -> list[str]:
    """Every text of a drawn figure."""
    figure.draw_without_rendering()
    found = [text.get_text() for axis in figure.axes for text in axis.texts]
    found += [label.get_text() for axis in figure.axes for label in axis.get_yticklabels()]
    return [*found, figure.get_suptitle(), *(axis.get_title() for axis in figure.axes)]


def test_rows(crp: CRP, images: Tensor) -> None:
    result = crp(images[:2], 1, layer="conv2", concepts=[3, 5])
    pixels = images[:2].sigmoid()
    references = [
        [torch.rand(3, 8, 8)] * 3,
        SimpleNamespace(pixels=[torch.rand(1, 5, 9)]),
        [],
        [torch.rand(3, 4, 4)] * 12,
    ]
    ranking = crp.rank(images[:2], 1, "conv2")
    options = {"names": {("conv2", 3): "<stripes>"}, "class_names": list("abcde"), "ranking": ranking}
    figure = result.plot(pixels, references=references, most=4, **options)
    shown = texts(figure)
    assert shown.count("<stripes>") == shown.count("concept 5") == 2
    assert shown.count("for b") == 4
    assert sum(text.endswith("of the layer") for text in shown) == 4
    assert sum(len(axis.images) == 1 for axis in figure.axes) == 3 + 1 + 0 + 4
    assert sum(len(axis.images) == 2 for axis in figure.axes) == 4
    several = crp.attribute(images[:1], [{"y": [1, 2], "conv4": range(5), "conv2": [1]}, {"conv4": torch.ones(12)}])
    shown = texts(several.plot())
    assert "0, 1, 2 and 2 more" in shown
    assert "part of the layer" in shown
    assert "for class 1 + class 2" in shown
    with pytest.raises(ValueError, match="references has 1 entries for 4 rows; give one a row"):
        result.plot(pixels, references=[[]])
    with pytest.raises(ValueError, match=r"image has shape \(1, 3, 16, 20\); give \(2, C, H, W\)"):
        result.plot(pixels[:1])


def test_bars(crp: CRP, images: Tensor) -> None:
    ranking = crp.rank(images, 1, "conv2")
    figure = ranking.plot(2, n=5, names={("conv2", int(ranking.concepts[2, 1])): "dots"}, class_names=list("abcde"))
    shown = texts(figure)
    assert len(figure.axes[0].patches) == 5
    assert str(int(ranking.concepts[2, 0])) in shown
    assert "dots" in shown
    assert "conv2, b" in shown
    widths = [patch.get_extents().width for patch in figure.axes[0].patches]
    share = ranking.share[2, :5].abs()
    assert [width / widths[0] for width in widths] == pytest.approx((share / share[0]).tolist(), rel=1e-4)
    assert len(crp.rank(images, 1, "head").plot().axes[0].patches) == 5
    region = crp.region(images, (2, 2, 9, 9))
    assert "share of the layer's relevance in the region (%)" in region.plot(layer="conv2").axes[0].get_xlabel()
    assert region.plot(1).get_suptitle().startswith("hidden")


def test_graph(crp: CRP, images: Tensor) -> None:
    best = int(crp.rank(images[:1], 3, "conv4").concepts[0, 0])
    graph = crp.graph(images[:1], 3, "conv4", best, (3, 2))
    figure = graph.plot(
        names={("conv4", best): "whole"}, class_names=list("abcde"), pictures={("conv4", best): torch.rand(3, 9, 9)}
    )
    shown = texts(figure)
    assert {"conv4", "conv3", "conv2", "stem"} <= set(shown)
    assert len(figure.axes[0].patches) == len(graph.nodes) + len(graph.edges)
    assert sum(text.startswith("whole  ") for text in shown) == 1
    assert texts(crp.graph(images[:1], 3, width=(2,)).plot())[0].startswith("class 3  ")


def test_names_are_drawn_as_text(crp: CRP, images: Tensor) -> None:
    ranking = crp.rank(images, 1, "conv2")
    figure = ranking.plot(names={("conv2", int(ranking.concepts[0, 0])): r"cost $\frac{1$ & <script>"})
    assert r"cost $\frac{1$ & <script>" in texts(figure)
