"""Pictures of concepts for the browser: reference images, and small tiles of the part of an image where a concept is."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.crp import CRP
from xaiwidgets.index.pictures import whole_references
from xaiwidgets.index.reference_index import ReferenceIndex
from xaiwidgets.index.results import References
from xaiwidgets.plots.pixels import drawable

SIDE = 96
"""Pixels of a tile's side: crisp at half of it on screens of double density."""
SLOTS = 3
"""Tiles of each concept, with an index: its first references."""
_KEPT_TILES = 3000
_KEPT_PARTS = 300
_OWN_AT_ONCE = 2
"""Heatmaps of one step: something more urgent can come between two steps."""
FADE_BELOW, DARKNESS = 0.2, 0.7
"""A pixel fades below this share of the largest smoothed relevance, and gets so much darker: as `references(fade=True)` has it, and
js/src/concepts/views/veil.ts."""
_LONG = 0.06
"""Seconds an image: from here on images are computed one at a time."""
_LARGEST = 256
"""Pixels of the longer side of a reference image on its way to the browser."""

Place = tuple[str, int, int]
"""Layer, concept and slot of a tile."""


@dataclass(frozen=True)
class Question:
    """What relevance depends on."""

    image: int
    target: int | None
    against: int | None


@dataclass(frozen=True)
class Shown:
    """An image on which a concept is: pixels (C, h, w) in [0, 1], heatmap (h, w), and the box (left, top, right, bottom) around it."""

    pixels: Tensor
    heatmap: Tensor
    box: tuple[int, int, int, int]


class Gallery:
    """Makes pictures, and keeps the newest; reference images also on disk, beside the index.

    Args:
        own: gives the image (C, H, W) of a question and the heatmaps (K, H, W) of concepts on it: what tiles show without an index.
    """

    def __init__(
        self,
        crp: CRP,
        index: ReferenceIndex | None,
        dataset: Any,
        own: Callable[[Question, str, Sequence[int]], tuple[Tensor, Tensor]],
    ) -> None:
        self.crp, self.index, self.dataset, self._own = crp, index, dataset, own
        self._tiles: OrderedDict[tuple[Any, ...], bytes | None] = OrderedDict()
        self._parts: OrderedDict[tuple[Any, ...], list[Shown]] = OrderedDict()
        self._seconds = 0.0
        """What the last reference image took."""

    @property
    def pictures(self) -> bool:
        """Whether there are images of the index's samples."""
        return self.dataset is not None

    def clear(self) -> None:
        """Free everything."""
        self._tiles.clear()
        self._parts.clear()
        self.index = self.dataset = None

    # -- references ------------------------------------------------------------------------------------------------------

    def references(self, found: References) -> Iterator[tuple[range, list[Shown]]]:
        """Reference images a part at a time, with their places: those that are tiles first. No images where nobody has the data set."""
        for places in self._portions(shown_count(found)):
            yield places, self._part(found, places)

    def known_references(self, found: References) -> list[Shown]:
        """Those of the reference images that were made before."""
        portions = self._portions(shown_count(found))
        return [shown for places in portions for shown in self._parts.get(_part_key(found, places), [])]

    def _portions(self, total: int) -> list[range]:
        """Places that are computed together: one image at a time where that takes long, so that what is more urgent need not wait."""
        if self._seconds > _LONG:
            return [range(place, place + 1) for place in range(total)]
        return [places for places in (range(min(SLOTS, total)), range(SLOTS, total)) if places]

    def _part(self, found: References, places: range) -> list[Shown]:
        if self.dataset is None or self.index is None:
            return []
        key = _part_key(found, places)
        if key not in self._parts:
            part = slice(places.start, places.stop)
            cut = {name: getattr(found, name)[part] for name in ("samples", "scores", "targets", "positions")}
            begin = time.perf_counter()
            images = whole_references(self.crp, self.dataset, replace(found, **cut), self.index)
            # Images from the disk say nothing of how long others take.
            self._seconds = max((time.perf_counter() - begin) / len(places), self._seconds / 2)
            made = []
            for image, whole in zip(*images, strict=True):
                pixels, heatmap = _small(image, whole)
                made.append(Shown(pixels, heatmap, box_around(heatmap)))
            self._parts[key] = made
        self._parts.move_to_end(key)
        while len(self._parts) > _KEPT_PARTS:
            self._parts.popitem(last=False)
        return self._parts[key]

    # -- tiles -----------------------------------------------------------------------------------------------------------

    def tiles(
        self, wanted: Sequence[tuple[str, int]], question: Question, by: str, pool: str
    ) -> Iterator[dict[Place, bytes | None]]:
        """The tiles of concepts, (SIDE, SIDE, 3) as bytes, some at a time; None where a concept has no picture."""
        yield from self.known_tiles(wanted, question, by, pool)
        missing = [
            place
            for place in wanted
            if any(self._key((*place, slot), question, by, pool) not in self._tiles for slot in self._slots(place[0]))
        ]
        while missing:
            layer, concept = missing[0]
            if self._indexes(layer):
                part, steps = missing[:1], self._referenced(layer, concept, by, pool)
            else:
                part = [place for place in missing if place[0] == layer][:_OWN_AT_ONCE]
                steps = iter([self._owned(layer, [unit for _, unit in part], question)])
            missing = [place for place in missing if place not in part]
            for made in steps:
                self._tiles |= {self._key(place, question, by, pool): tile for place, tile in made.items()}
                while len(self._tiles) > _KEPT_TILES:
                    self._tiles.popitem(last=False)
                yield made

    def known_tiles(
        self, wanted: Sequence[tuple[str, int]], question: Question, by: str, pool: str
    ) -> Iterator[dict[Place, bytes | None]]:
        """Those of the tiles that were made before, together."""
        places = [(*place, slot) for place in wanted for slot in self._slots(place[0])]
        keys = {place: self._key(place, question, by, pool) for place in places}
        known = {place: self._tiles[key] for place, key in keys.items() if key in self._tiles}
        if known:
            yield known

    def _key(self, place: Place, question: Question, by: str, pool: str) -> tuple[Any, ...]:
        return (*place, by, pool) if self._indexes(place[0]) else (*place, question)

    def _slots(self, layer: str) -> range:
        return range(SLOTS if self._indexes(layer) else 1)

    def _indexes(self, layer: str) -> bool:
        return self.index is not None and layer in self.index.layers

    def _referenced(self, layer: str, concept: int, by: str, pool: str) -> Iterator[dict[Place, bytes | None]]:
        """Tiles of one concept, from its first references."""
        assert self.index is not None
        found = self.index.top(layer, concept, n=SLOTS, by=by, pool=pool)
        total = shown_count(found) if self.pictures else 0
        for places in self._portions(total):
            shown = self._part(found, places)
            yield {(layer, concept, slot): tile_of(each) for slot, each in zip(places, shown, strict=True)}
        if total < SLOTS:
            yield {(layer, concept, slot): None for slot in range(total, SLOTS)}

    def _owned(self, layer: str, concepts: Sequence[int], question: Question) -> dict[Place, bytes | None]:
        """Tiles of one layer, from the image itself."""
        pixels, heatmaps = self._own(question, layer, concepts)
        return {
            (layer, concept, 0): tile_of(Shown(pixels, heatmap, box_around(heatmap))) if bool(heatmap.any()) else None
            for concept, heatmap in zip(concepts, heatmaps.cpu(), strict=True)
        }


