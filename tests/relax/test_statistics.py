"""What the numbers mean: no bias, standard errors that cover at their stated rate, balanced masks that need fewer."""

from __future__ import annotations

import itertools
import math
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from tests.relax.slow import slow_mask
from xaiwidgets import RELAX, ImageModel, RelaxResult, masks_needed
from xaiwidgets.relax.masks import Grids

CELLS, SIDE = 3, 8
BLOCK = 32


@pytest.fixture(scope="module")
def cheap() -> ImageModel:
    """A curved function of a tiny image: thousands of explanations take seconds."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 12), nn.ReLU(), nn.Linear(12, 4))
    return ImageModel(module.eval(), input_size=SIDE)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@cache
def all_masks() -> Tensor:
    """Every grid at every shift: the masks' whole distribution at keep = ½, each once."""
    grids = torch.tensor(list(itertools.product([0.0, 1.0], repeat=CELLS**2))).view(-1, CELLS, CELLS)
    shifts = torch.cartesian_prod(torch.arange(CELLS), torch.arange(CELLS))
    parts = [Grids(grids, shift.expand(len(grids), 2)).draw((SIDE, SIDE)) for shift in shifts]
    return torch.cat(parts)


@pytest.fixture(scope="module")
def exact(cheap: ImageModel, picture: Tensor) -> RelaxResult:
    """Importance and uncertainty in expectation, not estimated."""
    return RELAX(cheap, masks=all_masks(), batch_size=1000)(picture)


def runs(model: ImageModel, picture: Tensor, design: str, n_masks: int, seeds: int) -> list[RelaxResult]:
    return [
        RELAX(model, masks=design, n_masks=n_masks, cells=CELLS, seed=seed, batch_size=n_masks)(picture, progress=False)
        for seed in range(seeds)
    ]


def test_the_enumeration_is_right() -> None:
    masks = all_masks()
    assert len(masks) == 512 * 9
    grid = torch.zeros(CELLS, CELLS)
    grid[0, 2] = grid[1, 1] = 1
    wanted = slow_mask(grid, (SIDE, SIDE), (1, 2))
    assert (masks - wanted).abs().amax((1, 2)).min() < 1e-6


@pytest.mark.parametrize("design", ["random", "balanced"])
@pytest.mark.parametrize("blocks", [4, 9, 18])
def test_standard_error_covers_at_its_stated_rate(
    cheap: ImageModel, picture: Tensor, exact: RelaxResult, design: str, blocks: int
) -> None:
    found = runs(cheap, picture, design, blocks * BLOCK, 120)
    inside = [((run.importance - exact.importance).abs() <= 1.96 * run.standard_error).float().mean() for run in found]
    coverage = float(torch.stack(inside).mean())
    highest = 0.975
    assert 0.925 <= coverage <= highest, f"{coverage:.3f} of the pixels lie within 1.96 standard errors"


@pytest.mark.parametrize("design", ["random", "balanced"])
def test_no_bias_and_honest_spread(cheap: ImageModel, picture: Tensor, exact: RelaxResult, design: str) -> None:
    found = runs(cheap, picture, design, 9 * BLOCK, 150)
    importance = torch.stack([run.importance[0] for run in found]).double()
    spread = importance.std(0)
    bias = (importance.mean(0) - exact.importance[0]) / (spread / len(found) ** 0.5)
    # A ratio estimate is biased by O(1/n): small beside the spread of one run.
    assert ((importance.mean(0) - exact.importance[0]).abs() / spread).mean() < 0.2
    assert bias.abs().mean() < 2
    stated = torch.stack([run.standard_error[0] for run in found]).double().square().mean(0).sqrt()
    # Spreading the shifts evenly matters most with few cells, as here: the stated error is then too careful, never too bold.
    highest = 1.2 if design == "random" else 2.0
    assert 0.85 < float((stated / spread).mean()) < highest
    uncertainty = torch.stack([run.uncertainty[0] for run in found]).double().mean(0)
    torch.testing.assert_close(uncertainty, exact.uncertainty[0].double(), rtol=0.05, atol=1e-4)


def test_balanced_masks_need_far_fewer(cheap: ImageModel, picture: Tensor, exact: RelaxResult) -> None:
    def error(design: str, n_masks: int) -> float:
        found = runs(cheap, picture, design, n_masks, 40)
        return math.sqrt(sum(float((run.importance - exact.importance).square().mean()) for run in found) / 40)

    # Three times fewer masks at the same error, although at this size a shift moves a mask by a third of a cell.
    assert error("balanced", 13 * BLOCK) < error("random", 39 * BLOCK) * 1.05


def test_error_shrinks_with_masks_and_uncertainty_does_not(cheap: ImageModel, picture: Tensor) -> None:
    few, many = (RELAX(cheap, masks="random", n_masks=n, cells=CELLS)(picture) for n in (400, 6400))
    ratio = float(few.standard_error.mean() / many.standard_error.mean())
    assert 3.5 < ratio < 4.5
    assert 0.85 < float(few.uncertainty.mean() / many.uncertainty.mean()) < 1.15


def agree(balanced: RelaxResult, independent: RelaxResult) -> None:
    """Within three standard errors of their difference nearly everywhere, and on the mean square."""
    both = (balanced.standard_error.square() + independent.standard_error.square()).sqrt()
    deviations = (balanced.importance - independent.importance) / both
    assert (deviations.abs() <= 3).float().mean() > 0.98
    assert deviations.square().mean() < 3
    assert (balanced.uncertainty / independent.uncertainty - 1).abs().mean() < 0.15


def test_balanced_agrees_with_independent_masks_on_the_demo(cnn: ImageModel, x: Tensor) -> None:
    balanced = RELAX(cnn, n_masks=768)(x[:1])
    independent = RELAX(cnn, n_masks=2000, masks="random", seed=1)(x[:1])
    agree(balanced, independent)


@pytest.mark.slow
def test_balanced_agrees_with_long_independent_runs_on_both_demo_models(
    cnn: ImageModel, vit: ImageModel, x: Tensor
) -> None:
    for model in (cnn, vit):
        balanced = RELAX(model, n_masks=1792)(x[:2])
        independent = RELAX(model, n_masks=12_000, masks="random", seed=1)(x[:2])
        agree(balanced, independent)


def test_masks_needed_is_hoeffdings_bound() -> None:
    # ln(2/0.05) / (2·0.025²) = 2951.1: the smallest whole number that is not below is 2952.
    assert masks_needed() == masks_needed(0.025, 0.95) == 2952
    assert math.log(2 / 0.05) / (2 * 0.025**2) == pytest.approx(2951.10, abs=0.01)
    for error, confidence in ((0.1, 0.9), (0.01, 0.99), (0.5, 0.5)):
        needed = masks_needed(error, confidence)

        def failure(n: int, error: float = error) -> float:
            return 2 * math.exp(-2 * n * error**2)

        assert failure(needed) <= 1 - confidence + 1e-12 < failure(needed - 1) + 1e-12
    with pytest.raises(ValueError, match="error=0 must be positive"):
        masks_needed(0)
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match=r"confidence=.* must lie in \(0, 1\)"):
            masks_needed(confidence=confidence)
