"""Work for the workers of an executor: what every job needs travels once, not with each of them."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import torch

Done = TypeVar("Done")
AHEAD = 32
"""Jobs handed to an executor before the first is back: enough for many workers, few enough to keep memory flat."""


@dataclass(frozen=True)
class Crew:
    """An executor that was told what its jobs share."""

    executor: Executor
    shared: Any
    """Of the jobs: bytes, a promise of bytes, or the thing itself where all is one memory."""
    threads: int
    """Of torch, in every worker as here: the last bits of an operation may depend on them."""

    @classmethod
    def of(cls, executor: Any, shared: Any) -> Crew:
        """Any ``concurrent.futures.Executor``, or a Dask client.

        Raises:
            TypeError: no executor, or what is shared cannot travel; says why.
            ValueError: processes that are copies of this one.
        """
        if not hasattr(executor, "submit"):
            raise TypeError(f"executor is {type(executor).__name__}; give a concurrent.futures.Executor, or None")
        context = getattr(executor, "_mp_context", None)
        if context is not None and context.get_start_method() == "fork":
            # A copy has torch's locks without the threads that would open them: it would wait for ever.
            raise ValueError(
                "executor starts its processes by fork, in which torch hangs; give "
                "ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn'))"
            )
        threads = torch.get_num_threads()
        if isinstance(executor, ThreadPoolExecutor):
            return cls(executor, shared, threads)
        payload: Any = _dumped(shared)
        if hasattr(executor, "scatter"):
            # A Dask client: the model goes to each worker once, not with every job.
            payload, executor = executor.scatter(payload, broadcast=True), executor.get_executor()
        return cls(executor, payload, threads)

    def submit(self, function: Callable[..., Done], *arguments: Any) -> Future[Done]:
        """``function(shared, *arguments)`` in a worker."""
        return self.executor.submit(_work, self.shared, self.threads, function, *arguments)

    def in_order(self, function: Callable[..., Done], jobs: Iterable[tuple[Any, ...]]) -> Iterator[Done]:
        """``function(shared, *job)`` of each job, in the order of the jobs; those not begun are cancelled when the caller stops."""
        waiting: deque[Future[Done]] = deque()
        try:
            for job in jobs:
                waiting.append(self.submit(function, *job))
                if len(waiting) >= AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _work(shared: Any, threads: int, function: Callable[..., Done], *arguments: Any) -> Done:
    """One job, in a worker."""
    if isinstance(shared, bytes):
        # Unpacked once for all jobs of a process, so that the model is exported once. While one thread exports, torch computes with
        # other kernels in all threads; sharing the model, the others wait for it.
        with _unpacking:
            shared = _unpacked(shared)
    with _threads(threads):
        return function(shared, *arguments)


_unpacking = threading.Lock()


@lru_cache(maxsize=1)
def _unpacked(payload: bytes) -> Any:
    return pickle.loads(payload)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _dumped(shared: Any) -> bytes:
    try:
        # Classes and functions written in a notebook travel only by cloudpickle, which Dask brings along.
        from cloudpickle import dumps
    except ImportError:
        from pickle import dumps
    try:
        return bytes(dumps(shared))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"the model, an explainer or the data set cannot travel to the workers of executor: {error}. Define its classes and functions "
            "in a module, let it open files when it is read, or do without an executor"
        ) from error
