"""Relevance as a factor of values: the same as without, on its way down, up and in its account; where it must not be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.lrp.tiny import TinyViT
from xaiwidgets.graph import Propagator, export
from xaiwidgets.graph.carried import Forms, relevance_of, total
from xaiwidgets.graph.local import Site
from xaiwidgets.lrp import LRP, Composite, assign, make_composite
from xaiwidgets.lrp.treatments import Share

SMALL = 1e-14


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def propagators(net: nn.Module, x: Tensor, composite: Composite) -> tuple[Propagator, Propagator]:
    """With factors, and without."""
    graph = export(net, x)
    rules = assign(composite, graph)
    found, plain = Propagator(graph, rules), Propagator(graph, rules)
    plain.forms = Forms(tuple(False for _ in plain.forms.factored), plain.forms.guards)
    return found, plain


def vit() -> nn.Module:
    torch.manual_seed(0)
    return TinyViT(fused=True).double().eval()


def test_all_is_as_without_factors(x: Tensor) -> None:
    composite = replace(make_composite("attn_lrp", epsilon=SMALL), stabiliser=SMALL)
    found, plain = propagators(vit(), x, composite)
    assert sum(found.forms.factored) > 10
    record, every = found.record(x), plain.record(x)
    start = torch.randn(3, *record.output.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    sums: list[dict[int, tuple[float, ...]]] = [{}, {}]
    layers = [index for index in range(len(found.carries)) if found.carries[index]]
    downs = []
    for kept, propagator, values in zip(sums, (found, plain), (record, every), strict=True):

        def trace(index: int, carried: Any, shares: Sequence[Any], kept: dict[int, tuple[float, ...]] = kept) -> None:
            assert total(carried) == pytest.approx(float(relevance_of(carried).sum()), abs=1e-9)
            kept[index] = (float(total(carried)), float(relevance_of(carried).abs().sum()))

        downs.append(propagator.down(values, {"output": start}, layers, trace=trace))
    for index in layers:
        torch.testing.assert_close(downs[0][index], downs[1][index], rtol=1e-6, atol=1e-9)
    for index in sums[1]:
        assert sums[0][index] == pytest.approx(sums[1][index], abs=1e-7)
    v = torch.randn_like(downs[0][0])
    ups = [found.up(record, {"input": v}, layers[1:]), plain.up(every, {"input": v}, layers[1:])]
    for index in layers[1:]:
        # As what they send: the adjoint is of relevance, which is nothing where the value is. Moves guard by more than these rules.
        torch.testing.assert_close(
            (ups[0][index] * downs[0][index]).sum(), (ups[1][index] * downs[0][index]).sum(), rtol=1e-4, atol=1e-6
        )


def test_the_guard_is_the_rule_s_own(x: Tensor) -> None:
    composite = replace(make_composite("attn_lrp", epsilon=SMALL), stabiliser=SMALL)
    found, _ = propagators(vit(), x, composite)
    dividing = [
        index
        for index, rule in enumerate(found.rules)
        if rule is not None and found.forms.factored[index] and not rule.only_moves
    ]
    assert {found.forms.guards[index] for index in dividing} == {SMALL}


class OneAxis(nn.Module):
    """A sum of two values of one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.one, self.other = nn.Conv2d(3, 8, 8), nn.Linear(8, 1), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(1)
        z = self.one(tokens).squeeze(-1) + self.other(tokens).squeeze(-1)
        return torch.stack([z, -z], 1)


class Masked(nn.Module):
    """Attention pooling that leaves a place out by −∞."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.score, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 1), nn.Linear(8, 3)
        mask = torch.zeros(4, 1)
        mask[3] = -torch.inf
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        weights = (self.score(tokens) + self.mask).softmax(1)
        return self.head((weights * tokens).sum(1))


@pytest.mark.parametrize("make", [OneAxis, Masked])
def test_accounts_are_numbers(make: type[nn.Module], x: Tensor) -> None:
    torch.manual_seed(3)
    account = LRP(make().eval(), "attn_lrp")(x.float(), target=0).conservation
    assert account is not None
    assert all(abs(leak.amount) < 100 for leak in account.leaks), account
    assert all(abs(value) < 100 for value in account.layers.values()), account


def test_one_s_own_way_down_is_gone(x: Tensor) -> None:
    class Half(Share):
        def down(self, relevance: Tensor, at: Site) -> list[Any]:
            return [None if share is None else 0.5 * share for share in super().down(relevance, at)]  # type: ignore[operator]

    base = make_composite("attn_lrp")
    own = replace(base, treatments={"add": lambda operation, place: Half(base.stabiliser)})
    net = vit()
    found, plain = propagators(net, x, own)
    default, _ = propagators(net, x, base)
    start = {"output": torch.ones(1, 2, 4, dtype=torch.float64)}
    halved, expected, whole = (p.down(p.record(x), start)["input"] for p in (found, plain, default))
    torch.testing.assert_close(halved, expected, rtol=1e-3, atol=1e-6)
    assert float((halved - whole).norm() / whole.norm()) > 0.3
