"""Masks: their geometry, their distribution, and the balance of a block."""

from __future__ import annotations

import pytest
import torch

from tests.relax.slow import slow_mask
from xaiwidgets.relax.masks import Grids, balanced_block, balanced_grids, has_lattice, lattice_grids, random_grids


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("size", "cells"), [((64, 64), 7), ((33, 50), 7), ((20, 12), 4), ((9, 9), 5), ((8, 31), 2)])
def test_masks_are_enlarged_padded_and_cropped_as_written(size: tuple[int, int], cells: int) -> None:
    grids = random_grids(40, cells, 0.5, generator())
    drawn = grids.draw(size)
    assert drawn.shape == (40, *size)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    for grid, shift, mask in zip(grids.cells, grids.shifts.tolist(), drawn, strict=True):
        torch.testing.assert_close(mask, slow_mask(grid, size, (shift[0], shift[1])), atol=1e-6, rtol=0)


def test_every_shift_is_drawn_rows_and_columns_apart() -> None:
    grid = torch.eye(5)
    everywhere = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    drawn = Grids(grid.expand(25, 5, 5), everywhere).draw((15, 22))
    for (row, column), mask in zip(everywhere.tolist(), drawn, strict=True):
        torch.testing.assert_close(mask, slow_mask(grid, (15, 22), (row, column)), atol=1e-6, rtol=0)


def test_a_part_of_the_masks_is_that_part() -> None:
    grids = random_grids(30, 7, 0.5, generator())
    assert torch.equal(grids.draw((40, 30), 10, 17), grids.draw((40, 30))[10:17])


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
def test_random_cells_are_independent_and_kept_at_the_stated_rate(keep: float) -> None:
    count = 20_000
    cells = random_grids(count, 4, keep, generator()).cells.flatten(1).double()
    deviation = (keep * (1 - keep) / count) ** 0.5
    assert (cells.mean(0) - keep).abs().max() < 4.5 * deviation
    covariance = torch.cov(cells.T)
    off = covariance - covariance.diag().diag()
    assert off.abs().max() < 4.5 * keep * (1 - keep) / count**0.5


def test_random_shifts_are_uniform() -> None:
    shifts = random_grids(14_000, 7, 0.5, generator()).shifts
    counts = torch.bincount(shifts[:, 0] * 7 + shifts[:, 1], minlength=49).double()
    assert counts.shape == (49,)
    # χ² with 48 degrees of freedom: mean 48, standard deviation 9.8.
    assert ((counts - 14_000 / 49) ** 2 / (14_000 / 49)).sum() < 48 + 4 * 9.8


@pytest.mark.parametrize(("cells", "block"), [(2, 16), (3, 32), (5, 64), (7, 128), (8, 256), (11, 256)])
def test_block_has_a_column_for_each_cell_and_complements(cells: int, block: int) -> None:
    assert balanced_block(cells) == block
    assert len(balanced_grids(cells, 0.5, generator())) == block


@pytest.mark.parametrize("cells", [3, 7, 8])
def test_every_pair_of_cells_is_balanced_in_all_four_ways(cells: int) -> None:
    grids = balanced_grids(cells, 0.5, generator(5))
    kept = grids.cells.flatten(1)
    n = len(kept)
    assert torch.equal(kept.sum(0), torch.full((cells**2,), n / 2))
    both = kept.T @ kept
    assert torch.equal(both - both.diag().diag(), torch.full_like(both, n / 4) - torch.eye(cells**2) * n / 4)
    neither = (1 - kept).T @ (1 - kept)
    assert torch.equal(neither, both)


def test_each_grid_is_followed_by_its_complement() -> None:
    cells = balanced_grids(7, 0.5, generator()).cells
    assert torch.equal(cells[0::2], 1 - cells[1::2])


def test_main_effects_are_free_of_interactions() -> None:
    """Foldover: a cell's ±1 is orthogonal to every product of two cells' ±1."""
    signs = balanced_grids(5, 0.5, generator()).cells.flatten(1) * 2 - 1
    products = torch.stack([signs[:, i] * signs[:, j] for i in range(25) for j in range(i)], 1)
    assert torch.equal(signs.T @ products, torch.zeros(25, 300))


def test_a_grid_and_its_complement_share_their_shift() -> None:
    shifts = balanced_grids(7, 0.5, generator()).shifts
    assert torch.equal(shifts[0::2], shifts[1::2])


