"""Hosts as notebooks: what they show, and how a person opens, runs and loads them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
from playwright.sync_api import Page

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
