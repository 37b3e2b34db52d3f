"""The flipping viewer on a page, for its browser tests: where its parts are, and what they say."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Locator, Page

from .jupyterlab import Notebook


def widget(page: Page) -> Locator:
    return page.locator(".xw-flipping").first


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


def pixels(page: Page, pane: str, size: int = 64, offset: int = 3, every: int = 8) -> list[list[int]]:
    """Colours of a pane's canvas in the middle of each patch, where no outline is drawn."""
    found: list[list[int]] = page.evaluate(
        """([pane, size, offset, every]) => {
            const canvas = document.querySelector(`.xw-flipping [data-pane="${pane}"] canvas`);
            const context = canvas.getContext("2d");
            const out = [];
            for (let row = offset; row < size; row += every)
                for (let column = offset; column < size; column += every) {
                    const x = Math.floor((column + 0.5) / size * canvas.width), y = Math.floor((row + 0.5) / size * canvas.height);
                    out.push([...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
                }
            return out;
        }""",
        [pane, size, offset, every],
    )
    return found


def image_of(name: str, step: int, order: str) -> str:
    """An expression for the same in the kernel."""
    frame = f"w.result.images({name!r}, {step}, order={order!r}, rows=[w.image])[0]"
    return f"({frame}.permute(1, 2, 0) * 255).round()[3::8, 3::8].reshape(-1, 3).int().tolist()"


def radio(page: Page, name: str) -> Locator:
    return widget(page).get_by_role("radio", name=name, exact=True)


def settled(notebook: Notebook) -> None:
    """Wait until nothing is computed any more."""
    deadline = time.monotonic() + 90
    while True:
        state = notebook.ask("[w._runner.busy, w.status, [w.order, w.perturb, w.patch, w.target, w.score]]")
        if not state[0] and state[1]["state"] != "running":
            return
        assert time.monotonic() < deadline, state
        time.sleep(0.05)


def rows_on_screen(page: Page) -> dict[str, list[float]]:
    return {
        row.get_attribute("data-method") or "": numbers(row.inner_text())
        for row in widget(page).locator("tbody tr").all()
    }