def test_blocks_differ_and_single_grids_look_independent() -> None:
    """Over blocks, any one row of the design is a grid of independent fair cells."""
    source = generator()
    rows = torch.stack([balanced_grids(3, 0.5, source).cells[6].flatten() for _ in range(6000)])
    assert (rows.mean(0) - 0.5).abs().max() < 4.5 * 0.5 / 6000**0.5
    patterns = torch.bincount((rows @ 2.0 ** torch.arange(9)).long(), minlength=512).double()
    # χ² with 511 degrees of freedom: mean 511, standard deviation 32. A row of a Sylvester matrix is no perfectly
    # random pattern, so the three-way patterns within one block are constrained; over blocks all of them come.
    assert (patterns > 0).all()
    covariance = torch.cov(rows.T)
    assert (covariance - torch.eye(9) / 4).abs().max() < 4.5 * 0.25 * 2 / 6000**0.5


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.65, 0.9])
def test_other_levels_keep_their_rate_in_every_block(keep: float) -> None:
    source = generator(1)
    blocks = torch.stack([balanced_grids(7, keep, source).cells.flatten(1) for _ in range(40)])
    # Stratified: within a block of 128 a cell's share is off by two grids at most (one stratum, and its complement).
    assert (blocks.mean(1) - keep).abs().max() <= 2 / 128 + 1e-6
    assert (blocks.mean((0, 1)) - keep).abs().max() < 5 / 128 / 40**0.5
    # Pairs of cells are close to independent as well: better than independent draws would be.
    flat = blocks.flatten(0, 1)
    covariance = torch.cov(flat.T)
    off = covariance - covariance.diag().diag()
    assert off.abs().max() < 4.5 * keep * (1 - keep) / len(flat) ** 0.5


def test_shifts_come_evenly_in_each_block() -> None:
    pairs = balanced_grids(7, 0.5, generator()).shifts[0::2]
    for axis in (0, 1):
        counts = torch.bincount(pairs[:, axis], minlength=7)
        assert counts.sum() == 64
        assert counts.max() - counts.min() <= 1


def test_each_shift_is_uniform_over_the_grid() -> None:
    source = generator()
    counts = torch.zeros(3, 3)
    for _ in range(3000):
        row, column = balanced_grids(3, 0.5, source).shifts[0].tolist()
        counts[row, column] += 1
    assert ((counts - 3000 / 9) ** 2 / (3000 / 9)).sum() < 8 + 4 * 4


def test_seeds() -> None:
    for make in (
        lambda seed: random_grids(20, 7, 0.5, generator(seed)).draw((30, 30)),
        lambda seed: balanced_grids(7, 0.5, generator(seed)).draw((30, 30)),
        lambda seed: balanced_grids(7, 0.3, generator(seed)).draw((30, 30)),
    ):
        assert torch.equal(make(1), make(1))
        assert not torch.equal(make(1), make(2))


def test_where_there_are_lattices() -> None:
    assert [cells for cells in range(2, 16) if has_lattice(cells)] == [4, 6, 7, 8, 12, 13, 14, 15]


@pytest.mark.parametrize("cells", [4, 6, 7, 8, 13])
def test_a_lattice_is_balanced_as_any_block(cells: int) -> None:
    grids = lattice_grids(cells, generator(5))
    assert len(grids) == balanced_block(cells)
    assert torch.equal(grids.cells[0::2], 1 - grids.cells[1::2])
    assert torch.equal(grids.shifts[0::2], grids.shifts[1::2])
    signs = grids.cells.flatten(1) * 2 - 1
    assert torch.equal(signs.T @ signs, len(grids) * torch.eye(cells**2))


@pytest.mark.parametrize("cells", [4, 6, 7, 8, 13])
def test_a_lattice_balances_neighbours_at_every_shift(cells: int) -> None:
    """Products of touching cells sum to zero over the masks of one shift, of rows and of columns."""
    grids = lattice_grids(cells, generator(1))
    signs = grids.cells * 2 - 1
    products = [
        (signs[:, :-1] * signs[:, 1:]).flatten(1),
        (signs[:, :, :-1] * signs[:, :, 1:]).flatten(1),
        (signs[:, :-1, :-1] * signs[:, 1:, 1:]).flatten(1),
        (signs[:, :-1, 1:] * signs[:, 1:, :-1]).flatten(1),
    ]
    for axis in (0, 1):
        for shift in range(cells):
            there = grids.shifts[:, axis] == shift
            assert there.any()
            for product in products:
                assert (product[there].sum(0) == 0).all()


def test_shifts_of_a_lattice_come_with_each_other_and_are_uniform() -> None:
    shifts = lattice_grids(7, generator()).shifts[0::2]
    together = torch.bincount(shifts[:, 0] * 7 + shifts[:, 1], minlength=49)
    # Eight labels for seven shifts on each axis: one shift comes twice as often.
    assert sorted(together.tolist()) == [1] * 36 + [2] * 12 + [4]
    source = generator(3)
    counts = torch.zeros(4, 4)
    for _ in range(600):
        row, column = lattice_grids(4, source).shifts[0].tolist()
        counts[row, column] += 1
    # χ² with 15 degrees of freedom: mean 15, standard deviation 5.5.
    assert ((counts - 600 / 16) ** 2 / (600 / 16)).sum() < 15 + 4 * 5.5


def test_single_grids_of_lattices_look_independent() -> None:
    source = generator()
    rows = torch.stack([lattice_grids(4, source).cells[6].flatten() for _ in range(800)])
    assert (rows.mean(0) - 0.5).abs().max() < 4.5 * 0.5 / 800**0.5
    covariance = torch.cov(rows.T)
    assert (covariance - torch.eye(16) / 4).abs().max() < 4.5 * 0.25 * 2 / 800**0.5
