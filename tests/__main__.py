"""``python -m tests``: everything a change must pass, on a machine that may lack a browser.

Extra arguments go to pytest: ``python -m tests -m "not browser"``. ``python -m tests --floor`` runs what runs without a browser, and
some of what needs one, on the lowest versions that are promised.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from tests import book, floor
from tests.chromium import ensure_chromium

ROOT = Path(__file__).parent.parent
MOST = 4
"""Files of tests that run at once."""
Check = tuple[str, Callable[[IO[str] | None], int]]
"""A name, and what runs it: 0 where all is well. What it says goes into the file, if there is one."""


def main(arguments: list[str]) -> int:
    """Run the checks; 0 when all pass. All are run, so that one run tells everything there is to mend."""
    if arguments[:1] == ["--floor"]:
        return floor.main(arguments[1:] or _at_once())
    sys.path.insert(0, str(ROOT / "js"))
    from hatch_build import npm

    js, run_npm = ROOT / "js", npm()
    of_python: list[Check] = [
        (
            "Python style",
            lambda log: _run(["ruff", "check", "."], log) or _run(["ruff", "format", "--check", "."], log),
        ),
        ("Python types", lambda log: _run(["mypy"], log)),
    ]
    of_javascript: list[Check] = [
        ("JavaScript style", lambda log: run_npm(["run", "lint"], js, log)),
        ("TypeScript types", lambda log: run_npm(["run", "check"], js, log)),
        ("bundle sizes", lambda log: run_npm(["run", "build", "--", "--check-size"], js, log)),
        ("JavaScript units", lambda log: run_npm(["test"], js, log)),
    ]
    failed = _in_turn([("the browser", lambda log: ensure_chromium())])
    # Each of the two keeps one core busy.
    with ThreadPoolExecutor(2) as pool:
        for names in pool.map(_aside, [of_python, of_javascript]):
            failed += names
    # These two keep all of them; the tests look at the book that was built.
    failed += _in_turn(
        [
            ("the book", lambda log: book.main([])),
            ("Python", lambda log: _run(["pytest", *(arguments or _at_once())], log)),
        ]
    )
    print(f"\n── failed: {', '.join(failed)}" if failed else "\n── all passed", flush=True)
    return 1 if failed else 0


def _in_turn(checks: list[Check]) -> list[str]:
    """Run checks that say what they have to say as they go; the names of those that failed."""
    failed = []
    for name, check in checks:
        print(f"\n── {name}", flush=True)
        begin = time.monotonic()
        if check(None):
            failed.append(name)
        print(f"({name}: {time.monotonic() - begin:.0f} s)", flush=True)
    return failed


def _aside(checks: list[Check]) -> list[str]:
    """The same beside others: what a check says is told in one piece when it ends."""
    failed = []
    for name, check in checks:
        begin = time.monotonic()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            if check(log):
                failed.append(name)
            log.seek(0)
            print(f"\n── {name}\n{log.read()}({name}: {time.monotonic() - begin:.0f} s)", flush=True)
    return failed


def _at_once() -> list[str]:
    """Files of tests beside each other, as many as there are cores, and not more browsers than a laptop bears."""
    count = min(os.cpu_count() or 1, MOST)
    return ["-n", str(count), "--dist", "loadfile"] if count > 1 else []


def _run(module: list[str], log: IO[str] | None) -> int:
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=ROOT, check=False, stdout=log, stderr=log).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
