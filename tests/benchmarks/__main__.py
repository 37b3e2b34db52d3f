"""``python -m tests.benchmarks [name …] [--small] [--threads N]``: run the benchmarks named, or all, and print their tables.

``--small``: those that can (gpu, precision, rivals) run on tiny models in seconds, as the tests do. ``--threads``: of torch, on the CPU.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

import torch

from tests.benchmarks.harness import machine

__all__ = ["known", "main"]

_NOT_BENCHMARKS = {"__init__", "__main__", "harness", "pages", "rivalry"}
_SMALL = {"gpu", "precision", "rivals"}


def known() -> list[str]:
    """The names of all benchmarks."""
    every = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(name for name in every if name not in _NOT_BENCHMARKS and not name.startswith("test_"))


def main(arguments: list[str]) -> int:
    """Run each benchmark's ``main``."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known()))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in known()]:
        print(f"no benchmark {unknown[0]!r}; choose from {', '.join(known())}")
        return 2
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    options = {"small": True} if given.small else {}
    print(machine())
    for name in given.names or known():
        print(f"\n## {name}\n", flush=True)
        import_module(f"tests.benchmarks.{name}").main(**options if name in _SMALL else {})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
