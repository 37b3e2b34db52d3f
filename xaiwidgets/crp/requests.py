"""Conditions as people write them, checked, and carried down in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers, check_ids
from xaiwidgets.devices import sent
from xaiwidgets.graph import Masks, Record
from xaiwidgets.targets import Target, is_classes

__all__ = ["OUTPUT", "Request", "carry", "parse", "plain_condition"]

OUTPUT = "y"


@dataclass(frozen=True)
class Request:
    """A condition, understood.

    weights: layer -> mask that broadcasts to the layer's value for one image. classes: those named under "y", or other targets, None
    where the condition names none. given: the condition as it came.
    """

    weights: Mapping[str, Tensor]
    classes: tuple[Any, ...] | None
    given: Mapping[str, Any]


def parse(
    known: ConceptLayers, conditions: Any, start_layer: str | None, exclude_parallel: bool, argument: str = "conditions"
) -> list[Request]:
    """Conditions [{"y": [3], "layer": [5, 8]}, …] checked against the model.

    The value of a layer is a list of concepts, or weights: a floating-point tensor or array (units,), one that broadcasts to the
    layer's value for one image, or a function from ones of that shape to such.

    Raises:
        TypeError, ValueError: naming the condition and what to give.
    """
    if isinstance(conditions, Mapping) or not isinstance(conditions, Sequence) or isinstance(conditions, str):
        raise TypeError(
            f"{argument} is {type(conditions).__name__}; give a list of conditions such as [{{'y': [3], 'layer': [5]}}]."
        )
    if not conditions:
        raise ValueError(f"{argument} is empty; give at least one condition such as {{'y': [3], 'layer': [5]}}.")
    start = None if start_layer is None else known.propagator.index(start_layer)
    found = []
    for number, condition in enumerate(conditions):
        place = f"{argument}[{number}]"
        if not isinstance(condition, Mapping):
            raise TypeError(f"{place} is {type(condition).__name__}; give a dict such as {{'y': [3], 'layer': [5]}}.")
        if not condition:
            raise ValueError(f"{place} is empty; name a class, as {{'y': [3]}}, or concepts, as {{'layer': [5]}}.")
        weights = {layer: _weights(known, place, layer, which) for layer, which in condition.items() if layer != OUTPUT}
        classes = _classes(place, condition[OUTPUT]) if OUTPUT in condition else None
        if start is not None:
            if classes is not None:
                raise ValueError(
                    f"{place} names a class, but relevance starts at {start_layer!r}; leave out {OUTPUT!r}."
                )
            above = [layer for layer in weights if known.propagator.index(layer) > start]
            if above:
                raise ValueError(
                    f"{place} names {above[0]!r}, which lies above start_layer={start_layer!r}; leave it out."
                )
        if exclude_parallel:
            _check_in_line(known, place, [*weights, *([start_layer] if start_layer is not None else [])])
        found.append(Request(weights, classes, dict(condition)))
    return found


def plain_condition(given: Mapping[str, Any]) -> dict[str, Any]:
    """A condition as plain data, for provenance: numbers as they are, weights by their shape."""

    def plain(which: Any) -> Any:
        if isinstance(which, Target):
            return str(which)
        if isinstance(which, list | tuple) and not is_classes(which):
            return [plain(entry) for entry in which]
        if callable(which):
            return getattr(which, "__name__", type(which).__name__)
        if not hasattr(which, "tolist"):
            return list(which) if isinstance(which, (range, set)) else which
        whole_numbers = not str(which.dtype).startswith(("float", "torch.float", "torch.bfloat"))
        return which.tolist() if whole_numbers else f"weights {tuple(which.shape)}"

    return {str(layer): plain(which) for layer, which in given.items()}


def _classes(place: str, given: Any) -> tuple[Any, ...]:
    entries = given.tolist() if hasattr(given, "tolist") else given
    entries = list(entries) if isinstance(entries, (list, tuple, range, set)) else [entries]
    if not entries:
        raise ValueError(f"{place}[{OUTPUT!r}] is empty; give at least one class.")
    return tuple(entries)


def _weights(known: ConceptLayers, place: str, layer: Any, which: Any) -> Tensor:
    """A mask that broadcasts to the layer's value for one image, (1 or windows, …)."""
    concept, place = known[layer], f"{place}[{layer!r}]"
    shape = tuple(known.shapes[known.propagator.index(layer)])
    if callable(which):
        which = _made(place, which(torch.ones(shape)))
    elif isinstance(which, np.ndarray):
        which = torch.from_numpy(which)
    if not (isinstance(which, Tensor) and which.is_floating_point()):
        return concept.select(check_ids(layer, which, concept.units, place))
    if which.ndim == 1 and len(which) == concept.units:
        return torch.stack([concept.select([unit]).float() * weight for unit, weight in enumerate(which.tolist())]).sum(
            0
        )
    try:
        fits = torch.broadcast_shapes(which.shape, shape) == torch.Size(shape)
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"{place} has weights of shape {tuple(which.shape)}; give ({concept.units},), or what broadcasts to {shape}."
        )
    return which.detach().reshape(*[1] * (len(shape) - which.ndim), *which.shape)


