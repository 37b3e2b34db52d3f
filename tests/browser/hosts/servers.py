"""Hosts as processes: started in a folder of their own, waited for, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from playwright.sync_api import Page

from tests.browser.jupyterlab import ROOT, _free_port

_STARTED = 120.0

SOURCE = """
import time, torch, xaiwidgets as xw
from tests.browser.hosts.answering import serve
from xaiwidgets.demo import examples
model = xw.load("demo:shapes-cnn")
x = model.prepare([sample.image for sample in examples(3)])
def unhurried(h, reference):
    time.sleep(0.1)
    return torch.nn.functional.cosine_similarity(h, reference[None], dim=1)
relax = xw.RELAX(model, n_masks=20_000, similarity=unhurried, batch_size=32)
overlay = xw.HeatmapOverlay({"LRP": xw.LRP(model), "RELAX": relax}, x)
"""
"""A widget with a quick method and one that takes its time."""


def free_port() -> int:
    """A port that nobody listens on."""
    return _free_port()


def answered(folder: Path) -> Path:
    """The file in which the kernel says where it can be asked."""
    return folder / "kernel-address"


def serving(folder: Path) -> str:
    """The line that makes the kernel answer."""
    return f"serve(dict(overlay=overlay, model=model), {str(answered(folder))!r})\n"


def notebook(folder: Path, cells: Sequence[str] = (), name: str = "host.ipynb", kernel: str = "python3") -> Path:
    """A notebook that shows the widget, or one of other cells."""
    cells = cells or [SOURCE + serving(folder), "overlay"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    nbformat.write(made, folder / name)
    return folder / name


def jupyter(
    folder: Path, app: str, python: str = sys.executable, environment: Mapping[str, str] | None = None
) -> Server:
    """A Jupyter server with one of its front ends, such as ``jupyterlab`` or ``notebook``; ``url`` is its base."""
    base = f"http://127.0.0.1:{(port := free_port())}"
    options = ["--no-browser", "--allow-root", "--expose-app-in-browser", f"--ServerApp.port={port}"]
    options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    return Server(folder, [python, "-m", app, *options], base, environment)


def ready(page: Page) -> None:
    """Wait until a notebook and its kernel are; without, a dialog asks for a kernel."""
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context", timeout=120_000)
    page.evaluate(
        """async () => {
            const { context } = window.jupyterapp.shell.currentWidget;
            await context.ready;
            await context.sessionContext.ready;
        }"""
    )


def run_all(page: Page) -> None:
    """Run all cells, without waiting for them."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")


def save_and_reload(page: Page) -> None:
    """Save the notebook, and load its page again."""
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    page.reload()
    ready(page)


class Server:
    """A process that serves pages; ``url`` is asked until it answers."""

    def __init__(self, folder: Path, command: Sequence[str], url: str, environment: Mapping[str, str] | None = None):
        self.folder, self.url = folder, url
        # Threads beyond the two cores of a small machine would starve the browser.
        own = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / ".config")}
        own["PYTHONPATH"] = os.pathsep.join([str(ROOT), own.get("PYTHONPATH", "")])
        self._log = (folder / "server.log").open("w")
        self._process = subprocess.Popen(
            command, cwd=folder, env={**own, **(environment or {})}, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _STARTED
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        self.close()
        raise RuntimeError(f"the host did not start:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End it, and what it started."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
