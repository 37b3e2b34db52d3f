"""Solara: an app of widgets, a virtual kernel a page in one process."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from .capabilities import Capabilities, Opened
from .servers import SOURCE, Server, free_port, serving

pytest.importorskip("solara", reason="Solara is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser

APP = """
import solara

def made():
{cell}
    return overlay

@solara.component
def Page():
    solara.display(solara.use_memo(made, dependencies=[]))
"""


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("solara")
    port = free_port()
    cell = textwrap.indent(SOURCE + serving(folder), "    ")
    (folder / "host.py").write_text(APP.format(cell=cell), encoding="utf-8")
    options = ["--no-open", "--production", "--host", "127.0.0.1", "--port", str(port)]
    server = Server(
        folder, [sys.executable, "-m", "solara", "run", "host.py", *options], f"http://127.0.0.1:{port}/readyz"
    )
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()
    found = Opened(page, folder, page.reload)
    page.goto(f"http://127.0.0.1:{port}", timeout=120_000)
    yield found
    context.close()
    server.close()


class TestSolara(Capabilities):
    cannot = {"survives_reload": "Solara starts another virtual kernel for each page"}  # noqa: RUF012
