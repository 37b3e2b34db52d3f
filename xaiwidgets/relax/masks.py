"""Masks for RELAX and RISE: small random grids, enlarged smoothly and shifted.

A mask is made as in RISE (arXiv 1806.07421, section 3.2) with RELAX's choices (arXiv 2112.10161, section 3.4): a grid
of cells that are kept with probability ``keep``, enlarged bilinearly to the image's size, moved by a few pixels. Two
designs say which grids are drawn together:

* ``"random"``: every cell of every grid for itself.
* ``"balanced"``: blocks in which every cell is hidden exactly as often as kept, and every pair of cells in all four
  ways equally often (an orthogonal array, from a Hadamard matrix), followed by the complements of all grids (foldover).
  A pixel's estimate is then free of the other cells' effects, which are most of the noise of random masks. One mask for
  itself is distributed as before, so both designs estimate the same quantity.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.devices import sent


@dataclass(frozen=True)
class Grids:
    """Masks before they are drawn: ``cells`` (n, rows, columns) of 0 and 1, ``shifts`` (n, 2) in pixels."""

    cells: Tensor
    shifts: Tensor

    def __len__(self) -> int:
        return len(self.cells)

    def to(self, device: torch.device) -> Grids:
        """The same on a device: a few numbers a mask travel, and maps are drawn there."""
        return Grids(sent(self.cells, device), sent(self.shifts, device))

    def draw(self, size: tuple[int, int], start: int = 0, stop: int | None = None) -> Tensor:
        """Masks ``start`` to ``stop`` as maps (n, H, W) in [0, 1]."""
        cells, shifts = self.cells[start:stop], self.shifts[start:stop]
        rows = enlargers(size[0], cells.shape[1], cells.device)[shifts[:, 0]]
        columns = enlargers(size[1], cells.shape[2], cells.device)[shifts[:, 1]]
        return rows @ cells @ columns.transpose(1, 2)


def random_grids(count: int, cells: int, keep: float, generator: torch.Generator) -> Grids:
    """``count`` grids whose cells are independent, each kept with probability ``keep``."""
    kept = torch.rand(count, cells, cells, generator=generator) < keep
    return Grids(kept.float(), torch.randint(0, cells, (count, 2), generator=generator))


def balanced_block(cells: int) -> int:
    """Number of masks in one balanced block: two for each row of the Hadamard matrix."""
    return 2 * _order(cells * cells)


def balanced_grids(cells: int, keep: float, generator: torch.Generator) -> Grids:
    """One block of :func:`balanced_block` balanced grids, each followed by its complement.

    A grid and its complement share their shift, so that they still balance, and the shifts are spread evenly over the
    pairs of a block: an encoder that works in patches feels where the cells' borders fall, and one shift for a whole block
    would leave that to chance. Levels other than one half come from a Latin hypercube laid over the orthogonal array (Tang
    1993, doi 10.1080/01621459.1993.10476423): each cell draws one value of every stratum of [0, 1), in the half that
    the array says.
    """
    count = cells * cells
    order = _order(count)
    hadamard = _hadamard(order)
    # The first column is constant. Which column serves which cell, each column's sign and the order of rows are drawn
    # anew, so that what the array cannot tell apart differs from block to block.
    columns = 1 + torch.randperm(order - 1, generator=generator)[:count]
    signs = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1.0
    array = hadamard[torch.randperm(order, generator=generator)][:, columns] * signs
    if keep == 0.5:
        kept = torch.stack([array > 0, array < 0], 1).float()
    else:
        level = _stratified(array, generator)
        kept = torch.stack([level < keep, 1 - level < keep], 1).float()
    shifts = torch.stack([_even(order, cells, generator), _even(order, cells, generator)], 1)
    return Grids(kept.reshape(2 * order, cells, cells), shifts.repeat_interleave(2, 0))


def has_lattice(cells: int) -> bool:
    """Whether :func:`lattice_grids` knows a design for so many cells along a side: 4, 6, 7, 8, and 12 to 15 of those up to 15."""
    return min(_halves(cells)) >= cells and bool(_lattices(cells))


def lattice_grids(cells: int, generator: torch.Generator) -> Grids:
    """A block as of :func:`balanced_grids` at ``keep`` = ½ that balances shifts against pairs of neighbouring cells as well.

    What two neighbours do together is most of what is not additive, and it changes with the shift. Number the rows of the
    Hadamard matrix by two halves of their bits: one half says the shift of rows, the other that of columns, so that all
    shifts come with each other. A cell's column has a label for each half, from a lattice (a·row + b·column modulo
    ``cells``) in which touching cells differ in both labels. Their product is then orthogonal to every function of either
    shift. Of a few such lattices the one with the fewest groups of four cells in a 3 × 3 window whose product is constant is
    taken. Signs, labels and the order of rows are drawn anew for each block.
    """
    first, second = _halves(cells)
    order = first * second
    pairs = _lattices(cells)
    column = torch.arange(cells)
    best: tuple[int, Tensor] | None = None
    for _ in range(_TRIES):
        chosen = pairs[int(torch.randint(len(pairs), (1,), generator=generator))]
        code = torch.zeros(cells, cells, dtype=torch.long)
        for (a, b), labels, unit in zip(chosen, (first, second), (1, first), strict=True):
            code += torch.randperm(labels, generator=generator)[(a * column[:, None] + b * column) % cells] * unit
        code = code.flatten()
        windows = code[_window_fours(cells)]
        constant = int((windows[:, 0] ^ windows[:, 1] ^ windows[:, 2] ^ windows[:, 3] == 0).sum())
        if best is None or constant < best[0]:
            best = constant, code
    assert best is not None
    signs = torch.randint(0, 2, (cells * cells,), generator=generator) * 2.0 - 1.0
    row = torch.randperm(order, generator=generator)
    array = _hadamard(order)[row][:, best[1]] * signs
    shifts = torch.stack(
        [_even(first, cells, generator)[row % first], _even(second, cells, generator)[row // first]], 1
    )
    kept = torch.stack([array > 0, array < 0], 1).float()
    return Grids(kept.reshape(2 * order, cells, cells), shifts.repeat_interleave(2, 0))


_TRIES = 24
"""Lattices to choose from for a block."""


def _halves(cells: int) -> tuple[int, int]:
    """Numbers of labels whose product is the order of the Hadamard matrix, as equal as can be."""
    bits = _order(cells * cells).bit_length() - 1
    return 1 << (bits - bits // 2), 1 << bits // 2


@lru_cache(maxsize=8)
def _lattices(cells: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of (a, b) in which a·row + b·column modulo ``cells`` tells touching cells apart, and both together all cells."""
    single = [(a, b) for a in range(1, cells) for b in range(1, cells) if (a + b) % cells != 0 and (a - b) % cells != 0]
    return [
        (one, other)
        for one in single
        for other in single
        if math.gcd(one[0] * other[1] - one[1] * other[0], cells) == 1
    ]


