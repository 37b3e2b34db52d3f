"""Grad-CAM and Grad-CAM++ against pytorch-grad-cam, against their formulas, and the layer they find for themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from xaiwidgets import ImageModel
from xaiwidgets.baselines import GradCAM, GradCAMPlusPlus
from xaiwidgets.demo import Shapes


class Recorder:
    """A layer's output and its gradient, by torch's own hooks on a module of the test's own."""

    def __init__(self, layer: nn.Module) -> None:
        self.value: Any = None
        layer.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.value = output
        output.retain_grad()


def reference(module: nn.Module, layer: str, x: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """Activation and gradient at a layer in float64."""
    module = module.double()
    recorder = Recorder(module.get_submodule(layer))
    module(x.double())[:, target].sum().backward()
    return recorder.value.detach(), recorder.value.grad


def conv_net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.SiLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4),
    ).eval()  # fmt: skip


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 16, 12, generator=torch.Generator().manual_seed(1))


def upsampled(maps: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(maps[:, None], like.shape[2:], mode="bilinear", align_corners=False)[:, 0].float()


@pytest.mark.parametrize("layer", ["1", "2", "4"])
def test_grad_cam_by_its_formula(images: Tensor, layer: str) -> None:
    activation, gradient = reference(conv_net(), layer, images, 2)
    expected = torch.einsum("nk,nkij->nij", gradient.mean((2, 3)), activation)
    model = ImageModel(conv_net(), input_size=(16, 12))
    torch.testing.assert_close(GradCAM(model, layer)(images, 2).heatmap, upsampled(expected.relu(), images))
    signed = GradCAM(model, layer, relu=False)(images, 2).heatmap
    torch.testing.assert_close(signed, upsampled(expected, images))
    assert signed.min() < 0


@pytest.mark.parametrize("layer", ["1", "2", "4"])
def test_grad_cam_plus_plus_by_its_formula(images: Tensor, layer: str) -> None:
    activation, g = reference(conv_net(), layer, images, 1)
    alpha = g**2 / (2 * g**2 + g**3 * activation.sum((2, 3), keepdim=True))
    weights = (torch.nan_to_num(alpha) * g.relu()).sum((2, 3))
    expected = torch.einsum("nk,nkij->nij", weights, activation).relu()
    found = GradCAMPlusPlus(ImageModel(conv_net(), input_size=(16, 12)), layer)(images, 1).heatmap
    torch.testing.assert_close(found, upsampled(expected, images), rtol=1e-4, atol=1e-6)


def in_range(maps: Tensor) -> Tensor:
    """As pytorch-grad-cam scales its maps: from zero to one."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low)


@pytest.mark.parametrize(
    ("ours", "theirs", "transformer"),
    [(GradCAM, "GradCAM", False), (GradCAM, "GradCAM", True), (GradCAMPlusPlus, "GradCAMPlusPlus", False)],
)
def test_against_pytorch_grad_cam(
    cnn: ImageModel, vit: ImageModel, x: Tensor, *, ours: Any, theirs: str, transformer: bool
) -> None:
    peer = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    given, layer = (vit, "blocks.2") if transformer else (cnn, "features.relu5")
    module = copy.deepcopy(given.module)
    # Theirs adds 1e-6 to squares of gradients; these are made large enough for that to be nothing.
    module.get_parameter("head.weight" if transformer else "classifier.weight").data *= 100
    model = ImageModel(module, input_size=64)

    def patches(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].unflatten(1, (8, 8)).permute(0, 3, 1, 2)

    with getattr(peer, theirs)(
        model.module, [model.module.get_submodule(layer)], reshape_transform=patches if transformer else None
    ) as cam:
        expected = torch.from_numpy(cam(x, [targets.ClassifierOutputTarget(c) for c in (2, 5, 1)]))
    found = ours(model, layer)(x, [2, 5, 1]).heatmap
    # Theirs scales before it enlarges; a constant map, where all is below zero, stays zero in both.
    alive = found.flatten(1).amax(1) > 0
    assert int(alive.sum()) >= 2
    difference = (in_range(found[alive]) - in_range(expected[alive])).abs().amax((1, 2))
    assert difference.max() < 2e-3, difference
    assert expected[~alive].abs().sum() == 0


# -- the layer -------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """A transformer's block with torch's own fused attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(x)


class Tokens(nn.Module):
    """A small transformer. `before` and `after`: tokens that stand before and after those of the patches; `read`: how it answers."""

    def __init__(self, before: int = 1, after: int = 0, read: str = "first", channels: int = 3) -> None:
        super().__init__()
        self.patch = nn.Conv2d(channels, 16, 4, 4)
        self.extra = nn.Parameter(torch.randn(before + after, 16) * 0.1)
        self.blocks = nn.Sequential(Block(16), Block(16))
        self.head, self.before, self.read = nn.Linear(16, 5), before, read

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        extra = self.extra.expand(x.shape[0], -1, -1)
        tokens = self.blocks(torch.cat([extra[:, : self.before], tokens, extra[:, self.before :]], 1))
        return self.head(tokens[:, 0] if self.read == "first" else tokens.mean(1))


def tokens(**options: Any) -> ImageModel:
    torch.manual_seed(0)
    return ImageModel(Tokens(**options).eval(), input_size=(16, 12))


class Swapped(nn.Module):
    """Channels last, as Swin has them."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2))


def channels_last() -> ImageModel:
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 8, 4, 4), Swapped(), nn.Linear(8, 8), nn.GELU(), Mean(), nn.Linear(8, 5)]
    return ImageModel(nn.Sequential(*parts).eval(), input_size=(16, 12))


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda: ImageModel(conv_net(), input_size=(16, 12)), "4"),
        # What the last block says of patches reaches no class token.
        (lambda: tokens(before=1), "blocks.0"),
        (lambda: tokens(before=3, after=2), "blocks.0"),
        (lambda: tokens(read="mean"), "blocks"),
        (channels_last, "3"),
    ],
)
def test_the_layer_is_found_and_said(make: Callable[[], ImageModel], layer: str, images: Tensor) -> None:
    model = make()
    explain = GradCAM(model)
    found = explain(images, 1)
    assert found.provenance.parameters["layer"] == layer == explain.layers(images)[-1]
    assert torch.equal(found.heatmap, GradCAM(model, layer)(images, 1).heatmap)
    assert [control["name"] for control in explain.controls()] == ["layer", "relu"]
    assert explain.controls()[0]["value"] == layer


@pytest.mark.parametrize(("before", "after"), [(1, 0), (3, 2), (0, 4)])
def test_patches_among_other_tokens(images: Tensor, before: int, after: int) -> None:
    model = tokens(before=before, after=after, read="mean")
    value, gradient = reference(tokens(before=before, after=after, read="mean").module, "blocks.0", images, 1)
    part = slice(before, before + 12)
    value, gradient = (entry[:, part].unflatten(1, (4, 3)) for entry in (value, gradient))
    expected = torch.einsum("nk,nijk->nij", gradient.mean((1, 2)), value)
    found = GradCAM(model, "blocks.0", relu=False)(images, 1).heatmap
    torch.testing.assert_close(found, upsampled(expected, images), rtol=1e-4, atol=1e-6)


def test_it_lies_on_the_object(cnn: ImageModel) -> None:
    batch = Shapes(24).batch(range(24))
    for explainer in (GradCAM(cnn), GradCAMPlusPlus(cnn)):
        heat = explainer(batch.x, batch.labels).heatmap
        share = (heat * batch.masks).sum((1, 2)) / heat.sum((1, 2)).clamp_min(1e-9)
        area = batch.masks.float().mean((1, 2))
        # A coarse map of the last layer reaches beyond the object; by chance it would hold as much as its area.
        assert (share > 1.5 * area).all(), (share / area).tolist()


def test_bad_layers(images: Tensor) -> None:
    model = ImageModel(conv_net(), input_size=(16, 12))
    with pytest.raises(ValueError, match=r"layer='9' is not in this model|layer='9'.*nearest"):
        GradCAM(model, "9")(images)
    with pytest.raises(
        ValueError, match=r"layer='7' of Sequential has no space, only \(4,\); name one with space, such as"
    ):
        GradCAM(model, "7")(images)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(576, 8), nn.ReLU(), nn.Linear(8, 4))
    with pytest.raises(ValueError, match="Sequential has no layer with space"):
        GradCAM(ImageModel(flat.eval(), input_size=(16, 12), channels=3))(images)
