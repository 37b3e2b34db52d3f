"""JupyterLab whose server lives in another environment than the kernel, as JupyterHub has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import jupyter

from .apart import ALONE, KERNEL, environment
from .capabilities import Capabilities, Opened, visited
from .notebook import notebook

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("apart")
    notebook(folder, kernel=KERNEL)
    server = jupyter(folder, "jupyterlab", environment(folder), ALONE)
    yield from visited(chromium, server, folder, f"{server.url}/lab/tree/host.ipynb?reset", jupyter=True)


class TestLabApart(Capabilities):
    pass
