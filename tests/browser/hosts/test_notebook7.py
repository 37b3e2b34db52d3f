"""Notebook 7 (package ``notebook``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import jupyter

from .capabilities import Capabilities, Opened, visited
from .notebook import notebook

pytest.importorskip("notebook", reason="Notebook 7 is not installed: pip install 'xaiwidgets[hosts]'")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("notebook7")
    notebook(folder)
    server = jupyter(folder, "notebook")
    yield from visited(chromium, server, folder, f"{server.url}/notebooks/host.ipynb", jupyter=True)


class TestNotebook7(Capabilities):
    pass
