"""What the tests of the flipping viewer's Python side share: a viewer that keeps its messages, a gate to hold it at."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from torch import Tensor

from xaiwidgets import FlippingViewer


class Recorded(FlippingViewer):
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

    def of(self, kind: str) -> list[tuple[dict[str, Any], list[bytes]]]:
        return [packet for packet in list(self.sent) if packet[0]["type"] == kind]

    def hear(self, **content: Any) -> None:
        """A message as the browser sends it."""
        self._receive(self, content, [])

    def look(self, *steps: int, method: str = "a", orders: tuple[str, ...] = ("morf",), **more: Any) -> None:
        """A browser's wish to see frames."""
        asked = {name: getattr(self, name) for name in ("order", "perturb", "patch", "target", "score", "image")}
        self.hear(type="look", **{**asked, "method": method, "orders": list(orders), "steps": list(steps), **more})
        assert self._looker.wait(20)


class Gate:
    """An explainer that works only when told: a run can be held at any step."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.asked = 0

    def __call__(self, x: Tensor, target: Any = None) -> Tensor:
        self.asked += 1
        assert self.permits.acquire(timeout=30)
        return x.abs().sum(1)


def floats(buffer: bytes, *shape: int) -> np.ndarray:
    return np.frombuffer(buffer, "<f4").reshape(shape)
