"""``python -m tests``: everything a change must pass, on a machine that may lack a browser.

Extra arguments go to pytest: ``python -m tests -m "not browser"``. ``python -m tests --floor`` runs what runs without a browser, and
some of what needs one, on the lowest versions that are promised.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import book, floor
from tests.chromium import ensure_chromium

ROOT = Path(__file__).parent.parent
MOST = 4
"""Files of tests that run at once."""


def main(arguments: list[str]) -> int:
    """Run the checks one after the other; 0 when all pass."""
    if arguments[:1] == ["--floor"]:
        return floor.main(arguments[1:] or _at_once())
    sys.path.insert(0, str(ROOT / "js"))
    from hatch_build import npm

    run_npm = npm()
    python = [sys.executable, "-m"]
    checks = [
        ("the browser", ensure_chromium),
        (
            "Python style",
            lambda: _run([*python, "ruff", "check", "."]) or _run([*python, "ruff", "format", "--check", "."]),
        ),
        ("Python types", lambda: _run([*python, "mypy"])),
        ("JavaScript style", lambda: run_npm(["run", "lint"], ROOT / "js")),
        ("TypeScript types", lambda: run_npm(["run", "check"], ROOT / "js")),
        ("bundle sizes", lambda: run_npm(["run", "build", "--", "--check-size"], ROOT / "js")),
        ("JavaScript units", lambda: run_npm(["test"], ROOT / "js")),
        ("the book", lambda: book.main([])),
        ("Python", lambda: _run([*python, "pytest", *(arguments or _at_once())])),
    ]
    failed = []
    for name, check in checks:
        print(f"\n── {name}", flush=True)
        # All are run, so that one run tells everything there is to mend.
        if check():
            failed.append(name)
    print(f"\n── failed: {', '.join(failed)}" if failed else "\n── all passed", flush=True)
    return 1 if failed else 0


def _at_once() -> list[str]:
    """Files of tests beside each other, as many as there are cores, and not more browsers than a laptop bears."""
    count = min(os.cpu_count() or 1, MOST)
    return ["-n", str(count), "--dist", "loadfile"] if count > 1 else []


def _run(command: list[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
