"""A notebook opened again where no kernel knows its widgets: what each way of saving it leaves to be seen.

One notebook is run in JupyterLab and saved twice, without and with the state of its widgets. As it would be on another machine, its kernel
is not known where it is opened, and the person takes "No Kernel".
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.jupyterlab import Lab, Notebook

from .capabilities import PATIENCE, bound, read_pixel, until

pytestmark = pytest.mark.browser
VIEW = "application/vnd.jupyter.widget-view+json"
SOURCE = """
import xaiwidgets as xw
from xaiwidgets.demo import examples
model = xw.load("demo:shapes-cnn")
overlay = xw.HeatmapOverlay(xw.LRP(model), model.prepare(examples(1)[0].image))
assert overlay.wait(120)
"""
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"
# What "Settings → Save Widget State Automatically" does.
KEEP_STATE = "() => window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"


@dataclass
class Saved:
    """The notebook as two files, and the numbers that were on screen."""

    lab: Lab
    heat: np.ndarray
    plain: Path
    with_state: Path


@pytest.fixture(scope="module")
def saved(chromium: Browser, lab: Lab) -> Saved:
    context = chromium.new_context(viewport={"width": 1300, "height": 1100})
    page = context.new_page()
    found = Saved(lab, np.empty(0), lab.folder / "plain.ipynb", lab.folder / "with-state.ipynb")
    notebook = Notebook.open(page, lab, lab.write("reopened.ipynb", [SOURCE, "overlay"]))
    notebook.run_all()
    notebook.wait_until_run()
    root = page.locator(".xw-heatmap").first
    until(lambda: len(bound(root)) == 2, "the answer is on screen")
    found.heat = np.array(notebook.ask("overlay.result.heatmap[0].tolist()"))
    page.evaluate(SAVE)
    shutil.copy(lab.folder / "reopened.ipynb", found.plain)
    page.evaluate(KEEP_STATE)

    def has_state() -> bool:
        page.evaluate(SAVE)
        return "widgets" in nbformat.read(lab.folder / "reopened.ipynb", as_version=4).metadata

    until(has_state, "the state is in the file")
    shutil.copy(lab.folder / "reopened.ipynb", found.with_state)
    notebook.run("overlay.close()")
    context.close()
    for path in (found.plain, found.with_state):
        read = nbformat.read(path, as_version=4)
        # One of the same language would be taken without a question.
        read.metadata["kernelspec"] = {"name": "elsewhere", "display_name": "Elsewhere", "language": "elsewhere"}
        read.metadata["language_info"] = {"name": "elsewhere"}
        nbformat.write(read, path)
    return found


@pytest.fixture
def reopened(chromium: Browser, lab: Lab) -> Iterator[Callable[[Path], Page]]:
    """Opens a file in JupyterLab, without a kernel."""
    contexts = []

    def open_(path: Path, *, trusted: bool) -> Page:
        if trusted:
            NotebookNotary().sign(nbformat.read(path, as_version=4))
        contexts.append(chromium.new_context(viewport={"width": 1300, "height": 1100}))
        page = contexts[-1].new_page()
        page.goto(f"{lab.url}/lab/tree/{path.name}?reset")
        dialog = page.locator(".jp-Dialog", has_text="Select Kernel")
        expect(dialog).to_be_visible(timeout=PATIENCE * 1000)
        dialog.locator("select").select_option(label="No Kernel")
        dialog.locator("button.jp-mod-accept").click()
        expect(dialog).to_have_count(0)
        return page

    yield open_
    for context in contexts:
        context.close()


def output(page: Page) -> Locator:
    return page.locator(".jp-OutputArea-output").last


def the_picture(path: Path) -> str:
    """The PNG that the file holds, as a browser is given it."""
    (made,) = nbformat.read(path, as_version=4).cells[1].outputs
    assert VIEW in made.data
    png = str(made.data["image/png"]).replace("\n", "")
    assert base64.b64decode(png).startswith(b"\x89PNG")
    return f"data:image/png;base64,{png}"


def is_seen(picture: Locator, source: str) -> None:
    expect(picture).to_be_visible(timeout=PATIENCE * 1000)
    assert (picture.get_attribute("src") or "").replace("\n", "") == source
    size: Any = picture.evaluate("(i) => [i.naturalWidth, i.naturalHeight, i.clientWidth]")
    assert min(size) > 100


def test_one_that_is_not_trusted_shows_the_picture(saved: Saved, reopened: Callable[..., Page]) -> None:
    page = reopened(saved.plain, trusted=False)
    is_seen(output(page).locator("img"), the_picture(saved.plain))


def test_one_with_its_widgets_state_shows_the_widget(saved: Saved, reopened: Callable[..., Page]) -> None:
    page = reopened(saved.with_state, trusted=True)
    root = page.locator(".xw-heatmap").first
    expect(root.locator(".xw-frame canvas").first).to_be_visible(timeout=PATIENCE * 1000)
    largest = float(np.abs(saved.heat).max())
    until(lambda: bound(root) == pytest.approx([-largest, largest], rel=2e-3), "the numbers are those of the kernel")
    row, column = (int(n) for n in np.unravel_index(np.abs(saved.heat).argmax(), saved.heat.shape))
    assert read_pixel(page, root, row, column) == pytest.approx(saved.heat[row, column], rel=6e-3)
    expect(root).to_contain_text(re.compile("kernel"), timeout=PATIENCE * 1000)


def test_one_without_is_told_by_jupyterlab_that_the_model_is_gone(saved: Saved, reopened: Callable[..., Page]) -> None:
    page = reopened(saved.plain, trusted=True)
    expect(output(page)).to_contain_text("Error displaying widget: model not found", timeout=PATIENCE * 1000)


def test_as_nbviewer_shows_it_there_is_the_picture(saved: Saved, chromium: Browser, tmp_path: Path) -> None:
    # nbviewer makes its pages with nbconvert, and runs nothing.
    made, _ = HTMLExporter().from_notebook_node(nbformat.read(saved.plain, as_version=4))
    (tmp_path / "page.html").write_text(made, encoding="utf-8")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    is_seen(page.locator(".jp-OutputArea-output img"), the_picture(saved.plain))
    context.close()
