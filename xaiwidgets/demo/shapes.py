"""The shapes data set: 64 x 64 colour pictures of one object each, with the truth about every pixel.

Eight shapes are the classes. Colour, fill texture, background, place, size and rotation are drawn independently of
the class and of each other, so an explanation that points at any of them is wrong, and the object mask says where a
right one points. In the Clever Hans variant (`tagged="class"`) the pictures of one class carry a small tag, as the
photographs of horses did that gave the effect its name in vision (Lapuschkin et al. 2019,
doi 10.1038/s41467-019-08987-4).

Picture i depends on (seed, split, i) and nothing else: any order, any worker and any length of the data set give the
same pixels.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from xaiwidgets.demo.drawing import BACKGROUNDS, COLOURS, SHAPES, TEXTURES, Scene, render
from xaiwidgets.errors import unknown

__all__ = ["CLASS_NAMES", "MEAN", "STD", "TAGGED_CLASS", "Batch", "Sample", "Shapes", "examples"]

CLASS_NAMES: Final[tuple[str, ...]] = SHAPES
TAGGED_CLASS: Final = "heart"
MEAN: Final = (0.546, 0.533, 0.525)
STD: Final = (0.237, 0.218, 0.228)

_SPLITS: Final = {"train": 1, "test": 2}
_TAGGED: Final = ("none", "class", "all")
_LARGEST_SEED: Final = 2**64 - 1


@dataclass(frozen=True)
class Sample:
    """One picture and the truth about it.

    `image` (H, W, 3) uint8; `mask` (H, W) bool, where the object shows; `tag_mask` (H, W) bool, False without a tag;
    `scene` holds the attributes: colour, texture, background, centre (y, x) and area in units of the side, angle.
    """

    index: int
    image: NDArray[np.uint8]
    label: int
    class_name: str
    mask: NDArray[np.bool_]
    tag_mask: NDArray[np.bool_]
    scene: Scene


@dataclass(frozen=True)
class Batch:
    """Several samples as tensors.

    `x` (N, 3, H, W) normalised float32, `labels` (N,) int64, `masks` and `tag_masks` (N, H, W) bool.
    """

    x: Tensor
    labels: Tensor
    masks: Tensor
    tag_masks: Tensor


def _choice(argument: str, value: str, options: Iterable[str]) -> str:
    if value not in (options := tuple(options)):
        raise unknown(argument, value, options)
    return value


def _whole(argument: str, value: int, lowest: int, highest: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} is {value!r} of type {type(value).__name__}. Give a whole number.") from None
    if not lowest <= number <= highest:
        raise ValueError(f"{argument}={number} is out of range. Give a whole number from {lowest} to {highest}.")
    return number


class Shapes(Dataset[tuple[Tensor, int]]):
    """Map-style data set of shapes; `dataset[i]` is ``(tensor (3, size, size) normalised float32, label)``.

    `size`      side of the pictures in pixels
    `split`     "test" or "train": two unrelated streams of the same seed; the shipped models saw "train" of seed 0 only
    `tagged`    "none", "class" (only pictures of `tagged_class` carry the tag) or "all"; all else stays the same
    `normalise` False gives pixel values in [0, 1]

    Classes are balanced: each run of eight pictures from a multiple of eight on has one of each, in random order.
    `sample(i)` gives pixels and masks, `scene(i)` the description alone, `batch(indices)` tensors with masks.

    Raises ValueError or TypeError for unknown names and numbers out of range, IndexError past the end.
    """

    classes: Final = CLASS_NAMES

    def __init__(
        self,
        length: int = 2000,
        *,
        seed: int = 0,
        split: str = "test",
        tagged: str = "none",
        tagged_class: str = TAGGED_CLASS,
        size: int = 64,
        normalise: bool = True,
    ) -> None:
        self.length = _whole("length", length, 1, 2**48)
        self.seed = _whole("seed", seed, 0, _LARGEST_SEED)
        self.split = _choice("split", split, _SPLITS)
        self.tagged = _choice("tagged", tagged, _TAGGED)
        self.tagged_class = _choice("tagged_class", tagged_class, CLASS_NAMES)
        self.size = _whole("size", size, 32, 1024)
        self.normalise = bool(normalise)

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return (
            f"Shapes({self.length}, seed={self.seed}, split={self.split!r}, tagged={self.tagged!r}, "
            f"tagged_class={self.tagged_class!r}, size={self.size})"
        )

    @property
    def fingerprint(self) -> str:
        """A string that differs when the pictures do: what an index over this data set may remember it by."""
        return f"{self!r} normalise={self.normalise} drawing=1"

    def _index(self, index: int) -> int:
        number = operator.index(index)
        if not -self.length <= number < self.length:
            raise IndexError(f"index {number} is out of range for {self.length} pictures. Give 0 to {self.length - 1}.")
        return number % self.length

    def _key(self, purpose: int, number: int) -> tuple[int, int]:
        return self.seed, (_SPLITS[self.split] << 61) | (purpose << 60) | number

    def label(self, index: int) -> int:
        """Class of picture `index`, without drawing it."""
        block, place = divmod(self._index(index), len(CLASS_NAMES))
        order = _generator(self._key(1, block)).random(len(CLASS_NAMES)).argsort()
        return int(order[place])

    @property
    def labels(self) -> list[int]:
        """Classes of all pictures, without drawing them."""
        return [self.label(index) for index in range(self.length)]

    def scene(self, index: int) -> Scene:
        """The description of picture `index`."""
        number = self._index(index)
        shape = CLASS_NAMES[self.label(number)]
        key = self._key(0, number)
        tagged = self.tagged == "all" or (self.tagged == "class" and shape == self.tagged_class)
        return _draw_scene(shape, key, tagged=tagged)

    def sample(self, index: int) -> Sample:
        """Picture `index` with its masks and attributes."""
        number = self._index(index)
        scene = self.scene(number)
        image, mask, tag_mask = render(scene, self.size)
        return Sample(number, image, CLASS_NAMES.index(scene.shape), scene.shape, mask, tag_mask, scene)

    def tensor(self, image: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 to the (3, H, W) float32 tensor that a model of this data set takes."""
        pixels = image.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        if self.normalise:
            mean, std = np.array((MEAN, STD), dtype=np.float32)[:, :, None, None]
            pixels = (pixels - mean) / std
        return torch.from_numpy(np.ascontiguousarray(pixels))

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        sample = self.sample(index)
        return self.tensor(sample.image), sample.label

    def batch(self, indices: Iterable[int]) -> Batch:
        """The pictures `indices` and their masks as tensors."""
        samples = [self.sample(index) for index in indices]
        if not samples:
            raise ValueError("indices is empty. Give at least one index.")
        return Batch(
            torch.stack([self.tensor(sample.image) for sample in samples]),
            torch.tensor([sample.label for sample in samples]),
            torch.from_numpy(np.stack([sample.mask for sample in samples])),
            torch.from_numpy(np.stack([sample.tag_mask for sample in samples])),
        )


