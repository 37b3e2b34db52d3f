"""Everybody's speed in one table: equal results first, then times, taken in turns.

``python -m tests.benchmarks rivals`` runs all of it, which takes hours at 64 images on a small machine; ``--small`` runs tiny models,
as the tests do; ``python -m tests.benchmarks.rivals --models ResNet-50 --batches 16 --methods LRP --threads 1`` a part.
"""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.harness import Comparison, compare, machine
from tests.benchmarks.rivalry import METHODS, OURS, PLAIN, Contestant, contestants, missing, networks
from xaiwidgets.graph.memory import hand_back

BATCHES = (1, 16, 64)
HEAD = "| | model × images | | images/s | ours is … times as fast (spread) | of forward + gradient | GiB a call | difference |"


def main(
    *,
    small: bool = False,
    models: Sequence[str] = (),
    batches: Sequence[int] = BATCHES,
    methods: Sequence[str] = METHODS,
    repeats: int = 3,
) -> None:
    """Print the table."""
    batches, repeats = ((1, 2), 1) if small else (batches, repeats)
    if missing():
        print(f"Not installed, and left out: {', '.join(missing())}.\n")
    print(HEAD + "\n" + "|---" * 8 + "|")
    for name, make in networks(small=small):
        if models and name not in models:
            continue
        network = make()
        for count in batches:
            x = torch.randn(count, 3, network.size, network.size, generator=torch.Generator().manual_seed(0))
            for method in methods:
                # What rivals warn of is theirs.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = contestants(method, network, x, small=small)
                    for text in rows(f"{method} | {name} × {count}", found, count, repeats):
                        print(text, flush=True)


def rows(title: str, found: Sequence[Contestant], images: int, repeats: int) -> Iterator[str]:
    """A line each: first what everybody gives, then in turns how long it takes."""
    if not found:
        return
    ours = found[0].run()
    apart = {entry.name: difference(entry, ours) for entry in found[1:] if entry.name != PLAIN}
    memory = {entry.name: peak(entry) for entry in found}
    timed = compare(title, {entry.name: entry.run for entry in found}, repeats=repeats, warm_up=0)
    for entry in found:
        yield line(timed, entry.name, images, memory[entry.name], apart.get(entry.name, "–"))


def line(timed: Comparison, name: str, images: int, gib: float | None, apart: str) -> str:
    """One row of the table."""
    low, high = timed.spread(name, OURS)
    faster = "" if name == OURS else f"{timed.ratio(name, OURS):.2f} ({low:.2f} to {high:.2f})"
    rate, cost = images / timed.timings[name].median, timed.ratio(name, PLAIN)
    return f"| {timed.title} | {name} | {rate:.3g} | {faster} | {cost:.2f} | {'–' if gib is None else f'{gib:.2f}'} | {apart} |"


def difference(entry: Contestant, ours: Tensor) -> str:
    """How far a rival's result is from ours, in words. Raises AssertionError where it should be equal and is not."""
    theirs = entry.run()
    if entry.near is None:
        return "not the same numbers"
    assert theirs.shape == ours.shape, f"{entry.name} gives {tuple(theirs.shape)}, ours {tuple(ours.shape)}"
    apart = float((theirs - ours).norm() / ours.norm().clamp_min(1e-12))
    assert apart <= entry.near, f"{entry.name} differs by {apart:.1e} from ours; {entry.near:.0e} counts as equal"
    return f"{apart:.0e}"


def peak(entry: Contestant) -> float | None:
    """GiB that a call takes beside what is there before; None where the system does not tell (only Linux does)."""
    status = Path("/proc/self/status")
    try:
        hand_back()
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident(status, "VmRSS")
        entry.run()
        return max(0.0, _resident(status, "VmHWM") - before) / 2**20
    except (OSError, StopIteration):
        return None


def _resident(status: Path, key: str) -> float:
    return float(next(text.split()[1] for text in status.read_text().splitlines() if text.startswith(key)))


def _arguments() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=())
    parser.add_argument("--batches", nargs="*", type=int, default=BATCHES)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--small", action="store_true")
    return vars(parser.parse_args())


if __name__ == "__main__":
    given = _arguments()
    with contextlib.suppress(TypeError):
        torch.set_num_threads(given["threads"])
    print(machine(), "\n")
    main(**{key: value for key, value in given.items() if key != "threads"})
