"""The concept browser's state: what a person sees and varies, and what Python tells."""

from __future__ import annotations

import traitlets

from xaiwidgets.widgets.base import Widget, bundle
from xaiwidgets.widgets.choices import ClassChoice, Colormap, Finite

__all__ = ["SELECTION", "ConceptState"]

_LOOK = ("order", "reference_by", "pool", "reference_class", "crop", "look", "opacity", "colormap")
SELECTION = ("image", "target", "against", "layer", "concept", "box", "trail")


class ConceptState(Widget):
    """Traits that the browser and Python share; js/src/concepts/types.ts lists the same."""

    _esm = traitlets.Unicode(bundle("concepts.js")).tag(sync=True)
    _css = traitlets.Unicode(bundle("concepts.css")).tag(sync=True)
    _tall = 900

    # What a person sees and varies.
    image = traitlets.Int(0, min=0).tag(sync=True)
    target = ClassChoice().tag(sync=True)
    against = ClassChoice().tag(sync=True)
    layer = traitlets.Unicode("").tag(sync=True)
    concept = traitlets.Int(None, allow_none=True, min=0).tag(sync=True)
    """The concept selected; None for the strongest of the layer."""
    order = traitlets.Enum(["relevance", "activation"], "relevance").tag(sync=True)
    box = traitlets.List(traitlets.Int(), None, allow_none=True, minlen=4, maxlen=4).tag(sync=True)
    """[left, top, right, bottom] in pixels of the image, right and bottom exclusive; None without a box."""
    trail = traitlets.List(traitlets.List(minlen=2, maxlen=2)).tag(sync=True)
    """[layer, concept] of each concept walked through, down the graph, to the one selected."""
    reference_by = traitlets.Enum(["relevance", "activation"], "relevance").tag(sync=True)
    pool = traitlets.Enum(["sum", "max"], "sum").tag(sync=True)
    reference_class = ClassChoice().tag(sync=True)
    crop = traitlets.Bool(True).tag(sync=True)
    look = traitlets.Enum(["fade", "heatmap", "plain"], "fade").tag(sync=True)
    opacity = Finite(0.8, min=0, max=1).tag(sync=True)
    colormap = Colormap("red_blue").tag(sync=True)
    # What Python tells.
    about = traitlets.Dict().tag(sync=True)
    """The method in words: label, help, paper, link."""
    images = traitlets.Int(1).tag(sync=True)
    class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layers = traitlets.List(traitlets.Dict()).tag(sync=True)
    labels = traitlets.List(traitlets.Dict()).tag(sync=True)
    index_info = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    snapshot = traitlets.Bytes(b"").tag(sync=True)

    view_traits = (*_LOOK, *(name for name in SELECTION if name != "target"))
