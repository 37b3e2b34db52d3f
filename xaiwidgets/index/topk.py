"""Tables of the best explanations of every concept, and how tables merge.

An *explanation* is one (sample, class) pair. All concepts of all layers lie on one axis of U units. A table holds, for each of
relevance and activation, pooled by sum and by max, ``f"{by}.{pool}."`` followed by

    scores, samples, targets, positions                (U, n)  the best n explanations of each unit, whatever their class
    class_scores, class_samples, class_positions       (U, E)  the best of each class, one class after the other

and ``labels`` (E,), the class of each of the E columns; ``classes`` (C,) with ``counts`` (C,), explanations a class.

The order is total: the higher score first, then the lower sample, then the lower class. So a table over some samples is one
thing only, and merging tables of neighbouring samples is associative: any way of cutting the samples gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["KINDS", "POOLS", "Part", "Scores", "Table", "in_memory", "merge", "tables"]

KINDS = ("relevance", "activation")
POOLS = ("sum", "max")
Table = dict[str, Tensor]
Part = Callable[[str, slice], Tensor]
"""Reads rows of one tensor of a table, from memory or from a file."""
_ENTRIES = 2**22
"""Entries sorted at once: bounds what a merge needs beside its result."""


def tables() -> list[str]:
    """Prefixes of the tensors: "relevance.sum", "relevance.max", …"""
    return [f"{by}.{pool}" for by in KINDS for pool in POOLS]


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
        """As a table that is neither sorted nor cut: what `merge` takes."""
        classes, counts = torch.unique(self.targets, return_counts=True)
        table = {"labels": self.targets.int(), "classes": classes.int(), "counts": counts}
        for name in tables():
            by = name.split(".")[0]
            # −0.0 would sort below 0.0, though they are equal.
            values, positions = self.values[name].T + 0.0, self.positions[by].T.int()
            samples, targets = self.samples.int().expand_as(values), self.targets.int().expand_as(values)
            entries = {"scores": values, "samples": samples, "positions": positions}
            table |= {f"{name}.class_{key}": tensor for key, tensor in entries.items()}
            # Activation knows no class: a sample with several labels counts once.
            once = slice(None) if by == "relevance" else self.first
            table |= {f"{name}.{key}": tensor[:, once] for key, tensor in (entries | {"targets": targets}).items()}
        return table


def in_memory(table: Mapping[str, Tensor]) -> Part:
    """A table in memory as a part to merge."""
    return lambda name, rows: table[name][rows]


def merge(parts: Sequence[Part], units: int, top: int, class_top: int) -> Table:
    """One table of several.

    Args:
        parts: tables over ranges of samples that follow each other, in that order.
        units: U, of all layers together.
        top, class_top: how many explanations to keep of each unit, and of each unit and class.
    """
    everything = slice(None)
    labels = torch.cat([part("labels", everything) for part in parts])
    classes, where = torch.cat([part("classes", everything) for part in parts]).unique(return_inverse=True)
    counts = torch.zeros(len(classes), dtype=torch.long)
    counts.index_add_(0, where, torch.cat([part("counts", everything) for part in parts]))
    columns = _kept(labels, class_top)
    result = {"labels": labels.sort(stable=True).values[columns], "classes": classes, "counts": counts}
    for name in tables():
        result |= _merge_one(name, parts, labels, columns, (units, top))
    return result


def _kept(labels: Tensor, class_top: int) -> Tensor:
    """Columns that stay when a unit's entries are sorted by class and then by score: the first of each class. The classes of all
    units' entries are the same, so these columns are too."""
    ordered = labels.sort(stable=True).values
    _, lengths = torch.unique_consecutive(ordered, return_counts=True)
    begin = (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    rank = torch.arange(len(ordered)) - begin
    return (rank < class_top).nonzero()[:, 0]


def _merge_one(name: str, parts: Sequence[Part], labels: Tensor, columns: Tensor, size: tuple[int, int]) -> Table:
    blocks: list[Table] = []
    units, top = size
    step = max(1, _ENTRIES // max(1, len(labels)))
    for start in range(0, units, step):
        rows = slice(start, min(start + step, units))

        def read(key: str, rows: slice = rows) -> Tensor:
            return torch.cat([part(f"{name}.{key}", rows) for part in parts], 1)

        scores = read("scores")
        best = scores.sort(dim=1, descending=True, stable=True).indices[:, :top]
        block = {"scores": scores.gather(1, best)}
        block |= {key: read(key).gather(1, best) for key in ("samples", "targets", "positions")}
        scores = read("class_scores")
        best = _by_class(scores, labels)[:, columns]
        block["class_scores"] = scores.gather(1, best)
        block |= {key: read(key).gather(1, best) for key in ("class_samples", "class_positions")}
        blocks.append(block)
    return {f"{name}.{key}": torch.cat([block[key] for block in blocks]) for key in blocks[0]}


def _by_class(scores: Tensor, labels: Tensor) -> Tensor:
    """Order of each row's entries by class, then by falling score, then as they come; in one sort of whole numbers."""
    bits = scores.contiguous().view(torch.int32)
    # The bits of a float are in order for positive numbers and in reverse order for negative ones.
    rising = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return ((labels.long() << 32) - rising.long()).sort(dim=1, stable=True).indices
