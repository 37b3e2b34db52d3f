"""Scrubbing through the flipping viewer in a real JupyterLab: from input to the frame on screen, cached and new; and the first points."""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import expect

from tests.benchmarks.pages import notebooks, p95
from tests.browser.jupyterlab import Notebook

SETUP = """
import torch, xaiwidgets as xw
from xaiwidgets.demo import Shapes
torch.set_num_threads(1)
model = xw.load("demo:shapes-cnn")
batch = Shapes(40).batch(range(40))
model.predict(batch.x[:1])
methods = {"LRP": xw.LRP(model), "gradient × input": xw.GradientXInput(model), "absLRP": xw.AbsLRP(model)}
"""
SHOW = """
w = xw.FlippingViewer(model, batch.x, methods)
w
"""
FRAME_MS = 16
"""A frame that is there already, on a quiet machine."""
NEW_MS = 150
MOVES = 100
WATCH = """() => {
    // From the input to the end of the drawing of the frame that it asks for, as the widget's own measures say.
    window.scrub = (step) => new Promise((done) => {
        const root = document.querySelector('.xw-flipping');
        const slider = root.querySelector('.xw-scrub input');
        const canvas = root.querySelector('[data-pane="morf"] canvas');
        const image = parseInt(root.querySelector('.xw-stepper').innerText.match(/\\d+/)[0]) - 1;
        const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
        performance.clearMeasures('xw:frame');
        const begin = performance.now();
        set.call(slider, step);
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        const check = () => {
            const drawn = performance.getEntriesByName('xw:frame').map((entry) => entry.startTime + entry.duration);
            if (canvas.dataset.shown === `${image}/${step}`) done(Math.max(...drawn) - begin);
            else if (performance.now() - begin > 3000) done(3000);
            else requestAnimationFrame(check);
        };
        requestAnimationFrame(check);
    });
}"""


def main() -> None:
    """Print the milliseconds, and how many inputs were over the limit."""
    with notebooks(1500, 1300) as run_notebook, run_notebook("scrub", SETUP) as notebook:
        measure(notebook)


def measure(notebook: Notebook) -> None:
    """First points, cached frames, new frames."""
    page = notebook.page
    notebook.wait_until_run()
    began = time.monotonic()
    notebook.run_new_cell(SHOW)
    expect(page.locator(".xw-flipping")).to_be_visible(timeout=60_000)
    shown = time.monotonic()
    expect(page.locator(".xw-flipping .xw-markers").first).to_be_visible(timeout=60_000)
    points = time.monotonic()
    print(
        f"first points: {shown - began:.2f} s from run to widget, {points - shown:.2f} s more to points (limit 1 s)\n"
    )
    deadline = time.monotonic() + 300
    while notebook.ask("w.status['state']") != "done":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    steps = notebook.ask("w.result.setup.schedule.steps")
    page.evaluate(WATCH)
    time.sleep(3)

    print("| | p50 ms | p95 ms | limit | over it |\n|---|---|---|---|---|")
    cached = [page.evaluate("(step) => scrub(step)", 1 + (3 * move) % (steps - 1)) for move in range(MOVES)]
    print(_row("cached frame, input to drawn", cached, FRAME_MS), flush=True)
    drawn = page.evaluate("() => performance.getEntriesByName('xw:frame').map((entry) => entry.detail.work)")
    print(_row("drawing alone", drawn, FRAME_MS))
    new = []
    # Another image: none of its frames are here, and the one asked for is made before those around it.
    for image in range(1, 31):
        page.get_by_role("slider", name="Step").fill("0")
        page.get_by_role("button", name="Next image").click()
        page.wait_for_function(
            "(text) => document.querySelector('.xw-stepper').innerText.includes(text)", arg=f"{image + 1} of"
        )
        new.append(page.evaluate("(step) => scrub(step)", 1 + image % (steps - 1)))
    print(_row("new frame, input to drawn", new, NEW_MS))


def _row(label: str, values: list[float], limit: float) -> str:
    late = sum(value > limit for value in values)
    return f"| {label} | {statistics.median(values):.1f} | {p95(values):.1f} | {limit} | {late} of {len(values)} |"
