"""Patches, orders, ties and schedules, against counts by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from xaiwidgets.evaluate.flipping.orders import Grid, inverse, random_ranks, ranks_of
from xaiwidgets.evaluate.flipping.schedules import make_schedule


def test_the_published_schedule_for_28_by_28_patches() -> None:
    schedule = make_schedule("squares", 784)
    assert schedule.steps == 29
    assert schedule.flips.tolist() == [0, *range(1, 56, 2), 784]
    assert schedule.fractions[-2:].tolist() == [1, 1]
    assert schedule.gray_last


def test_squares_of_a_number_that_is_no_square_and_fewer_steps() -> None:
    assert make_schedule("squares", 12).counts == (0, 1, 4, 9, 12, 12)
    short = make_schedule("squares", 784, 5)
    assert short.counts == (0, 1, 4, 9, 16, 25)
    assert not short.gray_last
    with pytest.raises(ValueError, match="steps=6 is more than the 5"):
        make_schedule("squares", 12, 6)


@pytest.mark.parametrize("name", ["linear", "geometric"])
@pytest.mark.parametrize("patches", [1, 2, 7, 64, 1000])
@pytest.mark.parametrize("steps", [None, 1, 3])
def test_other_schedules_rise_from_none_to_all(name: Any, patches: int, steps: int | None) -> None:
    counts = make_schedule(name, patches, steps).counts
    assert counts[0] == 0
    assert counts[-1] == patches
    assert list(counts) == sorted(set(counts))
    if name == "linear":
        assert len(counts) == min(steps or 20, patches) + 1


def test_given_fractions() -> None:
    assert make_schedule([0.25, 0.5, 1], 8).counts == (0, 2, 4, 8)
    assert make_schedule([0, 0.5], 8).counts == (0, 4)


@pytest.mark.parametrize(
    ("schedule", "steps", "message"),
    [
        ("square", None, "did you mean 'squares'"),
        ([0.5, 0.4], None, "must rise"),
        ([1.2], None, r"\[0, 1\]"),
        ([], None, "at least one"),
        ([0.5], 3, "leave steps out"),
        ("linear", 0, "at least 1"),
    ],
)
def test_schedules_that_do_not_fit(schedule: Any, steps: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_schedule(schedule, 16, steps)


@pytest.mark.parametrize(("height", "width", "patch"), [(20, 28, 8), (7, 5, 3), (6, 6, 1), (5, 9, 5)])
def test_patch_sums_with_smaller_patches_at_the_edge(height: int, width: int, patch: int) -> None:
    grid = Grid(height, width, patch)
    heat = torch.randn(2, height, width, generator=torch.Generator().manual_seed(0))
    slow = [
        heat[:, top : top + patch, left : left + patch].double().sum((1, 2))
        for top in range(0, height, patch)
        for left in range(0, width, patch)
    ]
    assert torch.allclose(grid.sums(heat), torch.stack(slow, 1))
    assert grid.patches == len(slow)
    spread = grid.spread(torch.arange(grid.patches)[None])
    assert spread.shape == (1, height, width)
    for index in range(grid.patches):
        top, left = index // grid.columns * patch, index % grid.columns * patch
        assert (spread[0, top : top + patch, left : left + patch] == index).all()


def test_ranks_are_the_order_of_the_sums() -> None:
    ranks, ties = ranks_of(torch.tensor([[0.1, 3.0, -2.0, 1.0]]), seed=0)
    assert ranks.tolist() == [[2, 0, 3, 1]]
    assert ties.tolist() == [0]
    assert inverse(ranks).tolist() == [[1, 3, 0, 2]]


def test_ties_are_reported_and_broken_the_same_way_for_any_batch() -> None:
    sums = torch.zeros(4, 30)
    sums[1, :10] = torch.arange(10.0) + 1
    ranks, ties = ranks_of(sums, seed=3)
    assert ties.tolist() == pytest.approx([1, 2 / 3, 1, 1])
    assert ranks[1, 9] == 0
    for row in range(4):
        alone, _ = ranks_of(sums[row : row + 1], seed=3, first=row)
        assert torch.equal(alone[0], ranks[row])
    assert not torch.equal(ranks[0], ranks[2])
    assert not torch.equal(ranks_of(sums, seed=4)[0], ranks)
    # No place is favoured: a constant map is a random order.
    many, _ = ranks_of(torch.zeros(400, 9), seed=0)
    assert many.double().mean(0).sub(4).abs().max() < 0.6


def test_random_orders_are_permutations_of_each_image_alone() -> None:
    ranks = random_ranks(5, 12, seed=0, repeat=1)
    assert (ranks.sort(1).values == torch.arange(12)).all()
    assert torch.equal(random_ranks(2, 12, seed=0, repeat=1, first=3), ranks[3:])
    assert not torch.equal(random_ranks(5, 12, seed=0, repeat=2), ranks)


def test_patch_larger_than_the_image() -> None:
    with pytest.raises(ValueError, match="patch=9 is larger than the image of 8×20 pixels; take 8 or less"):
        Grid(8, 20, 9)
    with pytest.raises(ValueError, match="at least 1"):
        Grid(8, 20, 0)
