"""The control variate: equal to its formula pair by pair, exact where it can be, without bias, with honest errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.relax.slow import slow_mask
from xaiwidgets import RELAX, RISE, ImageModel, RelaxResult
from xaiwidgets.relax.control import _RIDGES, ControlVariate
from xaiwidgets.relax.masks import Grids, balanced_block, balanced_grids

CELLS, SIZE = 3, (8, 11)
SHIFTS = [(row, column) for row in range(CELLS) for column in range(CELLS)]
DEVICE = torch.device("cpu")


def drawn(seed: int, cells: int = CELLS) -> Grids:
    return balanced_grids(cells, 0.5, torch.Generator().manual_seed(seed))


def signed(grid: Tensor, shift: tuple[int, int]) -> Tensor:
    """L = 2M − 1 as a map (H, W)."""
    return 2 * slow_mask(grid.double(), SIZE, shift) - 1


def places(grid: Tensor, shift: tuple[int, int]) -> Tensor:
    """φ: the mean of L over each of 4 × 4 places."""
    return F.adaptive_avg_pool2d(signed(grid, shift)[None], CELLS + 1).flatten()


def expected() -> Tensor:
    """C = E[φ·L], (16, H, W): one cell at a time, at every shift."""
    total = torch.zeros((CELLS + 1) ** 2, *SIZE, dtype=torch.float64)
    empty = torch.zeros(CELLS, CELLS)
    for shift in SHIFTS:
        for cell in range(CELLS**2):
            one = empty.clone()
            one.view(-1)[cell] = 1
            # A cell alone: what it adds to a map in which nothing shows.
            weight = (signed(one, shift) - signed(empty, shift)) / 2
            place = (places(one, shift) - places(empty, shift)) / 2
            total += place[:, None, None] * weight / len(SHIFTS)
    return total


def slow_importance(blocks: list[Grids], answers: Tensor) -> Tensor:
    """The formula, each pair left out by solving for the slopes of the others again. answers: (n,)."""
    cells = torch.cat([block.cells for block in blocks])[0::2]
    shifts = [tuple(shift) for shift in torch.cat([block.shifts for block in blocks])[0::2].tolist()]
    maps = torch.stack([signed(grid, shift) for grid, shift in zip(cells, shifts, strict=True)])
    x = torch.stack([places(grid, shift) for grid, shift in zip(cells, shifts, strict=True)])
    even, odd = (answers[0::2] + answers[1::2]) / 2, (answers[0::2] - answers[1::2]) / 2
    unit = x.square().sum() / len(torch.linalg.svdvals(x))
    best = (math.inf, torch.empty(0), torch.empty(0))
    for ridge in _RIDGES:
        slopes = []
        for pair in range(len(x)):
            others = [index for index in range(len(x)) if index != pair]
            a = x[others]
            slopes.append(torch.linalg.solve(a.T @ a + ridge * unit * torch.eye(x.shape[1]), a.T @ odd[others]))
        rest = odd - (x * torch.stack(slopes)).sum(1)
        error = float(rest.square().mean())
        if error < best[0]:
            best = (error, torch.stack(slopes), rest)
    _, slopes_of, rest = best
    known = torch.einsum("k,khw->hw", slopes_of.mean(0), expected())
    return even.mean() + known + (rest[:, None, None] * maps).mean(0)


def test_equals_the_formula_pair_by_pair() -> None:
    blocks = [drawn(seed) for seed in (0, 1)]
    answers = torch.rand(64, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    control = ControlVariate(SIZE, CELLS, DEVICE)
    control.add(blocks[0], answers[None, :32])
    means, anew = control.add(blocks[1], answers[None, 32:])
    assert anew
    assert means.shape == (2, 1, *SIZE)
    torch.testing.assert_close(means.mean(0)[0], slow_importance(blocks, answers), atol=2e-6, rtol=0)


def test_images_of_one_run_do_not_touch_each_other() -> None:
    answers = torch.rand(3, 32, generator=torch.Generator().manual_seed(0))
    together, _ = ControlVariate(SIZE, CELLS, DEVICE).add(drawn(0), answers)
    for image in range(3):
        alone, _ = ControlVariate(SIZE, CELLS, DEVICE).add(drawn(0), answers[image : image + 1])
        torch.testing.assert_close(together[:, image : image + 1], alone)


def test_slopes_are_learned_from_the_first_pairs_and_then_stay() -> None:
    control = ControlVariate(SIZE, 7, DEVICE)
    answers = torch.rand(1, 128, generator=torch.Generator().manual_seed(0))
    found = [control.add(drawn(seed, 7), answers) for seed in range(6)]
    assert [anew for _, anew in found] == [True] * 4 + [False] * 2
    assert [len(means) for means, _ in found] == [1, 2, 3, 4, 1, 1]


class _Shown(nn.Module):
    """How much of each of four weighted sums of the picture shows: linear in the mask."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3 * 32 * 32, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(x.flatten(1))
        return out


