"""Rows answer their requests: orders, batches, chunks, pairs, weights, starts, layers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets import CRP, ImageModel
from xaiwidgets.crp import ConceptAttribution, MaskConcept
from xaiwidgets.graph import Propagator
from xaiwidgets.lrp import LRP


def close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_without_concepts_it_is_lrp(residual: ImageModel, images: Tensor) -> None:
    found = CRP(residual)(images, [0, 1, 2, 3, 4], against="rest", layers=["conv2"])
    expected = LRP(residual)(images, [0, 1, 2, 3, 4], against="rest", layers=["conv2"])
    assert torch.equal(found.heatmap, expected.heatmap)
    assert torch.equal(found.layers["conv2"], expected.layers["conv2"])
    assert found.provenance.method == "CRP"


def test_rows_go_image_by_image_in_the_order_asked(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual, batch=2, chunk=3)
    targets, ids = [4, 0, 1, 3, 2], [7, 0, 3]
    found = crp(images, targets, layer="conv2", concepts=ids, layers=["stem"])
    assert isinstance(found, ConceptAttribution)
    assert found.heatmap.shape == (15, 16, 20)
    assert found.output.shape == (5, 5)
    assert found.target is not None
    assert found.target.tolist() == [target for target in targets for _ in ids]
    assert [(row.image, row.condition["conv2"]) for row in found.rows] == [(i, [c]) for i in range(5) for c in ids]
    for number, row in enumerate(found.rows):
        one = crp(
            images[row.image : row.image + 1],
            row.target,
            layer="conv2",
            concepts=row.condition["conv2"],
            layers=["stem"],
        )
        close(found.relevance[number], one.relevance[0])
        close(found.layers["stem"][number], one.layers["stem"][0])
    assert found.activations["stem"].shape == (5, 8, 16, 20)


def test_the_concepts_of_a_layer_share_what_passes_it(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual)
    for layer in crp.layers:
        parts = crp(images, layer=layer).relevance.unflatten(0, (5, -1)).sum(1)
        whole = crp.attribute(images, [{layer: list(range(crp.units(layer)))}]).relevance
        close(parts, whole)
    around = crp(images, layer="conv2", concepts=[1, 2], exclude_parallel=False).relevance.unflatten(0, (5, 2))
    through = crp(images, layer="conv2", concepts=[1, 2]).relevance.unflatten(0, (5, 2))
    close(around[:, 0] - around[:, 1], through[:, 0] - through[:, 1])
    assert not torch.allclose(around, through)


CONDITIONS: list[dict[str, Any]] = [
    {"y": [3], "conv2": [1, 5]},
    {"conv4": [0, 2, 3], "conv1": [4]},
    {"y": [0, 2]},
    {"y": "b", "hidden": [1, 2, 3, 4]},
    {"conv2": [6], "y": [3]},
]


@pytest.mark.parametrize("exclude_parallel", [True, False])
def test_pairs_rows_and_single_conditions_agree(residual: ImageModel, images: Tensor, exclude_parallel: bool) -> None:
    crp = CRP(residual, batch=2, chunk=2)
    options: dict[str, Any] = {"exclude_parallel": exclude_parallel, "layers": ["stem", "head"]}
    paired = crp.attribute(images, CONDITIONS, **options)
    assert [row.image for row in paired.rows] == [0, 1, 2, 3, 4]
    assert [row.condition for row in paired.rows] == CONDITIONS
    for i, condition in enumerate(CONDITIONS):
        alone = crp.attribute(images[i : i + 1], [condition], **options)
        close(paired.relevance[i], alone.relevance[0])
        close(paired.layers["stem"][i], alone.layers["stem"][0])
        assert paired.rows[i].target == alone.rows[0].target
        rows = crp.attribute(images[i : i + 1], CONDITIONS, **options)
        close(rows.relevance[i], alone.relevance[0])
        each = crp.attribute(images, [condition], **options)
        close(each.relevance[i], alone.relevance[0])
        close(each.output, paired.output)


def test_no_more_rows_at_once_than_the_chunk(
    residual: ImageModel, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    descend = Propagator._descend

    def spy(self: Propagator, *args: Any, **options: Any) -> Any:
        found = descend(self, *args, **options)
        seen.extend(t.shape[0] * t.shape[1] for t in found.values())
        return found

    monkeypatch.setattr(Propagator, "_descend", spy)
    CRP(residual, batch=2, chunk=4)(images, layer="conv2")
    assert max(seen) <= 4
    seen.clear()
    CRP(residual, chunk=5).focus(images[:1]).heatmaps("conv4", range(12))
    assert max(seen) <= 5


def test_large_values_go_in_shorter_batches(
    residual: ImageModel, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    crp = CRP(residual)
    known = crp.known(images)
    expected = crp(images[:1], layer="conv2").relevance
    assert known.largest == 8 * 16 * 20 * 4
    assert (known.rows(32, 1), known.rows(32, 5), known.rows(2, 5)) == (32, 6, 1)
    monkeypatch.setattr("xaiwidgets.crp.concepts.REUSED", 3 * known.largest)
    assert (known.rows(32, 1), known.rows(32, 5)) == (3, 1)
    close(crp(images[:1], layer="conv2").relevance, expected)


def test_weights_instead_of_numbers(residual: ImageModel, images: Tensor) -> None:
    crp, x = CRP(residual), images[:1]
    half = torch.zeros(12)
    half[[2, 5]] = torch.tensor([1.0, 0.5])
    left = torch.zeros(1, 4, 5)
    left[..., :2] = 1.0
    found = crp.attribute(
        x,
        [
            {"conv4": half},
            {"conv4": left},
            {"conv4": 1 - left},
            {"conv4": lambda ones: ones * left},
            {"conv4": 5},
            {"conv4": (2,)},
        ],
    ).relevance
    close(found[0], found[5] + 0.5 * found[4])
    close(found[1] + found[2], crp.attribute(x, [{"conv4": range(12)}]).relevance[0])
    assert torch.equal(found[1], found[3])
    arrays: list[dict[str, Any]] = [
        {"conv4": half.numpy()},
        {"conv4": left.double().numpy()},
        {"conv4": lambda ones: ones.numpy() * left.numpy()},
        {"conv4": lambda ones: (ones * left).bool()},
        {"conv4": np.array([2])},
        {"conv4": np.int64(5)},
    ]
    again = crp.attribute(x, arrays).relevance
    for row, other in enumerate((0, 1, 1, 1, 5, 4)):
        assert torch.equal(again[row], found[other])
    with pytest.raises(
        TypeError, match=r"conditions\[0\]\['conv4'\] is a function that gives NoneType; return a tensor"
    ):
        crp.attribute(x, [{"conv4": lambda _: None}])


def test_starts_at_the_output(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual, batch=2)
    begin = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
    close(
        crp(images, layer="hidden", start=begin).relevance.unflatten(0, (5, 10)).sum(1),
        LRP(residual)(images, start=begin).relevance,
    )
    found = crp.attribute(images, [{"y": [1, 3]}], start=begin)
    kept = torch.zeros(5, 5)
    kept[:, [1, 3]] = begin[:, [1, 3]]
    close(found.relevance, LRP(residual)(images, start=kept).relevance)
    assert crp.attribute(images, [{"conv2": [1]}], start=begin).target is None
    ones = CRP(residual, start="one").attribute(images, [{"y": [2]}])
    close(ones.relevance, LRP(residual, start="one")(images, 2).relevance)
    both = crp.attribute(images, [{"y": ["b", 3]}])
    assert both.rows[0].target == (1, 3)
    close(both.relevance, LRP(residual)(images, 1).relevance + LRP(residual)(images, 3).relevance)


def test_starts_at_a_layer(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual, batch=2)
    plain = crp.attribute(images, [{"conv4": [3]}], start_layer="conv4", layers=["conv4"])
    assert torch.equal(plain.layers["conv4"][:, 3], plain.activations["conv4"][:, 3])
    assert plain.target is None
    given = crp.attribute(images, [{"conv4": [3]}], start_layer="conv4", start=plain.activations["conv4"])
    close(given.relevance, plain.relevance)
    array = plain.activations["conv4"].numpy()
    assert torch.equal(
        crp.attribute(images, [{"conv4": [3]}], start_layer="conv4", start=array).relevance, given.relevance
    )
    paired = crp.attribute(images, [{"conv4": [i]} for i in range(5)], start_layer="conv4")
    for i in range(5):
        close(paired.relevance[i], crp.attribute(images[i : i + 1], [{"conv4": [i]}], start_layer="conv4").relevance[0])


@pytest.mark.parametrize("by", ["relevance", "activation"])
def test_rank(residual: ImageModel, images: Tensor, by: str) -> None:
    crp = CRP(residual, batch=2)
    ranking = crp.rank(images, 1, "conv4", by=by, against=0)
    expected = LRP(residual)(images, 1, layers=["conv4"], against=0)
    values = (expected.layers if by == "relevance" else expected.activations)["conv4"].sum((2, 3))
    assert ranking.concepts.shape == ranking.share.shape == (5, 12)
    close(ranking.relevance, values.gather(1, ranking.concepts))
    close(ranking.share, (values / values.abs().sum(1, keepdim=True)).gather(1, ranking.concepts))
    assert (ranking.share.abs().diff(dim=1) <= 0).all()
    assert ranking.share.abs().sum(1).tolist() == pytest.approx([1.0] * 5)
    assert ranking.target is not None
    assert ranking.target.tolist() == [1] * 5
    assert str(int(ranking.concepts[2, 0])) in ranking.table(3, image=2)


class Quadrants:
    """A user's own concepts: the four quarters of a map."""

    units = 4

    def __init__(self, shape: Sequence[int]) -> None:
        _, height, width = shape
        rows, columns = torch.arange(height) < height // 2, torch.arange(width) < width // 2
        self.quarters = torch.stack([(r[:, None] & c).float() for r in (rows, ~rows) for c in (columns, ~columns)])

    def select(self, ids: Sequence[int]) -> Tensor:
        return self.quarters[list(ids)].amax(0)[None, None]

    def sum(self, values: Tensor) -> Tensor:
        return torch.einsum("knchw,qhw->knq", values, self.quarters)

    def max(self, values: Tensor) -> tuple[Tensor, Tensor]:
        found = [(values.sum(2) * quarter).flatten(2).max(-1) for quarter in self.quarters]
        return torch.stack([f.values for f in found], -1), torch.stack([f.indices for f in found], -1)


