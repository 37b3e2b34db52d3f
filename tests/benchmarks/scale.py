"""What large data sets cost: an index of 50 000 images in 1000 classes, with scores drawn at random; and a million images on paper.

The size of an index depends on the number of concepts, not on what they say, so it is filled without a model, a hundredth of ResNet-18's
concepts at a time; all take the same. Rates of methods are measured on a few images, and a million of them reckoned from that.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.index.test_size import CLASSES, IMAGES, RESNET18, RESNET50, SHARD, UNITS, drawn, request
from tests.lrp.conftest import randomise
from xaiwidgets import CRP, LRP, RELAX, ImageModel, ReferenceIndex, pixel_flipping
from xaiwidgets.index.request import layout_of
from xaiwidgets.index.topk import Layout, in_memory, merge
from xaiwidgets.storage import packed

MILLION = 1_000_000


def main(*, images: int = 16) -> None:
    """Print the tables."""
    index()
    million(images)


def index() -> None:
    """Bytes and seconds of merging."""
    print(f"An index of {IMAGES} images in {CLASSES} classes, 40 of each concept and at most 10 of a class:\n")
    print("| concepts | class entries of each | MB | seconds of merging |\n|---|---|---|---|")
    for name, units in (("ResNet-18", RESNET18), ("ResNet-50", RESNET50)):
        layout = layout_of(request(units))
        few = Layout(UNITS, layout.top, layout.class_top, layout.entries, IMAGES, CLASSES, layout.positions)
        tables = [drawn(first, min(first + SHARD, IMAGES)) for first in range(0, IMAGES, SHARD)]
        begin = time.perf_counter()
        parts = [merge([in_memory(table)], few) for table in tables]
        while len(parts) > 1:
            parts = [merge([in_memory(part) for part in parts[k : k + 8]], few) for k in range(0, len(parts), 8)]
        seconds, size = time.perf_counter() - begin, len(packed(parts[0]))
        share = units / UNITS
        print(f"| {name}, {units} | {layout.entries} | {size * share / 1e6:.0f} | {seconds * share:.0f} |", flush=True)
    print()


def million(images: int) -> None:
    """Rates on ResNet-18 with images of 224×224, and the hours that a million take at that rate."""
    import torchvision

    torch.manual_seed(0)
    model = ImageModel(randomise(torchvision.models.resnet18(weights=None)))
    x = torch.randn(images, 3, 224, 224)
    data = [(image, place % 10) for place, image in enumerate(x)]
    lrp, crp, relax = LRP(model), CRP(model), RELAX(model, n_masks=256)

    def build() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ReferenceIndex.build(crp, data, Path(folder), progress=False)

    options: dict[str, Any] = {"perturb": "inpaint", "random": 1, "progress": False}
    works: dict[str, tuple[Callable[[], object], int]] = {
        "LRP": (lambda: lrp(x), images),
        "reference index, all layers": (build, images),
        "RELAX, 256 balanced masks": (lambda: relax(x[:1], progress=False), 1),
        "pixel flipping of LRP, 29 steps and chance": (
            lambda: pixel_flipping(model, data[:2], {"LRP": lrp}, **options),
            2,
        ),
    }
    print("| | images/s here | hours for a million | with 64 such machines |\n|---|---|---|---|")
    for name, (work, count) in works.items():
        work()
        begin = time.perf_counter()
        work()
        rate = count / (time.perf_counter() - begin)
        hours = MILLION / rate / 3600
        print(f"| {name} | {rate:.3g} | {hours:.3g} | {hours / 64:.2g} |", flush=True)
    layers = [{"name": "all", "units": RESNET18, "space": [112, 112]}]
    large = layout_of({**request(RESNET18), "layers": layers, "dataset": {"length": MILLION}})
    print(
        f"\nAn index of a million images takes {large.most_bytes / 1e6:.0f} MB with as many entries; shards in flight are lost when a worker "
        "is killed, all else is kept.\n"
    )
