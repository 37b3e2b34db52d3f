"""The flipping viewer's state: what is asked, what is looked at, what Python tells."""

from __future__ import annotations

import traitlets

from xaiwidgets.widgets.base import Widget, bundle
from xaiwidgets.widgets.choices import ClassChoice, Pinned

__all__ = ["FlippingState"]


class FlippingState(Widget):
    """Traits that the browser and Python share; js/src/flipping/types.ts lists the same."""

    _esm = traitlets.Unicode(bundle("flipping.js")).tag(sync=True)
    _css = traitlets.Unicode(bundle("flipping.css")).tag(sync=True)
    _tall = 820

    # What is asked.
    order = traitlets.Enum(["morf", "lerf", "both", "random"], "both").tag(sync=True)
    perturb = traitlets.Unicode("inpaint").tag(sync=True)
    patch = traitlets.Int(8).tag(sync=True)
    target = ClassChoice().tag(sync=True)
    score = traitlets.Enum(["logit", "probability"], "logit").tag(sync=True)
    # What is looked at.
    scope = traitlets.Enum(["image", "mean"], "image").tag(sync=True)
    """Curves and table of the image on screen, or the mean over all of them."""
    image = traitlets.Int(0, min=0).tag(sync=True)
    method = traitlets.Unicode("").tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode(), []).tag(sync=True)
    sort_by = traitlets.Unicode("rank").tag(sync=True)
    """A column of the table: "method", "rank", "morf", "lerf", "random", "gap", "ties" or "gae"."""
    descending = traitlets.Bool(False).tag(sync=True)
    selection = Pinned("row", "column").tag(sync=True)
    """The pinned patch as {"row": row, "column": column} of the grid of patches, or None."""
    # What Python tells.
    about = traitlets.Dict().tag(sync=True)
    """The method in words: label, help, paper, link."""
    images = traitlets.Int(1).tag(sync=True)
    methods = traitlets.List(traitlets.Unicode()).tag(sync=True)
    class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    perturbations = traitlets.List(traitlets.Dict()).tag(sync=True)
    """What may stand where patches are hidden: value, and label as people read it."""
    gae_missing = traitlets.Unicode("").tag(sync=True)
    """What keeps GAE from being computed; empty when nothing does."""
    snapshot = traitlets.Bytes(b"").tag(sync=True)

    view_traits = (
        "order",
        "perturb",
        "patch",
        "score",
        "scope",
        "image",
        "method",
        "step",
        "hidden",
        "sort_by",
        "descending",
        "selection",
    )
