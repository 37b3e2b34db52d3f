"""Reference images: the samples of an index as pictures, with what of them the concept is about.

references → their images → conditional heatmaps (from the cache, or computed in batches) → crops → pictures.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from xaiwidgets.crp.concepts import AxisConcept, Concept
from xaiwidgets.crp.explainer import CRP
from xaiwidgets.errors import unknown, whole
from xaiwidgets.graph import Propagator
from xaiwidgets.index.data import Samples
from xaiwidgets.index.reference_index import ReferenceIndex
from xaiwidgets.index.request import check_same
from xaiwidgets.index.results import References
from xaiwidgets.lrp import Composite, assign
from xaiwidgets.lrp.rules import Flat
from xaiwidgets.results import Result
from xaiwidgets.storage import packed, write_atomically

__all__ = ["ReferenceImages", "receptive_field", "references"]

MODES = ("class", "layer", "neuron")
_CROP, _FADE, _ALIKE = 0.1, 0.2, 0.95
_BRIGHTNESS = 0.3
_SMALLEST = 8
"""A crop is at least this part of the image's side."""


@dataclass(frozen=True, eq=False, repr=False)
class ReferenceImages(Result):
    """Pictures of a concept's reference samples, best first.

    Attributes:
        layer, concept, by, mode: what was asked.
        pixels: for each reference (C, h, w), values in [0, 1], cropped and faded as asked. heatmaps: (h, w) its conditional heatmap.
        boxes: (n, 4) left, top, right, bottom of the crop in the sample, right and bottom exclusive.
        samples, scores, targets: (n,) as in the index.
    """

    figure = "references"

    layer: str
    concept: int
    by: str
    mode: str
    pixels: tuple[Tensor, ...]
    heatmaps: tuple[Tensor, ...]
    boxes: Tensor
    samples: Tensor
    scores: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.pixels)


def references(
    crp: CRP,
    dataset: Any,
    found: Any,
    *,
    mode: str | None = None,
    crop: bool | float | str = True,
    fade: bool | float = False,
    unique: bool | float = False,
    n: int | None = None,
    cache: ReferenceIndex | str | os.PathLike[str] | None = None,
) -> Any:
    """The pictures of `index.top(…)`: `ReferenceImages`, or a tuple of them for several.

    Args:
        dataset: the one that the index is of.
        mode: where the conditional heatmap comes from: the sample's "class" through the concept; the "layer", beginning at the
            concept's activation; or the class through the one "neuron" with the largest value, and so from its receptive field
            only. Default: "class" for references by relevance, "layer" by activation.
        crop: to where the smoothed heatmap is above this share of its maximum (True: 0.1), or to the neuron's "field", the receptive
            field of the strongest neuron; False keeps the whole image.
        fade: darken what the smoothed heatmap leaves below this share of its maximum (True: 0.2).
        unique: drop images that resemble a better one: correlation of their thumbnails above this (True: 0.95). Ask the index for
            more than are to be shown.
        n: how many to keep; default all.
        cache: the index, or its folder, to keep images and heatmaps there, for the next call.

    Raises:
        TypeError: no CRP, references or index.
        ValueError: an index of another model, weights, composite or data set; unknown mode; shares out of range.

    Example:
        >>> crp, data = xw.CRP(model), xw.demo.Shapes(16)
        >>> index = xw.ReferenceIndex.build(crp, data, folder, layers=["features.conv6"])
        >>> len(xw.references(crp, data, index.top("features.conv6", 3, n=4)).pixels)
        4
    """
    if mode is not None and mode not in MODES:
        raise unknown("mode", mode, MODES)
    if isinstance(crop, str) and crop != "field":
        raise unknown("crop", crop, ("field",))
    view = _View(
        crop if isinstance(crop, str) else _share("crop", crop, _CROP),
        _share("fade", fade, _FADE),
        _share("unique", unique, _ALIKE),
        None if n is None else whole("n", n, 1, also=", or None for all"),
    )
    if not isinstance(crp, CRP):
        raise TypeError(f"crp is {type(crp).__name__}; give a CRP, such as xaiwidgets.CRP(model)")
    samples, entries = Samples(dataset, crp.model), _entries(found)
    cache = ReferenceIndex.open(cache) if isinstance(cache, str | os.PathLike) else cache
    _check(crp, samples, entries, cache)

    def pictures(entry: References) -> ReferenceImages:
        kind = mode or ("class" if entry.by == "relevance" else "layer")
        return _pictures(crp, entry, kind, view, _looked_up(crp, samples, entry, kind, cache))

    return pictures(found) if isinstance(found, References) else tuple(map(pictures, entries))


def _entries(found: Any) -> list[References]:
    entries = [found] if isinstance(found, References) or not isinstance(found, Iterable) else list(found)
    for entry in entries:
        if not isinstance(entry, References):
            raise TypeError(f"found holds {type(entry).__name__}; give what index.top(…) returns, or a list of such")
    return entries


