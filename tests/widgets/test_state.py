"""Python and the browser agree on what they share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
    keys = declared("shared/store.ts", "WidgetState") + declared(f"{folder}/types.ts", f"{folder.title()}State")
    synced = {name for name in widget.class_trait_names(sync=True) if not name.startswith("_")}
    assert sorted(keys) == sorted(synced - OF_THE_HOST)
