"""The flipping viewer: `state` is what browser and Python share, `comparison` and `maps` the curves and heatmaps, `runs` what is under
way, `wire` what travels, `widget` the whole. It may import what widgets may."""

from xaiwidgets.widgets.flipping.widget import FlippingViewer

__all__ = ["FlippingViewer"]
