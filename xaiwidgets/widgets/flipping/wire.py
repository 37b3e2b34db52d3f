"""What the flipping viewer tells its browser: curves, orders and heatmaps, frames, GAE."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.evaluate import Estimate, FlippingResult, GaeResult
from xaiwidgets.evaluate.flipping.result import RANDOM
from xaiwidgets.evaluate.statistics import area
from xaiwidgets.widgets.wire import Packet, map_range


def curves_packet(
    request: Mapping[str, Any], result: FlippingResult, images: Sequence[int], *, final: bool, unfinished: bool
) -> Packet:
    """Curves as far as they are known.

    The buffers, float32: ``bands`` (bands, 3, steps + 1), mean over images and the ends of its interval; ``scores``
    (lines, images, steps + 1) and ``areas`` (lines, images) of the images named; ``ties`` (methods, images).

    Args:
        request: order, perturbation, patch, class and score that the curves answer.
        images: those whose own curves go along.
        final: all that was asked for is there. unfinished: a run was stopped and can go on.
    """
    rows = list(images)
    bands = [
        (order, name, band)
        for order in result.orders
        for name, band in result.bands(order).items()
        if name != RANDOM or order == result.orders[0]
    ]
    lines = result.lines()
    scores = [scores[rows] for _, _, _, scores in lines]
    areas = [area(values, result.fractions) for values in scores]
    ties = [result.ties[name][rows] for name in result.ties]
    grid, schedule = result.setup.grid, result.setup.schedule
    content = {
        "type": "curves",
        **request,
        "final": final,
        "unfinished": unfinished,
        "done": result.done,
        "total": result.total,
        "counts": list(schedule.counts),
        "gray_last": schedule.gray_last,
        "grid": {"height": grid.height, "width": grid.width, "patch": grid.patch},
        "confidence": result.confidence,
        "bands": [{"method": name, "order": RANDOM if name == RANDOM else order} for order, name, _ in bands],
        "lines": [{"method": method, "order": order, "repeat": repeat} for method, order, repeat, _ in lines],
        "ties": list(result.ties),
        "images": rows,
        "targets": _targets(result, rows, request.get("target")),
        "known_images": known_images(result),
        "table": table(result),
    }
    buffers = (
        _floats([torch.stack(band) for _, _, band in bands]),
        _floats(scores),
        _floats(areas),
        _floats(ties),
    )
    return Packet(content, buffers)


def _targets(result: FlippingResult, rows: Sequence[int], asked: int | None) -> list[int]:
    """Classes of images, −1 where not known yet; a target that is no class has the number that it was asked under."""
    other = -1 if asked is None or "target" not in result.provenance.parameters else asked
    return [other if target < 0 else target for target in result.target[list(rows)].tolist()]


def known_images(result: FlippingResult) -> int:
    """How many images have been looked at so far."""
    first = next(scores for _, _, _, scores in result.lines())[:, 0]
    return int((~first.isnan()).sum())


def table(result: FlippingResult) -> list[dict[str, Any]]:
    """The lines of the ranking as plain data."""
    return [
        {
            "method": row.method,
            "rank": row.rank,
            "auc": {order: plain(estimate) for order, estimate in row.auc.items()},
            "gap": None if row.gap is None else plain(row.gap),
            "tied": _number(row.tied),
        }
        for row in result.table()
    ]


def map_packet(asked: Mapping[str, Any], *, image: int, method: str, ranks: Tensor, heatmap: Tensor | None) -> Packet:
    """The order of an image's patches by a method, (patches,) int32 with 0 for the most relevant, and the heatmap (H, W) it comes from."""
    content: dict[str, Any] = {"type": "map", **asked, "image": image, "method": method, "map": None}
    buffers: tuple[bytes, ...] = (ranks.cpu().numpy().astype("<i4").tobytes(),)
    if heatmap is not None:
        values = heatmap.detach().cpu().float()
        content["map"] = {
            "name": "heatmap",
            "dtype": "float32",
            "shape": list(values.shape),
            "range": map_range(values),
        }
        buffers = (*buffers, values.numpy().astype("<f4").tobytes())
    return Packet(content, buffers)


def frame_packet(asked: Mapping[str, Any], *, image: int, method: str, order: str, step: int, frame: Tensor) -> Packet:
    """The image as the model sees it after a step, pixel values (C, H, W) in [0, 1], as bytes (H, W, C)."""
    array = (frame.detach().cpu().permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    place = {"image": image, "method": method, "order": order, "step": step}
    return Packet({"type": "frame", **asked, **place, "shape": list(array.shape)}, (array.tobytes(),))


def gae_packet(result: GaeResult) -> Packet:
    """GAE of every method so far."""
    rows = {name: plain(result.estimate(name)) for name in result.methods}
    return Packet({"type": "gae", "rows": rows, "done": len(result.images), "total": result.total})


def plain(estimate: Estimate) -> list[float | None]:
    """[mean, low, high]; null for what is not known, as JSON has no NaN."""
    return [_number(value) for value in (estimate.mean, estimate.low, estimate.high)]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _floats(parts: Sequence[Tensor]) -> bytes:
    if not parts:
        return b""
    return torch.stack([part.cpu() for part in parts]).numpy().astype("<f4").tobytes()
