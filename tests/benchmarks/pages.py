"""Pages of a real JupyterLab for the benchmarks that drive a browser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.jupyterlab import Lab
from tests.chromium import find_chromium


@contextmanager
def lab_pages(width: int, height: int) -> Iterator[tuple[Lab, Callable[[], Page]]]:
    """A JupyterLab, and what opens pages of this size, each in a context of its own."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            yield lab, lambda: browser.new_context(viewport={"width": width, "height": height}).new_page()
        finally:
            browser.close()
            lab.close()


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(0.95 * len(values))]
