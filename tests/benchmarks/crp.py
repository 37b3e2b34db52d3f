"""CRP beside zennit-crp; a region's concepts and a focus beside the model's forward pass.

zennit-crp asks for another zennit than the other peers, so it is no requirement of the tests:
`pip install --no-deps zennit-crp==0.6.0` adds it.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.harness import compare
from tests.lrp.conftest import randomise
from xaiwidgets import CRP, ImageModel, load

CONCEPTS = 32
LAYERS = {"resnet18": "layer4.1.conv2", "vgg16": "features.28"}


def main() -> None:
    """Print the tables."""
    import torchvision

    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for name, layer in LAYERS.items():
        module = randomise(getattr(torchvision.models, name)(weights=None))
        many_concepts(name, module, layer, x)
        questions(name, ImageModel(module), layer, x)
    cnn = load("demo:shapes-cnn", device="cpu")
    questions("shapes-cnn", cnn, "features.conv5", torch.randn(1, 3, 64, 64))


def many_concepts(name: str, module: nn.Module, layer: str, x: Tensor) -> None:
    """Heatmaps of 32 concepts of one image, EpsilonPlusFlat, by everybody."""
    crp = CRP(module)
    ids = crp.rank(x, 7, layer).concepts[0, :CONCEPTS].tolist()
    contestants: dict[str, Callable[[], Any]] = {"CRP": lambda: crp(x, 7, layer=layer, concepts=ids)}
    contestants["forward + gradient, 32 times"] = lambda: [gradient(module, x) for _ in ids]
    if find_spec("crp") is None:
        print("zennit-crp is not installed: pip install --no-deps zennit-crp==0.6.0\n")
        print(compare(f"{name}, {layer}, {CONCEPTS} concepts", contestants, repeats=3).table("CRP"), "\n")
        return
    for way in ("generate", "call"):
        contestants[f"zennit-crp, {way}"] = peer(module, layer, ids, x, way)
    comparison = compare(f"{name}, {layer}, {CONCEPTS} concepts, 1 image", contestants, repeats=3)
    print(comparison.table("CRP"))
    best = min(("zennit-crp, generate", "zennit-crp, call"), key=lambda way: comparison.timings[way].median)
    found, expected = contestants["CRP"]().heatmap, contestants[best]()
    errors = (found - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1)
    print(
        f"\n{best} takes {comparison.ratio(best, 'CRP'):.1f} × as long as CRP; relative error {errors.max():.1e}.\n",
        flush=True,
    )


def peer(module: nn.Module, layer: str, ids: list[int], x: Tensor, way: str) -> Callable[[], Tensor]:
    """zennit-crp's heatmaps: all conditions as one batch ("call"), or ten at a time on one forward pass ("generate")."""
    from crp.attribution import CondAttribution
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    attribution = CondAttribution(copy.deepcopy(module))
    canonizer = ResNetCanonizer() if "ResNet" in type(module).__name__ else VGGCanonizer()
    composite = EpsilonPlusFlat(canonizers=[canonizer])
    conditions = [{"y": [7], layer: [unit]} for unit in ids]

    def work() -> Tensor:
        leaf = x.clone().requires_grad_()
        if way == "call":
            heatmap: Tensor = attribution(leaf, conditions, composite).heatmap
            return heatmap
        with contextlib.redirect_stderr(io.StringIO()):
            parts = attribution.generate(leaf, conditions, composite, batch_size=10, verbose=False)
            return torch.cat([part.heatmap for part in parts])

    return work


def gradient(module: nn.Module, x: Tensor) -> Tensor:
    """The plain model's forward pass and gradient by the pixels."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(module(leaf)[:, 0].sum(), leaf)[0]


def questions(name: str, model: ImageModel, layer: str, x: Tensor) -> None:
    """What the browser asks of one image, beside one forward pass."""
    crp = CRP(model)
    focus = crp.focus(x)
    side = x.shape[-1]
    box = (side // 4, side // 4, side // 2, side // 2)
    contestants: dict[str, Callable[[], Any]] = {
        "forward pass": lambda: model.scores(x),
        "a new focus": lambda: crp.focus(x),
        "region, all layers": lambda: focus.region(box),
        f"region, {layer}": lambda: focus.region(box, [layer]),
        f"heatmap of 1 concept of {layer}": lambda: focus.heatmaps(layer, [5]),
        f"heatmaps of 8 concepts of {layer}": lambda: focus.heatmaps(layer, range(8)),
        f"graph of a concept of {layer}, 4 then 2": lambda: focus.graph(layer, 5, (4, 2)),
    }
    comparison = compare(f"{name}, questions about one image", contestants, repeats=9)
    print(comparison.table("forward pass"))
    print(
        f"\nA region's concepts in all layers take {1 / comparison.ratio('forward pass', 'region, all layers'):.2f} forward passes.\n"
    )
