"""``python -m tests.standin.probe``: everything once on the stand-in and on the CPU, in a process of its own; prints what came as JSON."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks import gpu
from tests.standin import backend
from xaiwidgets import (
    CRP,
    LRP,
    RELAX,
    RISE,
    HeatmapOverlay,
    ImageModel,
    IntegratedGradients,
    ReferenceIndex,
    SmoothGrad,
    load,
    pixel_flipping,
)

Waits = list[str]


def main() -> None:
    """Print the findings."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    device = backend.install()
    models = {name: load(f"demo:shapes-{name}", device="cpu") for name in ("cnn", "vit")}
    there = {name: _copy(model, device) for name, model in models.items()}
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = {
        "refused": refused(device),
        "table": table(device),
        "attention": attention(models["vit"], there["vit"], x.to(device)),
        "counted": counted(models["cnn"], there["cnn"], x.to(device)),
        "asked": asked(there["cnn"], x.to(device)),
    }
    print(json.dumps(found))


def _copy(model: ImageModel, device: torch.device) -> ImageModel:
    module = copy.deepcopy(model.module).to(device)
    return ImageModel(
        module, input_size=64, name=model.name, class_names=model.class_names, mean=model.mean, std=model.std
    )


def waits_of(run: Callable[[], Any], warm: bool = True) -> Waits:
    """What a call waits for, once all that is made once is there."""
    if warm:
        run()
    with backend.waits() as log:
        run()
    return [str(wait) for wait in log]


def refused(device: torch.device) -> dict[str, str]:
    """What the stand-in says to what an accelerator refuses, and what it counts."""
    x = torch.arange(6.0).view(2, 3).to(device)

    def said(run: Callable[[], Any]) -> str:
        try:
            with backend.waits() as log:
                run()
        except (RuntimeError, TypeError) as error:
            return f"{type(error).__name__}: {error}"
        return ", ".join(f"{wait.kind} {wait.operation}" for wait in log)

    return {
        "mixed": said(lambda: x + torch.ones(2, 3)),
        "one number": said(lambda: x + torch.tensor(2.0)),
        "generator": said(lambda: torch.rand(3, device=device, generator=torch.Generator())),
        "numpy": said(x.numpy),
        "item": said(lambda: float(x.sum())),
        "branch": said(lambda: bool((x > 0).all())),
        "mask": said(lambda: x[x > 2]),
        "list": said(lambda: x[[0, 0]]),
        "back": said(x.cpu),
        "there": said(lambda: torch.ones(2).to(device)),
        "without a wait": said(lambda: torch.ones(2).to(device, non_blocking=True)),
        "view": said(lambda: x[:, 1:].t().reshape(-1).add_(1).mean()),
    }


def table(device: torch.device) -> list[dict[str, Any]]:
    """The accelerators' benchmark on its tiny model."""
    logs: list[Waits] = []

    def count(run: Callable[[], Any]) -> int:
        logs.append(waits_of(run, warm=False))
        return len(logs[-1])

    lines = list(gpu.lines(device, count, small=True))
    return [{**vars(line), "log": log} for line, log in zip(lines, logs, strict=True)]


def attention(here: ImageModel, there: ImageModel, x: Tensor) -> dict[str, Any]:
    """A transformer, and what rounding to TF32 does to its map."""
    lrp = LRP(there, "attn_lrp")
    waits = waits_of(lambda: lrp(x, 0))
    expected, found = LRP(here, "attn_lrp")(x.cpu(), 0).heatmap, lrp(x, 0).heatmap
    with backend.rounded(backend.CONVOLUTIONS | backend.PRODUCTS):
        rounded = lrp(x, 0).heatmap.cpu()
    return {
        "device": found.device.type,
        "waits": waits,
        "error": _error(found.cpu(), expected),
        "rounded": _error(rounded, expected),
    }


