"""marimo: its own model of a widget, in a shadow root, with buffers as it has them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import Server, free_port

from .capabilities import Capabilities, Opened
from .notebook import SOURCE, serving

pytest.importorskip("marimo", reason="marimo is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser

APP = """
import marimo
app = marimo.App()

@app.cell
def _():
{cell}
    overlay
    return

if __name__ == "__main__":
    app.run()
"""


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("marimo")
    port = free_port()
    cell = textwrap.indent(SOURCE + serving(folder), "    ")
    (folder / "host.py").write_text(APP.format(cell=cell), encoding="utf-8")
    # A notebook that is opened runs; at first marimo waits until a person says so.
    (folder / "pyproject.toml").write_text("[tool.marimo.runtime]\nauto_instantiate = true\n", encoding="utf-8")
    options = ["--headless", "--no-token", "--skip-update-check", "--port", str(port)]
    # As a notebook: in an app every page has a kernel of its own.
    command = [sys.executable, "-m", "marimo", "-y", "edit", "host.py", *options]
    server = Server(folder, command, f"http://127.0.0.1:{port}/health")
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}")
    yield Opened(page, folder, page.reload)
    context.close()
    server.close()


class TestMarimo(Capabilities):
    pass
