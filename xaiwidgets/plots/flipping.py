"""Pixel flipping: curves with areas, flips a step, the image as the model saw it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure, FigureBase

from xaiwidgets.errors import unknown
from xaiwidgets.plots.curves import CHANCE, COLOURS, clean, curve, mean_of, picture
from xaiwidgets.plots.overlays import Look, Pane, draw_pane
from xaiwidgets.plots.pieces import Picture

ORDER_NAMES = {"morf": "most relevant first", "lerf": "least relevant first", "random": "random order"}


def flipping(result: Any, *, kind: str = "curves", **options: Any) -> Figure:
    """``kind``: "curves" with areas, "flips" a step, or "frames" side by side (``method``, ``steps``, ``row``, ``order``)."""
    kinds: dict[str, Callable[..., Figure]] = {"curves": curves, "flips": flips, "frames": frames}
    if kind not in kinds:
        raise unknown("kind", kind, kinds)
    return kinds[kind](result, **options)


def curves(result: Any, *, band: bool = True) -> Figure:
    """A panel an order: mean score over images with its interval, chance in grey; the legend gives the areas, best first."""
    figure = Picture(figsize=(5.2 * len(result.orders) + 0.4, 4.2), layout="constrained")
    _draw_curves(figure, result, band=band)
    count = len(result.target)
    figure.suptitle(f"Pixel flipping of {result.provenance.model}, {count} image{'s' if count > 1 else ''}")
    return figure


def screen(
    result: Any,
    *,
    row: int | None,
    hidden: Sequence[str],
    step: int,
    panes: Sequence[Pane],
    look: Look,
    title: str,
    caption: str,
) -> Figure:
    """What a flipping viewer shows: the curves of one image, or of all with ``row=None``, without the methods that are hidden, with the
    step marked; below them the pictures at that step; at the foot how all of it was made."""
    width = max(5.2 * len(result.orders), 3.2 * len(panes)) + 0.4
    figure = Picture(figsize=(width, 4.2 + (3.6 if panes else 0) + 0.6), layout="constrained")
    parts: Any = figure.subfigures(2 if panes else 1, 1, squeeze=False, height_ratios=(4.2, 3.6)[: 2 if panes else 1])[
        :, 0
    ]
    _draw_curves(parts[0], result, band=row is None, row=row, hidden=hidden, step=step)
    if panes:
        for axis, pane in zip(parts[1].subplots(1, len(panes), squeeze=False)[0], panes, strict=True):
            draw_pane(parts[1], axis, pane, look)
    figure.suptitle(title, parse_math=False)
    figure.supxlabel(caption, fontsize="small", color="#5b616b", parse_math=False)
    return figure


def _draw_curves(
    figure: FigureBase,
    result: Any,
    *,
    band: bool,
    row: int | None = None,
    hidden: Sequence[str] = (),
    step: int | None = None,
) -> None:
    """The panels of `curves`, one an order."""
    axes = figure.subplots(1, len(result.orders), squeeze=False, sharey=True)[0]
    fractions = result.fractions.numpy()
    rows = slice(None) if row is None else slice(row, row + 1)
    for axis, order in zip(axes, result.orders, strict=True):
        areas = {name: values[rows] for name, values in result.auc_of(order).items()}
        if result.random is not None and "random" not in hidden:
            per_image = result.random.nanmean(0)[rows]
            label = f"random: {mean_of(areas['random'])}"
            curve(axis, fractions, per_image, label, colour=CHANCE, band=band, result=result, dashed=True)
        lines = [(name, values[rows]) for name, values in result.curves[order].items() if name != "random"]
        lines = [(name, values) for name, values in lines if name not in hidden]
        for name, values in sorted(lines, key=lambda line: float(areas[line[0]].nanmean()), reverse=order == "lerf"):
            colour = COLOURS[list(result.methods).index(name) % len(COLOURS)]
            curve(axis, fractions, values, f"{name}: {mean_of(areas[name])}", colour=colour, band=band, result=result)
        if step is not None:
            axis.axvline(float(fractions[step]), color="#222222", linewidth=1, zorder=0)
            if result.setup.schedule.gray_last:
                end = {"textcoords": "offset points", "ha": "right", "fontsize": "small", "color": "#5b616b"}
                axis.annotate("all grey", (1, 0), xycoords="axes fraction", xytext=(-2, 4), **end)
        axis.set_title(ORDER_NAMES.get(order, order), fontsize="medium")
        axis.set_xlabel("Share of patches flipped")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(title="Area under the curve", fontsize="small", title_fontsize="small", frameon=False)
        clean(axis)
    axes[0].set_ylabel(f"Score ({result.score})")


def flips(result: Any) -> Figure:
    """Patches flipped at each step."""
    figure = Picture(figsize=(6, 3.2), layout="constrained")
    axis = figure.subplots()
    values = result.flips.numpy()
    axis.bar(range(len(values)), values, color=COLOURS[0])
    if result.setup.schedule.gray_last:
        axis.patches[-1].set_facecolor(CHANCE)
        axis.annotate(
            "all gray", (len(values) - 1, values[-1]), ha="right", va="top", xytext=(-24, 0), textcoords="offset points"
        )
    axis.set_xlabel("Step")
    axis.set_ylabel("Patches flipped")
    clean(axis)
    return figure


def frames(
    result: Any,
    *,
    method: str | None = None,
    steps: Sequence[int] | None = None,
    row: int = 0,
    order: str | None = None,
) -> Figure:
    """An image as the model saw it, a row for each method, with the score beneath."""
    methods = list(result.methods) if method is None else [method]
    last = result.setup.schedule.steps
    chosen = list(steps) if steps is not None else sorted({round(part * last) for part in np.linspace(0, 1, 7)})
    order = order or result.orders[0]
    figure = Picture(figsize=(1.7 * len(chosen), 2.1 * len(methods) + 0.4), layout="constrained")
    axes = figure.subplots(len(methods), len(chosen), squeeze=False)
    for line, name in zip(axes, methods, strict=True):
        for axis, step in zip(line, chosen, strict=True):
            picture(axis, result.images(name, step, rows=[row], order=order)[0])
            own = (
                result.random[0]
                if name == "random" and name not in result.curves[order]
                else result.curves[order][name]
            )
            score = float(own[row, step])
            axis.set_title(f"{result.fractions[step]:.0%} flipped\n{result.score} {score:.3g}", fontsize="small")
        line[0].set_ylabel(name)
    figure.suptitle(f"Image {row}, {ORDER_NAMES.get(order, order)}")
    return figure
