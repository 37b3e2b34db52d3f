"""Pictures of two objects with a phrase for each, such as "the red star" and "the blue ring", and the mask that each phrase means.

Picture i depends on (seed, split, i) and nothing else, as in `Shapes`. The two differ in colour and in shape, so either word alone
tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaiwidgets.demo.drawing import COLOURS, SHAPES, Scene, render
from xaiwidgets.demo.shapes import Shapes

__all__ = ["Pair", "PairBatch", "Pairs"]


@dataclass(frozen=True)
class Pair:
    """One picture of two objects.

    `image` (H, W, 3) uint8; `phrases` and `scenes` of the objects; `masks` (2, H, W) bool, where each shows.
    """

    index: int
    image: NDArray[np.uint8]
    phrases: tuple[str, str]
    scenes: tuple[Scene, Scene]
    masks: NDArray[np.bool_]


@dataclass(frozen=True)
class PairBatch:
    """Several pairs as tensors: `x` (N, 3, H, W) normalised float32, `masks` (N, 2, H, W) bool, `pairs` themselves."""

    x: Tensor
    masks: Tensor
    pairs: tuple[Pair, ...]


class Pairs:
    """Pictures of two objects; `sample(i)` gives one with phrases and masks, `batch(indices)` several as tensors.

    Args:
        length, seed, split, size: as for `Shapes`, from which the scenes come.
    """

    def __init__(self, length: int = 2000, *, seed: int = 0, split: str = "test", size: int = 64) -> None:
        self.first = Shapes(2 * length, seed=seed, split=split, size=size)
        self.length = length

    def __len__(self) -> int:
        return self.length

    def sample(self, index: int) -> Pair:
        """Picture `index`."""
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} is out of range for {self.length} pictures. Give 0 to {self.length - 1}.")
        one, other = self.first.scene(2 * index), self.first.scene(2 * index + 1)
        generator = np.random.Generator(np.random.Philox(key=np.array(one.key, dtype=np.uint64)).advance(1 << 21))
        if other.shape == one.shape:
            other = replace(other, shape=_another(SHAPES, one.shape, generator))
        if other.colour == one.colour:
            colour = _another(tuple(COLOURS), one.colour, generator)
            moved = [
                tone - old + new
                for tone, old, new in zip(other.tone, COLOURS[other.colour], COLOURS[colour], strict=True)
            ]
            other = replace(other, colour=colour, tone=(moved[0], moved[1], moved[2]))
        # On opposite sides of the middle, in any direction; small enough for both to be seen.
        angle, reach = generator.uniform(0, 2 * np.pi), generator.uniform(0.23, 0.27)
        way = (float(np.sin(angle) * reach), float(np.cos(angle) * reach))
        one = replace(one, centre=(0.5 + way[0], 0.5 + way[1]), area=float(generator.uniform(0.07, 0.11)), tag=None)
        # One background for both: the second is drawn over the first where it shows.
        other = replace(
            one, shape=other.shape, colour=other.colour, texture=other.texture, angle=other.angle, tone=other.tone,
            texture_angle=other.texture_angle, texture_period=other.texture_period, texture_light=other.texture_light,
            centre=(0.5 - way[0], 0.5 - way[1]), area=float(generator.uniform(0.07, 0.11)),
        )  # fmt: skip
        image, below, _ = render(one, self.first.size)
        above, mask, _ = render(other, self.first.size)
        image[mask] = above[mask]
        phrases = (f"the {one.colour} {one.shape}", f"the {other.colour} {other.shape}")
        return Pair(index, image, phrases, (one, other), np.stack([below & ~mask, mask]))

    def batch(self, indices: Iterable[int]) -> PairBatch:
        """The pictures `indices` as tensors."""
        pairs = tuple(self.sample(index) for index in indices)
        if not pairs:
            raise ValueError("indices is empty. Give at least one index.")
        x = torch.stack([self.first.tensor(pair.image) for pair in pairs])
        return PairBatch(x, torch.from_numpy(np.stack([pair.masks for pair in pairs])), pairs)


def _another(options: tuple[str, ...], than: str, generator: np.random.Generator) -> str:
    others = [option for option in options if option != than]
    return others[int(generator.integers(len(others)))]
