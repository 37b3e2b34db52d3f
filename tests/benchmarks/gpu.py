"""Every method on an accelerator: the same numbers as on the CPU, images a second, peak memory, and how often it waits for the device.

``python -m tests.benchmarks gpu`` takes less than ten minutes and runs on the CPU where there is no accelerator; ``--small`` takes
a tiny model, as the tests do. Waits are counted by torch's own watch over synchronising calls, which only CUDA has.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.lrp import gradient
from tests.lrp.conftest import randomise
from xaiwidgets import CRP, LRP, RELAX, RISE, AbsLRP, ImageModel, load, pixel_flipping
from xaiwidgets.baselines import GradCAM
from xaiwidgets.evaluate import gae

SECONDS = 2.0
"""A row is repeated for so long."""
Work = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Line:
    """One row: the work, its model, images a second, peak GiB and waits a call where there is an accelerator, and the relative error to
    the same on the CPU."""

    work: str
    model: str
    images: int
    images_per_second: float
    gib: float | None
    waits: int | None
    error: float

    def __str__(self) -> str:
        memory = "–" if self.gib is None else f"{self.gib:.2f}"
        waits = "–" if self.waits is None else str(self.waits)
        return f"| {self.work} | {self.model} × {self.images} | {self.images_per_second:.4g} | {memory} | {waits} | {self.error:.1e} |"


def main(*, small: bool = False) -> None:
    """Print the table."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # Rounded products would hide errors.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if device.type == "cpu":
        print("No accelerator: this is the CPU beside itself.\n")
    print("| | model × images | images/s | peak GiB | waits a call | error to the CPU |\n|---|---|---|---|---|---|")
    for line in lines(device, small=small):
        print(line, flush=True)


def lines(device: torch.device, *, small: bool = False) -> Iterator[Line]:
    """The rows, one after the other."""
    for name, module, size, images, layer in models(small=small):
        here = works(ImageModel(module, input_size=size, name=name), layer, small=small)
        there = works(ImageModel(copy.deepcopy(module).to(device), input_size=size, name=name), layer, small=small)
        x = torch.randn(images, 3, size, size, generator=torch.Generator().manual_seed(0))
        for work, (run, most) in there.items():
            # Few images are enough to tell an error; all would keep the CPU busy for minutes.
            few, part = x[:4], x[:most].to(device)
            expected, found = here[work][0](few), run(few.to(device)).cpu()
            line = Line(work, name, len(part), 0.0, None, None, float((found - expected).norm() / expected.norm()))
            yield measured(line, lambda run=run, part=part: run(part), device, 0.0 if small else SECONDS)  # type: ignore[misc]


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


def works(model: ImageModel, layer: str, *, small: bool = False) -> dict[str, tuple[Work, int]]:
    """What to run, images (N, C, H, W) to numbers, and on how many images at the most."""
    masks, many, few = (128, 4, 2) if small else (1024, 1024, 4)
    composite = "attn_lrp" if model.name.startswith("vit") else "epsilon_plus_flat"
    lrp, magnitude, crp = LRP(model, composite, batch=64), AbsLRP(model), CRP(model, composite)
    relax, rise, cam = RELAX(model, n_masks=masks), RISE(model, n_masks=masks), GradCAM(model)

    def targets(x: Tensor) -> list[int]:
        return [index % 3 for index in range(len(x))]

    def flipped(x: Tensor) -> Tensor:
        options: dict[str, Any] = {"patch": x.shape[-1] // 8, "random": 1, "progress": False, "target": targets(x)}
        return pixel_flipping(model, x, {"energy": x.square().sum(1)}, **options).scores["energy"]

    def judged(x: Tensor) -> Tensor:
        return gae(model, x, {"LRP": lrp}, steps=3, progress=False).faithfulness["LRP"]

    return {
        "forward + gradient": (lambda x: gradient(model.module, x)(), many),
        "LRP": (lambda x: lrp(x, targets(x)).heatmap, many),
        "absLRP": (lambda x: magnitude(x, targets(x)).heatmap, many),
        "CRP, 8 concepts": (lambda x: crp(x[:1], 0, layer=layer, concepts=range(8)).heatmap, 1),
        "Grad-CAM": (lambda x: cam(x, targets(x)).heatmap, many),
        f"RELAX, {masks} masks": (lambda x: relax(x[:few], progress=False).importance, few),
        f"RISE, {masks} masks": (lambda x: rise(x[:few], targets(x[:few]), progress=False).importance, few),
        "pixel flipping": (flipped, 16),
        "GAE": (judged, 16),
    }


def measured(line: Line, run: Callable[[], Any], device: torch.device, seconds: float) -> Line:
    """The row with its figures: repeated for so many seconds, once at least."""
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    run()
    waits = waits_in(run) if cuda else None
    _settle(device)
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
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            run()
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return sum("synchronizing" in str(entry.message) for entry in said)


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
