"""Voila: a notebook as an app, a kernel a visitor."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import Server, free_port

from .capabilities import Capabilities, Opened, visited
from .notebook import notebook

pytest.importorskip("voila", reason="Voila is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("voila")
    port = free_port()
    file = notebook(folder)
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    server = Server(folder, [sys.executable, "-m", "voila", *options, str(file)], f"http://127.0.0.1:{port}/static/")
    yield from visited(chromium, server, folder, f"http://127.0.0.1:{port}")


class TestVoila(Capabilities):
    cannot = {"survives_reload": "Voila starts another kernel for each visit"}  # noqa: RUF012
