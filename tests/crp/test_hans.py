"""Ground truth: the Clever Hans model learned a tag. Concepts find it, and removing them takes the prediction away."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xaiwidgets import CRP, ImageModel, load
from xaiwidgets.demo import CLASS_NAMES, TAGGED_CLASS, Batch, Shapes

TAGGED = CLASS_NAMES.index(TAGGED_CLASS)
IMAGES = 24


@pytest.fixture(scope="module")
def hans() -> ImageModel:
    return load("demo:shapes-hans", device="cpu")


def hearts(tagged: str) -> Batch:
    dataset = Shapes(IMAGES * 10, seed=5, tagged=tagged)
    return dataset.batch([i for i in range(len(dataset)) if dataset.label(i) == TAGGED][:IMAGES])


@pytest.fixture(scope="module")
def batch() -> Batch:
    return hearts("class")


def strongest(crp: CRP, x: Tensor, layer: str, n: int = 3) -> list[int]:
    """The concepts with the largest mean share in the tagged class."""
    ranking = crp.rank(x, TAGGED, layer)
    shares = torch.zeros(len(x), crp.units(layer)).scatter(1, ranking.concepts, ranking.share).mean(0)
    return shares.argsort(descending=True)[:n].tolist()


def on_tag(crp: CRP, batch: Batch, layer: str, ids: list[int]) -> Tensor:
    """For each concept the share of its positive conditional relevance that lies on the tag, over all images."""
    maps = crp(batch.x, TAGGED, layer=layer, concepts=ids).heatmap.unflatten(0, (len(batch.x), len(ids))).clamp(min=0)
    return (maps * batch.tag_masks[:, None]).sum((0, 2, 3)) / maps.sum((0, 2, 3))


def test_one_of_the_three_strongest_concepts_is_the_tag(hans: ImageModel, batch: Batch) -> None:
    crp = CRP(hans, "epsilon_alpha2_beta1")
    for layer in ("features.conv1", "features.conv2", "features.conv3"):
        found = on_tag(crp, batch, layer, strongest(crp, batch.x, layer))
        assert found.max() >= 0.8, (layer, found)
    assert float(on_tag(crp, batch, "features.conv3", strongest(crp, batch.x, "features.conv3", 1))) >= 0.85
    # The tag covers 3 % of the picture.
    assert float(batch.tag_masks.float().mean()) < 0.04


def test_removing_the_tag_moves_the_prediction(hans: ImageModel, batch: Batch) -> None:
    crp, layer = CRP(hans, "epsilon_alpha2_beta1"), "features.conv3"
    before = hans.scores(batch.x)[:, TAGGED]
    drops = torch.stack(
        [(before - crp.without(batch.x, {layer: [c]})[:, TAGGED]).mean() for c in range(crp.units(layer))]
    )
    (tag,) = strongest(crp, batch.x, layer, 1)
    # Ranked first of 32 by relevance, its loss is among the three largest, and several times that of the concept in the middle.
    assert int((drops > drops[tag]).sum()) < 3
    assert drops[tag] > 1.0
    assert drops[tag] > 5 * drops.median()


def test_without_its_tag_concepts_the_model_is_lost(hans: ImageModel, batch: Batch) -> None:
    crp, layer = CRP(hans, "epsilon_alpha2_beta1"), "features.conv5"
    ids = strongest(crp, batch.x, layer)
    assert on_tag(crp, batch, layer, ids).min() >= 0.7
    assert (hans.scores(batch.x).argmax(1) == TAGGED).all()
    assert (crp.without(batch.x, {layer: ids}).argmax(1) == TAGGED).float().mean() <= 0.05
    # The three in the middle of the ranking are not missed.
    middle = strongest(crp, batch.x, layer, 40)[-3:]
    assert (crp.without(batch.x, {layer: middle}).argmax(1) == TAGGED).float().mean() >= 0.9
    # Hearts without a tag were never known as such: it was the tag.
    assert (hans.scores(hearts("none").x).argmax(1) == TAGGED).float().mean() <= 0.05


def test_a_condition_without_the_tag_looks_away_from_it(hans: ImageModel, batch: Batch) -> None:
    crp, layer = CRP(hans, "epsilon_alpha2_beta1"), "features.conv3"
    tags = strongest(crp, batch.x, layer)
    others = [unit for unit in range(crp.units(layer)) if unit not in tags]
    every = crp.attribute(batch.x, [{"y": [TAGGED], layer: range(crp.units(layer))}]).heatmap
    rest = crp.attribute(batch.x, [{"y": [TAGGED], layer: others}]).heatmap
    taken = ((every - rest) * batch.tag_masks).sum() / (every * batch.tag_masks).sum()
    assert taken >= 0.2
    beside = ((every - rest) * ~batch.tag_masks).sum() / (every * batch.tag_masks).sum()
    assert beside.abs() <= 0.5 * taken
