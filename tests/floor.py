"""``python -m tests --floor``: the lowest versions that the package promises to run on, in a virtual environment of their own.

First it is the environment of a person who has a torch already, as Colab's: the package comes to it, must change nothing of what is there,
and must work beside what is newest of all else. Then everything goes down to the lower bounds, which are read from pyproject.toml, and the
tests run. The environment is kept beside the checkout's caches until the bounds change, so that a second run is quick; torch brings its CUDA
libraries where the registry has no other build, some 5 GB. Extra arguments go to pytest.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions, version
from pathlib import Path

__all__ = ["installed", "lower_bounds", "main", "unlike", "unpinned", "versions"]

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".floor"
PINS = HOME / "lowest.txt"
THEIRS = HOME / "theirs.json"
# Old releases warn of what has come since: matplotlib of pyparsing, ipywidgets of traitlets and ipykernel.
QUIET = "filterwarnings=error\nignore::DeprecationWarning"
SELECTED = "not slow and not gpu and not browser and not sources"
# JupyterLab 4 shows widgets of ipywidgets 8 only; ipywidgets 7 is what Colab has.
IN_A_BROWSER = ["tests/browser/test_quickstart.py", "tests/browser/test_flipping_lab.py"]


FIRST_LINES = """
import xaiwidgets as xw
from xaiwidgets.demo import examples
assert "site-packages" in xw.__file__, xw.__file__
model = xw.load("demo:shapes-cnn")
x = model.prepare([sample.image for sample in examples(2)])
overlay = xw.HeatmapOverlay({"LRP": xw.LRP(model), "RELAX": xw.RELAX(model, n_masks=100)}, x)
assert overlay.wait(120)
print(xw.LRP(model)(x))
assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(overlay._repr_mimebundle_()[0])
"""


def lower_bounds() -> dict[str, str]:
    """The lowest version of every run-time dependency, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [re.fullmatch(r"([\w-]+)>=([\d.]+)", line) for line in project["dependencies"]]
    if not all(found):
        raise ValueError(f"a dependency without one lower bound: {project['dependencies']}")
    return {match[1]: match[2] for match in found if match is not None}


def main(arguments: list[str]) -> int:
    """Make the environment, and run the tests in it; 0 when all pass."""
    lowest = lower_bounds()
    python = environment("".join(f"{name}=={bound}\n" for name, bound in lowest.items() if name != "ipywidgets"))
    theirs = [f"{name}=={lowest[name]}" for name in ("torch", "torchvision")]
    widgets = f"ipywidgets=={lowest['ipywidgets']}"
    install = ["-m", "pip", "install", "-q"]
    steps: list[tuple[str, Sequence[str], Path]] = [
        ("a torch of their own", [*install, *theirs], ROOT),
        ("what is there", ["-m", "tests.floor", "--note", str(THEIRS)], ROOT),
        ("the package comes to it", [*install, str(ROOT)], ROOT),
        ("what was there is unchanged", ["-m", "tests.floor", "--unchanged", str(THEIRS)], ROOT),
        # Not in the checkout, whose package would be found first.
        ("the package beside it", ["-c", FIRST_LINES], HOME),
        ("the lowest versions", [*install, "-c", str(PINS), "-e", f"{ROOT}[test]"], ROOT),
        ("which they are", ["-m", "tests.floor", "--pinned", str(PINS)], ROOT),
        ("a browser", ["-m", "tests.chromium"], ROOT),
        ("in a browser", ["-m", "pytest", "-m", "browser", "-o", QUIET, *IN_A_BROWSER], ROOT),
        ("the widgets of Colab", [*install, widgets], ROOT),
        ("which they are", ["-m", "tests.floor", "--pinned", str(PINS), widgets], ROOT),
        ("Python", ["-m", "pytest", "-m", SELECTED, "-o", QUIET, *arguments], ROOT),
    ]
    failed = []
    for name, step, folder in steps:
        begin = time.monotonic()
        print(f"\n── {name}", flush=True)
        status = subprocess.run([str(python), *step], cwd=folder, check=False).returncode
        print(
            f"── {name}: {f'failed ({status})' if status else 'passed'}, {time.monotonic() - begin:.0f} s", flush=True
        )
        if status:
            failed.append(name)
            # What tests find in a browser says nothing of the rest; without its environment nothing else means anything.
            if "pytest" not in step:
                break
    print(f"\n── failed: {', '.join(failed)}" if failed else "\n── all passed", flush=True)
    return 1 if failed else 0


def environment(pins: str) -> Path:
    """The Python of the environment for these pins; one that was made for others is made anew."""
    python = HOME / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not PINS.is_file() or PINS.read_text(encoding="utf-8") != pins:
        # Else what has to come to a bare torch would be there already.
        venv.create(HOME, with_pip=True, clear=True)
        PINS.write_text(pins, encoding="utf-8")
    return python


def installed() -> str:
    """What is installed of it here."""
    return f"Python {sys.version.split()[0]}, " + ", ".join(f"{name} {version(name)}" for name in lower_bounds())


def versions() -> dict[str, str]:
    """The version of everything that is installed here, but of the package itself, by name; builds are told apart."""
    # One found twice counts where it is found first, as for an import.
    found = {dist.name.lower(): dist.version for dist in reversed(list(distributions()))}
    return {name: found[name] for name in sorted(found) if name != "xaiwidgets"}


def unlike(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What was there ``before`` and has another version now, or none; a line for each."""
    return [f"{name} was {was} and is {now.get(name, 'gone')}" for name, was in before.items() if now.get(name) != was]


def unpinned(pins: Sequence[str], now: Mapping[str, str]) -> list[str]:
    """Which of ``pins``, such as ``torch==2.6``, do not hold; 2.6 and 2.6.0+cpu are one release."""
    # What starts this script may be a bare Python; what asks here has what matplotlib brings.
    from packaging.version import Version

    wanted = {name: Version(bound) for name, _, bound in (pin.strip().partition("==") for pin in pins)}
    return [
        f"{name} is {now.get(name, 'missing')}, not {bound}"
        for name, bound in wanted.items()
        if name not in now or Version(Version(now[name]).public) != bound
    ]


def _ask(question: str, file: Path, more: Sequence[str]) -> list[str]:
    """What is wrong with what is installed here."""
    if question == "--note":
        file.write_text(json.dumps(versions()), encoding="utf-8")
        return []
    print(installed(), flush=True)
    if question == "--unchanged":
        return unlike(json.loads(file.read_text(encoding="utf-8")), versions())
    return unpinned([*file.read_text(encoding="utf-8").splitlines(), *more], versions())


if __name__ == "__main__":
    sys.exit("\n".join(_ask(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])) or 0)
