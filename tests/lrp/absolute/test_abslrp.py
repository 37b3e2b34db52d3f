"""absLRP against its one formula, step by step through autograd, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.lrp.tiny import TinyResNet, TinyViT, tiny_vgg
from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import LRP, AbsLRP, assign, make_composite
from xaiwidgets.lrp.absolute.contrast import batch_leads
from xaiwidgets.lrp.absolute.rules import normalise
from xaiwidgets.model import ImageModel

EPSILON = 1e-9


def one(r: Tensor) -> Tensor:
    """N₁ per sample."""
    return r / (r.abs().flatten(1).sum(1).reshape(-1, *[1] * (r.ndim - 1)) + EPSILON)


def step(
    g: Callable[..., Tensor], magnitude: Callable[..., Tensor], inputs: list[Tensor], r: Tensor, divide: bool = True
) -> list[Tensor]:
    """The rule for y = g(inputs), with g for magnitudes of weights given apart."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = g(*leaves)
    total = y + magnitude(*[x.abs() for x in leaves])
    s = r / (y.detach().abs() + EPSILON) if divide else r
    return [one(x.detach() * d) for x, d in zip(leaves, torch.autograd.grad(total, leaves, s), strict=True)]


def linear(layer: nn.Module, x: Tensor, r: Tensor) -> Tensor:
    if isinstance(layer, nn.Conv2d):
        weight = layer.weight.abs()
        return step(layer, lambda v: F.conv2d(v, weight, None, layer.stride, layer.padding), [x], r)[0]
    assert isinstance(layer, nn.Linear)
    return step(layer, lambda v: F.linear(v, layer.weight.abs()), [x], r)[0]


def same(f: Callable[..., Tensor], inputs: list[Tensor], r: Tensor, divide: bool = True) -> list[Tensor]:
    return step(f, f, inputs, r, divide)


def slow_vgg(net: nn.Sequential, x: Tensor, r: Tensor) -> Tensor:
    values = [x]
    for layer in net:
        values.append(layer(values[-1]).detach())
    for layer, value in reversed(list(zip(net, values, strict=False))):
        if isinstance(layer, nn.Flatten):
            r = r.reshape(value.shape)
        elif isinstance(layer, (nn.Conv2d, nn.Linear)):
            r = linear(layer, value, r)
        else:
            r = same(layer, [value], r, divide=not isinstance(layer, nn.MaxPool2d))[0]
    return r


def slow_resnet(net: TinyResNet, x: Tensor, r: Tensor) -> Tensor:
    a = net.conv1(x)
    b = net.pool(a.relu())
    c = net.conv2(b)
    d = net.conv3(c.relu())
    e = (b + d).relu()
    pooled = e.mean((2, 3), keepdim=True)
    r = linear(net.head, pooled.flatten(1), r).reshape(pooled.shape)
    r = same(lambda v: v.mean((2, 3), keepdim=True), [e], r)[0]
    r = same(F.relu, [b + d], r)[0]
    r_b, r_d = same(torch.add, [b, d], r)
    r = same(F.relu, [c], linear(net.conv3, c.relu(), r_d))[0]
    r_b = r_b + linear(net.conv2, b, r)
    r = same(net.pool, [a.relu()], r_b)[0]
    return linear(net.conv1, x, same(F.relu, [a], r)[0])


def slow_vit(net: TinyViT, x: Tensor, r: Tensor) -> Tensor:
    patches = net.patch(x).flatten(2).transpose(1, 2)
    tokens = torch.cat([net.token.expand(len(x), -1, -1), patches], 1)
    h0 = tokens + net.position
    n1 = net.norm1(h0)
    q, k, v = net.split(net.qkv(n1))
    logits = q @ k.mT * q.shape[-1] ** -0.5
    weights = logits.softmax(-1)
    o = weights @ v
    h1 = h0 + net.project(net.join(o))
    n2 = net.norm2(h1)
    hidden = net.up(n2)
    active = F.gelu(hidden)
    h2 = h1 + net.below(active)
    final = net.norm(h2)

    def normed(layer: nn.LayerNorm, value: Tensor, r: Tensor) -> Tensor:
        mean, deviation = value.mean(-1, keepdim=True), (value.var(-1, correction=0, keepdim=True) + layer.eps).sqrt()
        mean, deviation = mean.detach(), deviation.detach()
        return step(
            lambda u: (u - mean) / deviation * layer.weight + layer.bias,
            lambda u: (u - mean) / deviation * layer.weight.abs(),
            [value],
            r,
        )[0]

    r = same(lambda u: u * 1.0, [final[:, 0]], linear(net.head, final[:, 0], r))[0]
    r_final = torch.zeros_like(final)
    r_final[:, 0] = r
    r_h1, r_mlp = same(torch.add, [h1, h2 - h1], normed(net.norm, h2, r_final))
    r = same(lambda u: u * 1.0, [active], linear(net.below, active, r_mlp))[0]  # dropout in evaluation mode
    r = linear(net.up, n2, same(F.gelu, [hidden], r)[0])
    r_h1 = r_h1 + normed(net.norm2, h1, r)
    r_h0, r = same(torch.add, [h0, h1 - h0], r_h1)
    r = linear(net.project, net.join(o), r).reshape(len(x), -1, net.heads, o.shape[-1]).transpose(1, 2)
    r_weights, r_v = same(torch.matmul, [weights, v], r)

    def held_softmax(like: Tensor) -> Callable[[Tensor], Tensor]:
        largest = like.amax(-1, keepdim=True).detach()
        total = (like - largest).exp().sum(-1, keepdim=True).detach()
        return lambda u: (u - largest).exp() / total

    r = step(held_softmax(logits), held_softmax(logits.abs()), [logits], r_weights)[0]
    r_q, r_k = same(lambda a, b: a @ b.mT, [q * q.shape[-1] ** -0.5, k], r)
    r_qkv = torch.stack([r_q, r_k, r_v]).permute(1, 3, 0, 2, 4).reshape(len(x), -1, net.qkv.out_features)
    r_h0 = r_h0 + normed(net.norm1, h0, linear(net.qkv, n1, r_qkv))
    r = same(lambda u: u + net.position, [tokens], r_h0)[0]
    return linear(net.patch, x, r[:, 1:].transpose(1, 2).reshape(net.patch(x).shape))


