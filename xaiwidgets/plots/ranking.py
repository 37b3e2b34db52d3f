"""Bars of the concepts of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xaiwidgets.plots.pieces import Picture
from xaiwidgets.plots.words import AGAINST, FOR, INK, Names, Words, plain_text, signed


def ranking(
    result: Any,
    image: int | None = None,
    *,
    n: int = 15,
    names: Names | None = None,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Bars of the `n` concepts with the largest share in an image (by number; None is the first), the first on top; for the class or against it."""
    image, n = image or 0, min(n, result.concepts.shape[1])
    ids, share = result.concepts[image, :n].tolist(), result.share[image, :n].cpu().numpy() * 100
    figure = Picture(figsize=(4.6, 0.26 * n + 1.1), layout="constrained")
    axis = figure.subplots()
    places = np.arange(n)
    axis.barh(places, share, height=0.72, color=[FOR if value >= 0 else AGAINST for value in share])
    reach = float(np.abs(share).max()) or 1.0
    for place, value in zip(places, share, strict=True):
        axis.annotate(
            f"{signed(value, '.1f')} %", (value, place), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
            ha="left" if value >= 0 else "right", va="center", fontsize="x-small", color=INK,
        )  # fmt: skip
    words = Words(names, class_names)
    labels = [words.concept(result.layer, unit, str(unit)) for unit in ids]
    axis.set_yticks(places, labels, fontsize="small")
    axis.set_ylim(n - 0.4, -0.6)
    low, high = min(0.0, float(share.min())), max(0.0, float(share.max()))
    axis.set_xlim(low - 0.22 * reach * (low < 0), high + 0.22 * reach * (high > 0))
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set_xlabel(f"share of the layer's {result.by} (%)", fontsize="small")
    axis.set_ylabel("concept", fontsize="small")
    axis.tick_params(axis="x", labelsize="x-small")
    axis.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    figure.suptitle(f"{result.layer}, {words.target(result.explained(image))}", fontsize="medium")
    return plain_text(figure)
