"""The concept browser: `state` is what browser and Python share, `answers` and `gallery` what is asked of it, `names` what people call
concepts, `snapshot` what a saved notebook keeps, `widget` the whole. It may import what widgets may."""

from xaiwidgets.widgets.concepts.widget import ConceptBrowser

__all__ = ["ConceptBrowser"]
