"""One image explained once: rankings, heatmaps and regions agree with conditions asked one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import CRP, ImageModel

Model = Callable[..., nn.Module]


def check_region(crp: CRP, x: Tensor, box: tuple[int, int, int, int], most: int | None = None) -> None:
    """For all concepts of all layers: the region's answer is the sum there of the explicit conditional heatmap."""
    left, top, right, bottom = box
    found = crp.region(x, box)
    assert tuple(found.relevance) == crp.layers
    for layer in crp.layers:
        ids = range(min(most or crp.units(layer), crp.units(layer)))
        maps = crp(x, layer=layer, concepts=ids).heatmap.unflatten(0, (len(x), len(ids)))
        expected = maps[..., top:bottom, left:right].sum((2, 3))
        error = (found.relevance[layer][:, : len(ids)] - expected).abs().amax(1)
        assert (error <= 1e-4 * expected.abs().amax(1)).all(), layer


def test_region_equals_the_sum_of_conditional_heatmaps(residual: ImageModel, images: Tensor) -> None:
    for composite in ("epsilon_plus_flat", "epsilon_gamma_box", "epsilon_alpha2_beta1"):
        check_region(CRP(residual, composite, batch=2), images, (3, 2, 11, 9))


def test_region_of_the_demo_models(cnn: ImageModel, vit: ImageModel, x: Tensor) -> None:
    check_region(CRP(cnn), x[:1], (10, 20, 40, 44))
    check_region(CRP(vit, "attn_lrp", gamma=0.1), x[:1], (10, 20, 40, 44), most=24)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"), [("torchvision:resnet18", 112), ("torchvision:vgg11_bn", 64), ("timm:vit_small_patch16_224", 224)]
)
def test_region_of_large_models(name: str, size: int, random_model: Model) -> None:
    module = random_model(name, num_classes=10)
    crp = CRP(module, "attn_lrp" if "vit" in name else "epsilon_plus_flat")
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2))
    box = (size // 5, size // 8, size - size // 4, size - size // 6)
    check_region(crp, x, box, most=16 if "vit" in name else 64 if "vgg" in name else None)


def test_masks_and_boxes(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual, batch=2)
    mask = torch.zeros(16, 20, dtype=torch.bool)
    mask[2:9, 3:11] = True
    expected = crp.region(images, (3, 2, 11, 9), 1, against=2)
    for region in (mask, mask.numpy(), mask.float(), mask.expand(5, -1, -1), torch.tensor([3, 2, 11, 9])):
        found = crp.region(images, region, 1, against=2)
        for layer in crp.layers:
            assert torch.allclose(found.relevance[layer], expected.relevance[layer], atol=1e-7)
    each = torch.zeros(5, 16, 20)
    for i in range(5):
        each[i, i : i + 3, i : i + 5] = 1
    found = crp.region(images, each, layers=["conv2"])
    for i in range(5):
        one = crp.region(images[i : i + 1], (i, i, i + 5, i + 3), layers=["conv2"])
        assert torch.allclose(found.relevance["conv2"][i], one.relevance["conv2"][0], atol=1e-6)
    assert found.share["conv2"].abs().sum(1).tolist() == pytest.approx([1.0] * 5)
    best = found.top("conv2", 3)
    assert best.shape == (5, 3)
    assert torch.equal(best[:, 0], found.relevance["conv2"].abs().argmax(1))


@pytest.mark.parametrize("against", [None, 2, "rest"])
def test_focus_answers_as_the_explainer_does(residual: ImageModel, images: Tensor, against: Any) -> None:
    crp, x = CRP(residual, chunk=3), images[2:3]
    focus = crp.focus(x, 1, against)
    assert focus.layers == crp.layers == tuple(focus.relevance)
    assert (focus.target, focus.output.shape) == (1, (1, 5))
    for layer in focus.layers:
        ranking = crp.rank(x, 1, layer, against=against)
        assert torch.equal(focus.rank(layer).concepts, ranking.concepts)
        assert torch.allclose(focus.relevance[layer][ranking.concepts[0]], ranking.relevance[0], atol=1e-7)
        ids = ranking.concepts[0, :4].tolist()
        maps = crp(x, 1, layer=layer, concepts=ids, against=against).heatmap
        assert torch.allclose(focus.heatmaps(layer, ids), maps, atol=1e-6)
        assert focus.heatmaps(layer, ids).shape == (4, 16, 20)
        assert torch.equal(focus.rank(layer, "activation").concepts, crp.rank(x, 1, layer, by="activation").concepts)
        assert focus.activation(layer).shape == (crp.units(layer),)
    region = focus.region((0, 0, 20, 16), layers=["conv2"])
    expected = crp.region(x, (0, 0, 20, 16), 1, layers=["conv2"], against=against).relevance["conv2"][0]
    assert tuple(region) == ("conv2",)
    assert torch.allclose(region["conv2"], expected, atol=1e-7)
    assert tuple(focus.region((0, 0, 1, 1))) == crp.layers


def test_layers_beyond_the_list_may_be_asked_for(residual: ImageModel, images: Tensor) -> None:
    focus = CRP(residual).focus(images[:1])
    assert focus.rank("pool").concepts.shape == (1, 8)
    assert focus.heatmaps("pool", [0, 1]).shape == (2, 16, 20)
    assert focus.region((1, 1, 5, 5), layers=["pool"])["pool"].shape == (8,)


def test_threads_may_ask_at_once(residual: ImageModel, images: Tensor) -> None:
    crp = CRP(residual)
    expected = crp.focus(images[:1]).heatmaps("conv2", range(8))
    focus = crp.focus(images[:1])
    found: list[Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(focus.heatmaps("conv2", range(8)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.allclose(maps, expected, atol=1e-7) for maps in found)


def test_nothing_of_the_model_changes(residual: ImageModel, images: Tensor) -> None:
    from tests.contract import untouched

    crp = CRP(residual)
    with untouched(residual.module):
        focus = crp.focus(images[:1])
        focus.heatmaps("conv2", [1])
        focus.region((1, 1, 5, 5))
        focus.graph("hidden", 2)
        crp.attribute(images, [{"conv2": [1]}])
        with pytest.raises(ValueError, match="99"):
            crp.attribute(images, [{"conv2": [99]}])
