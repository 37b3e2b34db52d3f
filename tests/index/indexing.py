"""What the tests of the index share: small data sets, and a table made slowly, from the definition."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from xaiwidgets.crp import CRP
from xaiwidgets.lrp import LRP


class Pictures(Dataset[Any]):
    """Random images 3×16×16 with a label each; `labels` may hold anything, None gives images alone."""

    def __init__(self, length: int, labels: Any = "class", seed: int = 0, classes: int = 5) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.images = torch.randn(length, 3, 16, 16, generator=generator)
        self.labels = [k * 7 % classes for k in range(length)] if isinstance(labels, str) else labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.images[index] if self.labels is None else (self.images[index], self.labels[index])


Entry = tuple[float, int, int, int]
"""Score, sample, class, flat position."""


def scored(
    crp: CRP, images: Tensor, classes: list[tuple[int, ...]], layers: list[str], batch: int
) -> dict[tuple[str, str, str], list[list[Entry]]]:
    """For each layer, by and pool: the entries of every unit, one an explanation, in no order. One explanation at a time, by LRP."""
    found: dict[tuple[str, str, str], list[list[Entry]]] = {}
    lrp = LRP(crp.model, crp.composite, start=crp.start)
    for first in range(0, len(images), batch):
        part = slice(first, first + batch)
        for place in range(max(map(len, classes[part]))):
            target = [own[place] if place < len(own) else 0 for own in classes[part]]
            result = lrp(images[part], target, layers=layers)
            for layer in layers:
                for by, values in (("relevance", result.layers[layer]), ("activation", result.activations[layer])):
                    flat = values.flatten(2) if values.ndim > 2 else values[..., None]
                    total = values.sum((2, 3)) if values.ndim > 2 else values
                    for pool, scores in (("sum", total), ("max", flat.amax(2))):
                        rows = found.setdefault((layer, by, pool), [[] for _ in range(values.shape[1])])
                        for image, own in enumerate(classes[part]):
                            if place < len(own):
                                for unit, row in enumerate(rows):
                                    neuron = int(flat[image, unit].argmax())
                                    row.append((float(scores[image, unit]), first + image, own[place], neuron))
    return found


def best(entries: list[Entry], n: int) -> list[Entry]:
    """The first n by falling score, then sample, then class."""
    return sorted(entries, key=lambda entry: (-entry[0], entry[1], entry[2]))[:n]


def once(entries: list[Entry]) -> list[Entry]:
    """Of each sample the entry of its first class."""
    kept: dict[int, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry[2]):
        kept.setdefault(entry[1], entry)
    return list(kept.values())


def by_class(entries: list[Entry]) -> dict[int, list[Entry]]:
    groups: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry[2]].append(entry)
    return groups


def contents(path: Path) -> dict[str, bytes]:
    """The finished tables, byte for byte."""
    return {file.name: file.read_bytes() for file in (path / "shards").iterdir()}
