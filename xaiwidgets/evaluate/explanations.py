"""Explanations by name, from whatever people hold: heatmaps, results, explainers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines.adapter import call_explainer, explainer_of, is_explainer
from xaiwidgets.devices import sent
from xaiwidgets.evaluate.resuming import method_text
from xaiwidgets.model.fingerprint import described, text_hash
from xaiwidgets.results import heatmap_of
from xaiwidgets.targets import Score


class Explanations:
    """Heatmaps of images by the method's name; explainers are called when their images come up.

    Args:
        given: {name: heatmap (N, H, W), result, or explainer (x, target) -> one of these}; or one of these alone.
        shape: (N, C, H, W) of all images, which heatmaps have to fit.
        of: heatmaps of so many images are cut to the first N.
        reserved: a name that is taken.

    Raises:
        TypeError, ValueError: nothing given, or a heatmap that does not fit, naming the method.
    """

    def __init__(self, given: Any, shape: tuple[int, ...], reserved: str | None = None, of: int | None = None) -> None:
        if not isinstance(given, Mapping):
            provenance = getattr(given, "provenance", None)
            given = {} if given is None else {str(getattr(provenance, "method", "explanation")): given}
        if reserved in given:
            raise ValueError(f"explanations has the name {reserved!r}, which the baseline takes; choose another name")
        self._explainers: dict[str, Any] = {}
        self._heatmaps: dict[str, Tensor] = {}
        self._first = 0
        for name, entry in given.items():
            if is_explainer(entry):
                self._explainers[str(name)] = explainer_of(entry)
                continue
            made = getattr(entry, "heatmap", entry)
            count = of if of is not None and hasattr(made, "__len__") and len(made) == of else shape[0]
            images = torch.empty(1).expand(count, *shape[1:])
            self._heatmaps[str(name)] = heatmap_of(entry, images, repr(name))[: shape[0]]
        self.names: tuple[str, ...] = tuple(str(name) for name in given)

    @property
    def at_hand(self) -> tuple[str, ...]:
        """Names of the methods whose heatmaps are there already."""
        return tuple(name for name in self.names if name in self._heatmaps)

    def heatmaps(self, x: Tensor, target: Any, first: int = 0) -> dict[str, Tensor]:
        """Heatmaps (n, H, W) of every method for the images ``first`` to ``first + n``."""
        return {name: self.heatmap(name, x, target, first) for name in self.names}

    def heatmap(self, name: str, x: Tensor, target: Any, first: int = 0) -> Tensor:
        """The same of one method."""
        if name in self._heatmaps:
            first -= self._first
            return sent(self._heatmaps[name][first : first + len(x)], x.device)
        return heatmap_of(explained(self._explainers[name], x, target, name), x, repr(name))

    def texts(self) -> dict[str, str]:
        """What tells each from others: of a heatmap its numbers, of an explainer its kind and settings."""
        texts = {name: text_hash(described(heatmap)) for name, heatmap in self._heatmaps.items()}
        return texts | {name: method_text(explainer) for name, explainer in self._explainers.items()}

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """The heatmaps at hand of the images ``start`` to ``stop``: what a worker needs beside the explainers."""
        return {name: heatmap[start:stop].clone() for name, heatmap in self._heatmaps.items()}

    def holding(self, heatmaps: dict[str, Tensor], first: int) -> Explanations:
        """These explanations with no heatmaps at hand but those of a :meth:`part`, which begins at ``first``."""
        holding = copy(self)
        holding._heatmaps, holding._first = heatmaps, first
        return holding


def explained(explainer: Any, x: Tensor, target: Any, name: str) -> Any:
    """What an explainer gives for images x. An error says whose it is."""
    try:
        return call_explainer(explainer, x, target)
    except Exception as error:
        error.add_note(f"raised by the explainer {name!r}")
        raise


def named_target(score: Score) -> dict[str, Any]:
    """What provenance says of a target beside the classes that a result holds: its words, where it is no class."""
    return {} if score.classes is not None else {"target": score.text}


def named_explainers(given: Any, argument: str = "explainers") -> dict[str, Any]:
    """{name: explainer} from a mapping or one explainer.

    Raises:
        TypeError: a heatmap where new images have to be explained.
        ValueError: nothing given.
    """
    if not isinstance(given, Mapping):
        provenance = getattr(given, "provenance", None)
        given = {str(getattr(provenance, "method", "explanation")): given}
    if not given:
        raise ValueError(f"{argument} is empty; give at least one explainer by name, such as {{'LRP': xw.LRP(model)}}")
    for name, entry in given.items():
        if not is_explainer(entry):
            raise TypeError(
                f"{argument}[{name!r}] is {type(entry).__name__}; give an explainer, a callable (x, target) -> heatmap: "
                "new images have to be explained"
            )
    return {str(name): explainer_of(entry) for name, entry in given.items()}
