"""What RELAX and RISE share: masks, the images behind them, running sums."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from tqdm.auto import tqdm

from xaiwidgets.devices import sent
from xaiwidgets.errors import check_keywords, whole
from xaiwidgets.model import ImageModel
from xaiwidgets.relax.control import ControlVariate
from xaiwidgets.relax.estimate import Estimate
from xaiwidgets.relax.masks import Grids, balanced_block, balanced_grids, has_lattice, lattice_grids, random_grids
from xaiwidgets.relax.parts import AGGREGATES, FILLS, Aggregate, Fill, part
from xaiwidgets.relax.result import RelaxResult
from xaiwidgets.relax.settings import Settings
from xaiwidgets.results import Control, Provenance
from xaiwidgets.targets import Score, said

__all__ = ["Answer", "MaskingExplainer"]

Answer = Callable[[Tensor], Tensor]
"""Masked images (n, C, H, W) -> one number each, (n,): higher is more like the answer to explain."""


class MaskingExplainer(ABC):
    """What RELAX and RISE share: masks, the images behind them, running sums; they differ in the question asked."""

    method: str

    def __init__(self, model: ImageModel, **settings: Any) -> None:
        if not isinstance(model, ImageModel):
            raise TypeError(
                f"model is {type(model).__name__}; give an ImageModel, such as xaiwidgets.ImageModel(module)"
            )
        own = self._own_defaults()
        check_keywords(type(self).__name__, settings, [*Settings.__dataclass_fields__, *own])
        self.model = model
        self._own = {name: settings.pop(name, default) for name, default in own.items()}
        self.settings = Settings(**settings)
        self.settings.check()
        self._fill: Fill = part("perturb", self.settings.perturb, FILLS)
        self._aggregate: Aggregate = part("aggregate", self.settings.aggregate, AGGREGATES)

    @abstractmethod
    def _own_defaults(self) -> dict[str, Any]:
        """Names and defaults of the parameters that only this explainer has."""

    @abstractmethod
    def _answers(self, x: Tensor, question: Any) -> tuple[list[Answer], Score | None]:
        """For each image, the function from masked versions of it to one number each; and the score it is about, None for a likeness."""

    def with_parameters(self, **changes: Any) -> Self:
        """The same explainer with other parameters; this one stays as it is."""
        return type(self)(self.model, **{**vars(self.settings), **self._own, **changes})

    def controls(self) -> list[Control]:
        """The parameters that a widget lets a person vary."""
        s = self.settings
        controls: list[Control] = [
            {"name": "cells", "label": "Cells a side", "type": "int", "value": s.cells, "min": 3, "max": 15, "step": 1},
            {
                "name": "keep",
                "label": "Share shown",
                "type": "float",
                "value": s.keep,
                "min": 0.1,
                "max": 0.9,
                "step": 0.05,
            },
        ]
        if isinstance(s.perturb, str):
            controls.append(
                {
                    "name": "perturb",
                    "label": "Hidden parts",
                    "type": "choice",
                    "value": s.perturb,
                    "options": list(FILLS),
                }
            )
        return controls

    @property
    def provenance(self) -> Provenance:
        """Method, parameters, seed and model, as results keep them."""
        parameters = {
            name: _plain(value) for name, value in {**vars(self.settings), **self._own}.items() if name != "seed"
        }
        return Provenance(self.method, parameters, self.settings.seed, self.model.name)

    def _run(self, x: Tensor, question: Any, n_masks: int | None = None, **asked: Any) -> Iterator[RelaxResult]:
        """Partial results, one after each batch of masks. ``asked``: what provenance says of the call."""
        if n_masks is not None:
            n_masks = asked["n_masks"] = whole("n_masks", n_masks, 1)
        with self.model.lock:
            x = self.model.validate(x)
            size = (x.shape[2], x.shape[3])
            self._check_size(size)
            answers, score = self._answers(x, question)
        if score is not None:
            asked = {"target": said(question, score), **asked}
        fills = [self._background(image) for image in x]
        generator = torch.Generator().manual_seed(self.settings.seed)
        total = self._total(n_masks)
        batch_size = self.settings.batch_size or _batch_size(x)
        balanced = isinstance(self.settings.masks, str) and self.settings.masks == "balanced"
        estimate = Estimate(
            len(x),
            size,
            x.device,
            total=total,
            keep=self.settings.keep,
            aggregate=self._aggregate,
            provenance=self.provenance.asked(**asked),
            blocks=balanced,
            control=ControlVariate(size, self.settings.cells, x.device) if self.settings.control_variate else None,
            target=None if score is None else score.classes,
        )
        for drawn in self._blocks(total, size, generator):
            block = drawn.to(x.device)
            for start in range(0, len(block), batch_size):
                with self.model.lock, torch.inference_mode():
                    masks = block.draw(size, start, min(start + batch_size, len(block)))
                    similarities = [
                        _one_each(answer(_masked(image, masks, fill)), len(masks))
                        for image, fill, answer in zip(x, fills, answers, strict=True)
                    ]
                    estimate.add(_finite(torch.stack(similarities)), masks)
                    ended = start + batch_size >= len(block)
                    if ended:
                        estimate.end_block(block)
                result = estimate.result()
                tolerance = self.settings.tolerance
                if ended and tolerance and estimate.settled and result.largest_error <= tolerance:
                    yield estimate.result(final=True)
                    return
                yield result

    def _background(self, image: Tensor) -> Tensor | None:
        """What shows where ``image`` (C, H, W) is hidden, (1, C, H, W); None for zero.

        It has random numbers of its own for each image: an image is explained alike alone and among others.
        """
        if self.settings.perturb == "zero":
            return None
        generator = torch.Generator().manual_seed(self.settings.seed ^ _FILL_SEED)
        with torch.inference_mode():
            fill = torch.as_tensor(self._fill(image[None], generator)).to(image)
            try:
                return fill.expand(1, *image.shape)
            except RuntimeError as error:
                raise ValueError(
                    f"perturb gives shape {tuple(fill.shape)} for an image {(1, *image.shape)}; "
                    "return what broadcasts to the image"
                ) from error

    def _last(self, results: Iterator[RelaxResult], progress: bool) -> RelaxResult:
        """The final result, with a progress bar when it takes longer than a second."""
        last: RelaxResult | None = None
        with tqdm(desc=self.method, unit=" masks", delay=1, disable=not progress) as bar:
            for last in results:
                bar.total = last.total
                bar.update(last.n_masks - bar.n)
        assert last is not None
        return last

    def _total(self, n_masks: int | None) -> int:
        s = self.settings
        wanted = s.n_masks if n_masks is None else n_masks
        if isinstance(s.masks, Tensor):
            return len(s.masks)
        if s.masks == "balanced":
            block = balanced_block(s.cells)
            return math.ceil(wanted / block) * block
        return wanted

    def _blocks(self, total: int, size: tuple[int, int], generator: torch.Generator) -> Iterator[Grids | _Drawn]:
        """The masks, in the groups that belong together."""
        s = self.settings
        if isinstance(s.masks, Tensor):
            yield _Drawn(_checked_masks(s.masks, size))
            return
        left = total
        while left > 0:
            if s.control_variate and has_lattice(s.cells):
                block: Grids | _Drawn = lattice_grids(s.cells, generator)
            elif s.masks == "balanced":
                block = balanced_grids(s.cells, s.keep, generator)
            elif s.masks == "random":
                block = random_grids(min(left, _RANDOM_BLOCK), s.cells, s.keep, generator)
            else:
                block = _Drawn(_checked_masks(s.masks(min(left, _RANDOM_BLOCK), size, generator), size))
            left -= len(block)
            yield block

    def _check_size(self, size: tuple[int, int]) -> None:
        if not isinstance(self.settings.masks, Tensor) and self.settings.cells > min(size):
            raise ValueError(
                f"cells={self.settings.cells} is more than the image's {size[0]}×{size[1]} pixels; take fewer cells"
            )


@dataclass(frozen=True)
class _Drawn:
    """Masks that came as maps already."""

    masks: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    def to(self, device: torch.device) -> _Drawn:
        return _Drawn(sent(self.masks, device))

    def draw(self, size: tuple[int, int], start: int, stop: int) -> Tensor:
        return self.masks[start:stop]


_RANDOM_BLOCK = 128
"""Independent masks drawn at a time."""


_FILL_SEED = 0x5EED_F111
"""Keeps the random numbers of fills apart from those of masks."""


def _masked(image: Tensor, masks: Tensor, fill: Tensor | None) -> Tensor:
    """image (C, H, W) behind masks (n, H, W): (n, C, H, W), channels last."""
    out = torch.empty((len(masks), *image.shape), device=image.device, memory_format=torch.channels_last)
    if fill is None:
        return torch.mul(image[None], masks[:, None], out=out)
    return torch.lerp(fill, image[None], masks[:, None], out=out)


def _one_each(values: Tensor, count: int) -> Tensor:
    if not isinstance(values, Tensor) or tuple(values.shape) != (count,):
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"similarity gives {came} for {count} masked images; return one number each, ({count},)")
    return values


def _finite(values: Tensor) -> Tensor:
    """All images' similarities, looked at once a batch: a look waits for the device."""
    if not torch.isfinite(values).all():
        raise ValueError(
            "the similarity of a masked image is NaN or infinite; check the model, perturb= and similarity="
        )
    return values


def _checked_masks(masks: Any, size: tuple[int, int]) -> Tensor:
    try:
        masks = torch.as_tensor(masks)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"masks gives {type(masks).__name__}; return a tensor or an array (n, {size[0]}, {size[1]}) in [0, 1]"
        ) from error
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim != 3 or tuple(masks.shape[1:]) != size or len(masks) == 0:
        raise ValueError(f"masks has shape {tuple(masks.shape)}; give (n, {size[0]}, {size[1]}) with n of at least 1")
    masks = masks.detach().float()
    if not torch.isfinite(masks).all() or masks.min() < 0 or masks.max() > 1:
        raise ValueError("masks must lie in [0, 1]: 1 shows a pixel, 0 hides it")
    return masks


def _batch_size(x: Tensor) -> int:
    """Masked images a forward pass: enough to keep the device busy, few enough to answer quickly when told to stop."""
    budget = 2**21 if x.device.type == "cpu" else 2**27
    return max(8, min(64 if x.device.type == "cpu" else 1024, budget // x[0].numel()))


def _plain(value: Any) -> Any:
    """A parameter as plain data: what a result may keep."""
    if isinstance(value, Tensor):
        return f"{len(value)} given masks"
    return getattr(value, "__name__", value)
