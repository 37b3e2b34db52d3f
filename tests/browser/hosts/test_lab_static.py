"""JupyterLab whose server does not know anywidget: live widgets cannot be shown there, pages can."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, FrameLocator, expect

from tests.browser.servers import jupyter
from tests.browser.still import put_off

from .apart import ALONE, KERNEL, environment
from .capabilities import PATIENCE, Opened, bound, until, visited
from .notebook import SOURCE, notebook, serving

pytestmark = pytest.mark.browser
STATIC = "import xaiwidgets as xw\nxw.options(static=True)"


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("static")
    notebook(folder, [STATIC, SOURCE + serving(folder), "overlay"], kernel=KERNEL)
    server = jupyter(folder, "jupyterlab", environment(folder, anywidget=False), ALONE)
    yield from visited(chromium, server, folder, f"{server.url}/lab/tree/host.ipynb?reset", jupyter=True, height=1300)


def framed(opened: Opened) -> FrameLocator:
    return opened.page.frame_locator("iframe.xaiwidgets-page").first


def is_the_kernels(opened: Opened) -> None:
    """The page in the frame has the kernel's numbers, and moves under the pointer."""
    root = framed(opened).locator(".xw-heatmap")
    expect(root.locator(".xw-frame canvas").first).to_be_visible(timeout=PATIENCE * 1000)
    largest = float(np.abs(np.array(opened.ask("overlay.result.heatmap.tolist()"))).max())
    assert bound(root) == pytest.approx([-largest, largest], rel=2e-3)
    slider = root.get_by_role("slider", name="Opacity")
    slider.fill("0.3")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("30"))
    expect(root.locator(".xw-saved")).to_contain_text(re.compile(r"saved \d{4}-\d\d-\d\d, \d+ kB"))


def test_the_page_is_live(opened: Opened) -> None:
    is_the_kernels(opened)
    assert opened.ask("overlay.opacity") == 0.8, "nobody is told"


def test_the_frame_is_as_tall_as_its_page_and_as_dark_as_the_notebook(opened: Opened) -> None:
    body = framed(opened).locator("body")
    frame = opened.page.locator("iframe.xaiwidgets-page").first
    root = framed(opened).locator(".xw-heatmap")
    until(
        lambda: (
            abs(float(frame.evaluate("(f) => f.clientHeight")) - float(body.evaluate("(b) => b.offsetHeight"))) <= 1
        ),
        "it fits",
    )
    tall = frame.evaluate("(f) => f.clientHeight")
    assert 400 < tall < 1500
    expect(root).to_have_attribute("data-xw-theme", "light")
    change = "async (theme) => { await window.jupyterapp.commands.execute('apputils:change-theme', { theme }); }"
    opened.page.evaluate(change, "JupyterLab Dark")
    expect(root).to_have_attribute("data-xw-theme", "dark")
    opened.page.evaluate(change, "JupyterLab Light")
    expect(root).to_have_attribute("data-xw-theme", "light")
    # It does not grow by itself.
    put_off(opened.page)
    assert frame.evaluate("(f) => f.clientHeight") == tall


def test_it_is_there_again_when_the_notebook_is_opened_again(opened: Opened) -> None:
    opened.reopen()
    is_the_kernels(opened)


def test_nothing_is_said_in_the_console(opened: Opened) -> None:
    assert opened.errors == []
