"""All widgets on one page: each looks as if it were alone, in whatever order they and their styles come."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from xaiwidgets import CRP, LRP, ConceptBrowser, FlippingViewer, GradientXInput, HeatmapOverlay, ImageModel
from xaiwidgets.demo import Shapes

from .real import _content
from .standin import RELAX_METHOD, known_maps, known_picture, maps_message, picture_message, serve
from .standin_concepts import LAYERS, NAMES
from .still import REST, still

pytestmark = pytest.mark.browser
SMOOTHED = 1e-4
ROUNDED = 3
IMAGES = 6
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


def opened(page: Page, names: tuple[str, ...], states: dict[str, Any], told: dict[str, Any]) -> None:
    serve(page, PAGE)
    page.evaluate("([names, states, messages]) => show(names, states, messages)", [list(names), states, told])
    still(page, REST)


def shot(page: Page, name: str) -> np.ndarray:
    """A widget as a person sees it who looks at nothing in particular: nothing is pointed at, nothing has the focus."""
    page.mouse.move(1180, 4)
    # At the same place of the window, so that edges are smoothed alike.
    place = """(name) => { document.activeElement.blur(); scrollTo(0, document.getElementById(name).offsetTop - 8);
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); }"""
    page.evaluate(place, name)
    picture = page.locator(f"#{name}").screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def assert_alike(picture: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Edges may be smoothed otherwise further down a page; a style that leaks changes thousands of pixels."""
    assert picture.shape == expected.shape, what
    other = (np.abs(picture.astype(int) - expected).max(-1) > ROUNDED).sum()
    assert other <= SMOOTHED * picture[..., 0].size, f"{what}: {other} pixels"