def shown_count(found: References) -> int:
    """How many of the references say anything: samples without any relevance fill the table where others are missing."""
    return int((found.scores != 0).sum())


def _part_key(found: References, places: range) -> tuple[Any, ...]:
    return found.layer, found.concept, found.by, found.pool, found.target, places.start, places.stop


def box_around(heatmap: Tensor) -> tuple[int, int, int, int]:
    """The square (left, top, right, bottom) around where a heatmap (h, w) is strong, a quarter of the image at least."""
    height, width = heatmap.shape
    smooth = _smoothed(heatmap.abs())
    strong = smooth >= 0.3 * smooth.max()
    rows, columns = strong.any(1).nonzero()[:, 0], strong.any(0).nonzero()[:, 0]
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    side = min(max(right - left, bottom - top, min(height, width) // 4), height, width)
    left = min(max(0, (left + right - side) // 2), width - side)
    top = min(max(0, (top + bottom - side) // 2), height - side)
    return left, top, left + side, top + side


def cut_out(shown: Shown) -> Tensor:
    """The part of an image in its box, dark where the concept is not, (C, h, w)."""
    left, top, right, bottom = shown.box
    pixels, heatmap = shown.pixels, shown.heatmap
    smooth = _smoothed((heatmap if float(heatmap.sum()) >= 0 else -heatmap).clamp(min=0))
    # A short slope in place of an edge; the browser fades whole references in the same way.
    light = (smooth / smooth.max().clamp(min=1e-30) / FADE_BELOW - 0.6).div(0.8).clamp(0, 1)
    return (pixels * (1 - DARKNESS * (1 - light)))[:, top:bottom, left:right]


def tile_of(shown: Shown) -> bytes:
    """The same as (SIDE, SIDE, 3) bytes."""
    part = F.interpolate(drawable(cut_out(shown))[None], size=(SIDE, SIDE), mode="bicubic", antialias=True)[0]
    rgb = part.expand(3, SIDE, SIDE)
    return (rgb.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy().tobytes()


def _smoothed(heatmap: Tensor) -> Tensor:
    radius = max(1, round(max(heatmap.shape) / 40))
    smooth = heatmap[None, None]
    for _ in range(2):
        smooth = F.avg_pool2d(smooth, 2 * radius + 1, stride=1, padding=radius)
    return smooth[0, 0]


def _small(pixels: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
    """An image and its heatmap, halved as often as it takes."""
    while max(heatmap.shape) > _LARGEST:
        pixels = F.avg_pool2d(pixels[None], 2, ceil_mode=True)[0]
        heatmap = F.avg_pool2d(heatmap[None, None], 2, ceil_mode=True)[0, 0]
    return pixels, heatmap
