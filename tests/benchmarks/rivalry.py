"""Who does what we do: for each method and model the contestants, what they give, and to which of ours it should be equal.

Those that are not installed are left out, and named. zennit-crp asks for another zennit, lxt and autoLRP for packages that this does
not need: `pip install --no-deps zennit-crp==0.6.0 lxt autolrp`.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.attention import by_lxt
from tests.benchmarks.crp import peer as by_zennit_crp
from tests.benchmarks.lrp import gradient
from xaiwidgets import CRP, LRP, RELAX, RISE, ImageModel, pixel_flipping
from xaiwidgets.baselines import GradCAM, GradientXInput

METHODS = ("LRP", "AttnLRP", "gradient × input", "Grad-CAM", "CRP", "RELAX", "RISE", "flipping")
OURS = "xaiwidgets"
PLAIN = "forward + gradient"
CONCEPTS, MASKS, STEPS = 32, 256, 29


@dataclass(frozen=True)
class Contestant:
    """Somebody's way of doing the work; the result (…) is compared with ours where it should be the same.

    near: the largest relative difference that still counts as equal; None where the results are drawn at random, or are another thing.
    """

    name: str
    run: Callable[[], Any]
    near: float | None = None


@dataclass(frozen=True)
class Network:
    """A model of the table: `layer` is where concepts and Grad-CAM's map are taken, `family` what rivals need to know."""

    name: str
    module: nn.Module
    size: int
    layer: str
    cam: str
    family: str


def networks(*, small: bool = False) -> Iterator[tuple[str, Callable[[], Network]]]:
    """Names, and what makes them, all with random weights."""
    import timm
    import torchvision

    from tests.lrp.conftest import randomise

    def made(make: Callable[[], Any], **about: Any) -> Callable[[], Network]:
        def network() -> Network:
            torch.manual_seed(0)
            return Network(module=randomise(make()), **about)

        return network

    vision = torchvision.models
    if small:
        tiny: Any = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 10}
        few = partial(vision.resnet18, num_classes=10)
        about = {"size": 64, "layer": "layer4.1.conv2", "cam": "layer4", "family": "resnet"}
        yield "resnet18", made(few, name="resnet18", **about)
        about = {"size": 32, "layer": "features.2", "cam": "features.3", "family": "vgg"}
        yield "tiny_vgg", made(_tiny_vgg, name="tiny_vgg", **about)
        vit: Any = partial(timm.models.VisionTransformer, **tiny)
        yield "vit_tiny", made(vit, name="vit_tiny", size=32, layer="blocks.1.mlp.fc1", cam="", family="vit")
        return
    vit = partial(timm.create_model, "vit_small_patch16_224", pretrained=False)
    every = {
        "ResNet-50": (vision.resnet50, "layer4.1.conv2", "layer4", "resnet"),
        "VGG-16": (vision.vgg16, "features.28", "features.29", "vgg"),
        "ViT-S/16": (vit, "blocks.10.mlp.fc1", "", "vit"),
        "ConvNeXt-T": (vision.convnext_tiny, "features.7.1.block.3", "features.7", "convnext"),
    }
    for name, (make, layer, cam, family) in every.items():
        yield name, made(make, name=name, size=224, layer=layer, cam=cam, family=family)


def _tiny_vgg() -> nn.Module:
    net = nn.Sequential()
    convolutions = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    net.add_module("features", nn.Sequential(*convolutions))
    net.add_module("classifier", nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 10)))
    return net.eval()


def missing() -> list[str]:
    """Rivals that are not installed."""
    packages = {
        "zennit": "zennit", "zennit-crp": "crp", "captum": "captum", "grad-cam": "pytorch_grad_cam", "lxt": "lxt", "autoLRP": "autolrp",
        "relax-xai": "relax_xai", "lrp-pf-auc": "pf", "quantus": "quantus",
    }  # fmt: skip
    return [name for name, package in packages.items() if find_spec(package) is None]