def test_concepts_of_ones_own(residual: ImageModel, images: Tensor) -> None:
    groups = [[0, 3], [1, 2, 4], [5, 6, 7]]
    crp = CRP(residual, concepts={"conv4": Quadrants, "conv2": MaskConcept.groups(groups)}, batch=2)
    assert crp.layers == CRP(residual).layers
    assert (crp.units("conv4"), crp.units("conv2"), crp.units("conv1")) == (4, 3, 8)
    for layer, units in (("conv4", 4), ("conv2", 3)):
        maps = crp(images, layer=layer).heatmap.unflatten(0, (5, units))
        close(maps.sum(1), crp.attribute(images, [{layer: list(range(units))}]).heatmap)
        inside = crp.region(images, (3, 2, 11, 9), layers=[layer]).relevance[layer]
        close(inside, maps[..., 2:9, 3:11].sum((2, 3)))
        ranking = crp.rank(images, layer=layer)
        close(ranking.relevance.sum(1), LRP(residual)(images, layers=[layer]).layers[layer].flatten(1).sum(1))
        values, places = crp.concept(layer).max(LRP(residual)(images, layers=[layer]).layers[layer][None])
        assert values.shape == places.shape == (1, 5, units)
    plain = CRP(residual)(images, layer="conv2", concepts=range(8)).relevance.unflatten(0, (5, 8))
    close(crp(images, layer="conv2", concepts=[1]).relevance, plain[:, [1, 2, 4]].sum(1))


