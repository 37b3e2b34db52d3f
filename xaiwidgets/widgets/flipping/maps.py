"""Explainers as the flipping viewer calls them: heatmaps are kept, and a run that nobody wants any more ends."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines.adapter import call_explainer
from xaiwidgets.results import heatmap_of
from xaiwidgets.targets import entries

_KEPT = 2**26
"""Heatmap entries kept in all, 256 MB: the oldest go first."""


class UnwantedError(Exception):
    """The run was stopped, or another one took its place, while an explainer was at work."""


def explain(source: Any, x: Tensor, target: Any, wanted: Callable[[], bool]) -> Any:
    """What an explainer gives; one that streams is asked between its steps whether anybody still wants it.

    Raises:
        UnwantedError: nobody does.
    """
    if not wanted():
        raise UnwantedError
    if not hasattr(source, "stream"):
        return call_explainer(source, x, target)
    latest = None
    for partial in source.stream(x, target):
        latest = partial
        if not wanted():
            raise UnwantedError
    return latest


class MethodError(Exception):
    """A method could not explain; the cause says why.

    Attributes:
        method: its name.
    """

    def __init__(self, method: str, cause: Exception) -> None:
        text = str(cause) or type(cause).__name__
        super().__init__(text if repr(method) in text else f"{method}: {text}")
        self.method = method


Method = tuple[str, int]
"""A method's name, and how often another explanation took its place: what is left of the old one is not the new one's."""


class HeatmapMemory:
    """Heatmaps by method, image and class: another order or perturbation needs no new explanation."""

    def __init__(self) -> None:
        self._maps: OrderedDict[tuple[Method, bytes, int], Tensor] = OrderedDict()
        self._entries = 0
        self._lock = threading.Lock()

    def find(self, method: Method, image: Tensor, target: int) -> Tensor | None:
        """The heatmap (H, W) of an image (C, H, W), if it was computed."""
        with self._lock:
            return self._maps.get(_key(method, image, target))

    def explainer(
        self, method: Method, source: Any, wanted: Callable[[], bool], asked: int | None = None
    ) -> Callable[[Tensor, Any], Tensor]:
        """An explainer (x, target) -> heatmaps (n, H, W) that calls ``source`` for what is not there yet.

        Args:
            asked: the number under which a target that is no class was asked about.

        It raises UnwantedError when nobody wants them any more, and MethodError for whatever else goes wrong.
        """

        def explained(x: Tensor, target: Any) -> Tensor:
            rows = target if isinstance(target, Tensor) else entries(target, len(x)) or [None] * len(x)
            keys = [_key(method, image, kept_under(row, asked)) for image, row in zip(x, rows, strict=True)]
            with self._lock:
                found = {key: self._maps[key] for key in keys if key in self._maps}
            missing = [row for row, key in enumerate(keys) if key not in found]
            if missing:
                part = x[missing]
                chosen = rows[missing] if isinstance(rows, Tensor) else [rows[row] for row in missing]
                made = self._made(method, source, part, chosen, wanted)
                for row, heatmap in zip(missing, made, strict=True):
                    found[keys[row]] = heatmap
                    self._keep(keys[row], heatmap)
            return torch.stack([found[key] for key in keys]).to(x.device)

        return explained

    @staticmethod
    def _made(method: Method, source: Any, x: Tensor, target: Any, wanted: Callable[[], bool]) -> Tensor:
        try:
            return heatmap_of(explain(source, x, target, wanted), x, repr(method[0])).cpu()
        except UnwantedError:
            raise
        except Exception as error:
            raise MethodError(method[0], error) from error

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._maps.clear()
            self._entries = 0

    def _keep(self, key: tuple[Method, bytes, int], heatmap: Tensor) -> None:
        with self._lock:
            before = self._maps.pop(key, None)
            self._entries += heatmap.numel() - (0 if before is None else before.numel())
            self._maps[key] = heatmap.clone()
            while self._entries > _KEPT and len(self._maps) > 1:
                _, oldest = self._maps.popitem(last=False)
                self._entries -= oldest.numel()


def kept_under(target: Any, asked: int | None) -> int:
    """The number under which a heatmap is kept: the class; below −1 that of another target; −1 for what a model predicts that is none."""
    number = int(target) if isinstance(target, Tensor) else -1
    return number if number >= 0 or asked is None else -2 - asked


def _key(method: Method, image: Tensor, target: int) -> tuple[Method, bytes, int]:
    values = image.detach().cpu().contiguous().numpy()
    return method, hashlib.blake2b(values.tobytes(), digest_size=16).digest(), target
