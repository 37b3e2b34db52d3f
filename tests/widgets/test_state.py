"""Python and the browser agree on what they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from tests.widgets.conftest import Recorded, RecordedViewer, Recorder
from xaiwidgets import CRP, LRP, RELAX, load
from xaiwidgets.widgets import ConceptBrowser, FlippingViewer, HeatmapOverlay
from xaiwidgets.widgets.base import _OPEN, Widget

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


class RecordedBrowser(Recorder, ConceptBrowser):
    """A concept browser that keeps its messages."""


class Refusing(TorchFunctionMode):
    """As an export, which takes whatever torch is asked in its thread for a step of the model."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{function} was called")


@pytest.mark.parametrize("kind", [Recorded, RecordedBrowser, RecordedViewer])
def test_a_widget_may_be_collected_in_the_middle_of_an_export(kind: type[Recorder]) -> None:
    model, x = load("demo:shapes-cnn"), torch.randn(2, 3, 64, 64)
    if kind is RecordedViewer:
        w = kind(model, x, {"LRP": LRP(model)}, random=1, perturb="zero")
    else:
        w = kind(LRP(model) if kind is Recorded else CRP(model), x)
    assert w.wait(60)
    with Refusing():
        w.close()
    assert w not in _OPEN
