"""No control of the concept browser and of the flipping viewer moves while a person looks, points, chooses and waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from xaiwidgets import FlippingViewer, ImageModel
from xaiwidgets.demo import Shapes

from .real import _content, open_real
from .standin import StandIn
from .standin_concepts import open_browser
from .test_heatmap_layout import moved, places

pytestmark = pytest.mark.browser
WIDTHS = [640, 1000, 1400]


def at_rest(widget: StandIn) -> dict[str, list[float]]:
    """Where everything is, seen from the top of the page with the pointer nowhere."""
    widget.page.mouse.move(1, 1)
    widget.page.evaluate("scrollTo(0, 0)")
    widget.rest()
    return places(widget)


@pytest.mark.parametrize("width", WIDTHS)
def test_of_the_concept_browser(chromium: Browser, width: int) -> None:
    widget = open_browser(chromium, width=width, traits={"index_info": {"samples": 100, "pictures": True}})
    try:
        page, root = widget.page, widget.root
        widget.rest()
        before = at_rest(widget)
        assert len(before) > 15
        rows = root.get_by_role("listbox", name="Concepts").get_by_role("option")

        rows.nth(1).hover()
        widget.rest()
        assert moved(before, at_rest(widget)) == {}, "a concept under the pointer"
        frame = root.locator(".xw-image .xw-frame")
        frame.hover()
        widget.rest()
        page.evaluate("scrollTo(0, 0)")
        assert moved(before, places(widget)) == {}, "a pixel under the pointer"
        rows.nth(1).click()
        widget.rest()
        assert moved(before, at_rest(widget)) == {}, "another concept"
        widget.update(target=2)
        widget.rest()
        assert moved(before, at_rest(widget)) == {}, "another class, with a long name"
        widget.update(status={"state": "running"})
        assert moved(before, at_rest(widget)) == {}, "busy"
        widget.update(status={"state": "done"})
        widget.update(box=[12, 12, 24, 24])
        widget.rest()
        assert moved(before, at_rest(widget)) == {}, "a box"
        widget.update(box=None)
        widget.rest()
        assert moved(before, at_rest(widget)) == {}, "and back"
        assert widget.errors == []
    finally:
        widget.page.context.close()


@pytest.fixture(scope="module")
def flipping(cnn: ImageModel) -> dict[str, Any]:
    batch = Shapes(2).batch(range(2))
    generator = torch.Generator().manual_seed(0)
    heat = {name: torch.rand(2, 64, 64, generator=generator) - 0.5 for name in ("one", "a much longer name than that")}
    return _content(FlippingViewer(cnn, batch.x, heat, perturb="mean", patch=16, step=4))


@pytest.fixture
def sized(chromium: Browser) -> Iterator[Any]:
    contexts = []

    def new(width: int) -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}))
        return contexts[-1].new_page()

    yield new
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_of_the_flipping_viewer(flipping: dict[str, Any], sized: Any, width: int) -> None:
    widget = open_real(sized(width), "flipping", flipping, step=0)
    page, root = widget.page, widget.root
    widget.rest()
    before = at_rest(widget)
    assert len(before) > 15

    root.locator(".xw-chart").first.hover()
    widget.rest()
    page.evaluate("scrollTo(0, 0)")
    assert moved(before, places(widget)) == {}, "a step under the pointer"
    root.locator('[data-pane="heat"] canvas').hover()
    widget.rest()
    page.evaluate("scrollTo(0, 0)")
    assert moved(before, places(widget)) == {}, "a patch under the pointer"
    way = root.get_by_role("slider", name="Step")
    for key in ("ArrowRight", "End", "Home"):
        way.press(key)
        assert moved(before, at_rest(widget)) == {}, f"step by {key}"
    root.get_by_role("button", name="a much longer name than that").first.click()
    assert moved(before, at_rest(widget)) == {}, "another method"
    widget.update(selection={"row": 1, "column": 1})
    assert moved(before, at_rest(widget)) == {}, "a pinned patch"
    widget.update(status={"state": "running", "done": 3, "total": 8, "unit": "steps"})
    assert moved(before, at_rest(widget)) == {}, "busy"
    widget.update(status={"state": "done"}, target=3)
    assert moved(before, at_rest(widget)) == {}, "another class on its way"
    expect(root).to_be_visible()
    assert widget.errors == []
