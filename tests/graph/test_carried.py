"""Relevance as a factor of values: the same as without, on its way down, up and in its account; where it must not be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.lrp.tiny import TinyViT
from xaiwidgets.graph import Propagator, export
from xaiwidgets.graph.carried import relevance_of, total
from xaiwidgets.graph.kinds import GATES
from xaiwidgets.graph.local import Gate, Local, Pass, Site
from xaiwidgets.graph.propagate import Masks
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
    plain.forms = replace(plain.forms, factored=tuple(False for _ in plain.forms.factored))
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


class Gated(nn.Module):
    """An activation x g(x) between linear steps, with what only moves on either side of it."""

    def __init__(self, activation: Callable[[Tensor], Tensor], level: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.wide, self.drop = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 12), nn.Dropout(0.1)
        self.mix, self.head, self.activation = nn.Conv2d(12, 10, 1), nn.Linear(40, 4), activation
        with torch.no_grad():
            self.wide.bias[:2] = -900.0  # where the activation is nothing, exactly
            if level:
                self.wide.weight[2], self.wide.bias[2] = 0.0, 0.0

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.activation(self.wide(self.patch(x).flatten(2).transpose(1, 2))))
        return self.head(self.mix(y.unflatten(1, (2, 2)).permute(0, 3, 1, 2)).flatten(1))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "tanh": nn.GELU("tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "in place": nn.SiLU(inplace=True),
}


def gated(
    name: str, x: Tensor, level: bool = False, treatments: dict[str, Any] | None = None
) -> tuple[Propagator, Propagator, dict[str, int]]:
    """With factors and without, and where the first step of each name stands."""
    composite = replace(make_composite("attn_lrp", epsilon=SMALL), stabiliser=SMALL, treatments=treatments or {})
    found, plain = propagators(Gated(ACTIVATIONS[name], level).double().eval(), x, composite)
    places = {operation.target: operation.index for operation in reversed(found.graph.operations)}
    [places["gate"]] = [places[target] for target in GATES & places.keys()]
    return found, plain, places | {"wide": found.index("wide"), "mix": found.index("mix")}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_passes_a_gate_is_as_without_factors(name: str, rows: int, x: Tensor) -> None:
    found, plain, at = gated(name, x, level=True)
    assert isinstance(found.rules[at["gate"]], Gate)
    assert found.forms.factored[at["gate"]]
    layers = range(len(found.carries))
    for memory in (False, True, True):
        record, every = found.record(x, memory=memory), plain.record(x, layers)
        assert (every.values[at["gate"]] == 0).any()
        assert (every.values[at["wide"]] == 0).any()
        start = torch.randn(rows, 2, 4, dtype=torch.float64)
        downs = [p.down(values, {"output": start}, layers) for p, values in ((found, record), (plain, every))]
        for index in layers:
            torch.testing.assert_close(downs[0][index], downs[1][index], rtol=1e-9, atol=1e-9)
        v = torch.randn_like(downs[0][0])
        for up in (found.up(record, {"input": v})["output"], plain.up(every, {"input": v})["output"]):
            assert float((up * start).sum()) == pytest.approx(float((v * downs[0][0]).sum()), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("start", ["gate", "dropout", "unflatten", "permute", "mix", "transpose"])
@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "hardswish"])
def test_a_start_in_the_middle_arrives_whole(name: str, start: str, rows: int, x: Tensor) -> None:
    found, plain, at = gated(name, x)
    place = at[start]
    assert found.forms.factored[place]
    record, every = found.record(x), plain.record(x, [place])
    assert (every.values[place] == 0).any() == (start not in {"mix", "transpose"})
    given = torch.randn(rows, *record.shapes[place], dtype=torch.float64)
    between = [at[step] for step in ("wide", "gate", "dropout", "unflatten") if at[step] <= place]
    down, expected = (
        p.down(values, {place: given}, [*between, "input"]) for p, values in ((found, record), (plain, every))
    )
    for target in down:
        torch.testing.assert_close(down[target], expected[target], rtol=1e-9, atol=1e-9)
    if start != "mix":
        for index in between:
            assert float(down[index].sum()) == pytest.approx(float(given.sum()), abs=1e-9)
    v = torch.randn_like(down["input"])
    up = found.up(record, {"input": v}, [place])[place]
    assert float((up * given).sum()) == pytest.approx(float((v * down["input"]).sum()), rel=1e-9, abs=1e-9)
    # Entry by entry: what an entry of zero there would send counts as well.
    whole = plain.up(every, {"input": v}, [place])[place]
    torch.testing.assert_close(up, whole, rtol=1e-9, atol=1e-9)


class OneImage(Gated):
    """A batch of one, which is written into the graph."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.activation(self.wide(self.patch(x).flatten(2).transpose(1, 2))))
        return self.head(self.mix(y.reshape(len(x), 2, 2, 12).permute(0, 3, 1, 2)).flatten(1))


