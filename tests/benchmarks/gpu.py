"""Every method on an accelerator: the same numbers as on the CPU, images a second, peak memory, and how often it waits for the device.

``python -m tests.benchmarks gpu`` takes less than ten minutes and runs on the CPU where there is no accelerator; ``--small`` takes
a tiny model, as the tests do. Waits are counted by torch's own watch over synchronising calls, which only CUDA has.
"""

from __future__ import annotations

import copy
import gc
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.lrp import gradient
from tests.lrp.conftest import randomise
from xaiwidgets import CRP, LRP, RELAX, RISE, AbsLRP, GradientXInput, ImageModel, load, pixel_flipping
from xaiwidgets.baselines import GradCAM
from xaiwidgets.evaluate import gae

SECONDS = 1.0
"""A row is repeated for so long."""
EXACT, ROUNDED = 2e-3, 0.3
"""Relative errors to the CPU that a row may have: in float32, and where factors are rounded to 10 or 7 bits behind the point."""
_HANDFUL = 8
Run = Callable[[Tensor], Tensor]
Count = Callable[[Callable[[], Any]], int]


@dataclass(frozen=True)
class Work:
    """One thing to do for images (N, C, H, W): at most so many at once, and the same on less, for the sake of the CPU beside which it is
    held. ``bound``: on the relative error."""

    run: Run
    most: int
    check: Run
    bound: float = EXACT


@dataclass(frozen=True)
class Line:
    """One row: the work, its model, images a second, peak GiB (weights and all) and waits a call where they can be known, the relative
    error to the same on the CPU and what it may be, and the correlation of maps."""

    work: str
    model: str
    images: int
    images_per_second: float
    gib: float | None
    waits: int | None
    error: float
    correlation: float | None
    bound: float

    def __str__(self) -> str:
        memory = "–" if self.gib is None else f"{self.gib:.2f}"
        waits = "–" if self.waits is None else str(self.waits)
        return (
            f"| {self.work} | {self.model} × {self.images} | {self.images_per_second:.4g} | {memory} | {waits} | {self.error:.1e} | "
            f"{'–' if self.correlation is None else format(self.correlation, '.5f')} |"
        )


def main(*, small: bool = False) -> None:
    """Print the table."""
    begin = time.perf_counter()
    cuda = torch.cuda.is_available()
    if cuda:
        card = torch.cuda.get_device_properties(0)
        print(
            f"{card.name}, {card.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}. float32 without TF32 unless said.\n"
        )
    else:
        print("No accelerator: this is the CPU beside itself.\n")
    print("| | model × images | images/s | peak GiB | waits a call | error to the CPU | correlation |")
    print("|---|---|---|---|---|---|---|")
    for line in lines(torch.device("cuda" if cuda else "cpu"), waits_in if cuda else None, small=small):
        print(line, flush=True)
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


def lines(device: torch.device, count: Count | None = None, *, small: bool = False) -> Iterator[Line]:
    """The rows, one after the other. ``count``: tells how often a call waits for the device."""
    for name, module, size, images, layer in models(small=small):
        here = ImageModel(module, input_size=size, name=name)
        there = ImageModel(copy.deepcopy(module).to(device), input_size=size, name=name)
        x = torch.randn(images, 3, size, size, generator=torch.Generator().manual_seed(0))
        each, answers = works(name, layer, small=small), dict[str, Tensor]()
        # Few images are enough to tell an error; all would keep the CPU busy for minutes.
        few = x[:2]
        for title, make in each.items():
            # Rounded factors would hide errors.
            with tf32(allowed=False):
                # What is rounded is held against the same in float32.
                exact = title.removesuffix(", TF32").removesuffix(", bfloat16")
                if exact not in answers:
                    answers[exact] = each[exact](here).check(few)
                work = make(there)
                part = x[: work.most].to(device)
                expected, found = answers[exact], work.check(few.to(device)).cpu()
                error = float((found - expected).norm() / expected.norm())
                alike = correlation(found, expected)
                line = Line(title, name, len(part), 0.0, None, None, error, alike, work.bound)
                yield measured(line, partial(work.run, part), device, count, 0.0 if small else SECONDS)
            # The next row's memory is its own.
            del work
            gc.collect()


def correlation(found: Tensor, expected: Tensor) -> float | None:
    """Of maps; of a handful of numbers none."""
    if found.numel() < _HANDFUL:
        return None
    return float(torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))[0, 1])


def models(*, small: bool = False) -> Iterator[tuple[str, nn.Module, int, int, str]]:
    """Name, module, side of its images, images at once, and a layer whose concepts are asked for."""
    if small:
        yield "shapes-cnn", load("demo:shapes-cnn", device="cpu").module, 64, 4, "features.conv5"
        return
    import timm
    import torchvision

    yield "resnet50", randomise(torchvision.models.resnet50(weights=None)), 224, 64, "layer4.1.conv2"
    yield "vgg16", randomise(torchvision.models.vgg16(weights=None)), 224, 32, "features.28"
    vit = timm.create_model("vit_small_patch16_224", pretrained=False)
    yield "vit_small_patch16_224", randomise(vit), 224, 64, "blocks.10.mlp.fc1"
    yield "convnext_tiny", randomise(torchvision.models.convnext_tiny(weights=None)), 224, 32, "features.7.1.block.3"


