"""The heatmap overlay: `state` is what browser and Python share; `methods`, `inputs` and `subjects` (models) what it is given; `comparison`
which pictures are on screen, from which follow the questions, the messages and pages (`pages`) and the figure (`figures`); `answers` what
is asked, `asking` and `places` how to ask by pointing; `widget` the whole. It may import what widgets may."""

from xaiwidgets.widgets.heatmap.widget import HeatmapOverlay

__all__ = ["HeatmapOverlay"]
