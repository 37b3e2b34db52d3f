"""Live views for notebooks: ipywidgets drawn in the browser, with numbers that come from Python."""

from xaiwidgets.widgets.concepts import ConceptBrowser
from xaiwidgets.widgets.flipping import FlippingViewer
from xaiwidgets.widgets.heatmap import HeatmapOverlay

__all__ = ["ConceptBrowser", "FlippingViewer", "HeatmapOverlay"]
