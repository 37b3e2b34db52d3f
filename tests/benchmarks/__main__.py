"""``python -m tests.benchmarks [name …] [--small]``: run the benchmarks named, or all, and print their tables.

``--small``: those that can (gpu, precision, rivals) run on tiny models in seconds, as the tests do.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from tests.benchmarks.harness import machine

_NOT_BENCHMARKS = {"__init__", "__main__", "harness", "pages", "rivalry"}
_SMALL = {"gpu", "precision", "rivals"}


def main(names: list[str]) -> int:
    """Run each benchmark's ``main``."""
    options = {"small": True} if "--small" in names else {}
    names = [name for name in names if name != "--small"]
    every = (path.stem for path in Path(__file__).parent.glob("*.py"))
    known = sorted(name for name in every if name not in _NOT_BENCHMARKS and not name.startswith("test_"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; choose from {', '.join(known)}")
        return 2
    print(machine())
    for name in names or known:
        print(f"\n## {name}\n", flush=True)
        import_module(f"tests.benchmarks.{name}").main(**options if name in _SMALL else {})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