def _made(place: str, weights: Any) -> Tensor:
    """What a function gives: weights, whatever their type."""
    try:
        return torch.as_tensor(weights).float()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"{place} is a function that gives {type(weights).__name__}; return a tensor or array"
        ) from None


def _check_in_line(known: ConceptLayers, place: str, layers: Sequence[str]) -> None:
    """Each layer must lie above the next: through two that lie side by side, no relevance passes."""
    ordered = sorted(set(layers), key=known.propagator.index, reverse=True)
    for upper, lower in pairwise(ordered):
        goal, waiting, seen = known.propagator.index(lower), [known.propagator.index(upper)], set()
        while waiting and goal not in seen:
            index = waiting.pop()
            if index not in seen and index >= goal:
                seen.add(index)
                waiting.extend(known.graph.operations[index].inputs)
        if goal not in seen:
            raise ValueError(
                f"{place} names {upper!r} and {lower!r}, which lie side by side: with exclude_parallel no relevance passes through "
                "both; give each a condition of its own."
            )


def carry(
    known: ConceptLayers,
    record: Record,
    requests: Sequence[Request],
    start: Mapping[str, Tensor],
    to: Sequence[str],
    *,
    paired: bool,
    exclude_parallel: bool,
    chunk: int,
) -> dict[str, Tensor]:
    """Relevance at the layers `to` for each request and image, (K, N, …), or with `paired`, where request i is for image i, (1, N, …).

    All requests share the start. At most `chunk` heatmaps are carried at once.
    """
    masks: dict[int, Tensor] = {}
    only: dict[int, Tensor] = {}
    for layer in dict.fromkeys(layer for request in requests for layer in request.weights):
        index, windows = known.propagator.index(layer), known.shapes[known.propagator.index(layer)][0]
        # Ones where a row does not restrict the layer.
        free = record.output.new_ones(())
        given = [request.weights.get(layer) for request in requests]
        parts = [free if each is None else sent(each, free.device, free.dtype) for each in given]
        size = torch.broadcast_shapes(*[part.shape for part in parts])
        mask = torch.stack([part.expand(size) for part in parts])
        if paired:
            mask = mask.expand(-1, windows, *mask.shape[2:]).flatten(0, 1)[None]
        elif mask.shape[1] > 1:
            mask = mask.repeat(1, record.batch, *[1] * (mask.ndim - 2))
        masks[index] = mask
        if exclude_parallel:
            named = [layer in request.weights for request in requests]
            only[index] = torch.tensor(named[:1] if paired else named)
    rows = known.rows(chunk, record.batch)
    found = known.propagator.down(record, start, to, Masks(masks, only), chunk=rows)
    count = 1 if paired else len(requests)
    return {str(name): tensor.expand(count, *tensor.shape[1:]) for name, tensor in found.items()}
