"""The concept browser in a real JupyterLab: from a move of the box to the list it ranks, and from a click to heatmap and references.

All times are taken in the page: from the pointer's event to the frame after the change is in the document.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect

from tests.benchmarks.pages import notebooks, p95
from tests.browser.jupyterlab import Notebook

CELL = """
import torch, xaiwidgets as xw
from xaiwidgets.demo import Shapes, examples
model = xw.load("{model}"{options})
crp = xw.CRP(model)
x = model.prepare([sample.image for sample in examples(2)])
data = Shapes({length}, size=model.input_size[0])
index = xw.ReferenceIndex.build(crp, data, "index-{name}", layers=["{layer}"], progress=False)
browser = xw.ConceptBrowser(crp, x, index=index, dataset=data, layer="{layer}")
browser
"""
WATCH = """() => {
    const root = document.querySelector(".xw-concepts");
    const text = () => root.querySelector(".xw-box-line span")?.textContent + "|" + root.querySelector(".xw-box")?.style.cssText;
    window.moves = [];
    window.ranked = [];
    // A move counts when it changed the box; the list says which box its numbers are of.
    root.querySelector(".xw-box-layer").addEventListener("pointermove", (event) => {
        if (event.buttons !== 1) return;
        const at = performance.now();
        requestAnimationFrame(() => window.moves.push({ at, box: window.model_box() }));
    });
    new MutationObserver(() => {
        const box = root.querySelector("[data-region]")?.dataset.region;
        if (box) painted((at) => window.ranked.push({ at, box }));
    }).observe(root, { subtree: true, attributes: true, attributeFilter: ["data-region"], childList: true });
}"""


@dataclass(frozen=True)
class Case:
    """A model to measure."""

    model: str
    layer: str
    options: str
    length: int
    clicks: int


CASES = (
    Case("demo:shapes-cnn", "features.conv6", "", 200, 30),
    Case("torchvision:resnet18", "layer4.1.conv2", ", pretrained=False", 16, 5),
)


def main() -> None:
    """Print the table."""
    print(
        "| model | box → list p50 ms | p95 ms | click → heatmap p50 ms | p95 ms | click → 8 references p50 ms | p95 ms |"
    )
    print("|---|---|---|---|---|---|---|")
    with notebooks(1500, 1400) as run_notebook:
        for case in CASES:
            name = case.model.split(":")[1]
            cell = CELL.format(model=case.model, name=name, layer=case.layer, options=case.options, length=case.length)
            with run_notebook(name, cell) as notebook:
                print(f"| {case.model} | {measure(notebook, case)} |", flush=True)


def measure(notebook: Notebook, case: Case) -> str:
    """One row of the table."""
    page = notebook.page
    expect(page.locator(".xw-concepts")).to_be_visible(timeout=300_000)
    notebook.wait_until_run(300)
    quiet(notebook)
    page.locator(".xw-concepts").scroll_into_view_if_needed()
    boxes = drags(page, notebook)
    heatmaps, references = clicks(page, notebook, case.clicks)
    return " | ".join(f"{statistics.median(times):.0f} | {p95(times):.0f}" for times in (boxes, heatmaps, references))


def quiet(notebook: Notebook) -> None:
    """Wait until the browser has everything that it shows."""
    deadline = time.monotonic() + 300
    while notebook.ask("browser._runner.busy") and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)


def drags(page: Page, notebook: Notebook) -> list[float]:
    """Milliseconds from each move to the first list that is of its box, or of a later one."""
    area = page.locator(".xw-box-layer")
    area.scroll_into_view_if_needed()
    frame = area.bounding_box()
    assert frame is not None
    side = notebook.ask("x.shape[-1]")
    page.evaluate(
        """(side) => {
            window.model_box = () => {
                const area = document.querySelector(".xw-box-layer").getBoundingClientRect();
                const box = document.querySelector(".xw-box-layer .xw-box")?.getBoundingClientRect();
                if (!box) return "";
                const pixel = (value, from, size) => Math.round(((value - from) / size) * side);
                return [pixel(box.left, area.left, area.width), pixel(box.top, area.top, area.height),
                        pixel(box.right, area.left, area.width), pixel(box.bottom, area.top, area.height)].join();
            };
        }""",
        side,
    )
    page.evaluate(WATCH)
    mouse = page.mouse
    for turn in range(3):
        left, top = frame["x"] + frame["width"] * (0.1 + 0.05 * turn), frame["y"] + frame["height"] * 0.1
        mouse.move(left, top)
        mouse.down()
        for step in range(60):
            mouse.move(left + frame["width"] * 0.012 * step, top + frame["height"] * 0.012 * step)
            page.wait_for_timeout(16)
        mouse.up()
        page.wait_for_timeout(800)
    moves: list[dict[str, Any]] = page.evaluate("window.moves")
    ranked: list[dict[str, Any]] = page.evaluate("window.ranked")
    order = {move["box"]: number for number, move in enumerate(moves)}
    times = []
    for number, move in enumerate(moves):
        if not move["box"] or (number and moves[number - 1]["box"] == move["box"]):
            continue
        later = [r["at"] for r in ranked if order.get(r["box"], -1) >= number and r["at"] >= move["at"]]
        if later:
            times.append(min(later) - move["at"])
    assert len(times) > 60, f"only {len(times)} of {len(moves)} moves were followed by a list"
    page.locator(".xw-concepts").get_by_role("button", name="Clear box").click()
    return times


CLICK = """async (row) => {
    const root = document.querySelector(".xw-concepts");
    const option = root.querySelectorAll(".xw-row")[row];
    const before = performance.now();
    option.click();
    const detail = () => root.querySelector(".xw-detail");
    const wanted = option.dataset.concept;
    const until = async (there) => {
        for (;;) {
            if (detail().dataset.concept === wanted && there()) return (await new Promise(painted)) - before;
            await new Promise((next) => setTimeout(next, 2));
        }
    };
    const heatmap = await until(() => detail().querySelector(".xw-own .xw-frame").dataset.stale === "false");
    const references = await until(() => detail().querySelectorAll(".xw-reference canvas").length === 8);
    return [heatmap, references];
}"""


def clicks(page: Page, notebook: Notebook, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from a click on a concept, not seen before, to its heatmap, and to its eight references."""
    heatmaps, references = [], []
    page.locator(".xw-concepts").get_by_role("button", name="more").click()
    quiet(notebook)
    for row in range(1, count + 1):
        heatmap, all_references = page.evaluate(CLICK, row)
        heatmaps.append(heatmap)
        references.append(all_references)
        page.wait_for_timeout(400)
    return heatmaps, references
