"""The pass, once a call: images go up a prepared graph in chunks, relevance comes down, and both are put together for all images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph import GraphError, Propagator
from xaiwidgets.lrp.absolute.contrast import abs_maps, batch_leads, for_and_against
from xaiwidgets.lrp.account import Account
from xaiwidgets.lrp.depth import Descent
from xaiwidgets.lrp.result import Attribution, Conservation
from xaiwidgets.lrp.starts import Begun, Start
from xaiwidgets.model.outputs import some_numbers
from xaiwidgets.results import Provenance
from xaiwidgets.targets import Score, said, together

__all__ = ["Passed", "explain", "images_at_once"]


def explain(
    propagator: Propagator,
    x: Tensor,
    start: Start,
    layers: Sequence[str] = (),
    *,
    batch: int,
    chunk: int | None = None,
    contrast: bool = False,
    name: str = "the model",
    descent: Descent | None = None,
) -> Passed:
    """Every start carried down, for images x (N, C, H, W).

    Args:
        start: where relevance begins, K rows an image.
        layers: names of layers whose relevance and activations to return as well.
        batch: images at once.
        chunk: of several rows an image, how many go down at once; what depends on activations alone is then worked out once. None for one
            row, of which an account is kept.
        contrast: absLRP's: what is for and what is against go down beside each other, and their difference is returned.
        name: of the model, for errors.
        descent: what keeps a picture of every layer, of one row.

    Raises:
        OutputError: the model answers NaN. GraphError: relevance is not finite.
    """
    names = tuple(dict.fromkeys([*layers, "input"]))
    asked = {propagator.index(layer): layer for layer in names}  # a layer may share its value with another
    account = None if contrast or chunk else Account(propagator)
    chunks = []
    for part in _parts(
        len(x), 1 if contrast and not batch_leads(propagator.graph) else images_at_once(propagator, x, batch)
    ):
        record = propagator.record(x[part], keep=layers, memory=chunk is not None)
        some_numbers(record.output, name, part.start)
        begun = start(record.output, part)
        rows = for_and_against(begun.relevance) if contrast else begun.relevance
        trace = account if descent is None else descent.watch(record, rows, account)
        found = propagator.down(record, {"output": rows}, [*asked.values()], chunk=chunk, trace=trace)
        relevance = {layer: found[asked[propagator.index(layer)]] for layer in names}
        if contrast:
            relevance = {layer: abs_maps(tensor, record.batch) for layer, tensor in relevance.items()}
        if descent is not None:
            descent.end(relevance["input"][0])
        activations = {layer: record.values[propagator.index(layer)] for layer in layers}
        finite = torch.isfinite(found[asked[propagator.index("input")]]).all()
        chunks.append(_Chunk(relevance, activations, record.output, begun, finite))
    return _together(chunks, account, name)


@dataclass(frozen=True)
class Passed:
    """K rows of relevance for N images.

    Attributes:
        rows: K times name -> (N, …), of the layers asked for and of "input". scores: the K explained; none where relevance began with a
            tensor.
        output: (N, …). activations: name -> (N, …), of the layers asked for.
        conservation: the account of the one row; None for several.
    """

    rows: tuple[dict[str, Tensor], ...]
    scores: tuple[Score, ...]
    output: Tensor
    activations: dict[str, Tensor]
    conservation: Conservation | None

    def row(self, k: int, provenance: Provenance, target: Any = None, **call: Any) -> Attribution:
        """One row as a result. ``target``, ``call``: what was asked, as it came."""
        relevance, score = self.rows[k], self.scores[k] if self.scores else None
        layers = {name: relevance[name] for name in self.activations}
        return Attribution(
            provenance.asked(target=said(target, score), **call),
            relevance["input"],
            None if score is None else score.classes,
            self.output,
            layers,
            self.activations,
            self.conservation,
        )


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What some of the images gave."""

    relevance: dict[str, Tensor]
    activations: dict[str, Tensor]
    output: Tensor
    begun: Begun
    finite: Tensor


_KEPT = 10 * 2**20
"""Bytes of the largest value with which the memory of a pass stays with the process. glibc gives back what is free at its end when that
exceeds twice the largest piece it had, and takes larger ones than 32 MiB from the system each time, page by page."""
_FEWEST = 6


def images_at_once(propagator: Propagator, x: Tensor, batch: int) -> int:
    """Images at once: `batch`, or on a CPU so few that the largest value is memory that is kept. New pages took an eighth of the time of
    16 images of a ResNet-50, and half of them take half of the memory."""
    if x.device.type != "cpu":
        return batch
    largest = max(
        prod(size or 1 for size in operation.shape[1:]) for operation in propagator.graph.operations if operation.shape
    )
    fit = max(_FEWEST, _KEPT // max(1, largest * x.element_size()))
    count = min(batch, len(x))
    # Parts of equal size: a small last one would leave the kernels idle.
    return -(-count // -(-count // fit)) if count > fit else batch


def _parts(count: int, batch: int) -> list[slice]:
    return [slice(first, first + batch) for first in range(0, count, batch)]


def _together(chunks: Sequence[_Chunk], account: Account | None, name: str) -> Passed:
    """All images, in float32. What Python must know of them is read at once, at the end: each number by itself would wait for the device.

    Raises:
        GraphError: relevance is not finite.
    """
    first = chunks[0]
    rows = tuple(
        {name: torch.cat([chunk.relevance[name][k] for chunk in chunks]) for name in first.relevance}
        for k in range(len(first.relevance["input"]))
    )
    activations = {name: torch.cat([chunk.activations[name] for chunk in chunks]) for name in first.activations}
    scores = tuple(map(together, zip(*(chunk.begun.scores for chunk in chunks), strict=True)))
    finite = torch.stack([chunk.finite for chunk in chunks]).all()
    conservation = None
    if account is None:
        good = bool(finite)
    else:
        begun = _total([chunk.begun.relevance for chunk in chunks])
        explained = [chunk.begun.explained for chunk in chunks if chunk.begun.explained is not None]
        note = scores[0].note if scores and explained else ""
        score = _total(explained) if explained else None
        good, conservation = account.close(finite, begun, rows[0]["input"].sum(), score, note)
    if not good:
        raise GraphError(
            f"the relevance of {name} is NaN or infinite: a step divides by what is nothing for these images; model.check() tries "
            "every step, and another composite may pass it"
        )
    return Passed(
        tuple({name: tensor.float() for name, tensor in row.items()} for row in rows),
        scores,
        torch.cat([chunk.output for chunk in chunks]).float(),
        {name: tensor.float() for name, tensor in activations.items()},
        conservation,
    )


def _total(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.sum() for part in parts]).sum()