def contestants(method: str, network: Network, x: Tensor, *, small: bool = False) -> list[Contestant]:
    """Everybody who does `method` on images x (N, C, H, W), ours first; none where it is not for such a model."""
    makers = {
        "LRP": _lrp, "AttnLRP": _attention, "gradient × input": _gradient, "Grad-CAM": _cam, "CRP": _crp, "RELAX": _relax,
        "RISE": _rise, "flipping": _flipping,
    }  # fmt: skip
    target = 3
    found = makers[method](network, x, target, small)
    return [*found, Contestant(PLAIN, gradient(network.module, x))] if found else []


def _lrp(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    """EpsilonPlusFlat."""
    if network.family == "vit":
        return []
    lrp = LRP(network.module, batch=len(x))
    found = [Contestant(OURS, lambda: lrp(x, target).relevance)]
    if network.family != "convnext" and find_spec("zennit"):
        found.append(Contestant("zennit", _zennit(network, x, target), 5e-3))
    if network.family != "convnext" and find_spec("autolrp"):
        # z⁺ and ε by its own rules: its numbers are others than zennit's and ours, so that only the time can be compared.
        found.append(Contestant("autoLRP", _auto(network, x, target)))
    return found


def _zennit(network: Network, x: Tensor, target: int) -> Callable[[], Tensor]:
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    copied = copy.deepcopy(network.module)
    canonizer = ResNetCanonizer() if network.family == "resnet" else VGGCanonizer()

    def at_target(output: Tensor) -> Tensor:
        return nn.functional.one_hot(torch.full((len(output),), target), output.shape[1]) * output.detach()

    def run() -> Tensor:
        with Gradient(model=copied, composite=EpsilonPlusFlat(canonizers=[canonizer])) as attributor:
            relevance: Tensor = attributor(x.clone(), at_target)[1]
        return relevance

    return run


def _auto(network: Network, x: Tensor, target: int) -> Callable[[], Tensor]:
    import autolrp

    own = autolrp.ATTNLRP if network.family == "vit" else {"ConvolutionBackward": "zplus"}
    config = autolrp.LRPConfig(rule={**autolrp.BASE, **own})
    copied = copy.deepcopy(network.module)

    def run() -> Tensor:
        leaf = autolrp.tensor(x.clone())
        copied(leaf)[:, target].sum().lrp(config=config)
        relevance: Tensor = leaf.relevance
        return relevance

    return run


def _attention(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    """AttnLRP."""
    if network.family != "vit":
        return []
    lrp = LRP(network.module, "attn_lrp", batch=len(x))
    found = [Contestant(OURS, lambda: lrp(x, target).relevance)]
    if find_spec("lxt"):
        from lxt.explicit import functional as rules

        # Its ε has no sign: equal in float64 with ε near zero, as `attention` shows; here as near as that leaves them.
        found.append(Contestant("lxt", lambda: by_lxt(rules, network.module, x, target), 0.3))
    if find_spec("autolrp"):
        # Its rule for attention gives other numbers than a computation by hand, which ours agrees with.
        found.append(Contestant("autoLRP", _auto(network, x, target)))
    return found


def _gradient(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    explainer = GradientXInput(network.module, batch=len(x))
    found = [Contestant(OURS, lambda: explainer(x, target).relevance)]
    if find_spec("captum"):
        from captum.attr import InputXGradient

        peer = InputXGradient(network.module)
        # In float32 a random ResNet-50 is 2e-3 (ours) and 3e-3 (captum) from the same in float64.
        near = 1e-2 if network.name == "ResNet-50" else 1e-3
        found.append(Contestant("captum", lambda: peer.attribute(x.clone().requires_grad_(), target).detach(), near))
    return found


def _cam(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    if not network.cam:
        return []
    explainer = GradCAM(network.module, layer=network.cam, batch=len(x))
    found = [Contestant(OURS, lambda: _unit(explainer(x, target).heatmap))]
    place = network.module.get_submodule(network.cam)
    if find_spec("captum"):
        from captum.attr import LayerGradCam

        peer = LayerGradCam(network.module, place)

        def by_captum() -> Tensor:
            coarse = peer.attribute(x, target, relu_attributions=True).detach()
            return _unit(nn.functional.interpolate(coarse, x.shape[2:], mode="bilinear", align_corners=False)[:, 0])

        found.append(Contestant("captum", by_captum, 1e-3))
    if find_spec("pytorch_grad_cam"):
        from pytorch_grad_cam import GradCAM as Theirs
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        # A copy: its hooks stay on the model and keep what they saw, which is a change of the model to whoever watches it.
        copied = copy.deepcopy(network.module)
        cam = Theirs(copied, [copied.get_submodule(network.cam)])
        targets = [ClassifierOutputTarget(target)] * len(x)
        # It scales the coarse map before it enlarges it.
        found.append(Contestant("grad-cam", lambda: _unit(torch.from_numpy(cam(x, targets))), 2e-2))
    return found


def _unit(maps: Tensor) -> Tensor:
    """Each map over its largest entry: some give it so."""
    return maps / maps.flatten(1).amax(1).clamp_min(1e-12)[:, None, None]


def _crp(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    """Heatmaps of 32 concepts of one image."""
    if network.family in {"vit", "convnext"} or len(x) > 1:
        return []
    crp, count = CRP(network.module), 4 if small else CONCEPTS
    ids = crp.rank(x, 7, network.layer).concepts[0, :count].tolist()
    found = [Contestant(OURS, lambda: crp(x, 7, layer=network.layer, concepts=ids).heatmap)]
    if find_spec("crp"):
        for way in ("generate", "call"):
            run = by_zennit_crp(network.module, network.layer, ids, x, way)
            found.append(Contestant(f"zennit-crp, {way}", run, 5e-3))
    return found


def _relax(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    """As many independent masks by everybody, drawn by each: the tests compare them on the same ones."""
    if network.family != "resnet" or len(x) > 1:
        return []
    masks = 16 if small else MASKS
    relax = RELAX(ImageModel(network.module, input_size=network.size), n_masks=masks, masks="random")
    found = [Contestant(OURS, lambda: relax(x, progress=False).importance)]
    if find_spec("relax_xai"):
        from relax_xai.relax import RELAX as Theirs

        encoder = nn.Sequential(*list(network.module.children())[:-1], nn.Flatten()).eval()

        def run() -> Any:
            with torch.no_grad():
                peer = Theirs(x, encoder, batch_size=min(masks, 64), num_batches=masks // min(masks, 64))
                peer.forward()
                return peer.importance[None]

        found.append(Contestant("relax-xai", run))
    return found


def _rise(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    if len(x) > 1:
        return []
    rise = RISE(ImageModel(network.module, input_size=network.size), n_masks=16 if small else MASKS, masks="random")
    return [Contestant(OURS, lambda: rise(x, target, progress=False).importance)]


def _flipping(network: Network, x: Tensor, target: int, small: bool) -> list[Contestant]:
    """29 steps of the "random" perturbation; the mean curve is compared."""
    if network.size != 224 and not small:
        return []
    model = ImageModel(network.module, input_size=network.size, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    heat = torch.randn(len(x), *x.shape[2:], generator=torch.Generator().manual_seed(1))
    options: dict[str, Any] = {"perturb": "random", "target": target, "random": 0, "progress": False}
    steps = 5 if small else STEPS
    options |= {"patch": 8} if network.size == 224 else {"patch": 8, "steps": steps}

    def ours() -> Tensor:
        return pixel_flipping(model, x, {"map": heat}, **options).scores["map"].mean(0)

    found = [Contestant(OURS, ours)]
    if find_spec("pf"):
        import pf.core

        wide = heat[:, None].expand(-1, 3, -1, -1)

        def theirs() -> Any:
            peer = pf.core.PixelFlipping(
                perturbation_steps=steps,
                perturbation_size=8,
                perturb_mode="Random sampling",
                ran_num_gen=pf.core.UniformRNG(0),
            )
            with _quiet(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
                peer(x.clone(), wide, lambda batch: network.module(batch)[:, target])
            return peer

        found.append(Contestant("lrp-pf-auc", theirs))
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nobody logs for as long as it lasts."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
