"""Widgets whose messages are recorded in place of being sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from xaiwidgets.widgets import FlippingViewer, HeatmapOverlay
from xaiwidgets.widgets.base import Widget

Made = TypeVar("Made", bound=Widget)


class Recorder(Widget):
    """Keeps every message and every change of the status."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.said: list[dict[str, Any]] = []
        super().__init__(*arguments, **options)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append((content, list(buffers or [])))

    def _notify_trait(self, name: str, old_value: Any, new_value: Any) -> None:
        if name == "status":
            self.said.append(new_value)
        super()._notify_trait(name, old_value, new_value)

    def packets(self, kind: str) -> list[tuple[dict[str, Any], list[bytes]]]:
        """The messages of one type, with their buffers."""
        return [packet for packet in list(self.sent) if packet[0]["type"] == kind]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one type."""
        return [content for content, _ in self.packets(kind)]

    def hear(self, **content: Any) -> None:
        """A message as the browser sends it."""
        self._receive(self, content, [])


class Recorded(Recorder, HeatmapOverlay):
    """A heatmap overlay that keeps its messages."""


class RecordedViewer(Recorder, FlippingViewer):
    """A flipping viewer that keeps its messages."""

    def look(self, *steps: int, method: str = "a", orders: tuple[str, ...] = ("morf",), **more: Any) -> None:
        """A browser's wish to see frames."""
        asked = {name: getattr(self, name) for name in ("order", "perturb", "patch", "target", "score", "image")}
        self.hear(type="look", **{**asked, "method": method, "orders": list(orders), "steps": list(steps), **more})
        assert self._looker.wait(20)


def made_and_closed(kind: Callable[..., Made]) -> Iterator[Callable[..., Made]]:
    """Makes widgets, and checks in the end that closing them leaves no thread."""
    made: list[Made] = []

    def make(*arguments: Any, **options: Any) -> Made:
        made.append(kind(*arguments, **options))
        return made[-1]

    yield make
    for widget in made:
        widget.close()
    until(lambda: not any("Recorded" in thread.name for thread in threading.enumerate()))


@pytest.fixture
def overlay() -> Iterator[Callable[..., Recorded]]:
    yield from made_and_closed(Recorded)


@pytest.fixture
def viewer() -> Iterator[Callable[..., RecordedViewer]]:
    yield from made_and_closed(RecordedViewer)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def heat() -> Tensor:
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(1))


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)
