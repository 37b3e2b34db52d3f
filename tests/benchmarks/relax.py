"""RELAX: how few balanced masks do what 3000 independent ones do, and how long that takes beside ``relax-xai``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import xaiwidgets as xw
from tests.benchmarks.harness import compare
from xaiwidgets.demo import Shapes
from xaiwidgets.relax.explainer import RELAX

INDEPENDENT = 3000
COUNTS = (128, 256, 384, 512, 640, 768, 1024, 1280)


def main(*, images: int = 8, reference_masks: int = 60_000) -> None:
    """Print the accuracy table of both demo encoders, the coverage of the standard error, and the time table."""
    for name in ("demo:shapes-cnn", "demo:shapes-vit"):
        accuracy(name, images, reference_masks)
    ground_truth()
    speed()
    overhead()


def accuracy(name: str, images: int, reference_masks: int) -> None:
    """Error of the importance against a long independent run, over its spatial spread."""
    model = xw.load(name)
    x = Shapes(images, split="test").batch(range(images)).x
    truth = xw.RELAX(model, n_masks=reference_masks, masks="random", seed=10_001)(x, progress=False)
    spread = truth.importance.flatten(1).std(1)

    def error(result: Any) -> Tensor:
        return (result.importance - truth.importance).flatten(1).square().mean(1).sqrt() / spread

    print(
        f"### {name}: error over the reference's spread, {images} images, reference of {reference_masks} independent masks\n"
    )
    print("| masks | design | error | largest of an image | reference inside 1.96 s.e. |\n|---|---|---|---|---|")
    goal, found = math.nan, []
    for design, counts in (("random", (300, INDEPENDENT)), ("balanced", COUNTS), ("control variate", COUNTS)):
        asked = {"control_variate": True} if design == "control variate" else {"masks": design}
        for count in counts:
            results = [xw.RELAX(model, n_masks=count, seed=seed, **asked)(x, progress=False) for seed in range(3)]
            errors = torch.stack([error(result) for result in results])
            covered = torch.stack([_covered(result, truth) for result in results]).mean()
            mean = float(errors.square().mean().sqrt())
            if design == "random" and count == INDEPENDENT:
                goal = mean
            if design == "balanced":
                found.append((results[0].n_masks, mean))
            mark = " ←" if design != "random" and mean <= goal else ""
            print(
                f"| {results[0].n_masks} | {design} | {mean:.3f}{mark} | {float(errors.mean(0).max()):.3f} | {float(covered):.1%} |",
                flush=True,
            )
    print(f"\n{replacing(found, goal)} balanced masks replace {INDEPENDENT} independent ones.\n", flush=True)


def replacing(found: Sequence[tuple[int, float]], goal: float) -> str:
    """How many masks bring the error down to a goal, between those that were tried: errors fall as a power of the number.

    Args:
        found: number of masks and error, fewest masks first.
    """
    if found[0][1] <= goal:
        return f"At most {found[0][0]}"
    for (few, above), (many, below) in pairwise(found):
        if below <= goal:
            share = math.log(above / goal) / math.log(above / below)
            return f"About {few * (many / few) ** share:.0f}"
    return f"More than {found[-1][0]}"


def _covered(result: Any, truth: Any) -> Tensor:
    """Share of pixels whose reference lies within 1.96 standard errors, the reference's own error included."""
    error = (result.standard_error.square() + truth.standard_error.square()).sqrt()
    return ((result.importance - truth.importance).abs() <= 1.96 * error).float().mean()


