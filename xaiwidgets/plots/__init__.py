"""The plots room: matplotlib figures of every result, for papers and for places that show no widget.

It imports errors and nothing else of ours: a result names its figure, `plot` looks it up. Figures are made without pyplot:
nothing is registered globally, so they may be drawn in any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from xaiwidgets.plots.browser import concepts
from xaiwidgets.plots.concept_graph import concept_graph
from xaiwidgets.plots.concept_rows import concept_rows
from xaiwidgets.plots.depth import depth
from xaiwidgets.plots.flipping import flipping
from xaiwidgets.plots.flipping import screen as flipping_screen
from xaiwidgets.plots.gae import gae
from xaiwidgets.plots.heatmaps import explanation, heatmaps, picture
from xaiwidgets.plots.masking import relax
from xaiwidgets.plots.measures import insertion_deletion, localisation, randomisation, sufficiency
from xaiwidgets.plots.overlays import Look, Mark, Pane, overlays
from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.ranking import ranking
from xaiwidgets.plots.references import references

__all__ = [
    "FIGURES", "Look", "Mark", "Pane", "Picture", "concepts", "flipping", "flipping_screen", "heatmaps", "overlays", "picture", "plot", "relax",
]  # fmt: skip

OVER_PICTURES: dict[str, Callable[..., Figure]] = {
    figure.__name__: figure for figure in (concept_rows, depth, explanation, ranking, relax)
}
"""Figures that look at ``image``: pixels to lay beneath, or the number of an image."""
FIGURES: dict[str, Callable[..., Figure]] = OVER_PICTURES | {
    figure.__name__: figure
    for figure in (
        concept_graph, flipping, gae, insertion_deletion, localisation, randomisation, references, sufficiency,
    )
}  # fmt: skip
"""Every figure by the name that results call it (`Result.figure`)."""


def plot(result: Any, image: Any = None, **options: Any) -> Figure:
    """The figure that a result names; ``image`` (N, C, H, W) or (C, H, W) of values in [0, 1], laid beneath where there is room.

    Raises:
        TypeError: a result that has no figure.
    """
    name = getattr(result, "figure", "explanation")
    if name not in FIGURES or (name == "explanation" and not hasattr(result, "heatmap")):
        raise TypeError(f"result is {type(result).__name__}; there is no figure of it")
    if name in OVER_PICTURES:
        return FIGURES[name](result, image, **options)
    return FIGURES[name](result, **options)
