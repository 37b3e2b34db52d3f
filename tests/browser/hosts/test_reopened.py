"""A notebook opened again where no kernel knows its widgets: what each way of saving it leaves to be seen.

One notebook is run in JupyterLab and saved twice, without and with the state of its widgets. As it would be on another machine, its kernel
is not known where it is opened, and the person is asked for one.
"""

from __future__ import annotations

import base64
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
LIVE, PAGE = 1, 2
"""The cells with the widget and with its page."""
KERNEL = "Python 3 (ipykernel)"
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
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server of its own, whose settings are changed."""
    server = Lab(tmp_path_factory.mktemp("reopened"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def saved(chromium: Browser, lab: Lab) -> Saved:
    context = chromium.new_context(viewport={"width": 1300, "height": 1100})
    page = context.new_page()
    found = Saved(lab, np.empty(0), lab.folder / "plain.ipynb", lab.folder / "with-state.ipynb")
    notebook = Notebook.open(page, lab, lab.write("reopened.ipynb", [SOURCE, "overlay", "overlay.static()"]))
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
        read.metadata["kernelspec"] = {"name": "elsewhere", "display_name": "Elsewhere", "language": "text"}
        read.metadata["language_info"] = {"name": "text"}
        nbformat.write(read, path)
    return found


Opens = Callable[..., Page]


@pytest.fixture
def reopened(chromium: Browser, lab: Lab) -> Iterator[Opens]:
    """Opens a file in JupyterLab: without a kernel, or with a new one."""
    contexts = []

    def open_(path: Path, *, trusted: bool, kernel: str = "No Kernel") -> Page:
        # What was open before has its session still, and may have been changed.
        path = Path(shutil.copy(path, path.with_name(f"{path.stem}-{kernel[:2]}-{trusted}.ipynb")))
        if trusted:
            NotebookNotary().sign(nbformat.read(path, as_version=4))
        contexts.append(chromium.new_context(viewport={"width": 1300, "height": 1100}))
        page = contexts[-1].new_page()
        page.goto(f"{lab.url}/lab/tree/{path.name}?reset")
        dialog = page.locator(".jp-Dialog", has_text="Select Kernel")
        expect(dialog).to_be_visible(timeout=PATIENCE * 1000)
        dialog.locator("select").select_option(label=kernel)
        dialog.locator("button.jp-mod-accept").click()
        expect(dialog).to_have_count(0)
        return page

    yield open_
    for context in contexts:
        context.close()


def output(page: Page, cell: int) -> Locator:
    return page.locator(".jp-Cell").nth(cell).locator(".jp-OutputArea-output")


def the_picture(path: Path, cell: int = LIVE) -> str:
    """The PNG that the file holds, as a browser is given it."""
    (made,) = nbformat.read(path, as_version=4).cells[cell].outputs
    assert (VIEW in made.data) == (cell == LIVE)
    png = str(made.data["image/png"]).replace("\n", "")
    assert base64.b64decode(png).startswith(b"\x89PNG")
    return f"data:image/png;base64,{png}"


def is_seen(picture: Locator, source: str) -> None:
    expect(picture).to_be_visible(timeout=PATIENCE * 1000)
    assert (picture.get_attribute("src") or "").replace("\n", "") == source
    size: Any = picture.evaluate("(i) => [i.naturalWidth, i.naturalHeight, i.clientWidth]")
    assert min(size) > 100


def has_the_numbers(page: Page, root: Locator, saved: Saved) -> None:
    expect(root.locator(".xw-frame canvas").first).to_be_visible(timeout=PATIENCE * 1000)
    largest = float(np.abs(saved.heat).max())
    until(lambda: bound(root) == pytest.approx([-largest, largest], rel=2e-3), "the numbers are those of the kernel")
    row, column = (int(n) for n in np.unravel_index(np.abs(saved.heat).argmax(), saved.heat.shape))
    assert read_pixel(page, root, row, column) == pytest.approx(saved.heat[row, column], rel=6e-3)


def test_one_that_is_not_trusted_shows_the_picture(saved: Saved, reopened: Opens) -> None:
    page = reopened(saved.plain, trusted=False)
    is_seen(output(page, LIVE).locator("img"), the_picture(saved.plain))
    # JupyterLab takes frame and script out of such a page.
    expect(output(page, PAGE).locator("iframe")).to_have_count(0)
    is_seen(output(page, PAGE).locator("img"), the_picture(saved.plain, PAGE))
    expect(output(page, PAGE)).to_contain_text("trust the notebook")


def test_the_widgets_state_and_a_new_kernel_show_the_widget(saved: Saved, reopened: Opens) -> None:
    page = reopened(saved.with_state, trusted=True, kernel=KERNEL)
    root = output(page, LIVE).locator(".xw-heatmap")
    has_the_numbers(page, root, saved)
    expect(root).to_contain_text("Kernel not connected: showing the saved picture", timeout=PATIENCE * 1000)


def test_without_a_kernel_a_page_is_live_and_a_widget_is_not(saved: Saved, reopened: Opens) -> None:
    page = reopened(saved.with_state, trusted=True)
    frame = output(page, PAGE).frame_locator("iframe.xaiwidgets-page")
    has_the_numbers(page, frame.locator(".xw-heatmap"), saved)
    expect(output(page, PAGE).locator("figure")).to_be_hidden()
    # JupyterLab reads the state of widgets only when a kernel has come.
    expect(output(page, LIVE)).to_have_text("Loading widget...")


def test_without_its_state_jupyterlab_says_that_the_model_is_gone(saved: Saved, reopened: Opens) -> None:
    page = reopened(saved.plain, trusted=True, kernel=KERNEL)
    expect(output(page, LIVE)).to_have_text("Error displaying widget: model not found", timeout=PATIENCE * 1000)


def test_as_nbviewer_shows_it_there_is_the_picture(saved: Saved, chromium: Browser, tmp_path: Path) -> None:
    # nbviewer makes its pages with nbconvert, and runs nothing.
    made, _ = HTMLExporter().from_notebook_node(nbformat.read(saved.plain, as_version=4))
    (tmp_path / "page.html").write_text(made, encoding="utf-8")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    is_seen(page.locator(".jp-OutputArea-output img").first, the_picture(saved.plain))
    context.close()
