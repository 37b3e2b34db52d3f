"""Tables of the best explanations of every concept, and how tables merge.

An *explanation* is one (sample, class) pair. All concepts of all layers lie on one axis of U units. A table holds, for each of
relevance and activation, pooled by sum and by max, ``f"{by}.{pool}."`` followed by

    scores, samples, targets, positions                              (U, n)  the best n explanations of each unit, whatever their class
    class_scores, class_samples, class_targets, class_positions      (U, E)  the best E of each unit with at most so many of a class,
                                                                             by sample, then by class

and ``classes`` (C,) with ``counts`` (C,), explanations a class.

E is bounded whatever the number of classes: a concept keeps the classes that use it, and how many of them depends on how its best
explanations spread over them. Scores are float32, as they were computed; samples, classes and positions take one, two or four bytes
each, whichever they fit (`narrow`).

The order is total: the higher score first, then the lower sample, then the lower class. So a table over some samples is one
thing only, and merging tables of neighbouring samples is associative: any way of cutting the samples gives the same bits. For the
class entries that is so as an explanation's rank among its class, and its rank among those that lead their classes, can only fall
when samples are added: what belongs to the whole table belongs to every part's that holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "ENTRY",
    "KINDS",
    "POOLS",
    "Layout",
    "Part",
    "Scores",
    "Table",
    "in_memory",
    "merge",
    "narrow",
    "tables",
    "wide",
]

KINDS = ("relevance", "activation")
POOLS = ("sum", "max")
ENTRY = ("scores", "samples", "targets", "positions")
Table = dict[str, Tensor]
Part = Callable[[str, slice], Tensor]
"""Reads rows of one tensor of a table, from memory or from a file."""
_ENTRIES = 2**22
"""Entries sorted at once: bounds what a merge needs beside its result."""


def tables() -> list[str]:
    """Prefixes of the tensors: "relevance.sum", "relevance.max", …"""
    return [f"{by}.{pool}" for by in KINDS for pool in POOLS]


@dataclass(frozen=True)
class Layout:
    """What tables are cut to, and how far their whole numbers go.

    Attributes:
        units: U, of all layers together.
        top: explanations kept of each unit. class_top: of each unit and class. entries: of each unit, all classes together.
        samples, classes, positions: bounds, exclusive.
    """

    units: int
    top: int
    class_top: int
    entries: int
    samples: int
    classes: int
    positions: int

    @property
    def entry_bytes(self) -> int:
        """Bytes of one explanation of one unit in one table."""
        whole = (self.samples, self.classes, self.positions)
        return torch.float32.itemsize + sum(_width(bound).itemsize for bound in whole)

    @property
    def most_bytes(self) -> int:
        """Bytes that the tables of any number of samples take at most, but for the header and the list of classes."""
        return len(tables()) * self.units * (self.top + self.entries) * self.entry_bytes

    def bound(self, key: str) -> int:
        """The bound of "samples", "class_targets", …"""
        bounds = {"samples": self.samples, "targets": self.classes, "positions": self.positions}
        return bounds[key.removeprefix("class_")]


@dataclass(frozen=True)
class Scores:
    """Pooled scores of n explanations, in the order of sample, then class.

    `samples`, `targets` (n,); `first` (n,) whether it is the sample's first class; `values` (n, U) of each of `tables()`;
    `positions` (n, U) of the strongest neuron, by "relevance" and "activation".
    """

    samples: Tensor
    targets: Tensor
    first: Tensor
    values: Mapping[str, Tensor]
    positions: Mapping[str, Tensor]

    def table(self) -> Table:
        """As a table that is neither sorted nor cut nor narrow: what `merge` takes."""
        classes, counts = torch.unique(self.targets, return_counts=True)
        table = {"classes": classes.int(), "counts": counts}
        for name in tables():
            by = name.split(".")[0]
            # −0.0 would sort below 0.0, though they are equal.
            values, positions = self.values[name].T + 0.0, self.positions[by].T.int()
            samples, targets = self.samples.int().expand_as(values), self.targets.int().expand_as(values)
            entries = {"scores": values, "samples": samples, "targets": targets, "positions": positions}
            table |= {f"{name}.class_{key}": tensor for key, tensor in entries.items()}
            # Activation knows no class: a sample with several labels counts once.
            once = slice(None) if by == "relevance" else self.first
            table |= {f"{name}.{key}": tensor[:, once] for key, tensor in entries.items()}
        return table


def in_memory(table: Mapping[str, Tensor]) -> Part:
    """A table in memory as a part to merge."""
    return lambda name, rows: table[name][rows]


# -- whole numbers in as few bytes as they fit ---------------------------------------------------------------------------------


def _width(bound: int) -> torch.dtype:
    return torch.uint8 if bound <= 2**8 else torch.int16 if bound <= 2**16 else torch.int32


def narrow(values: Tensor, bound: int) -> Tensor:
    """Whole numbers from 0 to below `bound` in one, two or four bytes each: two as the bits of an int16, which every torch can slice.

    Raises:
        ValueError: a number that does not fit.
    """
    if values.numel() and (int(values.min()) < 0 or int(values.max()) >= max(bound, 1)):
        raise ValueError(f"an index holds whole numbers from 0 to {bound - 1} here; {int(values.max())} came")
    return values.to(_width(bound))


def wide(values: Tensor) -> Tensor:
    """What `narrow` was given, as int64."""
    return values.long() & 0xFFFF if values.dtype == torch.int16 else values.long()


# -- merging ---------------------------------------------------------------------------------------------------------------


def merge(parts: Sequence[Part], layout: Layout) -> Table:
    """One table of several over ranges of samples that follow each other, in that order."""
    everything = slice(None)
    classes, where = torch.cat([part("classes", everything) for part in parts]).unique(return_inverse=True)
    counts = torch.zeros(len(classes), dtype=torch.long)
    counts.index_add_(0, where, torch.cat([part("counts", everything) for part in parts]))
    result: Table = {"classes": classes, "counts": counts}
    # How many entries a unit keeps is the same for all units.
    kept = min(int(counts.clamp(max=layout.class_top).sum()), layout.entries)
    crowded = bool((counts > layout.class_top).any())
    for name in tables():
        result |= _merge_one(name, parts, layout, (kept, crowded))
    return result


def _merge_one(name: str, parts: Sequence[Part], layout: Layout, cut: tuple[int, bool]) -> Table:
    blocks: list[dict[str, Any]] = []
    length = sum(part(f"{name}.class_scores", slice(0, 1)).shape[1] for part in parts)
    step = max(1, _ENTRIES // max(1, length))
    for start in range(0, layout.units, step):
        rows = slice(start, min(start + step, layout.units))

        def read(key: str, rows: slice = rows) -> Tensor:
            found = torch.cat([part(f"{name}.{key}", rows) for part in parts], 1)
            return found if key.endswith("scores") else wide(found)

        scores = read("scores")
        best = scores.sort(dim=1, descending=True, stable=True).indices[:, : layout.top]
        block = _taken(read, "", scores, best, layout)
        scores = read("class_scores")
        best = _best_of_classes(scores, read("class_targets"), layout.class_top, *cut)
        blocks.append(block | _taken(read, "class_", scores, best, layout))
    return {f"{name}.{key}": torch.cat([block[key] for block in blocks]) for key in blocks[0]}


def _taken(read: Callable[[str], Tensor], kind: str, scores: Tensor, where: Tensor, layout: Layout) -> Table:
    """The columns `where` (B, n) of a block's entries, narrow."""
    keys = [f"{kind}{key}" for key in ("samples", "targets", "positions")]
    taken = {key: narrow(read(key).gather(1, where), layout.bound(key)) for key in keys}
    return {f"{kind}scores": scores.gather(1, where)} | taken


