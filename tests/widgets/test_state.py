"""Python and the browser agree on what they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from xaiwidgets import RELAX, load
from xaiwidgets.widgets import ConceptBrowser, FlippingViewer, HeatmapOverlay
from xaiwidgets.widgets.base import Widget

SOURCE = Path(__file__).parents[2] / "js" / "src"
OF_THE_HOST = {"layout", "tabbable", "tooltip", "comm"}


def declared(file: str, interface: str) -> list[str]:
    """The keys of a TypeScript interface."""
    source = (SOURCE / file).read_text(encoding="utf-8")
    found = re.search(rf"export interface {interface}[^{{]*\{{(.*?)^\}}", source, re.DOTALL | re.MULTILINE)
    assert found
    return re.findall(r"^  (\w+)\??:", found[1], re.MULTILINE)


@pytest.mark.parametrize(
    ("widget", "folder"), [(HeatmapOverlay, "heatmap"), (ConceptBrowser, "concepts"), (FlippingViewer, "flipping")]
)
def test_synced_traits_are_those_of_the_browser(widget: type[Widget], folder: str) -> None:
    keys = declared("shared/types.ts", "WidgetState") + declared(f"{folder}/types.ts", f"{folder.title()}State")
    synced = {name for name in widget.class_trait_names(sync=True) if not name.startswith("_")}
    assert sorted(keys) == sorted(synced - OF_THE_HOST)


def test_a_state_that_python_refuses_is_shown_and_taken_back(overlay: Callable[..., Any]) -> None:
    model = load("demo:shapes-cnn")
    w = overlay(RELAX(model, n_masks=64), torch.randn(2, 3, 64, 64))
    assert w.wait(30)
    told: list[Any] = []
    w.send_state = lambda key=None: told.append(key)
    w._handle_msg({"content": {"data": {"method": "update", "state": {"image": 9, "opacity": 0.5}}}, "buffers": []})
    assert w.status["state"] == "error"
    assert w.status["message"] == "image=9 is not there; give 0 to 1"
    assert (w.image, w.opacity) == (0, 0.8)
    assert ["image", "opacity"] in told
    # Whoever sets it in Python hears of it there.
    with pytest.raises(ValueError, match="image=9 is not there"):
        w.set_state({"image": 9})
