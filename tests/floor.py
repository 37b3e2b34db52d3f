"""``python -m tests --floor``: the lowest versions that the package promises to run on, in a virtual environment of their own.

The lower bounds are read from pyproject.toml. The environment is kept beside the checkout's caches, so that a second run is quick;
torch brings its CUDA libraries where the registry has no other build, some 5 GB. Extra arguments go to pytest.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

__all__ = ["changed", "installed", "lower_bounds", "main"]

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".floor"
# Old releases warn of what has come since: matplotlib of pyparsing, ipywidgets of traitlets and ipykernel.
QUIET = "filterwarnings=error\nignore::DeprecationWarning"
SELECTED = "not slow and not gpu and not browser"
# JupyterLab 4 shows widgets of ipywidgets 8 only; ipywidgets 7 is what Colab has.
IN_A_BROWSER = ["tests/browser/test_quickstart.py", "tests/browser/test_flipping_lab.py"]


def lower_bounds() -> dict[str, str]:
    """The lowest version of every run-time dependency, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [re.fullmatch(r"([\w-]+)>=([\d.]+)", line) for line in project["dependencies"]]
    if not all(found):
        raise ValueError(f"a dependency without one lower bound: {project['dependencies']}")
    return {match[1]: match[2] for match in found if match is not None}


def main(arguments: list[str]) -> int:
    """Make the environment, and run the tests in it; 0 when all pass."""
    python = HOME / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(HOME, with_pip=True)
    lowest = lower_bounds()
    widgets = f"ipywidgets=={lowest.pop('ipywidgets')}"
    pins = HOME / "lowest.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in lowest.items()), encoding="utf-8")
    theirs = [f"{name}=={lowest[name]}" for name in ("torch", "torchvision")]
    steps = [
        # A machine that has its own torch, as Colab's, keeps it.
        ["pip", "install", "-q", *theirs],
        ["pip", "install", "-q", str(ROOT)],
        ["tests.floor", *theirs],
        ["pip", "install", "-q", "-c", str(pins), "-e", f"{ROOT}[test]"],
        ["pytest", "-m", "browser", "-o", QUIET, *IN_A_BROWSER],
        ["pip", "install", "-q", widgets],
        ["tests.floor", *theirs, widgets],
        ["pytest", "-m", SELECTED, "-o", QUIET, *arguments],
    ]
    run = (subprocess.run([str(python), "-m", *step], cwd=ROOT, check=False).returncode for step in steps)
    return next((status for status in run if status), 0)


def installed() -> str:
    """What is installed of it here."""
    return f"Python {sys.version.split()[0]}, " + ", ".join(f"{name} {version(name)}" for name in lower_bounds())


def changed(kept: list[str]) -> list[str]:
    """Which of ``kept``, such as ``torch==2.6``, have another version here."""
    # What starts this script may be a bare Python; what asks here has what matplotlib brings.
    from packaging.version import Version

    found = {entry: Version(version(entry.partition("==")[0])) for entry in kept}
    return [
        f"{entry}: {now}" for entry, now in found.items() if Version(now.public) != Version(entry.partition("==")[2])
    ]


if __name__ == "__main__":
    print(installed(), flush=True)
    sys.exit("\n".join(changed(sys.argv[1:])) or 0)
