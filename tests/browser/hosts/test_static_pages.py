"""Notebooks as pages: executed once, made into HTML, opened from a file in a browser without net and without a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Locator, Page, expect

from tests.browser.servers import ROOT
from xaiwidgets.widgets.frame import MOST_BYTES

from .capabilities import until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
NOTEBOOKS = ("quickstart", "lrp", "concepts", "evaluation")


@pytest.fixture(scope="module", params=NOTEBOOKS)
def html(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook as `XAIWIDGETS_STATIC=1 jupyter nbconvert --execute --to html` makes it."""
    folder = tmp_path_factory.mktemp(request.param)
    notebook = nbformat.read(ROOT / "notebooks" / f"{request.param}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(folder)}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XAIWIDGETS_STATIC", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert "anywidget" not in str(output.get("data", {}).get("text/plain", ""))
            assert len(output.get("data", {}).get("text/html", "")) < 1.3 * MOST_BYTES
    states = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    assert "anywidget" not in {state["model_module"] for state in states.values()}, "no widget's state beside its page"
    page, _ = HTMLExporter().from_notebook_node(notebook)
    path = folder / f"{request.param}.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture
def offline(chromium: Browser, html: Path) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1200, "height": 1000}, offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))

    def heard(message: ConsoleMessage) -> None:
        # What the exporter itself would load from elsewhere (formulas, the manager of live widgets) is not here, and not needed.
        if message.type == "error" and "ERR_INTERNET_DISCONNECTED" not in message.text:
            said.append(message.text)

    page.on("console", heard)
    page.goto(html.as_uri())
    yield page
    context.close()
    assert said == []


def pixels(root: Locator) -> list[int]:
    # Of several pictures the last: the first may be the plain one.
    found: list[int] = root.locator(".xw-frame canvas").last.evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return found


def moves_opacity(root: Locator) -> None:
    """A slider is dragged, and the picture changes with it."""
    expect(root.locator(".xw-frame canvas").first).to_be_visible(timeout=30_000)
    before = pixels(root)
    slider = root.get_by_role("slider", name="Opacity").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    mouse = slider.page.mouse
    mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2, steps=4)
    mouse.up()
    assert float(slider.evaluate("(slider) => slider.valueAsNumber")) < 0.35
    until(lambda: pixels(root) != before, "the picture is drawn anew")


def chooses_a_concept(root: Locator) -> None:
    """Another concept is clicked, and is the one that is told about."""
    rows = root.get_by_role("listbox", name=re.compile("^Concepts")).get_by_role("option")
    expect(rows.first).to_be_visible(timeout=30_000)
    chosen = [row.get_attribute("aria-selected") for row in rows.all()]
    other = rows.nth(0 if chosen[0] == "false" else 1)
    other.click()
    expect(other).to_have_attribute("aria-selected", "true")


def scrubs(root: Locator) -> None:
    """The step is moved, and the page says which one it is."""
    slider = root.get_by_role("slider", name=re.compile("step", re.IGNORECASE)).first
    expect(slider).to_be_visible(timeout=30_000)
    before = slider.get_attribute("aria-valuetext") or str(slider.evaluate("(s) => s.value"))
    slider.focus()
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    after = slider.get_attribute("aria-valuetext") or str(slider.evaluate("(s) => s.value"))
    assert after != before


def framed(frame: Locator) -> FrameLocator:
    return frame.content_frame


def test_every_widget_is_live_without_a_kernel(offline: Page, html: Path) -> None:
    frames = offline.locator("iframe.xaiwidgets-page")
    count = frames.count()
    assert count >= {"quickstart": 1, "lrp": 5, "concepts": 3, "evaluation": 2}[html.stem]
    for place in range(count):
        frame = frames.nth(place)
        frame.scroll_into_view_if_needed()
        root = framed(frame).locator(".xw")
        expect(root).to_be_visible(timeout=30_000)
        expect(root.locator(".xw-saved")).to_contain_text(re.compile(r"saved \d{4}-\d\d-\d\d, [\d.]+ [kM]B"))
        kind = (root.get_attribute("class") or "").split()[-1]
        {"xw-heatmap": moves_opacity, "xw-concepts": chooses_a_concept, "xw-flipping": scrubs}[kind](root)
        tall = float(framed(frame).locator("body").evaluate("(body) => body.offsetHeight"))
        assert abs(float(frame.evaluate("(frame) => frame.clientHeight")) - tall) <= 1, "the frame fits its page"
