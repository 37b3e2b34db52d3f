"""Live views for notebooks: each is an ipywidget whose view is drawn in the browser and whose numbers come from Python."""

from xaiwidgets.widgets.heatmap import HeatmapOverlay

__all__ = ["HeatmapOverlay"]