@lru_cache(maxsize=8)
def _window_fours(cells: int) -> Tensor:
    """All groups of four cells that lie in a window of 3 × 3 cells, (groups, 4)."""
    groups = {
        tuple((top + place // 3) * cells + left + place % 3 for place in four)
        for top in range(cells - 2)
        for left in range(cells - 2)
        for four in itertools.combinations(range(9), 4)
    }
    return torch.tensor(sorted(groups))


def _even(count: int, values: int, generator: torch.Generator) -> Tensor:
    """``count`` of the numbers 0 … values−1, each as often as the others up to one, in random order."""
    spread = (torch.arange(count) + torch.randint(0, values, (1,), generator=generator)) % values
    return spread[torch.randperm(count, generator=generator)]


def _stratified(array: Tensor, generator: torch.Generator) -> Tensor:
    """One value in [0, 1) for each entry: one in each stratum of a column, in the lower half where array > 0."""
    rows, columns = array.shape
    half = rows // 2
    level = torch.empty_like(array)
    for column in range(columns):
        for sign, offset in ((1.0, 0), (-1.0, half)):
            entries = (array[:, column] == sign).nonzero()[:, 0]
            strata = torch.randperm(half, generator=generator) + offset
            level[entries, column] = (strata + torch.rand(half, generator=generator)) / rows
    return level


def _order(factors: int) -> int:
    """The smallest power of two with a column for each factor beside the constant one."""
    return 1 << factors.bit_length()


@lru_cache(maxsize=8)
def _hadamard(order: int) -> Tensor:
    """Sylvester's Hadamard matrix: orthogonal columns of +1 and −1, the first of them constant."""
    matrix = torch.ones(1, 1)
    while len(matrix) < order:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix


@lru_cache(maxsize=32)
def enlargers(length: int, cells: int, device: torch.device) -> Tensor:
    """The linear maps (shifts, length, cells) from a line of cells to a line of pixels, one for each shift.

    Bilinear with pixel centres (align_corners false), extended by reflection by ``cells // 2``, cropped at the shift.
    """
    enlarge = F.interpolate(torch.eye(cells)[None], size=length, mode="linear", align_corners=False)[0].T
    pad = cells // 2
    extended = F.pad(enlarge.T[None], (pad, pad), mode="reflect")[0].T
    return torch.stack([extended[shift : shift + length] for shift in range(cells)]).to(device)


def masks_needed(error: float = 0.025, confidence: float = 0.95) -> int:
    """How many independent masks keep every pixel's importance within ``error`` with this ``confidence``.

    Hoeffding's bound n ≥ ln(2/δ)/(2t²) for similarities in [0, 1] (RELAX, section 3.5): 2952 with the defaults.

    Example:
        >>> xw.masks_needed(), xw.masks_needed(error=0.05)
        (2952, 738)
    """
    if not error > 0:
        raise ValueError(f"error={error} must be positive: the largest error of the importance to accept")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must lie in (0, 1)")
    return math.ceil(math.log(2 / (1 - confidence)) / (2 * error**2))
