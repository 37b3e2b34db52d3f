"""What one cell does by itself, learned from the masks and taken out of their noise: a control variate for RELAX and RISE.

Balanced masks come in pairs, a grid z of ±1 and its complement −z, at one shift. With the answers s₊ and s₋ and the map
M = (1 + L)/2 of the grid, e = (s₊ + s₋)/2 and o = (s₊ − s₋)/2, the mean of s·M over the mean of M is the mean of e + o·L.
Most of o is linear in what the map shows, o ≈ β·φ with φ the map averaged over a coarse grid of places, and the shifts keep
a block from balancing that part: a pixel's weights of the cells change from pair to pair. What β·φ adds in expectation is
known without any forward pass, E[β·φ·L] = β·C, so it is put in exactly and only the rest is left to the sample:

    R = mean(e) + β·C + mean((o − β·φ)·L)

(control variates: Owen, Monte Carlo theory, methods and examples, section 8.9). Each pair's β comes from the other pairs (ridge
regression, left one out in closed form), so that R stays without bias whatever the model does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.relax.masks import Grids, enlargers

__all__ = ["ControlVariate"]

_LEARNED_PAIRS = 256
"""Pairs from which β is learned; later blocks use it as it is. More of them hardly tell it better, and cost each time."""
_RIDGES = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Penalties to choose from, over the number of pairs and the mean square of φ."""


class ControlVariate:
    """The blocks' estimates of the importance, for N images that share the masks.

    Args:
        size: (H, W) of the image.
        cells: along each side of a mask; φ has one place more along each side.
        device: where the masks lie.
    """

    def __init__(self, size: tuple[int, int], cells: int, device: torch.device) -> None:
        self._rows, self._columns = (enlargers(length, cells, device).double() for length in size)
        self._row_places, self._column_places = (
            F.adaptive_avg_pool1d(lines.transpose(1, 2), cells + 1).transpose(1, 2)
            for lines in (self._rows, self._columns)
        )
        # Shifts of rows and columns are independent and even, so E[φ·L] parts into a factor for each direction.
        self._row_expected, self._column_expected = (
            torch.einsum("ukc,upc->kp", places, lines) / len(lines)
            for places, lines in ((self._row_places, self._rows), (self._column_places, self._columns))
        )
        self._blocks: list[_Pairs] = []
        self._slopes: Tensor | None = None
        self._even: list[Tensor] = []

    @property
    def level_variance(self) -> Tensor:
        """Variance of a block's mean of e if its pairs were independent, (N,): many pairs tell it well.

        Balance makes the true one smaller, never larger but by chance.
        """
        return torch.cat(self._even, 1).var(1) / self._even[0].shape[1]

    def add(self, grids: Grids, answers: Tensor) -> tuple[Tensor, bool]:
        """Take in one block of pairs of complements and its answers (N, n).

        Returns:
            Estimates of the importance (blocks, N, H, W), and whether they replace those of the blocks before: while β is
            still being learned all blocks are estimated anew, later only this one.
        """
        block = self._pairs(grids, answers)
        self._even.append(block.even)
        if self._slopes is not None:
            return self._estimate(block, block.odd - self._slopes @ block.places.T, self._slopes)[None], False
        self._blocks.append(block)
        places = torch.cat([block.places for block in self._blocks])
        odd = torch.cat([block.odd for block in self._blocks], 1)
        left_out, others, slopes = _leave_one_out(places, odd)
        rests = left_out.split([len(block.places) for block in self._blocks], 1)
        means = torch.stack(
            [self._estimate(block, rest, others) for block, rest in zip(self._blocks, rests, strict=True)]
        )
        if len(places) >= _LEARNED_PAIRS:
            self._slopes, self._blocks = slopes, []
        return means, True

    def _pairs(self, grids: Grids, answers: Tensor) -> _Pairs:
        signs = 2.0 * grids.cells[0::2].double() - 1
        shifts = grids.shifts[0::2]
        places = self._row_places[shifts[:, 0]] @ signs @ self._column_places[shifts[:, 1]].transpose(1, 2)
        first, second = answers[:, 0::2].double(), answers[:, 1::2].double()
        return _Pairs(signs, shifts, places.flatten(1), (first + second) / 2, (first - second) / 2)

    def _estimate(self, block: _Pairs, rest: Tensor, slopes: Tensor) -> Tensor:
        """mean(e) + slopes·C + mean(rest·L), (N, H, W). rest: (N, pairs); slopes: (N, places)."""
        images, pairs = rest.shape
        side = len(self._row_places)
        # Σ rest·z for each shift, then enlarged: no map is drawn for itself.
        summed = rest.new_zeros(side * side, images, side, side)
        weighted = rest.T[:, :, None, None] * block.signs[:, None]
        summed.index_add_(0, block.shifts[:, 0] * side + block.shifts[:, 1], weighted)
        lines = torch.einsum("yxncd,xwd->nycw", summed.view(side, side, images, side, side), self._columns)
        sampled = torch.einsum("yhc,nycw->nhw", self._rows, lines) / pairs
        known = self._row_expected.T @ slopes.view(images, side + 1, side + 1) @ self._column_expected
        return block.even.mean(1)[:, None, None] + known + sampled


class _Pairs:
    """One block: signs (pairs, cells, cells) of ±1, shifts (pairs, 2), φ (pairs, places), e and o (N, pairs)."""

    def __init__(self, signs: Tensor, shifts: Tensor, places: Tensor, even: Tensor, odd: Tensor) -> None:
        self.signs, self.shifts, self.places, self.even, self.odd = signs, shifts, places, even, odd


def _leave_one_out(places: Tensor, odd: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ridge regression of ``odd`` (N, n) on ``places`` (n, d), with the penalty that predicts left-out pairs best.

    Returns:
        What is left of each pair after β of all others (N, n); the mean of these β (N, d); β of all pairs (N, d).
    """
    pairs = len(places)
    left, scales, right = torch.linalg.svd(places, full_matrices=False)
    squares = scales.square()
    unit = squares.mean()
    best: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
    for ridge in _RIDGES:
        shrink = squares + ridge * unit
        solve = (right.T * (scales / shrink)) @ left.T  # (d, n): β = solve · o
        leverage = (left.square() * (squares / shrink)).sum(1)
        slopes = odd @ solve.T
        rest = (odd - slopes @ places.T) / (1 - leverage)
        error = rest.square().mean(1, keepdim=True)
        # Without pair i, β is β − (XᵀX + penalty)⁻¹ xᵢ·restᵢ.
        others = slopes - rest @ solve.T / pairs
        found = (error, rest, others, slopes)
        if best is None:
            best = found
        else:
            better = error < best[0]
            best = tuple(torch.where(better, new, old) for new, old in zip(found, best, strict=True))  # type: ignore[assignment]
    assert best is not None
    return best[1:]
