"""All widgets on one page: each looks as if it were alone, in whatever order they and their styles come."""

from __future__ import annotations

import io
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from .standin import RELAX_METHOD, known_maps, known_picture, maps_message, picture_message, serve
from .standin_concepts import LAYERS, NAMES
from .still import REST, still

pytestmark = pytest.mark.browser
SMOOTHED = 1e-4
WIDGETS = ("heatmap", "concepts", "flipping")

PAGE = """<!doctype html><meta charset="utf-8">
<style>body { margin: 8px; height: 9000px; } .cell { position: absolute; left: 8px; width: 1100px; }</style>
<script type="module">
const bundles = {};
for (const name of ["heatmap", "concepts", "flipping"]) bundles[name] = await import(`./${name}.js`);
window.show = async (names, states, messages) => {
  for (const [place, name] of names.entries()) {
    // As anywidget does: each widget brings its own style with it.
    const style = document.createElement("style");
    style.textContent = await (await fetch(`./${name}.css`)).text();
    const el = document.createElement("div");
    el.className = "cell";
    el.id = name;
    // At whole pixels: text a fraction of a pixel lower is drawn otherwise.
    el.style.top = `${8 + 2000 * place}px`;
    document.body.append(style, el);
    bundles[name].standalone(el, { state: states[name], messages: messages[name] });
  }
};
window.loaded = true;
</script>"""

STATES: dict[str, dict[str, Any]] = {
    "heatmap": {"methods": [RELAX_METHOD], "method": "relax", "title": "A heatmap"},
    "concepts": {"layers": LAYERS, "layer": "conv2", "class_names": NAMES, "images": 3, "title": "Concepts"},
    "flipping": {"title": "Pixel flipping", "class_names": NAMES, "images": 2, "methods": []},
}


def messages() -> dict[str, list[dict[str, Any]]]:
    relax = {name: m for name, m in known_maps().items() if name != "relevance"}
    return {"heatmap": [picture_message(known_picture()), maps_message(relax)], "concepts": [], "flipping": []}


def shots(page: Page, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    serve(page, PAGE)
    page.evaluate("([names, states, messages]) => show(names, states, messages)", [list(names), STATES, messages()])
    still(page, REST)
    found = {}
    for name in names:
        # At the same place of the window, so that edges are smoothed alike.
        page.evaluate("(name) => scrollTo(0, document.getElementById(name).offsetTop - 8)", name)
        picture = page.locator(f"#{name}").screenshot(animations="disabled")
        found[name] = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    return found


def test_every_order_looks_as_alone(chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    alone = {name: shots(page, (name,))[name] for name in WIDGETS}
    assert all(np.ptp(picture) > 100 for picture in alone.values()), "there is something to see"
    for order in permutations(WIDGETS):
        for name, picture in shots(page, order).items():
            assert picture.shape == alone[name].shape, f"{name} in {order}"
            # Edges may be smoothed otherwise further down a page; a style that leaks changes thousands of pixels.
            other = (picture != alone[name]).any(-1).sum()
            assert other <= SMOOTHED * picture[..., 0].size, f"{name} in {order}: {other} pixels"
    context.close()
