"""Localisation measures on maps with known answers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from xaiwidgets import ImageModel
from xaiwidgets.demo import Batch
from xaiwidgets.evaluate import localisation
from xaiwidgets.evaluate.localisation import mass_accuracy, pointing_game, rank_accuracy

INSIDE = torch.tensor([[True, True, False, False]])


@pytest.mark.parametrize(
    ("relevance", "mass", "rank", "pointing"),
    [
        ([2.0, 1.0, 0.0, -1.0], 1, 1, 1),
        ([-2.0, -1.0, 3.0, 1.0], 0, 0, 0),
        ([3.0, -1.0, 1.0, -2.0], 0.75, 0.5, 1),
        ([1.0, 1.0, 1.0, 1.0], 0.5, 0.5, 0.5),
        ([-1.0, -2.0, -3.0, -4.0], 0, 1, 1),
        ([5.0, 1.0, 1.0, 1.0], 0.75, 0.5 + 0.5 / 3, 1),
    ],
)
def test_measures_by_hand(relevance: list[float], mass: float, rank: float, pointing: float) -> None:
    values = torch.tensor([relevance], dtype=torch.float64)
    assert float(mass_accuracy(values, INSIDE)) == pytest.approx(mass)
    assert float(rank_accuracy(values, INSIDE)) == pytest.approx(rank)
    assert float(pointing_game(values, INSIDE)) == pytest.approx(pointing)


def test_truth_is_perfect_and_chance_is_the_masks_share(cnn: ImageModel, shapes: Batch) -> None:
    noise = torch.rand(shapes.masks.shape, generator=torch.Generator().manual_seed(0))
    result = localisation(cnn, shapes.x, shapes.masks, {"noise": noise, "truth": shapes.masks.float()})
    assert list(result.table()) == ["truth", "noise"]
    for measure in ("mass", "rank", "pointing"):
        assert float(result.measure(measure)["truth"].min()) == pytest.approx(1)
    share = float(result.share.mean())
    assert float(result.mass["noise"].mean()) == pytest.approx(share, abs=0.02)
    assert float(result.rank["noise"].mean()) == pytest.approx(share, abs=0.02)
    assert "truth: mass 1" in str(result)


def test_tolerance_widens_the_mask(model: ImageModel) -> None:
    x, masks, heat = torch.zeros(1, 3, 20, 28), torch.zeros(1, 20, 28, dtype=torch.bool), torch.zeros(1, 20, 28)
    masks[0, 5, 5], heat[0, 5, 8] = True, 1
    hits = [float(localisation(model, x, masks, {"a": heat}, tolerance=t).pointing["a"]) for t in (0, 2, 3)]
    assert hits == [0, 0, 1]


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        (torch.ones(2, 20, 28), {}, r"masks has shape \(2, 20, 28\); give \(3, 20, 28\)"),
        (torch.zeros(3, 20, 28), {}, r"masks\[0\] is empty"),
        (torch.ones(3, 20, 28), {"tolerance": -1}, "tolerance=-1"),
        (torch.ones(3, 20, 28), {"explanations": {}}, "explanations is empty"),
    ],
)
def test_errors(  # noqa: PLR0917
    model: ImageModel, x: Tensor, heat: Tensor, masks: Tensor, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        localisation(model, x, masks, **{"explanations": {"a": heat}, **options})
