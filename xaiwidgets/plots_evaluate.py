"""matplotlib figures of evaluations; made without pyplot, so that they may be drawn in any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.evaluate.statistics import Estimate, bootstrap_columns
from xaiwidgets.plots_pixels import drawn

# Okabe and Ito's colours, told apart by colour-blind readers; black and grey are for chance.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00")
CHANCE = "#777777"
ORDER_NAMES = {"morf": "most relevant first", "lerf": "least relevant first", "random": "random order"}


def flipping(result: Any, *, kind: str = "curves", **options: Any) -> Figure:
    """``kind``: "curves" with areas, "flips" a step, or "frames" side by side (``method``, ``steps``, ``row``, ``order``)."""
    kinds: dict[str, Callable[..., Figure]] = {"curves": curves, "flips": flips, "frames": frames}
    if kind not in kinds:
        raise unknown("kind", kind, kinds)
    return kinds[kind](result, **options)


def curves(result: Any, *, band: bool = True) -> Figure:
    """A panel an order: mean score over images with its interval, chance in grey; the legend gives the areas, best first."""
    figure = Figure(figsize=(5.2 * len(result.orders) + 0.4, 4.2), layout="constrained")
    axes = figure.subplots(1, len(result.orders), squeeze=False, sharey=True)[0]
    fractions = result.fractions.numpy()
    for axis, order in zip(axes, result.orders, strict=True):
        areas = result.auc_of(order)
        if result.random is not None:
            per_image = result.random.nanmean(0)
            label = f"random: {_mean(areas['random'])}"
            _curve(axis, fractions, per_image, label, colour=CHANCE, band=band, result=result, dashed=True)
        lines = [(name, values) for name, values in result.curves[order].items() if name != "random"]
        for name, values in sorted(lines, key=lambda line: float(areas[line[0]].nanmean()), reverse=order == "lerf"):
            colour = COLOURS[list(result.methods).index(name) % len(COLOURS)]
            _curve(axis, fractions, values, f"{name}: {_mean(areas[name])}", colour=colour, band=band, result=result)
        axis.set_title(ORDER_NAMES.get(order, order), fontsize="medium")
        axis.set_xlabel("Share of patches flipped")
        axis.legend(title="Area under the curve", fontsize="small", title_fontsize="small", frameon=False)
        _clean(axis)
    axes[0].set_ylabel(f"Score ({result.score})")
    count = len(result.target)
    figure.suptitle(f"Pixel flipping of {result.provenance.model}, {count} image{'s' if count > 1 else ''}")
    return figure


def flips(result: Any) -> Figure:
    """Patches flipped at each step."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
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
    _clean(axis)
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
    figure = Figure(figsize=(1.7 * len(chosen), 2.1 * len(methods) + 0.4), layout="constrained")
    axes = figure.subplots(len(methods), len(chosen), squeeze=False)
    for line, name in zip(axes, methods, strict=True):
        for axis, step in zip(line, chosen, strict=True):
            _picture(axis, result.images(name, step, rows=[row], order=order)[0])
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


