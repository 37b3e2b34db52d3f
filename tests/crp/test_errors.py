"""Bad input: one clear error naming the argument, what came and what to do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from xaiwidgets import CRP, ImageModel


@pytest.fixture
def crp(residual: ImageModel) -> CRP:
    return CRP(residual)


def test_layers_without_concepts(crp: CRP, images: Tensor) -> None:
    unknown = r"layer='conv5' is not in this model; nearest with concepts: 'conv[1-4]', 'conv[1-4]', 'conv[1-4]'\."
    for ask in (
        lambda: crp.concept("conv5"),
        lambda: crp.units("conv5"),
        lambda: crp(images, layer="conv5", concepts=[1]),
        lambda: crp.attribute(images, [{"conv5": [1]}]),
        lambda: crp.attribute(images, [{"y": [1]}], start_layer="conv5"),
        lambda: crp.rank(images, layer="conv5"),
        lambda: crp.region(images, (1, 1, 4, 4), layers=["conv5"]),
        lambda: crp.focus(images[:1]).heatmaps("conv5", [0]),
        lambda: crp.focus(images[:1]).rank("conv5"),
        lambda: crp.focus(images[:1]).feeders("conv5"),
        lambda: crp.graph(images[:1], layer="conv5", concept=1),
        lambda: crp.without(images, {"conv5": [1]}),
    ):
        with pytest.raises(ValueError, match=unknown):
            ask()
    with pytest.raises(
        ValueError, match=r"layer='input' has no concepts: no relevance passes through channels of it; nearest"
    ):
        crp.concept("input")
    with pytest.raises(ValueError, match="layer is missing; name one"):
        crp.rank(images)
    with pytest.raises(ValueError, match="layer='conv9' is not in this model"):
        CRP(crp.model, concepts={"conv9": object}).rank(images, layer="conv1")
    with pytest.raises(TypeError, match=r"concepts\['conv1'\] is dict; give a Concept"):
        CRP(crp.model, concepts={"conv1": dict.fromkeys}).rank(images, layer="conv1")


def test_concepts_out_of_range(crp: CRP, images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"concepts names 12; 'conv4' has 12 concepts: give 0 to 11"):
        crp(images, layer="conv4", concepts=[3, 12])
    with pytest.raises(ValueError, match="concepts names -1; 'conv4' has 12 concepts"):
        crp(images, layer="conv4", concepts=[-1])
    with pytest.raises(ValueError, match=r"concepts names 2.5; 'conv4' has"):
        crp(images, layer="conv4", concepts=[2.5])
    with pytest.raises(ValueError, match=r"names 1.0; 'conv4' has 12 concepts: give 0 to 11"):
        crp.attribute(images[:1], [{"conv4": [1.0, 0.0]}])
    with pytest.raises(ValueError, match=r"concepts names 'a'; 'conv4' has"):
        crp(images, layer="conv4", concepts="a")
    with pytest.raises(ValueError, match=r"conditions\[1\]\['conv4'\] names 99; 'conv4' has 12 concepts: give 0 to 11"):
        crp.attribute(images[:1], [{"conv4": [1]}, {"conv4": [99]}])
    with pytest.raises(ValueError, match="concepts names 40; 'hidden' has 10"):
        crp.graph(images[:1], layer="hidden", concept=40)
    with pytest.raises(ValueError, match="concepts names 40; 'hidden' has 10"):
        crp.focus(images[:1]).heatmaps("hidden", [40])
    with pytest.raises(ValueError, match=r"concepts\['conv4'\] names 40"):
        crp.without(images, {"conv4": [40]})
    with pytest.raises(ValueError, match="concepts is given without a layer"):
        crp(images, concepts=[1])
    with pytest.raises(
        ValueError, match=r"has weights of shape \(13,\); give \(12,\), or what broadcasts to \(1, 12, 4, 5\)"
    ):
        crp.attribute(images, [{"conv4": torch.ones(13)}])


def test_empty_conditions(crp: CRP, images: Tensor) -> None:
    with pytest.raises(ValueError, match="conditions is empty; give at least one condition such as"):
        crp.attribute(images, [])
    with pytest.raises(ValueError, match=r"conditions\[1\] is empty; name a class, as \{'y': \[3\]\}, or concepts"):
        crp.attribute(images[:1], [{"y": [1]}, {}])
    with pytest.raises(
        ValueError, match=r"conditions\[0\]\['conv2'\] is empty; give at least one of the 8 concepts of 'conv2'"
    ):
        crp.attribute(images, [{"conv2": []}])
    with pytest.raises(ValueError, match=r"conditions\[0\]\['y'\] is empty; give at least one class"):
        crp.attribute(images, [{"y": []}])
    with pytest.raises(ValueError, match="concepts is empty; give at least one of the 8"):
        crp(images, layer="conv2", concepts=[])
    with pytest.raises(ValueError, match=r"concepts is empty; give \{layer: ids\}"):
        crp.without(images, {})
    for wrong in ({"conv2": [1]}, "conv2", 3):
        with pytest.raises(TypeError, match=r"conditions is .*; give a list of conditions"):
            crp.attribute(images, wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"conditions\[0\] is list; give a dict"):
        crp.attribute(images, [["conv2"]])  # type: ignore[list-item]


def test_conditions_that_contradict(crp: CRP, images: Tensor) -> None:
    with pytest.raises(
        ValueError, match="conditions has 2 entries for 5 images; give one condition, one an image, or one image"
    ):
        crp.attribute(images, [{"y": [1]}, {"y": [2]}])
    with pytest.raises(
        ValueError, match="names 'conv4' and 'side', which lie side by side: with exclude_parallel no relevance"
    ):
        crp.attribute(images, [{"conv4": [1], "side": [2]}])
    assert crp.attribute(images, [{"conv4": [1], "side": [2]}], exclude_parallel=False).heatmap.shape == (5, 16, 20)
    with pytest.raises(ValueError, match=r"conditions\[0\] names 'conv4', which lies above start_layer='conv2'"):
        crp.attribute(images, [{"conv4": [1]}], start_layer="conv2")
    with pytest.raises(
        ValueError, match=r"conditions\[0\] names a class, but relevance starts at 'conv2'; leave out 'y'"
    ):
        crp.attribute(images, [{"y": [1]}], start_layer="conv2")
    with pytest.raises(ValueError, match="target=9 is not a class"):
        crp.attribute(images, [{"y": [9]}])
    with pytest.raises(ValueError, match="start='one' is not known; did you mean 'ones'"):
        crp.attribute(images, [{"conv2": [1]}], start_layer="conv2", start="one")
    with pytest.raises(
        ValueError, match=r"start has shape \(8, 2, 2\); at 'conv2' give \(8, 8, 10\), or one an image, \(5, 8, 8, 10\)"
    ):
        crp.attribute(images, [{"conv2": [1]}], start_layer="conv2", start=torch.ones(8, 2, 2))


BOX = r"region=\({}\) reaches outside the image, which is 20 wide and 16 high; give left and right within 0 to 20"


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((-1, 0, 5, 5), BOX.format("-1, 0, 5, 5")),
        ((0, 0, 21, 5), BOX.format("0, 0, 21, 5")),
        ((0, 3, 5, 17), BOX.format("0, 3, 5, 17")),
        ((5, 3, 5, 9), r"region=\(5, 3, 5, 9\) is empty; give \(left, top, right, bottom\) with left < right"),
        ((5, 9, 8, 3), "is empty; give"),
        (("a", 0, 1, 2), "has sides that are no numbers"),
        (torch.zeros(16, 20), "region is empty: no pixel of the mask is set"),
        (torch.full((16, 20), float("nan")), "some are not finite"),
        (
            torch.ones(20, 16),
            r"region has shape \(20, 16\); give \(left, top, right, bottom\) in pixels or a mask \(16, 20\)",
        ),
        (torch.ones(2, 16, 20), r"region has shape \(2, 16, 20\); give"),
        ("everything", "region is 'everything'; give"),
        (None, "region is None; give"),
    ],
)
def test_regions_outside_the_image_or_empty(crp: CRP, images: Tensor, region: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crp.region(images, region)
    with pytest.raises(ValueError, match=message):
        crp.focus(images[:1]).region(region)


def test_other_arguments(crp: CRP, images: Tensor) -> None:
    with pytest.raises(ValueError, match="x has 5 images; focus takes one"):
        crp.focus(images)
    with pytest.raises(ValueError, match="by='relevanc' is not known; did you mean 'relevance'"):
        crp.rank(images, layer="conv2", by="relevanc")
    with pytest.raises(ValueError, match="by='x' is not known"):
        crp.focus(images[:1]).rank("conv2", "x")
    with pytest.raises(ValueError, match=r"layer='conv2' with concept=None: give both, or neither"):
        crp.graph(images[:1], layer="conv2")
    for width in ((), (0,), 3.5, (2, "a")):
        with pytest.raises(ValueError, match=r"width=.*; give how many concepts to follow at each step down"):
            crp.graph(images[:1], layer="conv2", concept=1, width=width)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="branches=0 must be a whole number of at least 1, or None"):
        crp.graph(images[:1], layer="conv2", concept=1, branches=0)
    with pytest.raises(ValueError, match="chunk=0 must be a whole number of at least 1"):
        CRP(crp.model, chunk=0)
    with pytest.raises(ValueError, match="composite='abs_lrp' normalises relevance at every step"):
        CRP(crp.model, "abs_lrp")
    with pytest.raises(ValueError, match="layers is empty; name at least one, or give None for all that have concepts"):
        crp.region(images, (0, 0, 5, 5), layers=[])
    with pytest.raises(ValueError, match=r"layers='conv1' must be a list of names; give layers=\['conv1'\]"):
        crp.region(images, (0, 0, 5, 5), layers="conv1")
    with pytest.raises(ValueError, match=r"layers='conv1' must be a list of names"):
        crp(images, 1, "conv4", layers="conv1")
    with pytest.raises(ValueError, match=r"layers='conv1' must be a list of names"):
        crp.attribute(images, [{"y": [1]}], layers="conv1")
    with pytest.raises(TypeError, match=r"concepts is list; give \{layer: ids\}, the concepts to remove"):
        crp.without(images, [5])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="start is dict; give 'activation', 'ones', or relevance at 'conv2'"):
        crp.attribute(images, [{"conv2": [1]}], start_layer="conv2", start={})
    with pytest.raises(ValueError, match=r"start has shape \(\); at 'conv2' give \(8, 8, 10\)"):
        crp.attribute(images, [{"conv2": [1]}], start_layer="conv2", start=2.0)
    with pytest.raises(ValueError, match="layer='conv9' is not known"):
        crp.region(images, (0, 0, 5, 5), layers=["conv1"]).top("conv9")
