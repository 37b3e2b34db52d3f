"""The reference index beside zennit-crp and beside the plain model's forward and gradient; cost and memory against the number of
images."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from tests.benchmarks.harness import compare
from tests.lrp.conftest import randomise
from xaiwidgets import CRP, ReferenceIndex, load
from xaiwidgets.demo import Shapes

COUNTS = (1_000, 10_000, 50_000)


def main() -> None:
    """Print the tables."""
    against_zennit()
    with contextlib.suppress(ImportError):
        agreement()
    growth()


def against_zennit(images: int = 96) -> None:
    """ResNet-18, all 20 convolutions, 224×224. zennit-crp is no requirement of the tests; its row is there if it is installed."""
    import torchvision

    module = randomise(torchvision.models.resnet18(weights=None))
    x = torch.randn(images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(images) % 10
    layers = [name for name, part in module.named_modules() if isinstance(part, nn.Conv2d)]
    crp = CRP(module)

    def build(**options: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ReferenceIndex.build(crp, TensorDataset(x, labels), folder, layers, progress=False, **options)

    contestants: dict[str, Callable[[], Any]] = {
        "forward + gradient": lambda: [gradient(module, part) for part in x.split(16)],
        "ReferenceIndex": build,
    }
    with contextlib.suppress(ImportError):
        contestants = {"zennit-crp": zennit(module, x, labels, layers), **contestants}
    comparison = compare(f"ResNet-18, {len(layers)} layers, {images} images", contestants, repeats=3)
    base = next(iter(contestants))
    print(comparison.table(base))
    for name, timing in comparison.timings.items():
        print(f"{name}: {images / timing.median:.1f} images/s", end="; ")
    print(f"the index runs at {comparison.ratio('forward + gradient', 'ReferenceIndex'):.0%} of forward + gradient.\n")


def gradient(module: nn.Module, x: Tensor) -> Tensor:
    """The plain model's forward pass and gradient by the pixels."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(module(leaf)[:, 0].sum(), leaf)[0]


def agreement(images: int = 96) -> None:
    """The same samples, in the same order, as zennit-crp's, on ResNet-18; concepts without any relevance or activation left out."""
    import torchvision

    module = randomise(torchvision.models.resnet18(weights=None))
    x = torch.randn(images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(images) % 4
    layers = [name for name, part in module.named_modules() if isinstance(part, nn.Conv2d)]
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        index = ReferenceIndex.build(CRP(module), TensorDataset(x, labels), ours, layers, progress=False)
        zennit(module, x, labels, layers, folder=theirs, abs_norm=False)()
        for by, kind in (("relevance", "RelMax"), ("activation", "ActMax")):
            same, positions, errors = [], [], []
            for layer in layers:
                read = functools.partial(_table, Path(theirs) / f"{kind}_sum_unnormed" / layer)
                samples, scores, neurons = read("data"), read("rel"), read("rf")
                for unit in (scores != 0).any(0).nonzero()[:, 0].tolist():
                    found = index.top(layer, unit, 40, by)
                    equal = found.samples == samples[:, unit]
                    same += equal.tolist()
                    width = index.request["layers"][index.layers.index(layer)]["space"][-1]
                    flat = found.positions[:, 0] * width + found.positions[:, 1]
                    positions += (flat == neurons[:, unit])[equal].tolist()
                    errors.append(float((found.scores - scores[:, unit]).abs().max() / scores.abs().max()))
            print(
                f"{kind} against zennit-crp: {sum(same) / len(same):.2%} the same sample at the same rank, of those "
                f"{sum(positions) / len(positions):.2%} the same neuron; scores differ by at most {max(errors):.1e} of the layer's largest."
            )


def _table(stem: Path, kind: str) -> Tensor:
    return torch.from_numpy(np.load(stem.with_name(f"{stem.name}_{kind}.npy")))


def zennit(
    module: nn.Module, x: Tensor, labels: Tensor, layers: list[str], *, folder: str | None = None, abs_norm: bool = True
) -> Callable[[], None]:
    """zennit-crp's run over the same images: relevance and activation, sum, with class statistics."""
    from crp.attribution import CondAttribution
    from crp.concepts import ChannelConcept
    from crp.visualization import FeatureVisualization
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer

    attribution = CondAttribution(copy.deepcopy(module))
    concepts = {name: ChannelConcept() for name in layers}
    data = [(image, int(label)) for image, label in zip(x, labels, strict=True)]

    def work() -> None:
        with tempfile.TemporaryDirectory() as own, silent():
            visualization = FeatureVisualization(attribution, data, concepts, path=folder or own, abs_norm=abs_norm)
            visualization.run(EpsilonPlusFlat(canonizers=[ResNetCanonizer()]), 0, len(data))

    return work


@contextlib.contextmanager
def silent() -> Any:
    """Without what a library prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def growth() -> None:
    """Seconds and peak memory of a build over ever more demo images, each in a process of its own, one thread."""
    print("| demo images | s | images/s | peak MiB of the process |\n|---|---|---|---|")
    for count in COUNTS:
        command = [sys.executable, "-m", "tests.benchmarks.index", str(count)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
        seconds, peak = float(found[0]), float(found[1])
        print(f"| {count} | {seconds:.0f} | {count / seconds:.0f} | {peak:.0f} |", flush=True)


def one(count: int) -> None:
    """Build over `count` demo images; print seconds and peak memory."""
    crp = CRP(load("demo:shapes-cnn"))
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        ReferenceIndex.build(crp, Shapes(count), Path(folder), progress=False)
        print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)


if __name__ == "__main__":
    one(int(sys.argv[1]))
