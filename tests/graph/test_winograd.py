"""Winograd's convolution against torch's, and where it is used."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from xaiwidgets.graph import Propagator, export, packed, winograd
from xaiwidgets.graph.linear import LinearMap
from xaiwidgets.graph.winograd import Winograd, pays
from xaiwidgets.lrp import assign, make_composite

CASES = [
    (size, padding)
    for size in [(12, 12), (13, 7), (4, 5), (1, 9), (2, 2)]
    for padding in [(0, 0), (1, 1), (2, 1)]
    if min(side + 2 * edge for side, edge in zip(size, padding, strict=True)) >= 3
]


@pytest.fixture
def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("size", "padding"), CASES)
@pytest.mark.parametrize("images", [1, 3])
def test_it_is_the_convolution(
    size: tuple[int, int], padding: tuple[int, int], images: int, draw: torch.Generator
) -> None:
    weight = torch.randn(6, 5, 3, 3, dtype=torch.float64, generator=draw)
    x = torch.randn(images, 5, *size, dtype=torch.float64, generator=draw)
    expected = F.conv2d(x, weight, padding=padding)
    convolution = Winograd(weight, padding)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        kept = given.clone()
        torch.testing.assert_close(convolution(given), expected, rtol=1e-9, atol=1e-11)
        assert torch.equal(given, kept)
    assert convolution(x).permute(0, 2, 3, 1).stride()[-1] == 1


def test_in_parts_it_is_the_same(monkeypatch: pytest.MonkeyPatch, draw: torch.Generator) -> None:
    weight = torch.randn(4, 4, 3, 3, dtype=torch.float64, generator=draw)
    x = torch.randn(7, 4, 12, 12, dtype=torch.float64, generator=draw)
    whole = Winograd(weight, (1, 1))(x)
    monkeypatch.setattr(winograd, "_AT_ONCE", 9 * 36 * 4 * 2)  # two images
    torch.testing.assert_close(Winograd(weight, (1, 1))(x), whole)


def test_it_pays_where_channels_are_many_and_tiles_are_full() -> None:
    assert pays(512, 512, 1, 28, 28)
    assert pays(256, 128, 1, 56, 56)
    assert not pays(128, 128, 1, 112, 112)
    assert not pays(512, 512, 1, 14, 14)
    assert not pays(512, 512, 8, 7, 7)
    assert not pays(2048, 64, 8, 28, 28)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each use of it had."""
    uses: list[int] = []
    run = Winograd.__call__

    def call(self: Winograd, x: Tensor) -> Tensor:
        uses.append(len(x))
        return run(self, x)

    monkeypatch.setattr(Winograd, "__call__", call)
    return uses


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_way_down_a_wide_convolution_takes_it(
    padding: int, rows: int, counted: list[int], draw: torch.Generator
) -> None:
    if not packed._works():
        pytest.skip("this build of torch has no prepared weights")
    layer, side = nn.Conv2d(128, 256, 3, padding=padding), 28
    x = torch.randn(1, 128, side, side, generator=draw)
    weights = LinearMap(export(layer, x).operations[1])
    with torch.no_grad():
        y = weights.apply(x)
        assert not counted
        s = torch.randn(rows, *y.shape, generator=draw)
        s = torch.stack([row.contiguous(memory_format=torch.channels_last) for row in s])
        factor = torch.rand(x.shape, generator=draw).contiguous(memory_format=torch.channels_last)
        doubled = [conv2d_input(x.shape, layer.weight.double(), row.double(), padding=padding) for row in s]
        expected = torch.stack(doubled)
        for given, wanted in ((None, expected), (factor, expected * factor)):
            counted.clear()
            found = weights.transpose(s, tuple(x.shape), given)
            assert counted == [rows]
            assert float((found - wanted).norm() / wanted.norm()) < 1e-5
            assert found[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1_flat", "gradient_x_input"])
def test_maps_are_as_near_to_exact_ones(composite: str, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    if not packed._works():
        pytest.skip("this build of torch has no prepared weights")
    torch.manual_seed(0)
    wide = [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()]
    first = [nn.Conv2d(3, 256, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*first, *wide, nn.AvgPool2d(24), nn.Flatten(), nn.Linear(256, 3)).eval()
    x = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))

    def explained(dtype: torch.dtype) -> Tensor:
        graph = export(net.to(dtype), x.to(dtype)).to(dtype, torch.channels_last)
        propagator = Propagator(graph, assign(make_composite(composite), graph))
        record = propagator.record(x.to(dtype))
        return propagator.down(record, {"output": record.output[None]}, ["input"])["input"].double()

    found = explained(torch.float32)
    assert counted
    monkeypatch.setattr(packed, "pays", lambda *_: False)
    counted.clear()
    direct, exact = explained(torch.float32), explained(torch.float64)
    assert not counted
    errors = [float((part - exact).norm() / exact.norm()) for part in (found, direct)]
    assert errors[0] < max(2e-5, 3 * errors[1]), errors
