"""When to show the next partial result, and how long the rest will take."""

from __future__ import annotations

import time

_PAUSE = 0.1
"""Seconds between two partial pictures: more often, the eye sees no more and the wire fills."""
_SHARE = 5
"""Showing takes at most one part in so many of the time."""


class Pace:
    """Of one run."""

    def __init__(self) -> None:
        self._next = 0.0
        self._asked = 0.0
        self._first: tuple[int, float] | None = None

    def due(self) -> bool:
        """Whether it is time; say :meth:`shown` when the showing is done."""
        self._asked = time.monotonic()
        return self._asked >= self._next

    def shown(self) -> None:
        now = time.monotonic()
        self._next = now + max(_PAUSE, _SHARE * (now - self._asked))

    def left(self, done: int, total: int) -> float | None:
        """Seconds left, from what was done since this was first asked."""
        now = time.monotonic()
        if self._first is None or done <= self._first[0]:
            self._first = self._first or (done, now)
            return None
        return (total - done) * (now - self._first[1]) / (done - self._first[0])