def whole_references(crp: CRP, dataset: Any, found: References, index: ReferenceIndex) -> tuple[Tensor, Tensor]:
    """Pixels (n, C, H, W) and heatmaps (n, H, W) of a data set that was compared with the index before: comparing reads samples."""
    index.check(crp)
    kind = "class" if found.by == "relevance" else "layer"
    return _looked_up(crp, Samples(dataset, crp.model), found, kind, index)


@dataclass(frozen=True)
class _View:
    """How heatmaps become pictures."""

    crop: float | str | None
    fade: float | None
    unique: float | None
    n: int | None


def _share(argument: str, value: bool | float, default: float) -> float | None:
    if isinstance(value, bool):
        return default if value else None
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{argument}={value!r} must be a share from 0 to 1, or True ({default}), or False")
    return float(value)


def _check(crp: CRP, samples: Samples, entries: Sequence[References], index: ReferenceIndex | None) -> None:
    """Raise ValueError where references are not of this explainer and data set, or of another index than the cache."""
    if index is not None and not isinstance(index, ReferenceIndex):
        raise TypeError(f"cache is {type(index).__name__}; give the index that found comes from, its folder, or None")
    if index is not None and any(found.fingerprint != index.fingerprint for found in entries):
        raise ValueError("found is of another index than cache; give the index that it comes from")
    for found in {found.fingerprint: found for found in entries}.values():
        check_same(dict(found.request), crp, samples, "the index that found comes from")


# -- images and heatmaps ---------------------------------------------------------------------------------------------------


def _looked_up(
    crp: CRP, samples: Samples, found: References, mode: str, index: ReferenceIndex | None
) -> tuple[Tensor, Tensor]:
    """Pixels (n, C, H, W), in steps of 1/255, and heatmaps (n, H, W), from the cache or computed and put there."""
    if not len(found):
        return torch.zeros(0, *samples.shape), torch.zeros(0, *samples.shape[1:])
    file = None
    if index is not None:
        asked = [found.fingerprint, found.layer, found.concept, mode, found.samples.tolist(), found.targets.tolist()]
        asked += [found.positions.tolist() if mode == "neuron" else None]
        folder = index.path / "references"
        file = folder / hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]
        for kept in folder.glob(f"{file.name}-*"):
            data = kept.read_bytes()
            # The name holds the checksum of the contents.
            if kept.name == f"{file.name}-{_checksum(data)}":
                tensors = safetensors.torch.load(data)
                return tensors["pixels"].float() / 255, tensors["heatmaps"]
    x = samples.take(found.samples.tolist())
    pixels = crp.model.pixels(x).cpu().mul(255).round().byte()
    heatmaps = _heatmaps(crp, x, found, mode).cpu()
    if file is not None:
        _keep(file, packed({"pixels": pixels, "heatmaps": heatmaps}))
    return pixels.float() / 255, heatmaps


def _keep(file: Path, data: bytes) -> None:
    # A cache that cannot be written costs time, nothing else.
    with contextlib.suppress(OSError):
        for old in file.parent.glob(f"{file.name}-*"):
            old.unlink()
        write_atomically(file.with_name(f"{file.name}-{_checksum(data)}"), data)


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _heatmaps(crp: CRP, x: Tensor, found: References, mode: str) -> Tensor:
    """Conditional heatmaps (n, H, W), one condition an image, in batches."""
    if mode == "layer":
        condition = {found.layer: [found.concept]}
        return crp.attribute(x, [condition] * len(x), start_layer=found.layer).heatmap
    concept = crp.known(x)[found.layer]
    conditions: list[dict[str, Any]] = [
        {
            "y": [target],
            found.layer: [found.concept] if mode == "class" else neuron_weights(concept, found.concept, position),
        }
        for target, position in zip(found.targets.tolist(), found.positions.tolist(), strict=True)
    ]
    return crp.attribute(x, conditions).heatmap


def neuron_weights(concept: Concept, unit: int, position: Sequence[int]) -> Tensor:
    """Weights that keep one neuron of a concept: of the layer's value for one image, (1 or windows, …).

    position: row and column as in `References.positions`.
    """
    chosen = concept.select([unit]).float()
    shape = torch.Size(getattr(concept, "shape", chosen.shape))
    if not isinstance(concept, AxisConcept):
        shape = torch.Size((1, *shape))
        axes = list(range(2, len(shape)))[-2:]
    else:
        axes = [axis for axis in range(1, len(shape)) if axis != concept.axis]
        axes = axes[:-1] if concept.kind == "head" else axes
        axes = [0, *axes] if shape[0] > 1 else axes
    here = torch.zeros(shape)
    place: list[Any] = [slice(None)] * len(shape)
    for axis, number in zip(axes[::-1], list(position)[::-1], strict=False):
        place[axis] = int(number)
    here[tuple(place)] = 1.0
    return chosen * here