def works(name: str, layer: str, *, small: bool = False) -> dict[str, Callable[[ImageModel], Work]]:
    """What to run of a model; each is made when its turn comes, so that it holds no memory before."""
    masks, many, few = (128, 4, 2) if small else (1024, 1024, 4)
    composite = "attn_lrp" if name.startswith("vit") else "epsilon_plus_flat"

    def targets(x: Tensor) -> list[int]:
        return [index % 3 for index in range(len(x))]

    def mapped(explain: Any, bound: float = EXACT) -> Work:
        def run(x: Tensor) -> Tensor:
            return explain(x, targets(x)).heatmap

        return Work(run, many, run, bound)

    def lrp(model: ImageModel, precision: str = "float32") -> LRP:
        return LRP(model, composite, batch=64, precision=precision)

    def fast(model: ImageModel) -> Work:
        explain = mapped(lrp(model), ROUNDED).run

        def run(x: Tensor) -> Tensor:
            with tf32(allowed=True):
                return explain(x)

        return Work(run, many, run, ROUNDED)

    def crp(model: ImageModel) -> Work:
        ask = CRP(model, composite)
        run = lambda x: ask(x[:1], 0, layer=layer, concepts=range(8)).heatmap  # noqa: E731
        return Work(run, 1, run)

    def masked(kind: Any, model: ImageModel, precision: str = "float32") -> Work:
        explain = kind(model, n_masks=masks, precision=precision)

        def run(x: Tensor, n_masks: int | None = None) -> Tensor:
            asked = (x[:few], targets(x[:few]))
            *_, last = explain.stream(*asked, n_masks=n_masks)
            return last.importance

        return Work(run, few, lambda x: run(x[:1], 128), EXACT if precision == "float32" else ROUNDED)

    def flipped(model: ImageModel) -> Work:
        def run(x: Tensor) -> Tensor:
            options: dict[str, Any] = {"patch": x.shape[-1] // 8, "random": 1, "progress": False, "target": targets(x)}
            return pixel_flipping(model, x, {"energy": x.square().sum(1)}, **options).scores["energy"]

        return Work(run, 16, lambda x: run(x[:2]))

    def judged(model: ImageModel) -> Work:
        explain = lrp(model)
        run = lambda x: gae(model, x, {"LRP": explain}, steps=3, progress=False).faithfulness["LRP"].float()  # noqa: E731
        # One number a mosaic, of signs of differences: maps that differ in the last digit may turn one.
        return Work(run, 16, lambda x: run(torch.cat([x, x.flip(0)])), ROUNDED)

    def plain(model: ImageModel) -> Work:
        run = lambda x: gradient(model.module, x)()  # noqa: E731
        return Work(run, many, run)

    return {
        "forward + gradient": plain,
        "LRP": lambda model: mapped(lrp(model)),
        "LRP, TF32": fast,
        "LRP, bfloat16": lambda model: mapped(lrp(model, "bfloat16"), ROUNDED),
        "absLRP": lambda model: mapped(AbsLRP(model)),
        "CRP, 8 concepts": crp,
        "Grad-CAM": lambda model: mapped(GradCAM(model)),
        "gradient × input": lambda model: mapped(GradientXInput(model)),
        f"RELAX, {masks} masks": lambda model: masked(RELAX, model),
        f"RELAX, {masks} masks, bfloat16": lambda model: masked(RELAX, model, "bfloat16"),
        f"RISE, {masks} masks": lambda model: masked(RISE, model),
        "pixel flipping": flipped,
        "GAE": judged,
    }


def measured(line: Line, run: Callable[[], Any], device: torch.device, count: Count | None, seconds: float) -> Line:
    """The row with its figures: once to warm up, once under watch, then repeated for so many seconds, once at least."""
    cuda = device.type == "cuda"
    run()
    waits = None if count is None else count(run)
    _settle(device)
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    begin, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - begin < seconds:
        run()
        _settle(device)
        calls += 1
    rate = calls * line.images / (time.perf_counter() - begin)
    gib = torch.cuda.max_memory_allocated() / 2**30 if cuda else None
    return replace(line, images_per_second=rate, gib=gib, waits=waits)


def waits_in(run: Callable[[], Any]) -> int:
    """How often one call waits for the device."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as said:
        # Setting the mode warns by itself that not everything is seen.
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            run()
        finally:
            torch.cuda.set_sync_debug_mode(before)
    return sum("called a synchronizing" in str(entry.message) for entry in said)


@contextmanager
def tf32(*, allowed: bool) -> Iterator[None]:
    """Whether products and convolutions of float32 may round their factors to TF32; afterwards as it was."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
