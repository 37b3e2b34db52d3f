"""JupyterLab whose server lives in another environment than the kernel, as JupyterHub has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from .apart import ALONE, KERNEL, environment
from .capabilities import Capabilities, Opened
from .servers import jupyter, notebook, ready, run_all, save_and_reload

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("apart")
    notebook(folder, kernel=KERNEL)
    server = jupyter(folder, "jupyterlab", environment(folder), ALONE)
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()
    found = Opened(page, folder, lambda: save_and_reload(page))
    page.goto(f"{server.url}/lab/tree/host.ipynb?reset")
    ready(page)
    run_all(page)
    yield found
    context.close()
    server.close()


class TestLabApart(Capabilities):
    pass