def receptive_field(crp: CRP, x: Tensor, layer: str, unit: int, positions: Tensor) -> Tensor:
    """The receptive fields (n, 4) of a unit's neurons: left, top, right, bottom, for images of x's size.

    Found by sending relevance from the neuron to the input with the flat rule, which spreads over all that a neuron sees; over
    several recordings of noise, because max-pooling passes relevance to one winner only. No formula knows the architecture.
    """
    graph = crp.known(x).graph
    propagator = Propagator(graph, assign(Composite("receptive field", default=Flat()), graph))
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(_RECORDINGS, *x.shape[1:], generator=generator).to(crp.model.device)
    record = propagator.record(noise, keep=[layer])
    weights = torch.stack([neuron_weights(crp.known(x)[layer], unit, position) for position in positions.tolist()])
    value = record.values[propagator.index(layer)]
    start = weights.to(value).expand(-1, weights.shape[1], *value.shape[1:])
    start = start.repeat(1, len(value) // weights.shape[1], *[1] * (value.ndim - 1))
    reached = propagator.down(record, {layer: start}, ["input"], chunk=crp.chunk)["input"].abs().sum((1, 2)) > 0
    return torch.stack([_box(seen) for seen in reached.cpu()])


_RECORDINGS = 8


# -- pictures --------------------------------------------------------------------------------------------------------------


def _pictures(crp: CRP, found: References, mode: str, view: _View, images: tuple[Tensor, Tensor]) -> ReferenceImages:
    pixels, heatmaps = images
    kept = list(range(len(found)))
    if view.unique is not None:
        kept = _different(pixels, view.unique)
    chosen = torch.tensor(kept[: view.n], dtype=torch.long)
    pixels, heatmaps = pixels[chosen], heatmaps[chosen]
    level = _smoothed(heatmaps)
    height, width = heatmaps.shape[1:]
    boxes = torch.tensor([0, 0, width, height]).expand(len(chosen), 4)
    if len(chosen) and view.crop == "field":
        boxes = receptive_field(crp, pixels, found.layer, found.concept, found.positions[chosen])
    elif len(chosen) and isinstance(view.crop, float):
        boxes = torch.stack([_box(seen > view.crop, max(1, min(height, width) // _SMALLEST)) for seen in level])
    if view.fade is not None:
        pixels = torch.where((level > view.fade)[:, None], pixels, pixels * _BRIGHTNESS)
    windows = [(slice(top, bottom), slice(left, right)) for left, top, right, bottom in boxes.tolist()]
    return ReferenceImages(
        crp.provenance.asked(layer=found.layer, concept=found.concept, by=found.by, mode=mode),
        found.layer,
        found.concept,
        found.by,
        mode,
        tuple(picture[:, rows, columns] for picture, (rows, columns) in zip(pixels, windows, strict=True)),
        tuple(heatmap[rows, columns] for heatmap, (rows, columns) in zip(heatmaps, windows, strict=True)),
        boxes,
        found.samples[chosen],
        found.scores[chosen],
        found.targets[chosen],
    )


def _smoothed(heatmaps: Tensor) -> Tensor:
    """Magnitude of heatmaps (n, H, W), blurred and divided by its maximum; zero where there is nothing."""
    from torchvision.transforms.v2.functional import gaussian_blur

    # 19 pixels of 224, as zennit-crp; in proportion for other sizes.
    kernel = max(3, round(19 / 224 * min(heatmaps.shape[1:]))) // 2 * 2 + 1
    level = gaussian_blur(heatmaps.abs()[:, None], [kernel, kernel])[:, 0]
    return level / level.amax((1, 2), keepdim=True).clamp(min=torch.finfo(level.dtype).tiny)


def _box(inside: Tensor, smallest: int = 1) -> Tensor:
    """The smallest box (left, top, right, bottom) around True entries of (H, W), at least `smallest` wide; all where there are none."""
    if not inside.any():
        return torch.tensor([0, 0, inside.shape[1], inside.shape[0]])
    edges = []
    for axis in (0, 1):
        entries = inside.any(axis).nonzero()[:, 0]
        begin, end, size = int(entries[0]), int(entries[-1]) + 1, inside.shape[1 - axis]
        wanting = max(0, smallest - (end - begin))
        begin = min(max(0, begin - wanting // 2), size - max(smallest, end - begin))
        edges.append((begin, max(end, begin + smallest)))
    (left, right), (top, bottom) = edges
    return torch.tensor([left, top, right, bottom])


def _different(pixels: Tensor, alike: float) -> list[int]:
    """Numbers of the images that do not resemble an earlier one that is kept."""
    small = torch.nn.functional.adaptive_avg_pool2d(pixels, 16).flatten(1)
    small = torch.nn.functional.normalize(small - small.mean(1, keepdim=True))
    resemblance = small @ small.T
    kept: list[int] = []
    for number in range(len(pixels)):
        if not any(resemblance[number, other] > alike for other in kept):
            kept.append(number)
    return kept
