"""Pictures of concepts for the browser: reference images, and small tiles of the part of an image where a concept is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.crp import CRP
from xaiwidgets.crp.build_data import Samples
from xaiwidgets.crp.index import ReferenceIndex, References

SIDE = 96
"""Pixels of a tile's side: crisp at half of it on screens of double density."""
SLOTS = 3
"""Tiles of each concept, with an index: its first references."""
_KEPT_TILES = 3000
_KEPT_REFERENCES = 1000
AT_ONCE = 4
"""Pictures of one step: something more urgent can come between two steps."""
FADE_BELOW, DARKNESS = 0.15, 0.8
"""A pixel fades below this share of the largest smoothed relevance, and gets so much darker; as js/src/concepts/veil.ts."""
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
    """Makes pictures, and keeps the newest.

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
        self.crp, self.index, self._own = crp, index, own
        self._samples = None if dataset is None else Samples(dataset, crp.model)
        self._tiles: OrderedDict[tuple[Any, ...], bytes | None] = OrderedDict()
        self._references: OrderedDict[tuple[Any, ...], Shown] = OrderedDict()

    @property
    def pictures(self) -> bool:
        """Whether there are images of the index's samples."""
        return self._samples is not None

    def clear(self) -> None:
        """Free everything."""
        self._tiles.clear()
        self._references.clear()
        self.index = self._samples = None

    # -- references ------------------------------------------------------------------------------------------------------

    def references(self, found: References, places: Sequence[int], *, compute: bool = True) -> list[Shown]:
        """The reference images at these places, or those that were made before; none where nobody has the data set."""
        asked = [(found.concept, int(found.samples[place]), int(found.targets[place])) for place in places]
        if not compute:
            known = [self._references.get((found.layer, *entry)) for entry in asked]
            return [shown for shown in known if shown is not None]
        return [] if self._samples is None else self._explained(found.layer, asked)

    def _explained(self, layer: str, asked: Sequence[tuple[int, int, int]]) -> list[Shown]:
        """Concept, sample and class of each: explained together."""
        assert self._samples is not None
        missing = list(dict.fromkeys(entry for entry in asked if (layer, *entry) not in self._references))
        if missing:
            x = self._samples.take([sample for _, sample, _ in missing])
            conditions = [{"y": [target], layer: [concept]} for concept, _, target in missing]
            heatmaps = self.crp.attribute(x, conditions).heatmap
            for entry, image, whole in zip(missing, self.crp.model.pixels(x), heatmaps, strict=True):
                pixels, heatmap = _small(image.cpu(), whole.cpu())
                self._references[layer, *entry] = Shown(pixels, heatmap, box_around(heatmap))
        shown = [self._references[layer, *entry] for entry in asked]
        while len(self._references) > _KEPT_REFERENCES:
            self._references.popitem(last=False)
        return shown

    # -- tiles -----------------------------------------------------------------------------------------------------------

    def parts(
        self, wanted: Sequence[Place], question: Question, by: str, pool: str
    ) -> Iterator[dict[Place, bytes | None]]:
        """Tiles (SIDE, SIDE, 3) as bytes, some at a time; None where a concept has no picture."""
        missing = list(wanted)
        for known in self.known(wanted, question, by, pool):
            yield known
            missing = [place for place in missing if place not in known]
        while missing:
            layer, _, slot = missing[0]
            alike = [place for place in missing if place[0] == layer and place[2] == slot][:AT_ONCE]
            missing = [place for place in missing if place not in alike]
            made = self._referenced(alike, by, pool) if self._indexes(layer) else self._owned(alike, question)
            self._tiles |= {self._key(place, question, by, pool): tile for place, tile in made.items()}
            while len(self._tiles) > _KEPT_TILES:
                self._tiles.popitem(last=False)
            yield made

    def known(
        self, wanted: Sequence[Place], question: Question, by: str, pool: str
    ) -> Iterator[dict[Place, bytes | None]]:
        """Those of the tiles that were made before, together."""
        keys = {place: self._key(place, question, by, pool) for place in wanted}
        known = {place: self._tiles[key] for place, key in keys.items() if key in self._tiles}
        if known:
            yield known

    def _key(self, place: Place, question: Question, by: str, pool: str) -> tuple[Any, ...]:
        return (*place, by, pool) if self._indexes(place[0]) else (*place, question)

    def _indexes(self, layer: str) -> bool:
        return self.index is not None and layer in self.index.layers

    def _referenced(self, places: Sequence[Place], by: str, pool: str) -> dict[Place, bytes | None]:
        """Tiles of one layer and slot, from references."""
        assert self.index is not None
        asked: dict[Place, tuple[int, int, int]] = {}
        for layer, concept, slot in places:
            found = self.index.top(layer, concept, n=slot + 1, by=by, pool=pool)
            if self._samples is not None and len(found) > slot and float(found.scores[slot]) != 0:
                asked[layer, concept, slot] = (concept, int(found.samples[slot]), int(found.targets[slot]))
        shown = self._explained(places[0][0], list(asked.values())) if asked else []
        tiles = dict(zip(asked, map(tile_of, shown), strict=True))
        return {place: tiles.get(place) for place in places}

    def _owned(self, places: Sequence[Place], question: Question) -> dict[Place, bytes | None]:
        """Tiles of one layer, from the image itself."""
        pixels, heatmaps = self._own(question, places[0][0], [concept for _, concept, _ in places])
        return {
            place: tile_of(Shown(pixels, heatmap, box_around(heatmap))) if bool(heatmap.any()) else None
            for place, heatmap in zip(places, heatmaps.cpu(), strict=True)
        }


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
    part = F.interpolate(cut_out(shown)[None], size=(SIDE, SIDE), mode="bicubic", antialias=True)[0]
    rgb = part.expand(3, SIDE, SIDE) if len(part) == 1 else part
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
