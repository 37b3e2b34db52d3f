"""AttnLRP and CP-LRP on a transformer against their formulas, one step after the other, in float64 (Achtibat et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.lrp.tiny import TinyViT
from xaiwidgets.graph import Propagator, conditions, export
from xaiwidgets.graph.local import Site
from xaiwidgets.lrp import assign, make_composite
from xaiwidgets.lrp.attention import FusedAttention

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


SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "as many": ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4)),
    "fewer queries": ((2, 3, 1, 4), (2, 3, 7, 4), (2, 3, 7, 6)),
    "fewer keys": ((1, 2, 9, 4), (1, 2, 2, 4), (1, 2, 2, 3)),
    "one key": ((2, 2, 3, 4), (2, 2, 1, 4), (2, 2, 1, 4)),
    "one feature": ((2, 2, 3, 1), (2, 2, 4, 1), (2, 2, 4, 1)),
    "no heads": ((2, 6, 4), (2, 5, 4), (2, 5, 8)),
    "windows": ((2, 2, 2, 4, 3), (2, 2, 2, 4, 3), (2, 2, 2, 4, 3)),
}


def fused(shapes: tuple[tuple[int, ...], ...], scale: float | None, kept: bool) -> tuple[Site, Callable[..., Tensor]]:
    """Attention of any tensors, laid out as projections leave them, with what torch has for it."""

    class Attend(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x, scale=scale)

    draw = torch.Generator().manual_seed(3)
    # A value that all keys share is what a query's weights add up to.
    q, k, v = (torch.randn(shape, dtype=torch.float64, generator=draw) for shape in shapes)
    q, k, v = (x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v + 50))
    operation = export(Attend(), torch.randn(2, 2, 3, 4)).operations[-1]
    assert operation.target == "scaled_dot_product_attention"

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, scale=scale)

    output, every = attend(q, k, v), (True, True, True)
    memory: dict[Any, Any] | None = {} if kept else None
    site = Site(operation, (q, k, v), output, shapes, tuple(output.shape), every, every, len(q), memory)
    return site, attend


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_factors_are_parts_of_the_gradient(name: str, rows: int, scale: float | None) -> None:
    """With R = f ⊙ o, half goes to the values, f_v = ∂(f·o)/∂v / 2, and a quarter each to queries and keys: those products are halved
    once more."""
    for kept in (True, False):
        at, attend = fused(SHAPES[name], scale, kept)
        f = torch.randn(rows, *at.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        f = f.transpose(-2, -1).contiguous().transpose(-2, -1)
        leaves = [x.clone().requires_grad_() for x in at.inputs]
        gradients = [torch.autograd.grad(attend(*leaves), leaves, row) for row in f]
        expected = [torch.stack([g[i] for g in gradients]) * part for i, part in enumerate((0.25, 0.25, 0.5))]
        rule, given = FusedAttention(epsilon=EPSILON), f.clone()
        found = rule.down_factor(f, at)
        assert torch.equal(f, given)
        for mine, theirs in zip(found, expected, strict=True):
            assert isinstance(mine, Tensor)
            torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)
        # The same as relevance.
        for mine, theirs, x in zip(rule.down(f * at.output, at), expected, at.inputs, strict=True):
            assert isinstance(mine, Tensor)
            torch.testing.assert_close(mine, theirs * x, rtol=1e-9, atol=1e-8)
        above = [torch.randn_like(part) for part in expected]
        for asked in ((0, 1, 2), (0,), (1,), (2,), (0, 2), (0, 1)):
            up = rule.up_factor([v if i in asked else None for i, v in enumerate(above)], at)
            sent = sum(float((above[i] * expected[i]).sum()) for i in asked)
            assert float((up * f).sum()) == pytest.approx(sent, rel=1e-9, abs=1e-9)


class Shared(nn.Module):
    """Queries, keys or values that were learned, keys and values that heads share, or queries, keys and values that are one."""

    def __init__(self, kind: str, fused: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kind, self.fused, self.patch = kind, fused, nn.Conv2d(3, 16, 4, 4)
        self.query, self.value = nn.Parameter(torch.randn(1, 2, 3, 8)), nn.Parameter(torch.randn(1, 1, 4, 12))
        self.q, self.k, self.v, self.head = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 12), nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        q, k, v = self.q(tokens).unflatten(-1, (2, 8)).transpose(1, 2), self.k(tokens)[:, None], self.v(tokens)[:, None]
        if self.kind == "one":
            k = v = q
        elif self.kind == "learned":
            q = self.query
        elif self.kind == "of one image":
            q = self.query.expand(len(x), -1, -1, -1)
        elif self.kind == "keys":
            k = self.query
            v = v.expand(-1, 2, -1, -1)[:, :, :3]
        elif self.kind == "values":
            v = self.value
        elif self.kind == "weights":
            q, k = self.query, self.value[..., :8]
        y = F.scaled_dot_product_attention(q, k, v) if self.fused else (q @ k.mT * 8**-0.5).softmax(-1) @ v
        y = y.transpose(1, 2).flatten(2)
        return self.head(F.pad(y, (0, 24 - y.shape[-1]))[:, 0])


KINDS = ["heads", "one", "learned", "of one image", "keys", "values", "weights"]


@pytest.mark.parametrize(
    ("kind", "composite"),
    [(kind, "attn_lrp") for kind in KINDS] + [(kind, "cp_lrp") for kind in KINDS if kind != "values"],
)
def test_fused_attention_is_its_steps(composite: str, kind: str, case: tuple[Tensor, Tensor]) -> None:
    """Where one of two that are multiplied is a constant, the other takes all."""
    x, r = case
    exact = replace(make_composite(composite, epsilon=EPSILON), stabiliser=EPSILON)
    found = []
    for fused_ in (True, False):
        net = Shared(kind, fused_).double().eval()
        graph = export(net, x)
        assert any(o.target == "scaled_dot_product_attention" for o in graph.operations) == fused_
        propagator = Propagator(graph, assign(exact, graph))
        found.append(propagator.down(propagator.record(x), {"output": r})["input"])
    assert found[1].abs().max() > 0
    assert float((found[0] - found[1]).abs().max()) <= 1e-8 * float(found[1].abs().max())


@pytest.mark.parametrize("kind", KINDS[:4])
@pytest.mark.parametrize("composite", ["attn_lrp", "cp_lrp", "gradient_x_input"])
def test_shared_and_constant_tokens(composite: str, kind: str, case: tuple[Tensor, Tensor]) -> None:
    net, (x, r) = Shared(kind).double().eval(), case
    graph = export(net, x)
    assert graph.single == (kind == "of one image")
    exact = replace(make_composite(composite, epsilon=EPSILON), stabiliser=EPSILON) if "lrp" in composite else None
    propagator = Propagator(graph, assign(exact or make_composite(composite), graph))
    record = propagator.record(x)
    down = propagator.down(record, {"output": r})["input"]
    plain = Propagator(graph, propagator.rules)
    plain.forms = replace(plain.forms, factored=tuple(False for _ in plain.forms.factored))
    expected = plain.down(plain.record(x), {"output": r})["input"]
    assert float((down - expected).abs().max()) <= 1e-9 * float(expected.abs().max())
    v = torch.randn_like(down)
    up = propagator.up(record, {"input": v})["output"]
    assert abs(float((v * down).sum() - (up * r).sum())) <= 1e-9 * float(v.norm() * down.norm())
    if composite == "gradient_x_input":
        start = r * record.output
        found = propagator.down(record, {"output": start})["input"][0]
        leaf = x.clone().requires_grad_()
        torch.testing.assert_close(found, torch.autograd.grad(net(leaf), leaf, r[0])[0] * x, rtol=1e-8, atol=1e-10)
