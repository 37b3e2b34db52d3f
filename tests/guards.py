"""Guards of the browser's sources, as `npm run lint` runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["JS", "Guard", "guard_of"]

JS = Path(__file__).parents[1] / "js"
Guard = Callable[[Path], subprocess.CompletedProcess[str]]


def guard_of(script: str) -> Guard:
    """Runs a guard, such as "layout.mjs", over a folder."""
    sys.path.insert(0, str(JS))
    from hatch_build import node

    command = [str(node()), str(JS / script)]
    return lambda folder: subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, encoding="utf-8", check=False, timeout=60
    )
