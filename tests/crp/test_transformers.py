"""Hidden features of MLPs and heads of attention as concepts: against autograd, whose gradient × input is a composite as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import CRP, ImageModel

Model = Callable[..., nn.Module]


def through(module: nn.Module, x: Tensor, place: str, mask: Tensor, *, exclude_parallel: bool) -> Tensor:
    """x ⊙ ∂(logit of class 1)/∂x with the gradient masked at the output of module `place`, or for "….proj" at its input, (1, C, H, W)."""
    kept: dict[str, Tensor] = {}
    part = module.get_submodule(place)
    if place.endswith("proj"):
        handle = part.register_forward_pre_hook(lambda module, inputs: kept.update(value=inputs[0]))
    else:
        handle = part.register_forward_hook(lambda module, inputs, output: kept.update(value=output))
    leaf = x.clone().requires_grad_()
    logit = module(leaf)[:, 1].sum()
    handle.remove()
    value = kept["value"]
    if exclude_parallel:
        (gradient,) = torch.autograd.grad(logit, value, retain_graph=True)
        (gradient,) = torch.autograd.grad(value, leaf, gradient * mask)
    else:
        value.register_hook(lambda gradient: gradient * mask)
        (gradient,) = torch.autograd.grad(logit, leaf)
    return (x * gradient).detach()


def check(model: ImageModel, x: Tensor, block: int, heads: int) -> None:
    crp = CRP(model, "gradient_x_input")
    mlp, attention = f"blocks.{block}.mlp.fc1", f"blocks.{block}.attn:heads"
    assert crp.units(attention) == heads
    for exclude_parallel in (True, False):
        for unit in crp.rank(x, 1, mlp).concepts[0, :3].tolist():
            mask = torch.zeros(crp.units(mlp))
            mask[unit] = 1
            expected = through(model.module, x, mlp, mask, exclude_parallel=exclude_parallel)
            agree(crp(x, 1, layer=mlp, concepts=[unit], exclude_parallel=exclude_parallel).relevance, expected)
        for unit in (0, heads - 1):
            mask = torch.zeros(heads, int(model.module.embed_dim) // heads)  # type: ignore[arg-type]
            mask[unit] = 1
            expected = through(
                model.module, x, f"blocks.{block}.attn.proj", mask.flatten(), exclude_parallel=exclude_parallel
            )
            agree(crp(x, 1, layer=attention, concepts=[unit], exclude_parallel=exclude_parallel).relevance, expected)


def agree(found: Tensor, expected: Tensor) -> None:
    assert (found - expected).norm() <= 1e-3 * expected.norm()


def test_features_and_heads_of_the_demo_transformer(vit: ImageModel, x: Tensor) -> None:
    check(vit, x[:1], 2, 4)


@pytest.mark.slow
def test_features_and_heads_of_a_large_transformer(random_model: Model) -> None:
    model = ImageModel(random_model("timm:vit_small_patch16_224"))
    check(model, torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)), 9, 6)


@pytest.mark.parametrize("composite", ["attn_lrp", "cp_lrp"])
def test_heads_share_what_attention_passes_on(vit: ImageModel, x: Tensor, composite: str) -> None:
    """All heads together are all that flows through attention; ranking, region and focus agree on them."""
    crp, layer = CRP(vit, composite, gamma=0.1), "blocks.1.attn:heads"
    maps = crp(x[:1], layer=layer).heatmap
    assert maps.shape == (4, 64, 64)
    whole = crp.attribute(x[:1], [{layer: [0, 1, 2, 3]}]).heatmap[0]
    assert torch.allclose(maps.sum(0), whole, atol=1e-5 * float(whole.abs().max()))
    focus = crp.focus(x[:1])
    assert torch.allclose(focus.heatmaps(layer, range(4)), maps, atol=1e-6)
    ranking: Any = focus.rank(layer)
    assert sorted(ranking.concepts[0].tolist()) == [0, 1, 2, 3]
    single = crp.attribute(x[:1], [{layer: [2], "blocks.0.mlp.fc1": [5, 6, 7]}], exclude_parallel=True).heatmap
    assert torch.isfinite(single).all()
    assert single.abs().max() > 0


def test_tokens_after_a_block_are_concepts_too(vit: ImageModel, x: Tensor) -> None:
    crp = CRP(vit, "attn_lrp", gamma=0.1)
    focus = crp.focus(x[:1])
    assert crp.units("blocks.1") == 96
    parts = focus.heatmaps("blocks.1", range(96)).sum(0)
    # Every path passes the tokens between two blocks.
    assert torch.allclose(parts, focus.heatmap, atol=1e-4 * float(focus.heatmap.abs().max()))
