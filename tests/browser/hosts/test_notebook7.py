"""Notebook 7 (package ``notebook``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from .capabilities import Capabilities, Opened
from .servers import jupyter, notebook, ready, run_all, save_and_reload

pytest.importorskip("notebook", reason="Notebook 7 is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("notebook7")
    notebook(folder)
    server = jupyter(folder, "notebook")
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()
    found = Opened(page, folder, lambda: save_and_reload(page))
    page.goto(f"{server.url}/notebooks/host.ipynb")
    ready(page)
    run_all(page)
    yield found
    context.close()
    server.close()


class TestNotebook7(Capabilities):
    pass
