"""What the tests of the flipping viewer's Python side share: a viewer that keeps its messages, a gate to hold it at."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from torch import Tensor

from tests.widgets.conftest import Recorder
from xaiwidgets import FlippingViewer


class Recorded(Recorder, FlippingViewer):
    """A flipping viewer that keeps its messages."""

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