def test_a_linear_answer_is_told_nearly_exactly() -> None:
    """All noise of a smooth linear answer comes from the shifts, and the control variate takes it out."""
    torch.manual_seed(0)
    model = ImageModel(_Shown().eval(), input_size=32, scores="values")
    smooth = F.interpolate(torch.randn(1, 1, 4, 4), size=(32, 32), mode="bilinear")
    with torch.no_grad():
        model.module.last.weight.copy_(smooth.flatten(1).repeat(1, 3) / 100)  # type: ignore[union-attr,operator]
    image = torch.ones(1, 3, 32, 32)

    def spread(control: bool) -> float:
        found = [
            RISE(model, score="logit", n_masks=256, seed=seed, control_variate=control)(image, target=0, progress=False)
            for seed in range(4)
        ]
        return float(torch.stack([run.importance for run in found]).var(0).mean().sqrt())

    assert spread(True) < 0.1 * spread(False)


@pytest.fixture(scope="module")
def curved() -> ImageModel:
    torch.manual_seed(3)
    module = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(192, 24), nn.ReLU(), nn.Linear(24, 4))
    return ImageModel(module.eval(), input_size=16)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    noise = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return F.interpolate(noise, size=(16, 16), mode="bilinear")


@pytest.fixture(scope="module")
def truth(curved: ImageModel, picture: Tensor) -> RelaxResult:
    """Balanced masks without the control variate: their error is a small part of that of the runs compared with it."""
    return RELAX(curved, n_masks=128 * 256, seed=99, batch_size=2048)(picture, progress=False)


def runs(model: ImageModel, picture: Tensor, n_masks: int, seeds: int, **asked: Any) -> list[RelaxResult]:
    return [
        RELAX(model, n_masks=n_masks, seed=seed, batch_size=1024, **asked)(picture, progress=False)
        for seed in range(seeds)
    ]


@pytest.mark.parametrize("blocks", [2, 5])
def test_no_bias_and_errors_that_cover(curved: ImageModel, picture: Tensor, truth: RelaxResult, blocks: int) -> None:
    found = runs(curved, picture, blocks * balanced_block(7), 40, control_variate=True)
    importance = torch.stack([run.importance[0] for run in found]).double()
    exact = truth.importance[0].double()
    spread = importance.std(0)
    # The mean of 40 runs is off by a spread over √40 by chance, 0.13 on average, and by the truth's own error.
    assert ((importance.mean(0) - exact).abs() / spread).mean() < 0.3
    inside = [((run.importance - truth.importance).abs() <= 1.96 * run.standard_error).float().mean() for run in found]
    coverage = float(torch.stack(inside).mean())
    assert 0.925 <= coverage <= 0.995, f"{coverage:.3f} of the pixels lie within 1.96 standard errors"


def test_the_same_error_with_fewer_masks(curved: ImageModel, picture: Tensor, truth: RelaxResult) -> None:
    def errors(n_masks: int, control: bool) -> tuple[float, float]:
        """Mean square of the importance's error, and of that of what is above the mean similarity."""
        found = runs(curved, picture, n_masks, 24, control_variate=control)
        importance = torch.stack([(run.importance - truth.importance).square().mean() for run in found])
        relative = torch.stack([(run.relative_importance - truth.relative_importance).square().mean() for run in found])
        return float(importance.mean()), float(relative.mean())

    few, same, thrice = errors(256, True), errors(256, False), errors(768, False)
    assert few[0] < 0.75 * same[0]
    assert few[1] < thrice[1]


def test_streams_batches_and_seeds(curved: ImageModel, picture: Tensor) -> None:
    explain = RELAX(curved, n_masks=256, control_variate=True, batch_size=50)
    results = list(explain.stream(picture))
    assert torch.equal(results[-1].importance, explain(picture, progress=False).importance)
    whole = RELAX(curved, n_masks=256, control_variate=True, batch_size=128)(picture, progress=False)
    torch.testing.assert_close(results[-1].importance, whole.importance, atol=1e-6, rtol=0)
    # Before the first block of 128 ends, the masks count as they are.
    block = next(iter(explain._blocks(256, (16, 16), torch.Generator().manual_seed(0))))
    plain = RELAX(curved, masks=block.draw((16, 16), 0, 50))(picture, progress=False)
    torch.testing.assert_close(results[0].importance, plain.importance)
    # Within a block, the importance is that of the blocks before.
    assert [result.n_masks for result in results] == [50, 100, 128, 178, 228, 256]
    assert torch.equal(results[3].importance, results[2].importance)
    assert not torch.equal(results[5].importance, results[4].importance)
    assert whole.provenance.parameters["control_variate"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"masks": "random"}, r"control_variate=True came with masks='random', keep=0.5; .* give masks='balanced'"),
        ({"keep": 0.3}, r"control_variate=True came with masks='balanced', keep=0.3"),
        ({"masks": torch.rand(4, 16, 16)}, "control_variate=True came with masks of your own"),
    ],
)
def test_what_it_rests_on_is_said(curved: ImageModel, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RELAX(curved, control_variate=True, **given)


def test_it_is_yes_or_no(curved: ImageModel) -> None:
    with pytest.raises(TypeError, match="control_variate='yes' must be True or False"):
        RELAX(curved, control_variate="yes")