def _error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def counted(here: ImageModel, there: ImageModel, x: Tensor) -> dict[str, list[Waits]]:
    """Each with little and with more to do: what grows with what."""
    layers, layer = here.layers, "features.conv5"
    crp, energy = CRP(there), x.square().sum(1)

    def masks(kind: Any, count: int) -> Waits:
        explain = kind(there, n_masks=count, batch_size=64)
        return waits_of(lambda: explain(x[:1], 0, progress=False))

    def flips(perturb: str, steps: int) -> Waits:
        options: dict[str, Any] = {
            "schedule": "linear",
            "steps": steps,
            "batch_size": 8,
            "random": 0,
            "progress": False,
        }
        return waits_of(
            lambda: pixel_flipping(there, x[:2], {"e": energy[:2]}, perturb=perturb, target=[0, 1], **options)
        )

    def index(count: int, images: int) -> Waits:
        data = [(x[i % 4].cpu(), i % 3) for i in range(images)]

        def build() -> None:
            with tempfile.TemporaryDirectory() as folder:
                ReferenceIndex.build(
                    crp, data, Path(folder) / "index", layers=layers[:count], top=2, progress=False, batch=4
                )

        return waits_of(build)

    conditions = [{"y": [1], layer: [unit]} for unit in range(8)]
    return {
        "images": [waits_of(lambda count=count: LRP(there)(x[:count], 0)) for count in (1, 4)],  # type: ignore[misc]
        "layers": [waits_of(lambda asked=asked: LRP(there)(x, 0, layers=asked)) for asked in ([], list(layers))],  # type: ignore[misc]
        "concepts": [
            waits_of(lambda count=count: crp(x[:1], 0, layer=layer, concepts=range(count)))  # type: ignore[misc]
            for count in (2, 16)
        ],
        "conditions": [waits_of(lambda count=count: crp.attribute(x[:1], conditions[:count])) for count in (2, 8)],  # type: ignore[misc]
        "region": [waits_of(lambda: crp.region(x[:1], (8, 8, 40, 40), target=0))],
        "rank": [waits_of(lambda: crp.rank(x[:1], target=0, layer=layer))],
        "graph": [
            waits_of(lambda width=width: crp.graph(x[:1], target=0, layer=layer, concept=3, width=width))  # type: ignore[misc]
            for width in ((1, 1), (4, 1))
        ],
        "RELAX": [masks(RELAX, count) for count in (256, 512)],
        "RISE": [masks(RISE, count) for count in (256, 512)],
        "integrated": [waits_of(lambda steps=steps: IntegratedGradients(there, steps=steps)(x, 0)) for steps in (2, 6)],  # type: ignore[misc]
        "smooth": [waits_of(lambda samples=samples: SmoothGrad(there, samples=samples)(x, 0)) for samples in (2, 6)],  # type: ignore[misc]
        "flips": [flips("mean", steps) for steps in (8, 16)],
        "inpainted": [flips("inpaint", steps) for steps in (8, 16)],
        "noise": [flips("noise", steps) for steps in (8, 16)],
        "index, layers": [index(count, 4) for count in (1, len(layers))],
        "index, batches": [index(1, images) for images in (4, 12)],
    }


class _Quiet(HeatmapOverlay):
    """Sends nothing."""

    def send(self, content: Any, buffers: Any = None) -> None:
        self.messages = [*getattr(self, "messages", []), content["type"]]


def asked(there: ImageModel, x: Tensor) -> dict[str, Any]:
    """A heatmap overlay whose model lies there: what another class waits for."""
    widget = _Quiet(LRP(there), x)
    widget.wait(60)

    def ask() -> None:
        widget.target = 1 if widget.target != 1 else 2
        widget.wait(60)

    waits = waits_of(ask)
    result = widget.result
    found = {"waits": waits, "state": widget.status["state"], "device": result.heatmap.device.type}
    widget.close()
    return found


if __name__ == "__main__":
    main()
