"""LRP beside zennit and beside the plain model's forward and gradient; absLRP a row; the adjoint; bfloat16."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.harness import compare
from tests.lrp.conftest import randomise
from xaiwidgets.lrp import LRP, AbsLRP


def main() -> None:
    """Print the tables."""
    import timm
    import torchvision

    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for name in ("resnet18", "vgg16"):
        module = randomise(getattr(torchvision.models, name)(weights=None))
        against_zennit(name, module, x)
        rows(name, module, x)
        adjoint(name, module, x)
    vit = randomise(timm.create_model("vit_small_patch16_224", pretrained=False))
    lrp = LRP(vit, "attn_lrp")
    contestants = {"forward + gradient": gradient(vit, x), "AttnLRP": lambda: lrp(x)}
    comparison = compare("ViT-S/16, AttnLRP, 1 image", contestants, repeats=9)
    print(comparison.table("forward + gradient"))
    print(f"\nAttnLRP takes {comparison.ratio('AttnLRP', 'forward + gradient'):.2f} × forward + gradient.\n")
    rows("vit_small_patch16_224", vit, x)


def gradient(module: nn.Module, x: Tensor) -> Callable[[], Any]:
    """The plain model's forward pass and gradient by the pixels."""

    def work() -> Tensor:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(module(leaf)[:, 0].sum(), leaf)[0]

    return work


def against_zennit(name: str, module: nn.Module, x: Tensor) -> None:
    """EpsilonPlusFlat, the same heatmap from both."""
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    lrp, half = LRP(module), LRP(module, precision="bfloat16")
    expected = lrp(x)
    assert expected.target is not None
    start = nn.functional.one_hot(expected.target, expected.output.shape[1]) * expected.output
    copied, canonizer = copy.deepcopy(module), ResNetCanonizer() if "resnet" in name else VGGCanonizer()

    def zennit() -> Tensor:
        with Gradient(model=copied, composite=EpsilonPlusFlat(canonizers=[canonizer])) as attributor:
            relevance: Tensor = attributor(x.clone(), lambda output: start)[1]
        return relevance

    contestants: dict[str, Callable[[], Any]] = {
        "zennit": zennit,
        "forward + gradient": gradient(module, x),
        "LRP": lambda: lrp(x),
        "LRP, bfloat16": lambda: half(x),
    }
    comparison = compare(f"{name}, EpsilonPlusFlat, 1 image", contestants, repeats=9)
    print(comparison.table("zennit"))
    print(f"\nLRP takes {1 / comparison.ratio('forward + gradient', 'LRP'):.2f} × forward + gradient.")
    other = zennit()
    error = float((expected.relevance - other).norm() / other.norm())
    both = torch.stack([half(x, expected.target).relevance.flatten(), expected.relevance.flatten()])
    print(f"Relative error to zennit {error:.1e}; bfloat16 correlates {float(torch.corrcoef(both)[0, 1]):.4f}.\n")


def rows(name: str, module: nn.Module, x: Tensor) -> None:
    """absLRP's two rows on two images."""
    magnitude, images = AbsLRP(module), torch.cat([x, x.flip(3)])
    contestants = {"forward + gradient": gradient(module, images), "absLRP": lambda: magnitude(images)}
    comparison = compare(f"{name}, absLRP, 2 images", contestants, repeats=5)
    print(comparison.table("forward + gradient"))
    print(f"\nA row takes {0.5 / comparison.ratio('forward + gradient', 'absLRP'):.2f} × forward + gradient.\n")


def adjoint(name: str, module: nn.Module, x: Tensor) -> None:
    """Up to every layer at once, beside the plain forward pass: what a region gets from each concept."""
    propagator = LRP(module).propagator(x)
    record, layers = propagator.record(x, memory=True), list(propagator.graph.concept_layers)
    region = torch.zeros(1, *x.shape)
    region[..., 60:120, 60:120] = 1
    propagator.down(record, {"output": record.output[None]}, layers)

    def forward() -> Tensor:
        with torch.no_grad():
            return module(x)

    contestants = {"forward": forward, "up": lambda: propagator.up(record, {"input": region}, layers)}
    print(compare(f"{name}, up to all layers", contestants, repeats=9).table("forward"), "\n")
