"""Every method on at least one model of every family of timm: what passes, what is refused and why, what fails.

    python -m tests.benchmarks families                        # all; goes on where the log ends
    python -m tests.benchmarks.families --log runs.jsonl volo hiera
    python -m tests.benchmarks.families --again fail           # those that failed, once more
    python -m tests.benchmarks.families --only-table

One line of JSON a model. A model that takes longer than `--limit` seconds fails with that; where the process has grown beyond `--memory`
GB it ends, to be started again.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.families import FAMILIES, SMALLER, Entry, Outcome, attempt, timm_model

LOG = Path("families.jsonl")


def main(arguments: list[str] | None = None) -> int:
    """Try what the log does not have yet, then print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.families", description=__doc__)
    parser.add_argument("names", nargs="*", help="families, as in timm.list_modules(); default: all")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--again", choices=["fail", "refused", "all"], help="try these once more")
    parser.add_argument("--limit", type=int, default=240, help="seconds a model")
    parser.add_argument("--memory", type=float, default=10.0, help="GB at which the process ends")
    parser.add_argument("--only-table", action="store_true")
    options = parser.parse_args(arguments or [])
    if not options.only_table:
        for family, entry in wanted(options.names, read(options.log), options.again):
            line = {"family": family, **tried(entry, options.limit).line()}
            with options.log.open("a") as log:
                log.write(json.dumps(line, ensure_ascii=False) + "\n")
            print(
                f"{family:28s} {line['name']:36s} {line['status']:8s} {line['step']:8s} {line['said'][:150]}",
                flush=True,
            )
            if grown() > options.memory:
                print(f"{grown():.1f} GB: start again to go on", flush=True)
                return 3
    print(table(read(options.log)))
    return 0


def read(log: Path) -> dict[str, dict[str, Any]]:
    """The last line of each model in the log."""
    if not log.exists():
        return {}
    return {line["name"]: line for line in map(json.loads, log.read_text().splitlines())}


def wanted(names: list[str], done: dict[str, dict[str, Any]], again: str | None) -> Iterator[tuple[str, Entry]]:
    """The models to try. Families of a newer timm than the list knows come as its first model."""
    for family, entry in (FAMILIES | _new()).items():
        if names and family.rstrip("+") not in names:
            continue
        before = done.get(entry.name)
        if before is None or again == "all" or before["status"] == again or (names and again is None):
            yield family, entry


def _new() -> dict[str, Entry]:
    import timm

    return {
        family: Entry(timm.list_models(module=family)[0]) for family in timm.list_modules() if family not in FAMILIES
    }


def tried(entry: Entry, limit: int) -> Outcome:
    """One model, from making it to the last method."""
    gc.collect()
    begin = time.perf_counter()
    try:
        with time_limit(limit):
            module, x = timm_model(Entry(entry.name, entry.size, {**entry.options, **SMALLER.get(entry.name, {})}))
            outcome = attempt(entry.name, module, x)
    except OutOfTime as error:
        outcome = Outcome(entry.name, "fail", "time", str(error))
    except Exception as error:
        outcome = Outcome(entry.name, "fail", "build", f"{type(error).__name__}: {error}"[:300])
    outcome.seconds["all"] = round(time.perf_counter() - begin, 1)
    return outcome


class OutOfTime(BaseException):
    """What nothing that is tried catches."""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise OutOfTime in the work inside after so many seconds."""

    def stop(*_: object) -> None:
        raise OutOfTime(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def grown() -> float:
    """The most memory the process has held, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def table(done: dict[str, dict[str, Any]]) -> str:
    """What became of how many, and each that did not pass."""
    known = [line for line in done.values() if line["family"] in FAMILIES | _new()]
    counts = {status: sum(line["status"] == status for line in known) for status in ("pass", "refused", "fail")}
    families = {line["family"].rstrip("+") for line in known}
    lines = [
        f"{len(known)} models of {len(families)} families: {counts['pass']} pass ({counts['pass'] / max(1, len(known)):.1%}), "
        f"{counts['refused']} refused by name, {counts['fail']} fail",
        "",
        "| family | model | status | at | said |",
        "|---|---|---|---|---|",
    ]
    for line in known:
        if line["status"] != "pass":
            cells = (line["family"], line["name"], line["status"], line["step"], line["said"].replace("|", "/")[:200])
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
