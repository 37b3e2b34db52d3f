"""Questions a person asks of a widget, the answers so far, and when to show them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from xaiwidgets.relax import RelaxResult
from xaiwidgets.widgets.wire import map_range

_PAUSE = 0.1
"""Seconds between two partial pictures: more often, the eye sees no more and the wire fills."""


_LEAST = 128
"""Masks before a standard error is believed."""


@dataclass(frozen=True)
class Question:
    """What an explanation depends on."""

    image: int
    method: str
    target: int | None = None
    against: int | None = None
    parameters: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def read(cls, content: Mapping[str, Any], classes: bool) -> Question:
        """From a message of the browser, or the widget's own state."""
        target, against = (content.get("target"), content.get("against")) if classes else (None, None)
        parameters = tuple(sorted((content.get("parameters") or {}).items()))
        return cls(int(content["image"]), str(content["method"]), target, against, parameters)

    def plain(self) -> dict[str, Any]:
        """As the browser knows it."""
        return {**vars(self), "parameters": dict(self.parameters)}


@dataclass
class Answer:
    """An explanation so far. ``steps`` is where it can be taken up again for more."""

    result: Any
    row: int
    maps: dict[str, Tensor]
    final: bool
    steps: Iterator[Any] | None = None
    early: bool = False
    """Whether it was good enough before all masks were seen."""
    notes: list[list[str]] = field(default_factory=list)
    """What the result has to say beside its picture."""
    unit: str = ""
    """What the score explained is counted in."""
    explains: str = ""
    """Of a finished result: the class or target that it says it explains."""
    refused: str = ""
    """Why there is none, where there cannot be one: the maps are empty then."""

    @cached_property
    def ranges(self) -> dict[str, list[float]]:
        """[lowest, highest] of each map."""
        return {name: map_range(values) for name, values in self.maps.items()}


class Clock:
    """When to show the next partial result, and how long the rest will take."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._last: dict[str, float] = {}
        self._first: int | None = None

    def due(self, what: str = "maps", pause: float = _PAUSE) -> bool:
        """True at most once in ``pause`` seconds, and the first time."""
        now = time.monotonic()
        if now - self._last.get(what, -pause) < pause:
            return False
        self._last[what] = now
        return True

    def left(self, answer: Answer, wanted: int) -> float | None:
        """Seconds left, from the masks done since this clock began."""
        if not isinstance(answer.result, RelaxResult):
            return None
        done = answer.result.n_masks
        if self._first is None:
            self._first, self._begin = done, time.monotonic()
            return None
        rate = (done - self._first) / max(time.monotonic() - self._begin, 1e-9)
        return max(0.0, (wanted - done) / rate) if rate > 0 else None


def counted(result: Any, total: int) -> Any:
    """A streamed result that says how many masks there are to be, also where it says how it was made."""
    if not isinstance(result, RelaxResult):
        return result
    made = result.provenance
    if made.parameters.get("n_masks") != total:
        made = replace(made, parameters={**made.parameters, "n_masks": total})
    return replace(result, total=total, provenance=made)


def is_sure(result: Any, maps: dict[str, Tensor], share: float) -> bool:
    """Whether the standard errors of a streamed result are at most a share of the range of its importance (H, W)."""
    if not isinstance(result, RelaxResult) or result.n_masks < _LEAST or not share:
        return False
    importance = maps["importance"]
    return float(maps["standard_error"].max()) <= share * float(importance.max() - importance.min())


def settled(result: Any) -> Any:
    """A streamed result that is enough is a final one."""
    return counted(result, result.n_masks) if isinstance(result, RelaxResult) else result


def masks_of(answer: Answer, total: int | None) -> dict[str, Any]:
    """How far an answer that streams masks is, as a status says it; nothing of others."""
    if not isinstance(answer.result, RelaxResult):
        return {}
    done = answer.result.n_masks
    largest = float(answer.maps["standard_error"].max())
    return {"done": done, "total": total or done, "unit": "masks", "enough": answer.early, "largest_error": largest}
