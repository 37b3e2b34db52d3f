"""Localisation, insertion and deletion, sufficiency, randomised models."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xaiwidgets.plots.curves import CHANCE, COLOURS, bars, clean, curve, mean_of
from xaiwidgets.plots.pieces import Picture


def localisation(result: Any) -> Figure:
    """Mass accuracy, rank accuracy and pointing game of each method; the line is the masks' share of the image."""
    rows = {name: list(row.values()) for name, row in result.table().items()}
    figure = bars(rows, ["mass accuracy", "rank accuracy", "pointing game"], "Localisation against the masks")
    share = float(result.share.mean())
    figure.axes[0].axhline(share, color=CHANCE, linestyle="--", linewidth=1, label=f"chance {share:.2f}")
    figure.axes[0].legend(fontsize="small", frameon=False)
    return figure


def insertion_deletion(result: Any) -> Figure:
    """Insertion and deletion curves, mean over images with intervals."""
    figure = Picture(figsize=(10.8, 4.2), layout="constrained")
    panels = (
        ("Insertion", "Share shown", result.insertion, result.insertion_fractions, result.insertion_auc),
        ("Deletion", "Share removed", result.deletion, result.deletion_fractions, result.deletion_auc),
    )
    for axis, (title, label, scores, fractions, areas) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        for index, name in enumerate(result.methods):
            text = f"{name}: {mean_of(areas[name])}"
            curve(
                axis,
                fractions.numpy(),
                scores[name],
                text,
                colour=COLOURS[index % len(COLOURS)],
                band=True,
                result=result,
            )
        axis.set_title(title, fontsize="medium")
        axis.set_xlabel(label)
        axis.legend(fontsize="small", frameon=False)
        clean(axis)
    figure.axes[0].set_ylabel("Score")
    return figure


def sufficiency(result: Any) -> Figure:
    """Score over the share of the image shown."""
    figure = Picture(figsize=(5.6, 4.2), layout="constrained")
    axis = figure.subplots()
    for index, (name, scores) in enumerate(result.scores.items()):
        curve(
            axis, result.fractions.numpy(), scores, name, colour=COLOURS[index % len(COLOURS)], band=True, result=result
        )
    axis.axhline(float(result.full.mean()), color=CHANCE, linestyle="--", linewidth=1, label="whole image")
    axis.set_xlabel("Share shown")
    axis.set_ylabel("Score")
    axis.legend(fontsize="small", frameon=False)
    clean(axis)
    return figure


def randomisation(result: Any) -> Figure:
    """Rank correlation with the trained model's explanation over the layers made random."""
    figure = Picture(figsize=(max(5.0, 0.5 * len(result.layers) + 2), 4.4), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(result.layers) + 1)
    for index, (name, values) in enumerate(result.similarity.items()):
        curve(axis, places, values.T, name, colour=COLOURS[index % len(COLOURS)], band=True, result=result)
    axis.axhline(0, color=CHANCE, linewidth=1)
    axis.set_xticks(places, ["trained", *result.layers], rotation=60, ha="right", fontsize="small")
    axis.set_ylabel("Rank correlation with the trained model's")
    axis.set_xlabel("Random down to this layer")
    axis.legend(fontsize="small", frameon=False)
    clean(axis)
    return figure
