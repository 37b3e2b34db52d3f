"""Long work beside the notebook: one worker thread a widget, the newest request wins, every job can be stopped.

A busy kernel queues what the browser says until the cell ends, so handlers must return at once; and only a job that
looks up now and then can be stopped. Here a job is a generator: between two steps the runner looks whether anybody
still wants the answer, and whether something more urgent came.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Steps = Iterator[None]


@dataclass
class Job:
    """Work to do: ``start()`` gives a generator; each of its steps is one piece of work that is not interrupted."""

    start: Callable[[], Steps]
    on_stop: Callable[[], None] = lambda: None
    """Called in the worker when the job was stopped (not when a newer one took its place)."""
    on_error: Callable[[Exception], None] = lambda error: None
    """Called in the worker with what the job raised."""
    lane: int = 0
    """A job takes the place of an older one in its lane. Of several lanes the lowest goes on first, step by step."""
    rest: float = 0.0
    """Seconds to hold back after a step in lane 0, the lane of gestures: the next question of a drag follows soon."""
    stopped: threading.Event = field(default_factory=threading.Event)
    replaced: threading.Event = field(default_factory=threading.Event)
    steps: Steps | None = None
    """What ``start()`` gave, once it was called."""


class JobRunner:
    """Runs one step of one job at a time in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._condition = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._in_step = False
        self._last = (0, float("-inf"))
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Run ``job`` as soon as possible, in place of whatever is running or waiting in its lane."""
        with self._condition:
            if self._closed:
                return
            if job.lane in self._jobs:
                self._jobs[job.lane].replaced.set()
            self._jobs[job.lane] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
                _running.add(self)
            self._condition.notify_all()

    def stop(self) -> None:
        """Stop what is running after its present step, and forget what is waiting."""
        with self._condition:
            for job in self._jobs.values():
                job.stopped.set()

    @property
    def busy(self) -> bool:
        """Whether a job is running or waiting."""
        with self._condition:
            return bool(self._jobs) or self._in_step

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is running or waiting; False when ``timeout`` seconds were not enough."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._jobs and not self._in_step, timeout)

    def close(self) -> None:
        """Stop, and end the thread. A closed runner takes no more jobs."""
        with self._condition:
            self._closed = True
            for job in self._jobs.values():
                job.replaced.set()
            self._jobs.clear()
            self._condition.notify_all()

    def _end(self) -> None:
        self.close()
        if self._thread is not None:
            self._thread.join(_LAST_STEP)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: bool(self._jobs) or self._closed)
                if self._closed:
                    return
                job = self._jobs[min(self._jobs)]
                lane, when = self._last
                pause = when + job.rest - time.monotonic() if lane == 0 < job.lane else 0.0
                if pause > 0:
                    self._condition.wait(pause)
                    continue
                self._in_step = True
            over = True
            try:
                over = self._step(job)
            finally:
                with self._condition:
                    if over and self._jobs.get(job.lane) is job:
                        del self._jobs[job.lane]
                    self._in_step = False
                    self._last = (job.lane, time.monotonic())
                    self._condition.notify_all()
            # Nothing of a finished job may stay alive while the thread waits for the next one.
            del job

    def _step(self, job: Job) -> bool:
        """One step; True when the job is over."""
        try:
            if job.steps is None:
                job.steps = job.start()
            if job.stopped.is_set():
                _say(job.on_stop)
                return True
            next(job.steps)
        except StopIteration:
            return True
        except Exception as error:
            # Whatever went wrong is shown in the widget: an exception in a thread would go unseen.
            if not job.replaced.is_set():
                _say(job.on_error, error)
            return True
        return job.replaced.is_set()


def _say(callback: Callable[..., None], *arguments: Exception) -> None:
    """Tell how a job ended. What goes wrong in telling, such as in somebody's observer of a trait, must not end the thread."""
    try:
        callback(*arguments)
    except Exception:
        _log.exception("xaiwidgets: a job ended, and telling so failed")


_log = logging.getLogger(__name__)
_running: weakref.WeakSet[JobRunner] = weakref.WeakSet()
_LAST_STEP = 5.0
"""Seconds that a step may go on when the interpreter ends."""


@atexit.register
def _end_all() -> None:
    """A thread inside of torch while the interpreter goes away would abort the process."""
    for runner in list(_running):
        runner._end()
