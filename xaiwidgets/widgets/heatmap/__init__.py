"""The heatmap overlay: `state` is what browser and Python share, `methods` and `inputs` what it is given, `answers` what is asked of it,
`widget` the whole. It may import what widgets may."""

from xaiwidgets.widgets.heatmap.widget import HeatmapOverlay

__all__ = ["HeatmapOverlay"]
