"""AttnLRP and CP-LRP on a transformer against their formulas, one step after the other, in float64 (Achtibat et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.lrp.tiny import TinyViT
from xaiwidgets.graph import Propagator, conditions, export
from xaiwidgets.lrp import assign, make_composite

EPSILON = 1e-14


def st(z: Tensor) -> Tensor:
    return z + EPSILON * torch.where(z < 0, -1.0, 1.0)


def epsilon(f: Callable[[Tensor], Tensor], x: Tensor, r: Tensor) -> Tensor:
    """x ⊙ Jᵀ(R / st(y)): the ε-rule of a map that is linear in x."""
    x = x.detach().requires_grad_()
    y = f(x)
    return x.detach() * torch.autograd.grad(y, x, r / st(y.detach()))[0]


def product(a: Tensor, b: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    s = r / st(2 * (a @ b))
    return a * (s @ b.mT), b * (a.mT @ s)


def norm(layer: nn.LayerNorm, x: Tensor, r: Tensor) -> Tensor:
    deviation = (x.var(-1, correction=0, keepdim=True) + layer.eps).sqrt().detach()
    return epsilon(lambda v: (v - v.mean(-1, keepdim=True)) / deviation * layer.weight + layer.bias, x, r)


def add(a: Tensor, b: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    return a * r / st(a + b), b * r / st(a + b)


def slow(net: TinyViT, x: Tensor, r: Tensor, hold: bool) -> Tensor:
    patches = net.patch(x).flatten(2).transpose(1, 2)
    tokens = torch.cat([net.token.expand(len(x), -1, -1), patches], 1)
    h0 = tokens + net.position
    n1 = net.norm1(h0)
    q, k, v = net.split(net.qkv(n1))
    scale = q.shape[-1] ** -0.5
    weights = (q @ k.mT * scale).softmax(-1)
    o = weights @ v
    attended = net.project(net.join(o))
    h1 = h0 + attended
    n2 = net.norm2(h1)
    hidden = net.up(n2)
    h2_add = net.below(F.gelu(hidden))
    h2 = h1 + h2_add
    final = net.norm(h2)

    r0 = epsilon(net.head, final[:, 0], r)
    r_final = torch.zeros_like(final)
    r_final[:, 0] = r0
    r_h1, r_mlp = add(h1, h2_add, norm(net.norm, h2, r_final))
    r_mlp = epsilon(net.below, F.gelu(hidden), r_mlp)  # GELU passes
    r_h1 = r_h1 + norm(net.norm2, h1, epsilon(net.up, n2, r_mlp))
    r_h0, r_att = add(h0, attended, r_h1)
    joined = epsilon(net.project, net.join(o), r_att)
    r_o = joined.reshape(len(x), -1, net.heads, o.shape[-1]).transpose(1, 2)
    if hold:
        r_v = epsilon(lambda value: weights @ value, v, r_o)
        r_q, r_k = torch.zeros_like(q), torch.zeros_like(k)
    else:
        r_weights, r_v = product(weights, v, r_o)
        logits = q @ k.mT * scale
        r_logits = logits * (r_weights - weights * r_weights.sum(-1, keepdim=True))
        r_q, r_kt = product(q, k.mT, r_logits)
        r_k = r_kt.mT
    r_qkv = torch.stack([r_q, r_k, r_v]).permute(1, 3, 0, 2, 4).reshape(len(x), -1, net.qkv.out_features)
    r_h0 = r_h0 + norm(net.norm1, h0, epsilon(net.qkv, n1, r_qkv))
    r_tokens = add(tokens, net.position.expand_as(tokens), r_h0)[0]
    r_patches = r_tokens[:, 1:].transpose(1, 2).reshape(net.patch(x).shape)
    return epsilon(net.patch, x, r_patches)


@pytest.fixture
def case() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(1, 2, 4, dtype=torch.float64)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("composite", ["attn_lrp", "cp_lrp"])
def test_equals_the_formulas(composite: str, fused: bool, case: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    net = TinyViT(fused).double().eval()
    x, r = case
    graph = export(net, x)
    expected = slow(net, x, r[0], composite == "cp_lrp").detach()
    # Where ε is nothing they are the same numbers; as it is by default it may be left out where it only guards a division.
    exact = replace(make_composite(composite, epsilon=EPSILON), stabiliser=EPSILON)
    for entry, near in ((exact, 1e-9), (make_composite(composite), 1e-4)):
        propagator = Propagator(graph, assign(entry, graph))
        found = propagator.down(propagator.record(x), {"output": r})["input"][0]
        assert (found - expected).abs().max() <= near * expected.abs().max()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("composite", ["attn_lrp", "cp_lrp", "epsilon_plus_flat", "gradient_x_input"])
def test_adjoint(composite: str, fused: bool, case: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    net = TinyViT(fused).double().eval()
    x, _ = case
    graph = export(net, x)
    propagator = Propagator(graph, assign(make_composite(composite), graph))
    record = propagator.record(x)
    r = torch.randn(3, 2, 4, dtype=torch.float64)
    down = propagator.down(record, {"output": r})["input"]
    v = torch.randn_like(down)
    up = propagator.up(record, {"input": v})["output"]
    assert abs(float((v * down).sum() - (up * r).sum())) <= 1e-9 * float(v.norm() * down.norm())


@pytest.mark.parametrize("fused", [True, False])
def test_gradient_x_input_is_what_autograd_gives(fused: bool, case: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    net = TinyViT(fused).double().eval()
    x = case[0].requires_grad_()
    graph = export(net, x)
    propagator = Propagator(graph, assign(make_composite("gradient_x_input"), graph))
    record = propagator.record(x)
    one = torch.zeros(1, 2, 4, dtype=torch.float64)
    one[..., 2] = 1
    found = propagator.down(record, {"output": one * record.output})["input"][0]
    expected = torch.autograd.grad(net(x)[:, 2].sum(), x)[0] * x
    assert torch.allclose(found, expected.detach(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("fused", [True, False])
def test_heads_are_concepts(fused: bool, case: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    net = TinyViT(fused).double().eval()
    x, r = case
    graph = export(net, x)
    (name,) = graph.heads
    assert name == ":heads"
    propagator = Propagator(graph, assign(make_composite("attn_lrp"), graph))
    record = propagator.record(x, memory=True)
    rows: list[Mapping[str, list[int]]] = [{name: [0]}, {name: [1]}, {name: [0, 1]}]
    limits = conditions(graph, record, rows, exclude_parallel=True)
    found = propagator.down(record, {"output": r}, ["input"], limits)["input"]
    assert found[2].abs().max() > 0
    assert torch.allclose(found[0] + found[1], found[2], atol=1e-10)
