"""Parts of a job on any executor, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")
_AHEAD = 32
"""Jobs handed out before the first result is read: enough for many workers, few enough to keep memory flat."""


def run_shards(executor: Executor, function: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
    """``function(job)`` of each job, in the order of the jobs; jobs not begun are cancelled when the caller stops reading."""
    waiting: deque[Future[Done]] = deque()
    left = iter(jobs)
    try:
        for job in left:
            waiting.append(executor.submit(function, job))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
