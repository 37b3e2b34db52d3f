"""Global Attribution Evaluation: bars of its parts, the best and the worst images."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from xaiwidgets.errors import unknown
from xaiwidgets.plots.curves import bars, picture
from xaiwidgets.plots.pieces import Picture


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
        return bars(rows, list(labels.values()), title)
    if kind != "images":
        raise unknown("kind", kind, ("bars", "images"))
    if result.pictures is None:
        raise ValueError("this result is of a data set and keeps no images; pass (images, labels) to gae for them")
    method = method or result.ranking[0]
    lines = {"best": result.best(method, count), "worst": result.worst(method, count)}
    columns = len(lines["best"])
    figure = Picture(figsize=(1.8 * columns, 4.6), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for line, (label, rows) in zip(axes, lines.items(), strict=True):
        for axis, row in zip(line, rows.tolist(), strict=True):
            picture(axis, result.pictures[row])
            axis.set_title(
                f"image {int(result.images[row])}\nGAE {float(result.gae[method][row]):.3f}", fontsize="small"
            )
        line[0].set_ylabel(label)
    figure.suptitle(f"{method}: best and worst by GAE")
    return figure
