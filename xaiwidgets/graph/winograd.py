"""Convolutions with 3×3 kernels by fewer multiplications: F(4×4, 3×3) of Lavin and Gray 2016 (arXiv 1509.09308).

Tiles of 6×6 entries and the kernel go to a basis in which a convolution is a product of 36 numbers, which gives 4×4 outputs: a quarter of
the multiplications, for which the tiles are written and read 36/16 times. It pays where channels are many. Both changes of basis are
products of matrices here, since channels come last in memory. In float32 the result is right to 3e-6 of its norm, a direct convolution to
1e-6.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Winograd", "pays"]

_TILE, _OUT = 6, 4
# Toom and Cook's points 0, ±1, ±2, ∞: of the input (Bᵀ), the kernel (G) and the output (Aᵀ).
_INPUT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_KERNEL = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # 24 times
_OUTPUT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
_CHANNELS = 2**15
"""Channels read times channels written, from which it was faster."""
_TILES = 32
"""Tiles of all images, below which reading the kernel, four times as large, takes longer than a direct convolution."""
_AT_ONCE = 2**21
"""Entries of all tiles that are worked on at once: more leave the cache, and their memory goes back to the system after each call."""


def pays(channels: int, outputs: int, images: int, height: int, width: int) -> bool:
    """Whether a convolution to (images, outputs, height, width) is faster this way than directly."""
    rows, columns = -(-height // _OUT), -(-width // _OUT)
    full = height * width >= 0.8 * rows * columns * _OUT**2
    return (
        full and channels * outputs >= _CHANNELS and min(channels, outputs) >= 128 and images * rows * columns >= _TILES
    )


class Winograd:
    """A convolution of 3×3 kernels (outputs, channels, 3, 3) at every pixel, with `padding` zeros around: (N, C, H, W) -> (N, outputs, …)."""

    def __init__(self, weight: Tensor, padding: tuple[int, int]) -> None:
        self.padding = padding
        kernel = weight.new_tensor(_KERNEL, dtype=torch.float64) / 24
        changed = torch.einsum("ai,ocij,bj->abco", kernel, weight.double(), kernel)
        self.kernel = changed.flatten(0, 1).to(weight.dtype).contiguous()
        self.enter, self.leave = (torch.kron(m, m) for m in (weight.new_tensor(_INPUT), weight.new_tensor(_OUTPUT)))

    def __call__(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        height, width = height + 2 * self.padding[0] - 2, width + 2 * self.padding[1] - 2
        rows, columns, outputs = -(-height // _OUT), -(-width // _OUT), self.kernel.shape[2]
        whole = x.new_empty((images, rows * _OUT, columns * _OUT, outputs))
        few = max(1, _AT_ONCE // (rows * columns * _TILE**2 * max(channels, outputs)))
        for first in range(0, images, few):
            part = x[first : first + few]
            y = self._tiles(part, rows, columns).view(_TILE**2, -1, channels).bmm(self.kernel)
            y = (self.leave @ y.view(_TILE**2, -1)).view(_OUT, _OUT, len(part), rows, columns, outputs)
            place = whole[first : first + few].view(len(part), rows, _OUT, columns, _OUT, outputs)
            place.copy_(y.permute(2, 3, 0, 4, 1, 5))
        return whole[:, :height, :width].permute(0, 3, 1, 2)

    def _tiles(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """(36, tiles × channels) in the new basis; tiles overlap by two."""
        (top, left), (height, width) = self.padding, x.shape[2:]
        bottom, right = rows * _OUT + 2 - height - top, columns * _OUT + 2 - width - left
        # Channels last, so that each row of a tile is one piece of memory.
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, left, right, top, bottom)).contiguous()
        image, row, column, channel = padded.stride()
        tiles = padded.as_strided(
            (_TILE, _TILE, len(x), rows, columns, x.shape[1]), (row, column, image, row * _OUT, column * _OUT, channel)
        )
        return self.enter @ tiles.reshape(_TILE**2, -1)
