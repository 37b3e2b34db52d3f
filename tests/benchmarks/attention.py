"""AttnLRP of ViT-S/16 beside `lxt`, the method's own library, on the same weights: equal heatmaps, and time.

lxt asks for packages of language models that this does not need: `pip install --no-deps lxt`. It adds ε without the sign of what
it stabilises, so heatmaps are compared at an ε near zero, in double precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tests.benchmarks.harness import compare
from tests.benchmarks.lrp import gradient
from tests.lrp.zoo import named_model
from xaiwidgets.lrp import LRP

EPSILON = 1e-6
NEAR_ZERO = 1e-14


def main() -> None:
    """Print the table."""
    try:
        from lxt.explicit import functional as rules
    except ImportError as error:
        print(f"lxt is not installed ({error}): pip install --no-deps lxt")
        return
    vit: Any = named_model("timm:vit_small_patch16_224")
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    lrp = LRP(vit, "attn_lrp")
    expected = lrp(x)
    assert expected.target is not None
    target = int(expected.target)
    contestants: dict[str, Callable[[], Any]] = {
        "lxt": lambda: by_lxt(rules, vit, x, target),
        "forward + gradient": gradient(vit, x),
        "AttnLRP": lambda: lrp(x, target),
    }
    print(compare("ViT-S/16, AttnLRP, 1 image", contestants, repeats=9).table("lxt"))
    double = vit.double()
    found = by_lxt(rules, double, x.double(), target, NEAR_ZERO)
    ours = in_double(double, x.double(), target)
    print(
        f"\nIn float64, with ε near zero, relative difference of the relevance {float((found - ours).norm() / ours.norm()):.1e}.\n"
    )


def in_double(vit: nn.Module, x: Tensor, target: int) -> Tensor:
    """Ours, in double precision."""
    from xaiwidgets.graph import Propagator, export
    from xaiwidgets.lrp import assign, make_composite

    graph = export(vit, x)
    composite = replace(make_composite("attn_lrp", epsilon=NEAR_ZERO), stabiliser=NEAR_ZERO)
    propagator = Propagator(graph, assign(composite, graph))
    record = propagator.record(x)
    start = torch.zeros_like(record.output)
    start[:, target] = record.output[:, target]
    return propagator.down(record, {"output": start[None]})["input"][0]


class Identity(torch.autograd.Function):
    """An element-wise step that hands relevance on unchanged."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        return function(x)

    @staticmethod
    def backward(ctx: Any, *relevance: Tensor) -> tuple[Tensor, None]:
        return relevance[0], None


def by_lxt(rules: Any, vit: Any, x: Tensor, target: int, epsilon: float = EPSILON) -> Tensor:
    """Relevance (1, 3, H, W): the forward pass of timm's ViT retyped with lxt's functions, whose gradients are relevance."""

    def linear(layer: nn.Linear, value: Tensor) -> Tensor:
        result: Tensor = rules.linear_epsilon(value, layer.weight, layer.bias, epsilon)
        return result

    def norm(layer: nn.LayerNorm, value: Tensor) -> Tensor:
        result: Tensor = rules.layer_norm_grad_fn.apply(value, layer.weight, layer.bias, layer.eps, epsilon)
        return result

    leaf = x.clone().requires_grad_()
    patch = vit.patch_embed.proj
    size = patch.kernel_size[0]
    cells = leaf.unfold(2, size, size).unfold(3, size, size).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    tokens = rules.linear_epsilon(cells, patch.weight.flatten(1), patch.bias, epsilon)
    tokens = torch.cat([vit.cls_token.expand(len(x), -1, -1), tokens], 1)
    tokens = rules.add2(tokens, vit.pos_embed.expand_as(tokens), epsilon=epsilon)
    for block in vit.blocks:
        qkv = linear(block.attn.qkv, norm(block.norm1, tokens))
        q, k, v = qkv.unflatten(2, (3, block.attn.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        logits = Identity.apply(rules.matmul(q, k.mT, epsilon=epsilon), lambda z, s=block.attn.scale: z * s)
        mixed = rules.matmul(rules.softmax(logits, -1), v, epsilon=epsilon)
        tokens = rules.add2(tokens, linear(block.attn.proj, mixed.transpose(1, 2).flatten(2)), epsilon=epsilon)
        hidden = Identity.apply(linear(block.mlp.fc1, norm(block.norm2, tokens)), nn.functional.gelu)
        tokens = rules.add2(tokens, linear(block.mlp.fc2, hidden), epsilon=epsilon)
    scores = linear(vit.head, norm(vit.norm, tokens)[:, 0])
    start = torch.zeros_like(scores)
    start[:, target] = scores[:, target].detach()
    (relevance,) = torch.autograd.grad(scores, leaf, start)
    return relevance
