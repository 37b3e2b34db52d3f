"""Notebook 7 (package ``notebook``)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from .capabilities import Capabilities, Opened
from .servers import Server, free_port, notebook

pytest.importorskip("notebook", reason="Notebook 7 is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("notebook7")
    port = free_port()
    notebook(folder)
    options = ["--no-browser", "--allow-root", "--expose-app-in-browser", f"--ServerApp.port={port}"]
    options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    server = Server(folder, [sys.executable, "-m", "notebook", *options], f"http://127.0.0.1:{port}/api")
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()

    def ready() -> None:
        page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context", timeout=120_000)
        page.evaluate(
            """async () => {
                const { context } = window.jupyterapp.shell.currentWidget;
                await context.ready;
                await context.sessionContext.ready;
            }"""
        )

    def reopen() -> None:
        page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
        page.reload()
        ready()

    page.goto(f"http://127.0.0.1:{port}/notebooks/host.ipynb")
    ready()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    yield Opened(page, folder, reopen)
    context.close()
    server.close()


class TestNotebook7(Capabilities):
    pass
