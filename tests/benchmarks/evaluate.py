"""Pixel flipping beside ``lrp-pf-auc`` and ``quantus``, inpainting beside OpenCV, GAE beside a literal loop; and what the ranks say."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import xaiwidgets as xw
from tests.benchmarks.harness import compare
from xaiwidgets.baselines import GradientXInput, Occlusion, SmoothGrad
from xaiwidgets.demo import Shapes
from xaiwidgets.evaluate import gae, kendall, localisation, pixel_flipping
from xaiwidgets.evaluate.inpaint import onion, telea
from xaiwidgets.lrp import LRP, AbsLRP

STEPS = 29


def main(*, images: int = 64, repeats: int = 1) -> None:
    """Print every table."""
    flipping(images, repeats)
    inpainting()
    literal_gae()
    ranks()


def flipping(images: int = 64, repeats: int = 1) -> None:
    """ResNet-18, 224 × 224, 29 steps of one heatmap, perturbation "random"; quantus: a constant, 24 steps, which divide the pixels."""
    import torchvision

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pf.core
        import quantus

    logging.disable(logging.CRITICAL)
    torch.manual_seed(0)
    module = torchvision.models.resnet18(weights=None).eval()
    model = xw.ImageModel(module, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    x, heat = torch.randn(images, 3, 224, 224), torch.randn(images, 224, 224)
    target = int(model.scores(x[:1]).argmax())
    forward = model.forward_function(x)

    def ours(precision: Any) -> Callable[[], object]:
        options: dict[str, Any] = {"target": target, "perturb": "random", "random": 0, "progress": False}
        return lambda: pixel_flipping(model, x, {"map": heat}, precision=precision, **options)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(STEPS + 1):
                for part in x.split(13):
                    forward(part)

    def lrp_pf_auc() -> None:
        peer = pf.core.PixelFlipping(perturb_mode="Random sampling", ran_num_gen=pf.core.UniformRNG(0))
        with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            peer(x.clone(), heat[:, None].expand(-1, 3, -1, -1), lambda batch: module(batch)[:, target])

    def of_quantus() -> None:
        settings: dict[str, Any] = {"perturb_baseline": 0.0}
        metric: Any = quantus.metrics.faithfulness.pixel_flipping.PixelFlipping(
            features_in_step=224 * 224 // 8, normalise=False, disable_warnings=True, **settings
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            classes = np.full(images, target)
            metric(model=module, x_batch=x.numpy(), y_batch=classes, a_batch=heat[:, None].numpy(), device="cpu")

    contestants: dict[str, Callable[[], object]] = {
        "ours, float32": ours("float32"),
        "ours, bfloat16": ours("bfloat16"),
        "forward passes alone": bare,
        "lrp-pf-auc": lrp_pf_auc,
        "quantus, 24 steps": of_quantus,
    }
    comparison = compare(f"{images} images × {STEPS} steps, ResNet-18", contestants, repeats=repeats, warm_up=0)
    print(comparison.table("ours, float32"), "\n", flush=True)


def inpainting(batch: int = 64) -> None:
    """Half of the patches hidden, 224 × 224."""
    pixels = torch.rand(batch, 3, 224, 224)
    hidden = (torch.rand(batch, 1, 28, 28) < 0.5).repeat_interleave(8, 2).repeat_interleave(8, 3)
    contestants: dict[str, Callable[[], object]] = {
        "on device": lambda: onion(pixels, hidden),
        "OpenCV Telea": lambda: telea(pixels, hidden),
    }
    print(compare(f"Inpainting of {batch} frames", contestants, repeats=3).table("on device"), "\n", flush=True)


def literal_gae(images: int = 32) -> None:
    """Gradient × input on the demo CNN."""
    from tests.evaluate.test_gae import literal

    model, batch = xw.load("demo:shapes-cnn"), Shapes(images).batch(range(images))
    explainer = GradientXInput(model)

    def slow() -> None:
        for first in range(0, images, 4):
            part = slice(first, first + 4)
            literal(
                model.module,
                lambda x, target: explainer(x, target).relevance,
                batch.x[part],
                batch.labels[part],
                0.5,
                10,
            )

    contestants: dict[str, Callable[[], object]] = {
        "ours": lambda: gae(model, (batch.x, batch.labels), {"g": explainer}, progress=False),
        "literal loop": slow,
    }
    print(compare(f"GAE of {images} images", contestants, repeats=3).table("ours"), "\n", flush=True)


def ranks(images: int = 32) -> None:
    """Do on-device and OpenCV inpainting rank alike, and do curves agree with the truth?"""
    model, batch = xw.load("demo:shapes-cnn"), Shapes(images).batch(range(images))
    explainers: dict[str, Any] = {
        "LRP": LRP(model),
        "LRP-ε": LRP(model, "epsilon_plus"),
        "absLRP": AbsLRP(model),
        "gradient × input": GradientXInput(model),
        "SmoothGrad": SmoothGrad(model),
        "occlusion": Occlusion(model),
    }
    targets = model.scores(batch.x).argmax(1)
    maps = {name: explainer(batch.x, targets).heatmap for name, explainer in explainers.items()}
    maps["truth"] = batch.masks.float()
    gaps: dict[str, Tensor] = {}
    for perturb in ("inpaint", "telea", "mean", "random"):
        curves = pixel_flipping(model, batch.x, maps, order="both", perturb=perturb, random=0, progress=False)
        gaps[perturb] = torch.stack([curves.gap[name].mean() for name in maps])
    found = localisation(model, batch.x, batch.masks, maps)
    truth = torch.stack([found.rank[name].mean() for name in maps])
    print("| method | rank accuracy | " + " | ".join(f"gap, {name}" for name in gaps) + " |")
    print("|---" * (2 + len(gaps)) + "|")
    for row, name in enumerate(maps):
        print(f"| {name} | {truth[row]:.3f} | " + " | ".join(f"{values[row]:.3f}" for values in gaps.values()) + " |")
    print(f"\nKendall of inpaint and telea: {kendall(gaps['inpaint'], gaps['telea']):.2f}")
    for name, values in gaps.items():
        print(
            f"Kendall of {name} and ground-truth rank accuracy, without the truth itself: {kendall(values[:-1], truth[:-1]):.2f}"
        )