def test_starts_in_the_middle_of_single_images_arrive_whole(x: Tensor) -> None:
    composite = replace(make_composite("attn_lrp", epsilon=SMALL), stabiliser=SMALL)
    single, _ = propagators(OneImage(F.hardswish).double().eval(), x, composite)
    every, _, at = gated("hardswish", x)
    assert single.graph.single
    record, whole = single.record(x), every.record(x)
    assert len(record.parts) == 2
    v = torch.randn(2, *x.shape, dtype=torch.float64)
    for name, target in (("gate", "hardswish"), ("dropout", "dropout"), ("permute", "permute"), ("mix", "conv2d")):
        place = max(operation.index for operation in single.graph.operations if operation.target == target)
        given = torch.randn(3, *whole.shapes[at[name]], dtype=torch.float64)
        down = single.down(record, {place: given}, ["wide", "input"])
        for layer, expected in every.down(whole, {at[name]: given}, ["wide", "input"]).items():
            torch.testing.assert_close(down[layer], expected, rtol=1e-9, atol=1e-9)
        up, sent = single.up(record, {"input": v}, [place])[place], every.up(whole, {"input": v}, [at[name]])[at[name]]
        torch.testing.assert_close(up, sent, rtol=1e-9, atol=1e-9)


def test_starts_at_several_values_add_up(x: Tensor) -> None:
    found, _, at = gated("hardswish", x)
    record = found.record(x)
    starts = {
        place: torch.randn(rows, *record.shapes[place], dtype=torch.float64)
        for place, rows in ((found.graph.output, 1), (at["permute"], 3), (at["gate"], 1))
    }
    together = found.down(record, starts)["input"]
    apart = [found.down(record, {place: given})["input"] for place, given in starts.items()]
    assert together.shape[0] == 3
    torch.testing.assert_close(together, apart[0] + apart[1] + apart[2], rtol=1e-9, atol=1e-9)


def test_conditions_at_a_gate_are_as_without_factors(x: Tensor) -> None:
    found, plain, at = gated("gelu", x)
    mask = (torch.rand(3, 1, 1, 12, generator=torch.Generator().manual_seed(4)) > 0.5).double()
    start = torch.randn(1, 2, 4, dtype=torch.float64)
    for place in ("gate", "wide", "dropout"):
        limits = Masks({at[place]: mask})
        both = [p.down(p.record(x), {"output": start}, [at[place], "input"], limits) for p in (found, plain)]
        chunked = found.down(found.record(x, memory=True), {"output": start}, [at[place], "input"], limits, chunk=2)
        for target, expected in both[1].items():
            assert expected.shape[0] == 3
            torch.testing.assert_close(both[0][target], expected, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(chunked[target], expected, rtol=1e-9, atol=1e-9)


class Halved(Gate):
    """One's own, which says what goes down and nothing of factors."""

    def down(self, relevance: Tensor, at: Site) -> list[Any]:
        return [0.5 * share for share in super().down(relevance, at)]  # type: ignore[operator]


@pytest.mark.parametrize(("own", "factored"), [(Halved, False), (Pass, False), (Gate, True)])
def test_one_s_own_gate_is_gone_through(own: type[Local], factored: bool, x: Tensor) -> None:
    found, plain, at = gated("silu", x, treatments={"silu": lambda operation, place: own()})
    assert found.forms.factored[at["gate"]] is factored
    start = torch.randn(1, 2, 4, dtype=torch.float64)
    wide, gate, inputs = at["wide"], at["gate"], 0
    down, expected = (p.down(p.record(x), {"output": start}, [gate, wide, inputs]) for p in (found, plain))
    for target in down:
        torch.testing.assert_close(down[target], expected[target], rtol=1e-9, atol=1e-9)
    part = float(down[wide].sum()) / float(down[gate].sum())
    assert part == pytest.approx(0.5 if own is Halved else 1.0)
