"""The sign test for every heatmap that is no overlay's own: in the concept browser and the flipping viewer, in every picture mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from xaiwidgets import FlippingViewer, ImageModel

from .real import _content, open_real
from .standin_concepts import SIDE, answers, open_browser
from .test_overlay_signs import OBJECTS, on_screen, share_of_the_sign, signed_map, solid

pytestmark = pytest.mark.browser
MODES = ("grey", "colour", "none")
ASKED = ("red", "blue", "green", "grey")


@pytest.mark.parametrize("colormap", ["red_blue", "purple_orange"])
@pytest.mark.parametrize("mode", MODES)
def test_the_concept_browsers_hues_are_those_of_the_sign(chromium: Browser, mode: str, colormap: str) -> None:
    values = signed_map(SIDE)
    for name in ASKED:
        known = answers(solid(OBJECTS[name], SIDE), values)
        traits = {"picture": mode, "colormap": colormap, "look": "heatmap", "crop": False}
        widget = open_browser(chromium, traits=traits, known=known)
        try:
            widget.rest()
            widget.page.mouse.move(1, 1)
            frames = {
                "the class": widget.root.locator(".xw-image .xw-frame canvas").first,
                "the concept": widget.root.locator(".xw-detail .xw-frame canvas").first,
                "a reference": widget.root.locator(".xw-reference-part canvas").first,
            }
            for what, frame in frames.items():
                frame.scroll_into_view_if_needed()
                share = share_of_the_sign(on_screen(frame), values, inner=what == "a reference")
                assert share >= 0.99, f"{what}, {name} object"
            # Enlarged it is drawn anew. The frame around its strongest part is no part of the map.
            widget.page.add_style_tag(content=".xw-box { display: none; }")
            widget.root.locator(".xw-reference-frame").first.click()
            large = widget.root.get_by_role("dialog").locator("canvas").first
            expect(large).to_be_visible()
            widget.settle()
            assert share_of_the_sign(on_screen(large), values) >= 0.99, f"enlarged, {name} object"
            assert widget.errors == []
        finally:
            widget.page.context.close()


@pytest.fixture(scope="module")
def flipping(cnn: ImageModel) -> dict[str, dict[str, Any]]:
    """One method, a signed map, on an image of each object."""
    heat = torch.from_numpy(signed_map(64).astype(np.float32))[None]

    def of(name: str) -> dict[str, Any]:
        x = cnn.prepare([Image.fromarray(solid(OBJECTS[name], 64))])
        return _content(FlippingViewer(cnn, x, {"known": heat}, perturb="mean", patch=16, step=4))

    return {name: of(name) for name in ASKED}


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("mode", MODES)
def test_the_flipping_viewers_hues_are_those_of_the_sign(
    flipping: dict[str, dict[str, Any]], page: Page, mode: str
) -> None:
    values = signed_map(64)
    for name, content in flipping.items():
        page.unroute_all()
        widget = open_real(page, "flipping", content, picture=mode, step=0, method="known")
        page.mouse.move(1, 1)
        heat = widget.root.locator('[data-pane="heat"] canvas')
        expect(heat).to_be_visible()
        widget.settle()
        assert share_of_the_sign(on_screen(heat), values) >= 0.99, f"{name} object"
        assert widget.errors == []