def gae(result: Any, *, kind: str = "bars", method: str | None = None, count: int = 5) -> Figure:
    """ "bars" of GAE and its parts for each method, or "images": the best and the worst of a method."""
    if kind == "bars":
        table = result.table()
        labels = {
            "gae": "GAE",
            "local_consistency": "local consistency",
            "faithfulness": "faithfulness",
            "robustness": "robustness",
            "contrastiveness": "contrastiveness",
        }
        rows = {name: [parts[part] for part in labels] for name, parts in table.items()}
        title = f"Global Attribution Evaluation of {result.provenance.model}, {len(result.images)} images"
        return _bars(rows, list(labels.values()), title)
    if kind != "images":
        raise unknown("kind", kind, ("bars", "images"))
    if result.pictures is None:
        raise ValueError("this result is of a data set and keeps no images; pass (images, labels) to gae for them")
    method = method or result.ranking[0]
    lines = {"best": result.best(method, count), "worst": result.worst(method, count)}
    columns = len(lines["best"])
    figure = Figure(figsize=(1.8 * columns, 4.6), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for line, (label, rows) in zip(axes, lines.items(), strict=True):
        for axis, row in zip(line, rows.tolist(), strict=True):
            _picture(axis, result.pictures[row])
            axis.set_title(
                f"image {int(result.images[row])}\nGAE {float(result.gae[method][row]):.3f}", fontsize="small"
            )
        line[0].set_ylabel(label)
    figure.suptitle(f"{method}: best and worst by GAE")
    return figure


def localisation(result: Any) -> Figure:
    """Mass accuracy, rank accuracy and pointing game of each method; the line is the masks' share of the image."""
    rows = {name: list(row.values()) for name, row in result.table().items()}
    figure = _bars(rows, ["mass accuracy", "rank accuracy", "pointing game"], "Localisation against the masks")
    share = float(result.share.mean())
    figure.axes[0].axhline(share, color=CHANCE, linestyle="--", linewidth=1, label=f"chance {share:.2f}")
    figure.axes[0].legend(fontsize="small", frameon=False)
    return figure


def insertion_deletion(result: Any) -> Figure:
    """Insertion and deletion curves, mean over images with intervals."""
    figure = Figure(figsize=(10.8, 4.2), layout="constrained")
    panels = (
        ("Insertion", "Share shown", result.insertion, result.insertion_fractions, result.insertion_auc),
        ("Deletion", "Share removed", result.deletion, result.deletion_fractions, result.deletion_auc),
    )
    for axis, (title, label, scores, fractions, areas) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        for index, name in enumerate(result.methods):
            text = f"{name}: {_mean(areas[name])}"
            _curve(
                axis,
                fractions.numpy(),
                scores[name],
                text,
                colour=COLOURS[index % len(COLOURS)],
                band=True,
                result=None,
            )
        axis.set_title(title, fontsize="medium")
        axis.set_xlabel(label)
        axis.legend(fontsize="small", frameon=False)
        _clean(axis)
    figure.axes[0].set_ylabel("Score")
    return figure


def sufficiency(result: Any) -> Figure:
    """Score over the share of the image shown."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axis = figure.subplots()
    for index, (name, scores) in enumerate(result.scores.items()):
        _curve(
            axis, result.fractions.numpy(), scores, name, colour=COLOURS[index % len(COLOURS)], band=True, result=None
        )
    axis.axhline(float(result.full.mean()), color=CHANCE, linestyle="--", linewidth=1, label="whole image")
    axis.set_xlabel("Share shown")
    axis.set_ylabel("Score")
    axis.legend(fontsize="small", frameon=False)
    _clean(axis)
    return figure


def randomisation(result: Any) -> Figure:
    """Rank correlation with the trained model's explanation over the layers made random."""
    figure = Figure(figsize=(max(5.0, 0.5 * len(result.layers) + 2), 4.4), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(result.layers) + 1)
    for index, (name, values) in enumerate(result.similarity.items()):
        _curve(axis, places, values.T, name, colour=COLOURS[index % len(COLOURS)], band=True, result=None)
    axis.axhline(0, color=CHANCE, linewidth=1)
    axis.set_xticks(places, ["trained", *result.layers], rotation=60, ha="right", fontsize="small")
    axis.set_ylabel("Rank correlation with the trained model's")
    axis.set_xlabel("Random down to this layer")
    axis.legend(fontsize="small", frameon=False)
    _clean(axis)
    return figure


# -- pieces ----------------------------------------------------------------------------------------------------------


def _curve(
    axis: Axes,
    at: np.ndarray,
    scores: Tensor,
    label: str,
    *,
    colour: str,
    band: bool,
    result: Any,
    dashed: bool = False,
) -> None:
    """The mean of scores (N, steps) over images, with the bootstrap interval of each point."""
    centre = scores.double().nanmean(0).numpy()
    axis.plot(at, centre, color=colour, label=label, linestyle="--" if dashed else "-", marker=".", markersize=4)
    if not band or len(scores) < 2:
        return
    settings = {} if result is None else {"confidence": result.confidence, "resamples": min(result.resamples, 500)}
    _, low, high = bootstrap_columns(scores, **settings)
    axis.fill_between(at, low.numpy(), high.numpy(), color=colour, alpha=0.15, linewidth=0)


def _bars(rows: Mapping[str, Sequence[Estimate]], labels: Sequence[str], title: str) -> Figure:
    figure = Figure(figsize=(1.2 * len(labels) + 0.5 * len(labels) * len(rows) + 1.5, 4), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(rows)
    for index, (name, estimates) in enumerate(rows.items()):
        at = np.arange(len(labels)) + (index - (len(rows) - 1) / 2) * width
        means = np.array([estimate.mean for estimate in estimates])
        ends = np.array([[estimate.mean - estimate.low, estimate.high - estimate.mean] for estimate in estimates]).T
        axis.bar(at, means, width * 0.92, label=name, color=COLOURS[index % len(COLOURS)])
        axis.errorbar(at, means, np.nan_to_num(ends).clip(0), fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
    axis.set_xticks(range(len(labels)), labels)
    axis.axhline(0, color="#222222", linewidth=0.8)
    axis.set_title(title, fontsize="medium")
    axis.legend(fontsize="small", frameon=False)
    _clean(axis)
    return figure


def _picture(axis: Axes, pixels: Tensor) -> None:
    axis.imshow(drawn(pixels), cmap="gray", vmin=0, vmax=1)
    axis.set_xticks([])
    axis.set_yticks([])


def _mean(values: Tensor) -> str:
    return f"{float(torch.as_tensor(values).nanmean()):.3f}"


def _clean(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
