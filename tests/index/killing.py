"""Builds in processes of their own, to be killed, starved or kept waiting. Preloaded in a fork server, so that each begins at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.index.indexing import Pictures
from xaiwidgets import CRP, ImageModel, ReferenceIndex

LENGTH, BATCH, SHARD = 200, 8, 8
NOBODY = 65534


class Slow(Pictures):
    """The same pictures, which take a while to read."""

    def __getitem__(self, index: int) -> Any:
        time.sleep(0.004)
        return super().__getitem__(index)


def explainer() -> CRP:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(96, 5))
    return CRP(ImageModel(module.eval(), input_size=16))


def build(path: Path, data: type[Pictures] = Pictures, **options: Any) -> ReferenceIndex:
    settings = {"progress": False, "batch": BATCH, "shard": SHARD, **options}
    return ReferenceIndex.build(explainer(), data(LENGTH), path, **settings)


def announced(path: Path, begun: Any, hold: Any = None) -> None:
    """Build; say when the first batch is done; with `hold`, wait there for it."""

    def at(progress: Any) -> None:
        begun.set()
        if hold is not None:
            hold.wait()

    build(path, Slow, progress=at)


def starved(path: Path, most: int, answer: Any) -> None:
    """Build where no file may be larger than `most` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    answer.send(_error(path))


def unprivileged(path: Path, elsewhere: Path, answer: Any) -> None:
    """Build as somebody who must not write there."""
    # What is imported when first used must be there before privileges go.
    build(elsewhere)
    if os.getuid() == 0:
        os.setuid(NOBODY)
    answer.send(_error(path))


def _error(path: Path) -> tuple[str, str]:
    try:
        build(path)
    except OSError as error:
        return type(error).__name__, str(error)
    return "", ""


def context() -> Any:
    """Processes that begin with everything imported."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.index.killing"])
    return made


@contextlib.contextmanager
def started(process: BaseProcess) -> Any:
    """A process that does not outlive the test."""
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
