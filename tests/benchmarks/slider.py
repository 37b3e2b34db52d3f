"""The uncertainty slider in a real JupyterLab while the kernel is busy: from input to pixels, and messages sent."""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import expect

from tests.benchmarks.pages import notebooks, p95
from tests.browser.jupyterlab import Notebook

CELL = """
import torch, xaiwidgets as xw
from xaiwidgets.relax import RelaxResult
from xaiwidgets.results import Provenance
side = {side}
torch.manual_seed(0)
maps = [torch.nn.functional.interpolate(torch.rand(1, 1, 16, 16), size=(side, side), mode="bilinear")[0] for _ in range(3)]
result = RelaxResult(Provenance("RELAX"), *maps, torch.tensor([0.5]), 1, 1)
overlay = xw.HeatmapOverlay(result, torch.rand(1, 3, side, side), show="u_relax")
overlay
"""
BUSY = "import time\nend = time.time() + 30\nwhile time.time() < end: sum(range(1000))"
MOVES = 200


def main() -> None:
    """Print p50 and p95 of the drawing, and of the time until the next frame, for two picture sizes."""
    print("| picture | draw p50 ms | draw p95 ms | input to next frame p95 ms | messages |\n|---|---|---|---|---|")
    with notebooks(1300, 1100) as run_notebook:
        for side in (224, 1024):
            with run_notebook(f"slider{side}", CELL.format(side=side)) as notebook:
                print(f"| {side}×{side} | {measure(notebook)} |", flush=True)


def measure(notebook: Notebook) -> str:
    """One row of the table."""
    page = notebook.page
    slider = page.get_by_role("slider", name="Uncertainty threshold")
    expect(slider).to_be_visible(timeout=60_000)
    notebook.wait_until_run()
    time.sleep(2)
    notebook.run(BUSY)
    time.sleep(0.5)
    box = slider.bounding_box()
    assert box is not None
    notebook.count_messages()
    page.evaluate(
        """() => {
            performance.clearMeasures();
            window.frameTimes = [];
            document.addEventListener('pointermove', () => {
                const begin = performance.now();
                window.painted((at) => window.frameTimes.push(at - begin));
            }, true);
        }"""
    )
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 4, middle)
    page.mouse.down()
    for move in range(MOVES):
        page.mouse.move(box["x"] + 4 + (box["width"] - 8) * move / MOVES, middle)
    sent = len(notebook.messages())
    page.mouse.up()
    draws = page.evaluate("() => performance.getEntriesByName('xw:draw').map((entry) => entry.duration)")
    frames = page.evaluate("() => window.frameTimes")
    return f"{statistics.median(draws):.1f} | {p95(draws):.1f} | {p95(frames):.1f} | {sent}"
