"""Solara: an app of widgets, a virtual kernel a page in one process."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import Server, free_port

from .capabilities import Capabilities, Opened, visited
from .notebook import SOURCE, serving

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
    yield from visited(chromium, server, folder, f"http://127.0.0.1:{port}")


class TestSolara(Capabilities):
    cannot = {"survives_reload": "Solara starts another virtual kernel for each page"}  # noqa: RUF012