def test_it_is_an_explainer_with_parameters(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual, chunk=3, concepts={"conv4": Quadrants}).with_parameters(
        composite="epsilon_gamma_box", gamma=0.5
    )
    assert (crp.chunk, crp.units("conv4"), crp.composite.name) == (3, 4, "epsilon_gamma_box")
    assert crp.layers == CRP(residual).layers
    half = CRP(residual, precision="bfloat16")(images, layer="conv2", concepts=[1]).heatmap
    full = CRP(residual)(images, layer="conv2", concepts=[1]).heatmap
    assert torch.corrcoef(torch.stack([half.flatten(), full.flatten()]))[0, 1] > 0.95


def test_results_say_what_was_asked(residual: ImageModel, images: Tensor) -> None:
    crp, x = CRP(residual), images[:1]

    def said(result: Any) -> dict[str, Any]:
        parameters = dict(result.provenance.parameters)
        assert parameters.pop("composite") == "epsilon_plus_flat"
        assert parameters.pop("start") == "logit"
        assert json.dumps(parameters)
        assert result.provenance.method == "CRP"
        return parameters

    assert said(crp(x, 2)) == {"target": 2}
    asked = {"target": "b", "layer": "conv4", "concepts": [1, 3], "exclude_parallel": True}
    assert said(crp(x, "b", "conv4", torch.tensor([1, 3]))) == asked
    assert said(crp(x, "b", "conv4", against=1)) == {**asked, "concepts": None, "against": 1}
    conditions: list[dict[str, Any]] = [
        {"y": [3], "conv4": [5]}, {"conv2": torch.ones(8)}, {"conv2": np.array([1])}, {"conv2": torch.relu}
    ]  # fmt: skip
    plain = [{"y": [3], "conv4": [5]}, {"conv2": "weights (8,)"}, {"conv2": [1]}, {"conv2": "relu"}]
    found = crp.attribute(x, conditions, exclude_parallel=False)
    assert said(found) == {"conditions": plain, "exclude_parallel": False}
    assert said(crp.rank(x, 2, "conv4", by="activation")) == {"target": 2, "layer": "conv4", "by": "activation"}
    region = crp.region(x, (1, 1, 4, 4), 2, ["conv4"])
    assert said(region) == {"target": 2, "layers": ["conv4"], "region": [1, 1, 4, 4]}
    focus = crp.focus(x, 2, "rest")
    assert said(focus.rank("conv4")) == {"target": 2, "against": "rest", "layer": "conv4", "by": "relevance"}
    graph = {"layer": "conv4", "concept": 1, "width": [3], "branches": 2}
    assert said(crp.graph(x, 2, "conv4", 1, [3], branches=2)) == {"target": 2, **graph}
