"""Pages of real widgets: what Python told of them, on the stand-in model in place of a kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from playwright.sync_api import ConsoleMessage, Page

from xaiwidgets import CRP, LRP, RELAX, ConceptBrowser, FlippingViewer, GradientXInput, HeatmapOverlay, ImageModel
from xaiwidgets.demo import Shapes
from xaiwidgets.widgets.base import Widget

from .standin import StandIn, serve

WIDGETS = ("heatmap", "concepts", "flipping")
IMAGES = 12
_PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="NAME.css">
<style>body { margin: 8px; font-family: sans-serif; }</style>
<script type="module">
import widget, { StandInModel } from "./NAME.js";
window.start = (state, messages) => {
  const model = new StandInModel(state);
  model.respond = (message) => {
    if (message.type !== "ready") return;
    for (const { content, buffers } of messages) model.receive(content, buffers);
    model.receive({ type: "welcome" });
  };
  const instance = widget();
  instance.initialize({ model });
  window.model = model;
  const el = document.createElement("div");
  document.body.append(el);
  instance.render({ model, el });
};
window.loaded = true;
</script>"""


def contents(model: ImageModel) -> dict[str, dict[str, Any]]:
    """State and messages of each widget over some images with labels; one label is not what the model says."""
    data = Shapes(IMAGES)
    x = torch.stack([data[i][0] for i in range(IMAGES)])
    labels = [int(data[i][1]) for i in range(IMAGES)]
    labels[3] = (labels[3] + 1) % 8
    explainers = {"LRP": LRP(model), "Gradient × input": GradientXInput(model)}
    made: dict[str, Callable[[], Widget]] = {
        "heatmap": lambda: HeatmapOverlay({"RELAX": RELAX(model, n_masks=256), "LRP": LRP(model)}, x, labels=labels),
        "concepts": lambda: ConceptBrowser(CRP(model), x, labels=labels),
        "flipping": lambda: FlippingViewer(model, (x, torch.tensor(labels)), explainers, step=3),
    }
    return {name: _content(begin()) for name, begin in made.items()}


def _content(widget: Widget) -> dict[str, Any]:
    try:
        assert widget.wait(120)
        state = {name: getattr(widget, name) for name in widget.keys if not name.startswith("_")}
        for name in ("layout", "tabbable", "tooltip", "snapshot"):
            state.pop(name, None)
        album = widget._album
        assert album is not None
        list(album.pages())
        messages = [packet.recorded() for packet in [*widget._recorded(), *album.known()]]
        return {"state": json.loads(json.dumps(state)), "messages": messages}
    finally:
        widget.close()


def open_real(page: Page, name: str, content: dict[str, Any], **traits: Any) -> StandIn:
    """One view of a widget, as it first appears."""
    standin = StandIn(page)

    def log(message: ConsoleMessage) -> None:
        # The tests themselves read pixels back.
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            standin.errors.append(message.text)

    page.on("console", log)
    page.on("pageerror", lambda error: standin.errors.append(str(error)))
    serve(page, _PAGE.replace("NAME", name))
    page.evaluate("([state, messages]) => start(state, messages)", [content["state"] | traits, content["messages"]])
    page.locator(":is(.xw-frame, .xw-gallery-frame) canvas").first.wait_for()
    standin.settle()
    return standin