def _best_of_classes(scores: Tensor, targets: Tensor, class_top: int, kept: int, crowded: bool) -> Tensor:
    """Columns (B, kept) of the best entries of each row with at most `class_top` of a class, in the order in which they come.

    crowded: whether a class has more than `class_top` entries in any row.
    """
    count = scores.shape[1]
    if crowded:
        order = _by_class(scores, targets)
        sorted_ = targets.gather(1, order)
        begins = torch.ones_like(sorted_, dtype=torch.bool)
        begins[:, 1:] = sorted_[:, 1:] != sorted_[:, :-1]
        place = torch.arange(count).expand_as(order)
        rank = place - torch.where(begins, place, 0).cummax(1).values
        leads = torch.empty_like(begins).scatter_(1, order, rank < class_top)
        scores = torch.where(leads, scores, -torch.inf)
    elif count == kept:
        return torch.arange(count).expand_as(scores)
    best = scores.sort(dim=1, descending=True, stable=True).indices[:, :kept]
    return best.sort(dim=1).values


def _by_class(scores: Tensor, targets: Tensor) -> Tensor:
    """Order of each row's entries by class, then by falling score, then as they come; in one sort of whole numbers."""
    bits = scores.contiguous().view(torch.int32)
    # The bits of a float are in order for positive numbers and in reverse order for negative ones.
    rising = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return ((targets << 32) - rising.long()).sort(dim=1, stable=True).indices
