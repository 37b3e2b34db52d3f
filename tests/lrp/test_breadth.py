"""Every method on many architectures, without a line of code for any of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import assign, check, make_composite
from xaiwidgets.lrp.abslrp import batch_leads
from xaiwidgets.model import ImageModel

SIZES = {"inception_v3": 299, "swin_v2_t": 256, "nfnet_f0": 192, "mobilevit_s": 256}
QUICK = ["torchvision:mobilenet_v3_small", "timm:levit_128s"]
SLOW = [
    "torchvision:resnet18",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:vgg11_bn",
    "torchvision:wide_resnet50_2",
    "torchvision:resnext50_32x4d",
    "torchvision:densenet121",
    "torchvision:googlenet",
    "torchvision:inception_v3",
    "torchvision:mobilenet_v2",
    "torchvision:efficientnet_b0",
    "torchvision:regnet_y_400mf",
    "torchvision:squeezenet1_1",
    "torchvision:mnasnet0_5",
    "torchvision:convnext_tiny",
    "torchvision:swin_t",
    "torchvision:swin_v2_t",
    "torchvision:vit_b_16",
    "torchvision:maxvit_t",
    "torchvision:alexnet",
    "timm:convnextv2_atto",
    "timm:vit_small_patch16_224",
    "timm:deit3_small_patch16_224",
    "timm:vit_small_patch14_dinov2",
    "timm:beit_base_patch16_224",
    "timm:eva02_tiny_patch14_224",
    "timm:swin_tiny_patch4_window7_224",
    "timm:mixer_s16_224",
    "timm:resmlp_12_224",
    "timm:efficientformer_l1",
    "timm:mobilevit_s",
    "timm:coatnet_0_rw_224",
    "timm:resnetv2_50",
    "timm:nfnet_f0",
]
MODELS = [*QUICK, *[pytest.param(name, marks=pytest.mark.slow) for name in SLOW]]


def build(name: str, random_model: Callable[..., nn.Module]) -> tuple[nn.Module, Tensor]:
    options = {"img_size": 224} if "dinov2" in name else {}
    if "eva02" in name or "dinov2" in name:
        options["num_classes"] = 10
    size = SIZES.get(name.split(":")[1], 224)
    return random_model(name, **options), torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", MODELS)
def test_methods_run_on(
    name: str, random_model: Callable[..., nn.Module], record_property: Callable[..., None]
) -> None:
    module, x = build(name, random_model)
    graph = export(module, x).to(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = module(x)
    assert (graph.run(x) - expected).abs().max() <= 1e-3 * expected.abs().max()
    attention = any(o.target in {"softmax", "scaled_dot_product_attention"} for o in graph.operations)
    for composite in ("epsilon_plus_flat", "attn_lrp", *(("cp_lrp",) if attention else ())):
        chosen = make_composite(composite)
        propagator = Propagator(graph, assign(chosen, graph))
        record = propagator.record(x, memory=True)
        start = torch.zeros_like(record.output)
        start[:, 3] = record.output[:, 3]
        relevance = propagator.down(record, {"output": start[None]})["input"]
        assert torch.isfinite(relevance).all()
        assert torch.equal(propagator.down(record, {"output": start[None]})["input"], relevance)
        record_property(composite, float(relevance.sum() / start.sum()))
        r = torch.randn(2, *record.output.shape)
        down = propagator.down(record, {"output": r})["input"]
        v = torch.randn_like(down)
        up = propagator.up(record, {"input": v})["output"]
        assert abs(float((v * down).sum() - (up * r).sum())) <= 1e-5 * float(v.norm() * down.norm())
    conserving = Propagator(graph, assign(make_composite("epsilon_plus", zero_bias=True), graph))
    record = conserving.record(x)
    total = conserving.down(record, {"output": start[None]})["input"].sum()
    record_property("zero_bias", float(total / start.sum()))
    magnitude = Propagator(graph, assign(make_composite("abs_lrp"), graph))
    images = x if batch_leads(graph) else x[:1]
    record = magnitude.record(images)
    rows = torch.zeros(2, *record.output.shape)
    rows[0, :, 3], rows[1, :, 4] = 1, 1
    relevance = magnitude.down(record, {"output": rows})["input"]
    assert torch.isfinite(relevance).all()
    assert relevance.abs().sum() > 0


@pytest.mark.parametrize("name", QUICK[:2])
def test_check_lists_every_layer(name: str, random_model: Callable[..., nn.Module]) -> None:
    module, _ = build(name, random_model)
    report = check(ImageModel(module))
    assert report.ok
    assert {row.layer for row in report.rows if row.kind == "linear"} == set(ImageModel(module).layers)
