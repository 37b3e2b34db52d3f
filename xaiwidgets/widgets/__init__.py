"""The widgets room: live views for notebooks, drawn in the browser (js/src has a folder for each), with numbers that come from Python.

It may import everything but the public face. `base`, `jobs`, `pace`, `wire`, `choices`, `hosts` and `frame` are what all widgets share;
none knows another.
"""

from xaiwidgets.widgets.concepts import ConceptBrowser
from xaiwidgets.widgets.flipping import FlippingViewer
from xaiwidgets.widgets.heatmap import HeatmapOverlay
from xaiwidgets.widgets.hosts import options

__all__ = ["ConceptBrowser", "FlippingViewer", "HeatmapOverlay", "options"]
