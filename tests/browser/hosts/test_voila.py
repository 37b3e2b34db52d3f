"""Voila: a notebook as an app, a kernel a visitor."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from .capabilities import Capabilities, Opened
from .servers import Server, free_port, notebook

pytest.importorskip("voila", reason="Voila is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("voila")
    port = free_port()
    file = notebook(folder)
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    server = Server(folder, [sys.executable, "-m", "voila", *options, str(file)], f"http://127.0.0.1:{port}/static/")
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()
    found = Opened(page, folder, page.reload)
    page.goto(f"http://127.0.0.1:{port}", timeout=120_000)
    yield found
    context.close()
    server.close()


class TestVoila(Capabilities):
    cannot = {"survives_reload": "Voila starts another kernel for each visit"}  # noqa: RUF012