def shots(page: Page, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    opened(page, names, STATES, messages())
    return {name: shot(page, name) for name in names}


def test_every_order_looks_as_alone(chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    alone = {name: shots(page, (name,))[name] for name in WIDGETS}
    assert all(np.ptp(picture) > 100 for picture in alone.values()), "there is something to see"
    for order in permutations(WIDGETS):
        for name, picture in shots(page, order).items():
            assert_alike(picture, alone[name], f"{name} in {order}")
    context.close()


# -- with everything of the heatmap widget opened, and closed again ------------------------------------------------------


@pytest.fixture(scope="module")
def real(cnn: ImageModel, vit: ImageModel) -> dict[str, dict[str, Any]]:
    """What real widgets say: of the heatmap widget all that its comparisons, its gallery and its depth ask for."""
    data = Shapes(IMAGES)
    x = torch.stack([data[i][0] for i in range(IMAGES)])
    labels = [(int(data[i][1]) + (i == 3)) % 8 for i in range(IMAGES)]
    results = {"before": LRP(cnn)(x, "star"), "after": LRP(cnn, "epsilon_plus")(x, "star")}
    heatmap = HeatmapOverlay(
        {"CNN": LRP(cnn), "ViT": LRP(vit), **results}, x, labels=labels, beside=[1, 2], beside_images=[0, 3]
    )
    for shown in ("compare", "targets", "images", "models", "gallery"):
        heatmap.show = shown
        heatmap._finish(range(1))
    heatmap.show, heatmap.depth = "relevance", "features.conv3"
    made = {
        "heatmap": heatmap,
        "concepts": ConceptBrowser(CRP(cnn), x[:2]),
        "flipping": FlippingViewer(cnn, x[:2], {"Gradient × input": GradientXInput(cnn)}, step=3),
    }
    contents = {name: _content(widget) for name, widget in made.items()}
    contents["heatmap"]["state"]["depth"] = None
    return contents


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page whose console must stay free of errors."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    found = context.new_page()
    errors: list[str] = []

    def log(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    found.on("console", log)
    found.on("pageerror", lambda error: errors.append(str(error)))
    yield found
    context.close()
    assert errors == []


def compared(by: str, *without: str) -> Callable[[Locator], None]:
    """Compares in one of the ways, with the difference of the first two, and some of the offered taken away."""

    def choose(widget: Locator) -> None:
        widget.get_by_role("button", name="Compare").click()
        box = widget.get_by_role("dialog", name="Compare")
        box.get_by_role("radio", name=by, exact=True).click()
        for name in without:
            box.get_by_role("checkbox", name=re.compile(f"^{name}")).uncheck()
        if by != "Nothing":
            box.get_by_role("checkbox", name="Difference").check()
        widget.page.keyboard.press("Escape")
        expect(box).to_have_count(0)

    return choose


def gallery(widget: Locator) -> None:
    widget.get_by_role("button", name="Gallery").click()


def deep(key: str) -> Callable[[Locator], None]:
    return lambda widget: widget.get_by_role("slider", name="Depth").press(key)


MODES: dict[str, tuple[Callable[[Locator], None], Callable[[Locator], None], int]] = {
    "methods": (compared("Method"), compared("Nothing"), 6),
    "results before and after": (compared("Method", "CNN", "ViT"), compared("Nothing"), 4),
    "models": (compared("Model"), compared("Nothing"), 4),
    "classes": (compared("Class"), compared("Nothing"), 4),
    "images": (compared("Image"), compared("Nothing"), 3),
    "gallery": (gallery, gallery, IMAGES),
    "depth": (deep("Home"), deep("End"), 1),
}
"""How each is opened and closed, and how many pictures it has."""


def opened_and_closed(page: Page, watched: Callable[[int], tuple[str, ...]]) -> dict[str, dict[str, np.ndarray]]:
    """Every mode of the heatmap widget after the other: how the widgets look in it, and at the end. ``watched``: those looked at in a mode."""
    widget = page.locator("#heatmap .xw")
    widget.get_by_role("button", name="Got it").click()
    found = {"at first": {name: shot(page, name) for name in dict.fromkeys(watched(0) + watched(1))}}
    for number, (mode, (begin, end, pictures)) in enumerate(MODES.items()):
        begin(widget)
        expect(widget.locator(".xw-panes canvas, .xw-gallery canvas")).to_have_count(pictures)
        expect(widget.locator(".xw-layer-chip")).to_have_count(int(mode == "depth"))
        expect(widget.locator("[data-stale=true]")).to_have_count(0)
        found[mode] = {name: shot(page, name) for name in watched(number)}
        end(widget)
        expect(widget.locator(".xw-panes canvas")).to_have_count(1)
    return {**found, "at last": {name: shot(page, name) for name in found["at first"]}}


@pytest.fixture(scope="module")
def by_itself(chromium: Browser, real: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """The heatmap widget alone on a page, in every mode."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    opened(page, ("heatmap",), *parts(real))
    found = opened_and_closed(page, lambda _: ("heatmap",))
    context.close()
    return {mode: pictures["heatmap"] for mode, pictures in found.items()}


def parts(real: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {name: of["state"] for name, of in real.items()}, {name: of["messages"] for name, of in real.items()}


@pytest.mark.parametrize("number", range(6), ids=["-".join(order) for order in permutations(WIDGETS)])
def test_nothing_that_is_opened_in_one_widget_is_seen_in_another(
    page: Page, real: dict[str, dict[str, Any]], by_itself: dict[str, np.ndarray], number: int
) -> None:
    order = list(permutations(WIDGETS))[number]
    opened(page, order, *parts(real))
    # In each mode one of the others is looked at, in the next order the other one.
    found = opened_and_closed(page, lambda mode: ("heatmap", WIDGETS[1 + (mode + number) % 2]))
    assert len({found[mode]["heatmap"].shape for mode in MODES}) > 2, "modes differ"
    for mode, pictures in found.items():
        assert_alike(pictures["heatmap"], by_itself[mode], f"the heatmap, {mode}, in {order}")
        for name in pictures.keys() - {"heatmap"}:
            assert_alike(pictures[name], found["at first"][name], f"{name}, with the heatmap's {mode}")
    assert_alike(found["at last"]["heatmap"], found["at first"]["heatmap"], "nothing is left of what was opened")
