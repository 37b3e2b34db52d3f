"""What the flipping viewer's worker is at, and who may still speak of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from xaiwidgets.widgets.flipping.comparison import Request
from xaiwidgets.widgets.jobs import Job, JobRunner

CURVES, GAE = 0, 1
"""Lanes of the worker: curves go on first, GAE where none are wanted."""


@dataclass
class Run:
    """A job under way: of curves, or of GAE where there is no request."""

    request: Request | None
    job: Job = field(default_factory=lambda: Job(start=lambda: iter(())))

    @property
    def lane(self) -> int:
        return GAE if self.request is None else CURVES

    def wanted(self) -> bool:
        return not (self.job.stopped.is_set() or self.job.replaced.is_set())


class Runs:
    """The runs under way, one a lane. What is said of a run is said in ``turn``, and only while it is under way: requests come from
    cells, from the browser's messages and from the worker, each in a thread of its own."""

    def __init__(self, runner: JobRunner) -> None:
        self.turn = threading.RLock()
        self._runner = runner
        self._under_way: dict[int, Run] = {}

    def __contains__(self, lane: int) -> bool:
        return lane in self._under_way

    def of(self, lane: int) -> Run | None:
        """The run under way in a lane."""
        return self._under_way.get(lane)

    def begin(
        self,
        request: Request | None,
        steps: Callable[[Run], Iterator[None]],
        *,
        ended: Callable[[Run, str], None],
        failed: Callable[[Run, Exception], None],
    ) -> None:
        """Run ``steps`` in place of what is under way in its lane."""
        run = Run(request)
        run.job = Job(
            start=lambda: steps(run),
            on_stop=lambda: ended(run, "stopped"),
            on_error=lambda error: failed(run, error),
            lane=run.lane,
        )
        with self.turn:
            self._under_way[run.lane] = run
            self._runner.submit(run.job)

    def drop(self, lane: int) -> None:
        """Give up what is under way: it is of no use any more, and has nothing more to say."""
        with self.turn:
            if self._under_way.pop(lane, None) is not None:
                self._runner.submit(Job(start=lambda: iter(()), lane=lane))

    def tell(self, run: Run, say: Callable[[], None]) -> None:
        """Say something of a run, unless it is no longer the one under way: what was said since would be overwritten."""
        with self.turn:
            if self._under_way.get(run.lane) is run:
                say()

    def end(self, run: Run, say: Callable[[], None]) -> None:
        """The same, and the run is over."""

        def over() -> None:
            del self._under_way[run.lane]
            say()

        self.tell(run, over)

    def clear(self) -> None:
        """Forget all."""
        self._under_way.clear()
