"""LRP under the overlay in a real JupyterLab: another class, a contrast, another composite and its slider, methods compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from .jupyterlab import Lab, Notebook
from .test_quickstart import pixels, until, widget

pytestmark = pytest.mark.browser

CELL = """
import xaiwidgets as xw
from xaiwidgets.demo import examples
model = xw.load("demo:shapes-cnn")
x = model.prepare([sample.image for sample in examples(3)])
overlay = xw.HeatmapOverlay({"LRP": xw.LRP(model), "absLRP": xw.AbsLRP(model), "gradient": xw.GradientXInput(model)}, x)
overlay
"""


def choose(notebook: Notebook, label: str, name: str) -> None:
    """Type a class's name into the box and take it."""
    box = widget(notebook.page).get_by_role("combobox", name=label, exact=True)
    box.fill(name)
    box.press("Enter")


def parameters(notebook: Notebook) -> dict[str, Any]:
    """What the result on screen was made with; nothing while it is being made."""
    found: dict[str, Any] = notebook.ask(
        "{} if overlay.result is None else "
        "{k: v for k, v in overlay.result.provenance.parameters.items() if isinstance(v, (str, int, float))}"
    )
    return found


def test_class_contrast_composite_and_comparison(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    lab.write("lrp_overlay.ipynb", [CELL])
    open_ = notebook("lrp_overlay.ipynb")
    page = open_.page
    open_.run_all()
    expect(widget(page)).to_be_visible(timeout=60_000)
    notes = widget(page).locator(".xw-notes")
    expect(notes).to_contain_text("relevance at the pixels")
    share = open_.ask("overlay.result.conservation.share")
    expect(notes).to_contain_text(f"{share:.1%}")
    predicted = int(open_.ask("int(overlay.result.target[0])"))
    before = pixels(page)

    # Another class.
    other = (predicted + 1) % 8
    names = open_.ask("model.class_names")
    choose(open_, "Class", names[other])
    until(lambda: open_.ask("overlay.result is not None and int(overlay.result.target[0])") == other)
    until(lambda: pixels(page) != before)
    expect(notes).to_contain_text(names[other])

    # Held against the class that was predicted.
    choose(open_, "Against", names[predicted])
    until(lambda: open_.ask("overlay.against") == predicted)
    expect(notes).to_contain_text("against")

    # Another composite brings its own slider, which the arrow keys move.
    widget(page).get_by_label("Composite", exact=True).select_option("epsilon_gamma_box")
    slider = widget(page).get_by_role("slider", name=re.compile("γ"))
    expect(slider).to_be_visible()
    until(lambda: parameters(open_).get("composite") == "epsilon_gamma_box")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    until(lambda: parameters(open_).get("gamma", 0) > 0.3)
    gamma = open_.ask("overlay.parameters['LRP']['gamma']")
    until(lambda: parameters(open_).get("gamma") == pytest.approx(gamma))

    # Methods beside each other.
    widget(page).get_by_role("button", name="Compare").click()
    widget(page).get_by_role("radio", name="Method", exact=True).click()
    page.keyboard.press("Escape")
    expect(widget(page).locator(".xw-frame canvas")).to_have_count(4)  # the plain picture first
    until(lambda: set(open_.ask("list(overlay.results)")) == {"LRP", "absLRP", "gradient"})
    assert open_.ask("overlay.status['state']") == "done"


def test_the_way_from_the_output_to_the_pixels(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    lab.write("lrp_depth.ipynb", [CELL])
    open_ = notebook("lrp_depth.ipynb")
    page = open_.page
    open_.run_all()
    way = widget(page).get_by_role("slider", name="Depth")
    expect(way).to_be_visible(timeout=60_000)
    expect(widget(page).locator(".xw-notes")).to_contain_text("relevance at the pixels")
    assert open_.ask("overlay.layer_maps is None")

    # Reaching for the slider asks; the kernel hears of the layer when the gesture is over.
    way.press("ArrowLeft")
    expect(widget(page).locator(".xw-depth-place")).to_contain_text("of the relevance")
    names = open_.ask("list(overlay.layer_maps.names)")
    expect(way).to_have_attribute("max", str(len(names) - 1))
    before = pixels(page)
    way.press("Home")
    chip = widget(page).locator(".xw-layer-chip")
    expect(chip).to_contain_text(names[0])
    until(lambda: pixels(page) != before)
    until(lambda: open_.ask("overlay.depth") == names[0])

    # Another class keeps the layer, and Python chooses one as well.
    other = (int(open_.ask("int(overlay.result.target[0])")) + 1) % 8
    open_.ask(f"setattr(overlay, 'target', {other})")
    until(lambda: open_.ask("overlay.layer_maps is not None and int(overlay.layer_maps.target[0])") == other)
    share = open_.ask("float(overlay.layer_maps.pictured[0, 2])")
    open_.ask(f"setattr(overlay, 'depth', {names[2]!r})")
    expect(chip).to_contain_text(f"{names[2]} · ")
    expect(chip).to_contain_text(f"{round(100 * share)} %")
    open_.ask("setattr(overlay, 'depth', None)")
    expect(chip).to_have_count(0)
    expect(way).to_have_value(str(len(names) - 1))
