"""A JupyterLab server in an environment of its own, without xaiwidgets, whose kernels live in another: as JupyterHub has it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.browser.servers import ROOT

KERNEL = "analysis"


def environment(folder: Path, *, anywidget: bool = True) -> str:
    """Make the server's environment; gives its Python.

    It has everything that the present environment has but xaiwidgets, and nothing is downloaded for it.

    Args:
        anywidget: whether the server has anywidget's extension of JupyterLab.
    """
    home = folder / "server-environment"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    (packages,) = home.glob("lib/python*/site-packages")
    for place in map(Path, sys.path):
        if place.name != "site-packages" or place == packages:
            continue
        for entry in place.iterdir():
            hidden = entry.suffix == ".pth" or "xaiwidgets" in entry.name or "editable" in entry.name
            if not hidden and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    here = Path(sys.prefix)
    shutil.copytree(
        here / "share" / "jupyter", home / "share" / "jupyter", ignore=shutil.ignore_patterns("kernels", "voila")
    )
    if (here / "etc" / "jupyter").is_dir():
        shutil.copytree(here / "etc" / "jupyter", home / "etc" / "jupyter")
    if not anywidget:
        shutil.rmtree(home / "share" / "jupyter" / "labextensions" / "anywidget")
    spec = home / "share" / "jupyter" / "kernels" / KERNEL
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    content = {"argv": command, "display_name": KERNEL, "language": "python", "env": {"PYTHONPATH": str(ROOT)}}
    (spec / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    tried = subprocess.run(
        [python, "-c", "import jupyterlab\ntry:\n import xaiwidgets\nexcept ImportError:\n print('apart')"],
        cwd=folder, env={"PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tried.stdout.strip() == "apart", f"the server's environment is not apart: {tried.stdout}{tried.stderr}"
    return str(python)


ALONE = {"PYTHONPATH": "", "JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PATH": ""}
"""What the server's process must not take from the present environment."""
