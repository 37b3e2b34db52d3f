"""What the browser tests share: one Chromium a session, and a page that runs a bundle on the stand-in model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from tests.chromium import find_chromium
from xaiwidgets import ImageModel

from .comparing import Open, overlays
from .jupyterlab import Lab, Notebook
from .standin import STATIC, StandIn, open_standin

# What is expected comes at once, but on a machine that does three other things; what never comes is told all the same.
expect.set_options(timeout=30_000)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium: the machine's own, else Playwright's."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        except Error as error:
            pytest.fail(
                "the browser tests need Chromium: install the system's package 'chromium' (on Debian: "
                f"apt-get install chromium) or run 'playwright install chromium'. {error}"
            )
        yield browser
        browser.close()


@pytest.fixture
def standin(chromium: Browser) -> Iterator[Callable[..., StandIn]]:
    """Opens the heatmap bundle on a stand-in model; see ``open_standin`` for the arguments."""
    if not (STATIC / "heatmap.js").exists():
        pytest.fail(f"{STATIC} has no bundle: run 'npm ci && npm run build' in js/")
    contexts = []

    def start(width: int = 1100, height: int = 900, dark: bool = False, scale: float = 1, **arguments: Any) -> StandIn:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            device_scale_factor=scale,
            accept_downloads=True,
        )
        contexts.append(context)
        return open_standin(context.new_page(), **arguments)

    yield start
    for context in contexts:
        context.close()


@pytest.fixture
def opened(chromium: Browser, cnn: ImageModel, vit: ImageModel) -> Iterator[Open]:
    """Opens an overlay of two models, and closes it."""
    yield from overlays(chromium, cnn, vit)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A real JupyterLab server, one a session."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture
def notebook(chromium: Browser, lab: Lab) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook of the lab's folder in a page of its own; whatever the console calls an error fails the test."""
    opened = []

    def start(name: str, width: int = 1300, height: int = 1100) -> Notebook:
        context = chromium.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        opened.append((context, found := Notebook.open(context.new_page(), lab, name)))
        return found

    yield start
    for context, found in opened:
        context.close()
        assert found.errors == []
