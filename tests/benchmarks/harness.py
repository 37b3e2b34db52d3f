"""Times several ways of doing one piece of work side by side: warm-up, interleaved repeats, medians, ratios with their spread."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of one contestant, one entry a repeat."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the repeats, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Comparison:
    """Timings of contestants that took turns."""

    title: str
    timings: Mapping[str, Timing]

    def ratio(self, slow: str, fast: str) -> float:
        """How many times longer ``slow`` takes than ``fast``: the median over rounds of each round's ratio."""
        return statistics.median(self._ratios(slow, fast))

    def spread(self, slow: str, fast: str) -> tuple[float, float]:
        """The smallest and the largest of the rounds' ratios."""
        ratios = self._ratios(slow, fast)
        return min(ratios), max(ratios)

    def _ratios(self, slow: str, fast: str) -> list[float]:
        return [a / b for a, b in zip(self.timings[slow].seconds, self.timings[fast].seconds, strict=True)]

    def table(self, base: str) -> str:
        """A Markdown table: median seconds, and how each compares with ``base``."""
        lines = [f"### {self.title}", "", f"| | median s | {base} takes … times as long (spread) |", "|---|---|---|"]
        for name, timing in self.timings.items():
            low, high = self.spread(base, name)
            lines.append(f"| {name} | {timing.median:.4g} | {self.ratio(base, name):.2f} ({low:.2f} to {high:.2f}) |")
        return "\n".join(lines)


def compare(
    title: str,
    contestants: Mapping[str, Callable[[], object]],
    *,
    repeats: int = 5,
    warm_up: int = 1,
    settle: Sequence[Callable[[], object]] = (),
) -> Comparison:
    """Time the contestants in turn, ``repeats`` rounds after ``warm_up`` rounds that do not count.

    Rounds are interleaved, so that a machine that slows down slows all contestants; a round's ratio compares neighbours in time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(warm_up + repeats):
        for name, work in contestants.items():
            for prepare in settle:
                prepare()
            _synchronise()
            begin = time.perf_counter()
            work()
            _synchronise()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - begin)
    return Comparison(title, {name: Timing(name, tuple(values)) for name, values in seconds.items()})


def machine() -> str:
    """One line about where and on what this ran."""
    parts = [
        f"{os.cpu_count()} CPU cores ({_processor()})",
        f"Python {platform.python_version()}",
        f"torch {torch.__version__}",
    ]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join([*parts, f"{torch.get_num_threads()} threads"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
