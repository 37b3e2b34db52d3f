"""A HeatmapOverlay whose messages are recorded in place of being sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from xaiwidgets.widgets import HeatmapOverlay


class Recorded(HeatmapOverlay):
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

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one type."""
        return [content for content, _ in list(self.sent) if content["type"] == kind]

    def hear(self, **content: Any) -> None:
        """A message as the browser sends it."""
        self._receive(self, content, [])


@pytest.fixture
def overlay() -> Iterator[Callable[..., Recorded]]:
    """Makes overlays, and checks in the end that closing them leaves no thread."""
    made: list[Recorded] = []

    def make(*arguments: Any, **options: Any) -> Recorded:
        made.append(Recorded(*arguments, **options))
        return made[-1]

    yield make
    for widget in made:
        widget.close()
    until(lambda: not any("Recorded worker" in thread.name for thread in threading.enumerate()))


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)