NETS: dict[str, tuple[Callable[[], nn.Module], Callable[..., Tensor]]] = {
    "vgg": (tiny_vgg, slow_vgg),
    "resnet": (TinyResNet, slow_resnet),
    "vit": (lambda: TinyViT(False), slow_vit),
    "vit_fused": (lambda: TinyViT(True), slow_vit),
}


@pytest.mark.parametrize("name", NETS)
def test_equals_the_formula(name: str) -> None:
    torch.manual_seed(2)
    make, slow = NETS[name]
    net = make().double().eval()
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    r = torch.zeros(2, 3, 4, dtype=torch.float64)
    r[0, :, 1], r[1, :, [0, 2, 3]] = 1.0, 1 / 3
    graph = export(net, x)
    assert batch_leads(graph)
    propagator = Propagator(graph, assign(make_composite("abs_lrp"), graph))
    found = normalise(propagator.down(propagator.record(x), {"output": r})["input"], 3)
    for row in range(2):
        expected = slow(net, x, r[row]).detach()
        both = torch.stack([found[row].flatten(), expected.flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.999999
        assert (found[row] - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", NETS)
def test_classes_and_the_composite_of_that_name_are_the_same_method(name: str) -> None:
    torch.manual_seed(2)
    model = ImageModel(NETS[name][0]().eval(), input_size=8)
    x = torch.randn(3, 3, 8, 8)
    magnitude = AbsLRP(model, batch=2)
    layer = model.layers[0]
    alone = [magnitude(x, target, layers=[layer]) for target in (3, 0, [1, 2, 1])]
    for result, each in zip(magnitude.classes(x, [3, 0, [1, 2, 1]], layers=[layer]), alone, strict=True):
        torch.testing.assert_close(result.relevance, each.relevance, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(result.layers[layer], each.layers[layer], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(result.activations[layer], each.activations[layer])
        assert result.target is not None
        assert each.target is not None
        assert torch.equal(result.target, each.target)
    for lrp in (
        LRP(model, "abs_lrp"),
        LRP(model).with_parameters(composite="abs_lrp"),
        LRP(model, magnitude.composite),
    ):
        found = lrp(x, 3)
        torch.testing.assert_close(found.relevance, alone[0].relevance, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            lrp(x, 3, against=0).heatmap, magnitude(x, 3, against=0).heatmap, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(lrp.classes(x, [3])[0].relevance, found.relevance, atol=1e-4, rtol=1e-4)
        assert found.conservation is None
        assert found.provenance.method == "absLRP"
        assert found.provenance.parameters["start"] == "one"


def test_parameters() -> None:
    torch.manual_seed(2)
    model = ImageModel(tiny_vgg().eval(), input_size=8)
    magnitude = AbsLRP(model, epsilon=1e-3)
    assert magnitude.with_parameters().provenance == magnitude.provenance
    assert magnitude.with_parameters(epsilon=1e-2).parameters == {"epsilon": 1e-2}
    with pytest.raises(TypeError, match="takes no keyword 'epsilom'; did you mean 'epsilon'"):
        magnitude.with_parameters(epsilom=1)
    controls = {control["name"]: control for control in LRP(model, "abs_lrp").controls()}
    assert set(controls) == {"composite", "epsilon"}
    assert controls["composite"]["value"] in controls["composite"]["options"]
    back = LRP(model, "abs_lrp").with_parameters(composite="epsilon_plus")
    assert back.provenance.parameters == {"composite": "epsilon_plus", "start": "logit"}
