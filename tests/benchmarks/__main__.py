"""``python -m tests.benchmarks [name …]``: run the benchmarks named, or all, and print their tables."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from tests.benchmarks.harness import machine

_NOT_BENCHMARKS = {"__init__", "__main__", "harness", "pages"}


def main(names: list[str]) -> int:
    """Run each benchmark's ``main``."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _NOT_BENCHMARKS)
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; choose from {', '.join(known)}")
        return 2
    print(machine())
    for name in names or known:
        print(f"\n## {name}\n", flush=True)
        import_module(f"tests.benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
