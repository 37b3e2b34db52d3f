"""The quickstart in a real JupyterLab: run, watch, drag, stop, go on, reload; the screen against the kernel's numbers."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.servers import ROOT

from .jupyterlab import Lab, Notebook

pytestmark = pytest.mark.browser

# Holds the kernel until it is told to let go.
BUSY = """
from pathlib import Path
while not Path("go").exists():
    time.sleep(0.05)
"""
SLOW_ENCODER = """
import time, torch, xaiwidgets as xw
from xaiwidgets.demo import examples
model = xw.load("demo:shapes-cnn")
x = model.prepare([sample.image for sample in examples(3)])
def unhurried(h, reference):
    time.sleep(0.15)
    if fail:
        raise RuntimeError("the encoder broke <b>mid-run</b>")
    return torch.nn.functional.cosine_similarity(h, reference[None], dim=1)
fail = False
relax = xw.RELAX(model, n_masks=20_000, similarity=unhurried, batch_size=32)
overlay = xw.HeatmapOverlay(relax, x)
overlay
"""


@pytest.fixture(scope="module")
def quickstart(chromium, lab: Lab) -> Iterator[Notebook]:  # type: ignore[no-untyped-def]
    """The quickstart, run to its end, once for the tests that only look and drag."""
    shutil.copy(ROOT / "notebooks" / "quickstart.ipynb", lab.folder / "quickstart.ipynb")
    context = chromium.new_context(viewport={"width": 1300, "height": 1600}, accept_downloads=True)
    found = Notebook.open(context.new_page(), lab, "quickstart.ipynb")
    found.run_all()
    expect(found.page.locator(".xw-heatmap").first).to_be_visible(timeout=60_000)
    found.wait_until_run()
    found.page.locator(".xw-heatmap").first.scroll_into_view_if_needed()
    yield found
    errors = found.errors
    context.close()
    assert errors == []


def widget(page: Page) -> Locator:
    return page.locator(".xw-heatmap").first


def pixels(page: Page) -> list[int]:
    """All bytes of the picture on screen."""
    found: list[int] = page.evaluate(
        """() => {
            const canvas = document.querySelector('.xw-heatmap .xw-frame canvas');
            return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
        }"""
    )
    return found


def radio(page: Page, name: str) -> Locator:
    return widget(page).get_by_role("radio", name=name, exact=True)


def until(said: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_every_cell_ran_and_the_result_is_on_screen(quickstart: Notebook) -> None:
    page = quickstart.page
    failed = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
    assert failed.count() == 0, failed.all_inner_texts()
    masks = quickstart.ask("overlay.result.n_masks")
    expect(widget(page).locator(".xw-progress-text")).to_contain_text(f"{masks} masks")
    # The colour bar's numbers are the array's.
    low, high = quickstart.ask("[float(overlay.result.importance.min()), float(overlay.result.importance.max())]")
    label = widget(page).locator(".xw-colorbar").get_attribute("aria-label") or ""
    said = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", label.split("from")[1])]
    assert said == pytest.approx([low, high], rel=2e-3)
    # Figures made by .plot() are shown as well.
    assert page.locator(".jp-OutputArea-output img").count() >= 2


def test_hover_reads_the_arrays_value(quickstart: Notebook) -> None:
    page = quickstart.page
    frame = widget(page).locator(".xw-frame canvas").first.bounding_box()
    assert frame is not None
    row, column = 40, 22
    page.mouse.move(frame["x"] + (column + 0.5) / 64 * frame["width"], frame["y"] + (row + 0.5) / 64 * frame["height"])
    value, error = quickstart.ask(
        f"[float(overlay.result.importance[0, {row}, {column}]), float(overlay.result.standard_error[0, {row}, {column}])]"
    )
    caption = widget(page).locator(".xw-caption-value").first
    expect(caption).to_contain_text("±")
    numbers = [float(number) for number in re.findall(r"\d+\.\d+(?:e-?\d+)?", caption.inner_text().replace("−", "-"))]
    assert any(number == pytest.approx(value, rel=2e-3) for number in numbers), caption.inner_text()
    assert any(number == pytest.approx(error, rel=0.06) for number in numbers), caption.inner_text()


def test_dragging_the_cut_hides_pixels_and_reaches_python_once(quickstart: Notebook) -> None:
    page = quickstart.page
    radio(page, "U-RELAX").click()
    before = pixels(page)
    quickstart.count_messages()
    cut = widget(page).get_by_role("slider", name="Uncertainty threshold")
    box = cut.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(30):
        page.mouse.move(box["x"] + box["width"] * (1 - step / 60), box["y"] + box["height"] / 2)
    assert quickstart.messages() == []
    page.mouse.up()
    assert pixels(page) != before
    until(lambda: abs(quickstart.ask("overlay.threshold") - 0.5) > 0.02)
    # The share that the screen states is the trait, and the pixels it keeps are U-RELAX's.
    share = quickstart.ask("overlay.threshold")
    expect(cut).to_have_attribute("aria-valuetext", re.compile(rf"surest {round(share * 100)} %"))
    states = [message for message in quickstart.messages() if message.get("method") == "update"]
    assert 1 <= len(states) <= 2
    quickstart.run("overlay.threshold = 0.25")
    expect(cut).to_have_attribute("aria-valuetext", re.compile(r"surest 25 %"))


def test_views_and_images_switch(quickstart: Notebook) -> None:
    page = quickstart.page
    radio(page, "Uncertainty").click()
    until(lambda: quickstart.ask("overlay.show") == "uncertainty")
    radio(page, "Side by side").click()
    assert widget(page).locator(".xw-frame canvas").count() >= 2
    radio(page, "Importance").click()
    widget(page).get_by_role("option", name=re.compile("^Image 2")).click()
    until(lambda: quickstart.ask("overlay.image") == 1)
    until(lambda: quickstart.ask("overlay.result is not None and overlay.result.final"), 60)


def test_reload_keeps_the_widget(quickstart: Notebook) -> None:
    quickstart.run("overlay.threshold = 0.35")
    quickstart.reload()
    page = quickstart.page
    expect(widget(page)).to_be_visible()
    cut = widget(page).get_by_role("slider", name="Uncertainty threshold")
    expect(cut).to_have_attribute("aria-valuetext", re.compile(r"surest 35 %"))
    expect(widget(page).locator(".xw-progress-text")).to_contain_text("masks")


def test_stop_more_and_errors_while_the_kernel_is_busy(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    lab.write("slow.ipynb", [SLOW_ENCODER, BUSY])
    open_ = notebook("slow.ipynb")
    page = open_.page
    open_.run_all()
    expect(widget(page)).to_be_visible(timeout=60_000)
    # The first numbers come while the next cell keeps the kernel busy.
    expect(widget(page).locator(".xw-progress-text")).to_contain_text(
        re.compile(r"\d+ of 20\s096 masks"), timeout=60_000
    )
    assert (
        page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status")
        == "busy"
    )
    (lab.folder / "go").touch()
    open_.wait_until_run()
    stop = widget(page).get_by_role("button", name="Stop")
    expect(stop).to_be_enabled()
    stop.click()
    until(lambda: open_.ask("overlay.status['state']") == "stopped")
    stopped_at = open_.ask("overlay.result.n_masks")
    assert 0 < stopped_at < 20_000
    time.sleep(0.5)
    assert open_.ask("overlay.result.n_masks") == stopped_at
    widget(page).get_by_role("button", name="More").click()
    until(lambda: open_.ask("overlay.result.n_masks") > stopped_at)
    before = pixels(page)
    # An encoder that breaks mid-run: the error is on screen, as text, and the last good picture stays.
    open_.run("fail = True")
    alert = widget(page).get_by_role("alert")
    expect(alert).to_contain_text("the encoder broke <b>mid-run</b>")
    assert sum(pixels(page)) > 0.5 * sum(before)
    assert open_.ask("overlay.status['state']") == "error"


def test_first_partial_heatmap_within_a_second(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    cell = (
        "import xaiwidgets as xw\nfrom xaiwidgets.demo import examples\nmodel = xw.load('demo:shapes-cnn')\n"
        "x = model.prepare([s.image for s in examples(2)])\nrelax = xw.RELAX(model)"
    )
    lab.write("first.ipynb", [cell])
    open_ = notebook("first.ipynb")
    page = open_.page
    open_.run_all()
    open_.wait_until_run()
    began = time.monotonic()
    open_.run_new_cell("overlay = xw.HeatmapOverlay(relax, x); overlay")
    expect(widget(page)).to_be_visible()
    displayed = time.monotonic()
    expect(widget(page).locator(".xw-progress-text")).to_contain_text("masks")
    print(json.dumps({"run to display": displayed - began, "display to numbers": time.monotonic() - displayed}))
