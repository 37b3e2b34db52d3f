"""Pages of a real JupyterLab for the benchmarks that drive a browser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.jupyterlab import Lab, Notebook
from tests.chromium import find_chromium

PAINTED = """
    // Calls back with the time at which what was changed just now is on screen: after the next frame was drawn.
    window.painted = (then) => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => then(performance.now());
        channel.port2.postMessage(null);
    });
"""

OpenNotebook = Callable[[str, str], AbstractContextManager[Notebook]]
"""Takes a name and the code of a first cell."""


@contextmanager
def notebooks(width: int, height: int) -> Iterator[OpenNotebook]:
    """A JupyterLab, and what opens and runs a notebook of one cell in it, each in a fresh page of this size.

    In the page, ``painted(then)`` calls back with the time at which what was changed is on screen.
    """
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)

        @contextmanager
        def run_notebook(name: str, cell: str) -> Iterator[Notebook]:
            context = browser.new_context(viewport={"width": width, "height": height})
            context.add_init_script(PAINTED)
            try:
                notebook = Notebook.open(context.new_page(), lab, lab.write(f"{name}.ipynb", [cell]))
                notebook.run_all()
                yield notebook
            finally:
                context.close()

        try:
            yield run_notebook
        finally:
            browser.close()
            lab.close()


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(0.95 * len(values))]
