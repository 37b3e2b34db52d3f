"""Live views for notebooks: ipywidgets drawn in the browser, with numbers that come from Python."""

from xaiwidgets.widgets.heatmap import HeatmapOverlay

__all__ = ["HeatmapOverlay"]
