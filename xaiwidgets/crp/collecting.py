"""Many conditions on many images, carried down in batches and put into the order in which they were asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.crp.requests import Request, carry
from xaiwidgets.crp.results import ConceptAttribution, Row
from xaiwidgets.crp.starts import Begin, named
from xaiwidgets.devices import sent, taken
from xaiwidgets.results import Provenance

__all__ = ["batches", "collect"]


def batches(count: int, batch: int, requests: Sequence[Request] | None = None) -> Iterator[list[int]]:
    """Numbers of images to take at once; with one request an image, only those that restrict the same layers together."""
    groups: dict[Any, list[int]] = {}
    for image in range(count):
        kind = None if requests is None else (frozenset(requests[image].weights), requests[image].classes is None)
        groups.setdefault(kind, []).append(image)
    for members in groups.values():
        for first in range(0, len(members), batch):
            yield members[first : first + batch]


def collect(
    x: Tensor,
    known: ConceptLayers,
    requests: Sequence[Request],
    begin: Begin,
    *,
    origin: str,
    layers: Sequence[str],
    exclude_parallel: bool,
    paired: bool,
    batch: int,
    chunk: int,
    provenance: Provenance,
) -> ConceptAttribution:
    """All requests on all images x (N, C, H, W), or with `paired` request i on image i alone.

    One forward pass a batch of images; the way down to the first condition once for all requests that start alike.
    """
    count = 1 if paired else len(requests)
    targets: list[list[Any]] = [[None] * count for _ in x]
    relevance: dict[str, _Table] = {name: _Table(len(x), count) for name in [*layers, "input"]}
    values: dict[str, _Table] = {name: _Table(len(x), 1) for name in [*layers, "output"]}
    for images in batches(len(x), batch, requests if paired else None):
        record = known.propagator.record(taken(x, images), keep=[*layers, origin], memory=not paired)
        for rows in [[0]] if paired else _starting_alike(requests):
            part = [requests[i] for i in (images if paired else rows)]
            classes = [(part[i] if paired else part[0]).classes for i in range(len(images))]
            start, begun = begin(record, images, classes)
            found = carry(
                known, record, part, {origin: start}, [*relevance],
                paired=paired, exclude_parallel=exclude_parallel, chunk=chunk,
            )  # fmt: skip
            for name, tensor in found.items():
                relevance[name].put(images, rows, tensor)
            for image, entry in zip(images, named(begun), strict=True):
                for row in rows:
                    targets[image][row] = entry
        for name, table in values.items():
            table.put(images, [0], record.values[known.propagator.index(name)][None])
    rows_of = tuple(
        Row(i, targets[i][k], requests[i if paired else k].given) for i in range(len(x)) for k in range(count)
    )
    single = [row.target for row in rows_of if isinstance(row.target, int)]
    return ConceptAttribution(
        provenance,
        relevance.pop("input").rows,
        sent(single, x.device) if len(single) == len(rows_of) else None,
        values.pop("output").rows,
        {name: table.rows for name, table in relevance.items()},
        {name: table.rows for name, table in values.items()},
        rows=rows_of,
    )


class _Table:
    """Values (images, K, …) that come in parts."""

    def __init__(self, images: int, count: int) -> None:
        self.size = (images, count)
        self.values: Tensor | None = None

    def put(self, images: Sequence[int], rows: Sequence[int], part: Tensor) -> None:
        """Rows (K, N, …) of some images; windows of an image get an axis of their own."""
        part = (part if part.shape[1] == len(images) else part.unflatten(1, (len(images), -1))).transpose(0, 1).float()
        if self.values is None:
            self.values = part.new_zeros(*self.size, *part.shape[2:])
        place, row = (sent(list(numbers), part.device) for numbers in (images, rows))
        self.values[place[:, None], row] = part

    @property
    def rows(self) -> Tensor:
        """(images · K, …), image by image."""
        assert self.values is not None
        return self.values.flatten(0, 1)


def _starting_alike(requests: Sequence[Request]) -> list[list[int]]:
    """Numbers of the requests, those together that name the same classes."""
    groups: dict[Any, list[int]] = {}
    for row, request in enumerate(requests):
        groups.setdefault(request.classes, []).append(row)
    return list(groups.values())