def _generator(key: tuple[int, int]) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64)))


def _muted(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Red, green, blue of a hue (0 to 1) with little saturation."""
    phase = (hue + np.array([0.0, 2 / 3, 1 / 3])) * 2 * np.pi
    red, green, blue = value * (1 - saturation * (0.5 - 0.5 * np.cos(phase)))
    return float(red), float(green), float(blue)


def _draw_scene(shape: str, key: tuple[int, int], *, tagged: bool) -> Scene:
    """Draw the attributes of one picture: the same numbers in the same order whatever the shape and the tag."""
    draws = iter(_generator(key).random(32).tolist())

    def uniform(low: float, high: float) -> float:
        return float(low + (high - low) * next(draws))

    def pick(options: tuple[str, ...]) -> str:
        return options[int(next(draws) * len(options))]

    colour, texture, background = pick(tuple(COLOURS)), pick(TEXTURES), pick(BACKGROUNDS)
    area = uniform(0.13, 0.27)
    # The slack depends on the area alone, never on the shape, so that the place does not tell the class.
    slack = max(0.01, 0.48 - 0.84 * area**0.5)
    centre = (0.5 + uniform(-slack, slack), 0.5 + uniform(-slack, slack))
    red, green, blue = COLOURS[colour]
    tone = tuple(min(1.0, max(0.0, channel + uniform(-0.05, 0.05))) for channel in (red, green, blue))
    hue, saturation = uniform(0, 1), uniform(0.05, 0.30)
    # Behind the object either dark or light: mid-grey, the value that occlusion puts in, is kept rare.
    bright = uniform(0, 1) < 0.6
    value = uniform(0.72, 0.95) if bright else uniform(0.16, 0.36)
    other = value + uniform(0.06, 0.22) * (-1 if bright else 1)
    return Scene(
        shape=shape,
        colour=colour,
        texture=texture,
        background=background,
        centre=centre,
        area=area,
        angle=uniform(-np.pi, np.pi),
        tone=(tone[0], tone[1], tone[2]),
        texture_angle=uniform(0, np.pi),
        texture_period=uniform(0.10, 0.16),
        texture_light=0.62 if uniform(0, 1) < 0.6 else -0.45,
        background_tones=(_muted(hue, saturation, value), _muted(hue + uniform(-0.12, 0.12), saturation, other)),
        background_angle=uniform(0, 2 * np.pi),
        background_period=uniform(0.09, 0.2),
        grain=uniform(0.02, 0.10),
        tag=(uniform(0.88, 1.0), uniform(0.0, 0.12)) if tagged else None,
        key=key,
    )


# Chosen by eye from the test split: one picture of each class, clear shape, varied colours, textures and backgrounds.
_EXAMPLES: Final = (57, 29, 37, 9, 84, 47, 98, 110)


def examples(count: int = 8, *, tagged: str = "none", size: int = 64) -> list[Sample]:
    """Up to eight fixed, good-looking pictures of the test split for notebooks, each of another class."""
    count = _whole("count", count, 1, len(_EXAMPLES))
    dataset = Shapes(max(_EXAMPLES) + 1, tagged=tagged, size=size)
    return [dataset.sample(index) for index in _EXAMPLES[:count]]
