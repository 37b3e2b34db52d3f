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
from xaiwidgets.baselines import GradientXInput, IntegratedGradients, Occlusion, SmoothGrad
from xaiwidgets.demo import Shapes
from xaiwidgets.evaluate import gae, kendall, localisation, pixel_flipping
from xaiwidgets.evaluate.inpaint import onion, telea
from xaiwidgets.evaluate.sources import batch_size_for
from xaiwidgets.lrp import LRP, AbsLRP

STEPS = 29
QUANTUS_STEPS = 24  # it takes only what divides both pixels and entries of an image


def main(*, images: int = 64, repeats: int = 3) -> None:
    """Print every table."""
    flipping(images, repeats)
    inpainting()
    literal_gae()
    ranks()


def flipping(images: int = 64, repeats: int = 3) -> None:
    """ResNet-18, 224 × 224, one heatmap: beside lrp-pf-auc 29 steps of perturbation "random", beside quantus 24 steps of a constant."""
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
    areas: dict[str, Tensor] = {}

    def ours(precision: Any, **request: Any) -> Callable[[], object]:
        options: dict[str, Any] = {"target": target, "random": 0, "progress": False, **request}

        def run() -> None:
            areas[precision] = pixel_flipping(model, x, {"map": heat}, precision=precision, **options).auc["map"]

        return run

    def bare(steps: int) -> Callable[[], object]:
        frames = torch.cat([x] * (steps + 1))

        def run() -> None:
            with torch.inference_mode():
                for part in frames.split(batch_size_for(x.shape, x.device)):
                    forward(part)

        return run

    def lrp_pf_auc() -> None:
        peer = pf.core.PixelFlipping(perturb_mode="Random sampling", ran_num_gen=pf.core.UniformRNG(0))
        with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            peer(x.clone(), heat[:, None].expand(-1, 3, -1, -1), lambda batch: module(batch)[:, target])

    def of_quantus() -> None:
        settings: dict[str, Any] = {"perturb_baseline": 0.0}
        metric: Any = quantus.metrics.faithfulness.pixel_flipping.PixelFlipping(
            features_in_step=x[0].numel() // QUANTUS_STEPS, normalise=False, disable_warnings=True, **settings
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            classes = np.full(images, target)
            metric(model=module, x_batch=x.numpy(), y_batch=classes, a_batch=heat[:, None].numpy(), device="cpu")

    peers: list[tuple[str, Callable[[], object], int, dict[str, Any]]] = [
        ("lrp-pf-auc", lrp_pf_auc, STEPS, {"perturb": "random"}),
        # It orders entries one by one and scores no untouched image; patches of one pixel make ours sort the most it can.
        (
            "quantus",
            of_quantus,
            QUANTUS_STEPS,
            {"perturb": "zero", "patch": 1, "schedule": "linear", "steps": QUANTUS_STEPS},
        ),
    ]
    for name, peer, steps, request in peers:
        contestants: dict[str, Callable[[], object]] = {
            "ours, float32": ours("float32", **request),
            "ours, bfloat16": ours("bfloat16", **request),
            "forward passes alone, float32": bare(steps),
            name: peer,
        }
        title = f"{images} images × {steps} steps, ResNet-18, {request['perturb']}"
        comparison = compare(title, contestants, repeats=repeats, warm_up=0)
        apart = (areas["bfloat16"] / areas["float32"] - 1).abs()
        print(comparison.table(name))
        times = comparison.ratio("ours, float32", "forward passes alone, float32")
        print(f"\nAll steps take {times:.2f} × the bare forward passes.")
        print(f"AUC in bfloat16 is off by {apart.median():.3%} (median), {apart.max():.3%} at most.\n", flush=True)


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
    from tests.evaluate.gae.test_gae import literal

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


def ranks(images: int = 100) -> None:
    """Do on-device and OpenCV inpainting rank alike, and do curves agree with the truth?"""
    model, batch = xw.load("demo:shapes-cnn"), Shapes(images).batch(range(images))
    composites = ("epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon_gamma_box")
    explainers: dict[str, Any] = {f"LRP {name}": LRP(model, name) for name in composites}
    explainers |= {
        "absLRP": AbsLRP(model),
        "gradient × input": GradientXInput(model),
        "integrated gradients": IntegratedGradients(model, steps=16),
        "SmoothGrad": SmoothGrad(model),
        "occlusion": Occlusion(model),
        "RISE": xw.RISE(model, n_masks=512),
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