def ground_truth(images: int = 64) -> None:
    """Share of U-RELAX's positive mass inside the object.

    R is a mean similarity, positive everywhere, so positive mass needs a zero: the image's median pixel, or the mean similarity of
    all masks (a pixel that makes no difference).
    """
    print("### Share of the positive mass inside the object\n")
    print(
        "| model | U-RELAX above the median pixel | U-RELAX above the masks' mean | R above the median pixel | area |"
    )
    print("|---|---|---|---|---|")
    batch = Shapes(images, split="test").batch(range(images))

    def inside(mass: Tensor) -> str:
        return f"{float(((mass * batch.masks).sum((1, 2)) / mass.sum((1, 2))).nanmean()):.1%}"

    for name in ("demo:shapes-cnn", "demo:shapes-vit", "demo:shapes-hans"):
        result = xw.RELAX(xw.load(name), n_masks=1024)(batch.x, progress=False)
        median = result.importance.flatten(1).median(1).values[:, None, None]
        above, sure = (result.importance - median).clamp_min(0), result.sure(0.5)
        shares = [inside(above * sure), inside(result.relative_importance.clamp_min(0) * sure), inside(above)]
        print(f"| {name} | {' | '.join(shares)} | {float(batch.masks.float().mean()):.1%} |", flush=True)
    print()


def resnet() -> tuple[xw.ImageModel, Tensor]:
    """ResNet-18 with random weights, and one image of 224×224."""
    torch.manual_seed(0)
    model = xw.load("torchvision:resnet18", pretrained=False)
    batch = Shapes(1, split="test").batch([0]).x
    return model, nn.functional.interpolate(batch, size=(224, 224), mode="bilinear")


def speed(repeats: int = 3) -> None:
    """Time to the error of 3000 independent masks, beside relax-xai with its 3000."""
    from relax_xai.relax import RELAX as Peer

    model, x = resnet()
    masks = enough_masks(model, x)
    encoder = nn.Sequential(*list(model.module.children())[:-1], nn.Flatten()).eval()

    def peer() -> None:
        with torch.no_grad():
            Peer(x, encoder).forward()

    ours = {
        f"xaiwidgets, {masks} masks": RELAX(model, n_masks=masks),
        f"xaiwidgets, {masks} masks, bfloat16": RELAX(model, n_masks=masks, precision="bfloat16"),
    }
    contestants: dict[str, Callable[[], object]] = {"relax-xai, 3000 masks": peer}
    contestants |= {name: partial(explainer, x, progress=False) for name, explainer in ours.items()}
    print(
        compare("Time to the same error, ResNet-18, 224×224, one image", contestants, repeats=repeats).table(
            "relax-xai, 3000 masks"
        )
    )
    print()


def enough_masks(model: xw.ImageModel, x: Tensor, reference_masks: int = 6000) -> int:
    """The smallest number of balanced masks whose error is that of 3000 independent ones, by measured errors.

    A long independent run is dear at this size, so the reference is a long balanced one, which is closer to the truth still.
    """
    truth = xw.RELAX(model, n_masks=reference_masks, precision="bfloat16", seed=10_001)(x, progress=False)
    spread = truth.importance.std()

    def error(design: str, count: int, seeds: int) -> float:
        found = [
            xw.RELAX(model, n_masks=count, masks=design, precision="bfloat16", seed=seed)(x, progress=False)
            for seed in range(seeds)
        ]
        return float(
            torch.stack([(r.importance - truth.importance).square().mean() for r in found]).mean().sqrt() / spread
        )

    goal = error("random", INDEPENDENT, 1)
    print(f"error of {INDEPENDENT} independent masks on ResNet-18: {goal:.3f} of the spread")
    for count in (128, 256, 384, 512, 768, 1024):
        found = error("balanced", count, 3)
        print(f"error of {count} balanced masks: {found:.3f}")
        if found <= goal:
            return count
    return INDEPENDENT


def overhead(masks: int = 256, repeats: int = 5) -> None:
    """What masks and sums cost beside the encoder's forward passes."""
    model, x = resnet()
    encode = model.encoder()
    batch = torch.randn(64, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    explainer = RELAX(model, n_masks=masks, masks="random", batch_size=64)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(masks // 64):
                encode(batch)

    result = compare(
        f"Overhead over the bare encoder, {masks} masks of 224×224, ResNet-18",
        {"RELAX": lambda: explainer(x, progress=False), "bare forward passes": bare},
        repeats=repeats,
    )
    print(result.table("RELAX"))
    print(f"\nRELAX takes {result.ratio('RELAX', 'bare forward passes'):.2f} × the bare forward passes.\n")
