"""Questions to the tables of a finished index, of this version's files and of those before."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from xaiwidgets.index.topk import ENTRY, Part, Table, wide

__all__ = ["FORMATS", "Tables"]

FORMATS = (1, 2)
"""That can be read. In format 1 the class entries of all units were of the same classes, which stood apart, as "labels"."""


class Tables:
    """The tables of one file, read row by row from the map.

    Args:
        read: of the file, as :meth:`xaiwidgets.storage.Folder.read` gives. version: of its format.
    """

    def __init__(self, read: Part, version: int) -> None:
        self._read, self._version = read, version

    @cached_property
    def counts(self) -> dict[int, int]:
        """class -> how many explanations of it there were."""
        pairs = (self._read(key, slice(None)).tolist() for key in ("classes", "counts"))
        return dict(zip(*pairs, strict=True))

    def best(self, prefix: str, unit: int, n: int) -> Table:
        """The best n explanations of a unit: each of `ENTRY` (n,), whole numbers as int64."""
        return {key: self._entries(f"{prefix}.{key}", unit)[:n].clone() for key in ENTRY}

    def of_class(self, prefix: str, unit: int, number: int, n: int) -> Table:
        """The same of one class: those that are kept of it."""
        own = (self._entries(f"{prefix}.class_targets", unit) == number).nonzero()[:, 0]
        order = own[self._entries(f"{prefix}.class_scores", unit)[own].sort(descending=True, stable=True).indices[:n]]
        return {key: self._entries(f"{prefix}.class_{key}", unit)[order] for key in ENTRY}

    def by_class(self, prefix: str, unit: int) -> tuple[dict[int, Tensor], float]:
        """class -> the scores that are kept of it, best first; and the least of all kept, which what was not kept does not exceed."""
        scores, targets = (self._entries(f"{prefix}.class_{key}", unit) for key in ("scores", "targets"))
        order = scores.sort(descending=True, stable=True).indices
        order = order[targets[order].sort(stable=True).indices]
        present, lengths = torch.unique_consecutive(targets[order], return_counts=True)
        groups = zip(present.tolist(), scores[order].double().split(lengths.tolist()), strict=True)
        return dict(groups), float(scores.min()) if len(scores) else 0.0

    def _entries(self, name: str, unit: int) -> Tensor:
        if self._version == 1 and name.endswith(".class_targets"):
            return self._read("labels", slice(None)).long()
        found = self._read(name, slice(unit, unit + 1))[0]
        return found if name.endswith("scores") else wide(found)
