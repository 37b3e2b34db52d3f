"""The heatmap overlay's state: what a person sees and varies, what is asked, what Python tells."""

from __future__ import annotations

import traitlets

from xaiwidgets.widgets.base import Widget, bundle
from xaiwidgets.widgets.choices import ClassChoice, ClassList, Colormap, Finite, Pinned, Zoom

__all__ = ["HeatmapState"]

_DRAWING = (
    "show",
    "opacity",
    "threshold",
    "filter_mode",
    "colormap",
    "clip",
    "scale",
    "fixed_range",
    "zoom",
    "selection",
    "enough",
    "found",
    "beside",
    "beside_methods",
    "beside_images",
    "difference",
    "depth",
    "depth_scale",
)


class HeatmapState(Widget):
    """Traits that the browser and Python share; js/src/heatmap/types.ts lists the same."""

    _esm = traitlets.Unicode(bundle("heatmap.js")).tag(sync=True)
    _css = traitlets.Unicode(bundle("heatmap.css")).tag(sync=True)

    # What a person sees and varies.
    show = traitlets.Unicode("").tag(sync=True)
    opacity = Finite(0.8, min=0, max=1).tag(sync=True)
    threshold = Finite(0.5, min=0, max=1).tag(sync=True)
    """The surest share of pixels, which filtered views show; one half is U-RELAX as published."""
    filter_mode = traitlets.Enum(["hide", "fade"], "hide").tag(sync=True)
    colormap = Colormap("viridis").tag(sync=True)
    clip = Finite(100.0, min=50, max=100).tag(sync=True)
    scale = traitlets.Enum(["image", "own", "shared", "fixed"], "image").tag(sync=True)
    """What the colours span: the map on screen, of several those that are counted alike together; each its own; all images; a range."""
    fixed_range = traitlets.List(traitlets.Float(), None, allow_none=True, minlen=2, maxlen=2).tag(sync=True)
    zoom = Zoom().tag(sync=True)
    enough = Finite(0.03, min=0).tag(sync=True)
    """Masks end where the largest standard error is this share of the importance's range; 0: where all of them were seen."""
    selection = Pinned("x", "y").tag(sync=True)
    """The pinned pixel as {"x": column, "y": row}, or None."""
    found = traitlets.Bool(True).tag(sync=True)
    """Whether what the model itself finds is drawn: the regions of a segmentation, the boxes of a detector."""
    beside = ClassList().tag(sync=True)
    """The classes and targets that ``show="targets"`` holds beside each other; where none are chosen, those that have a name."""
    beside_methods = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The methods that ``show="compare"`` and ``"models"`` hold beside each other, by name; where none are chosen, all."""
    beside_images = traitlets.List(traitlets.Int()).tag(sync=True)
    """The images that ``show="images"`` holds beside each other; where none are chosen, the first few."""
    difference = traitlets.Any(None).tag(sync=True)
    """The places of two pictures beside each other, counted from 0, as [a, b]: one more shows what a has more than b; or None."""
    depth = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    """The layer whose relevance is shown, by its name; None for the pixels. For methods that go down layer by layer, one at a time."""
    depth_scale = traitlets.Enum(["layer", "total"], "layer").tag(sync=True)
    """What the colours of layers span: each its own values, or all of them relevance for equal areas of the picture, as the pixels do."""
    # What is asked.
    image = traitlets.Int(0, min=0).tag(sync=True)
    method = traitlets.Unicode("").tag(sync=True)
    target = ClassChoice().tag(sync=True)
    against = ClassChoice().tag(sync=True)
    parameters = traitlets.Dict({}).tag(sync=True)
    # What Python tells.
    images = traitlets.Int(1).tag(sync=True)
    methods = traitlets.List(traitlets.Dict()).tag(sync=True)
    class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    targets = traitlets.List(traitlets.Dict()).tag(sync=True)
    """Targets that somebody named or pointed at: {"index", "name", "places"}, the place of each in the images that it was asked of."""
    forgotten = traitlets.List(traitlets.Int()).tag(sync=True)
    """Targets that were taken off the list, by index: no list of classes offers them, until somebody asks about them again."""
    snapshot = traitlets.Bytes(b"").tag(sync=True)

    view_traits = (*_DRAWING, "image", "method", "against", "parameters")
