"""Max-pooling's way back, written in place, against torch's own derivative, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import assign, make_composite

LAST, FIRST = torch.channels_last, torch.contiguous_format
POOLS: dict[str, dict[str, Any]] = {
    "apart": {"kernel_size": 2},
    "over each other": {"kernel_size": 3, "stride": 2, "padding": 1},
    "strides of 1": {"kernel_size": (3, 2), "stride": 1},
    "rounded up": {"kernel_size": 3, "stride": (2, 3), "ceil_mode": True},
    "dilated": {"kernel_size": 2, "stride": 2, "dilation": (2, 3), "padding": 1},
    "whole": {"kernel_size": (8, 9)},
    "of one": {"kernel_size": 1, "stride": 3},
}
READS: dict[str, Callable[[Tensor], Tensor]] = {
    "all": lambda x: x,
    "some channels": lambda x: x[:, 1:4],
    "one channel": lambda x: x[:, 2:3],
    "every other pixel": lambda x: x[..., ::2, ::2],
    "turned": lambda x: x.transpose(2, 3),
}


class Pooled(nn.Module):
    def __init__(self, read: Callable[[Tensor], Tensor], pool: dict[str, Any]) -> None:
        super().__init__()
        self.read, self.pool = read, pool

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.read(x), **self.pool)


def image(batch: int, channels: int = 6) -> Tensor:
    # Few values, so that several are level.
    draw = torch.Generator().manual_seed(batch)
    return torch.randint(-4, 5, (batch, channels, 8, 9), generator=draw).double()


def check(net: nn.Module, x: Tensor, rows: int, kept: torch.memory_format) -> Tensor:
    graph = export(net, x).to(torch.float64, kept)
    propagator = Propagator(graph, assign(make_composite("epsilon_plus"), graph))
    record = propagator.record(x)
    r = torch.randn(rows, *record.output.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    given = [row.contiguous(memory_format=other) for row, other in zip(r, [LAST, FIRST, LAST], strict=False)]
    x = x.requires_grad_()
    y = net(x)
    expected = torch.stack([torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in r])
    for start in (r, torch.stack(given)):
        down = propagator.down(record, {"output": start})["input"]
        torch.testing.assert_close(down, expected, rtol=0, atol=1e-12)
    v = torch.randn(down.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    up = propagator.up(record, {"input": v})["output"]
    assert float((up * r).sum()) == pytest.approx(float((v * down).sum()), rel=1e-12)
    return down


@pytest.mark.parametrize("kept", [LAST, FIRST])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("pool", POOLS)
def test_pools_are_torch_s_derivative(pool: str, rows: int, kept: torch.memory_format) -> None:
    for batch in (1, 2):
        found = check(Pooled(READS["all"], POOLS[pool]), image(batch), rows, kept)
        # In the layout of the values, which what follows is fast in.
        assert all(row.is_contiguous(memory_format=kept) for row in found)


@pytest.mark.parametrize("kept", [LAST, FIRST])
@pytest.mark.parametrize("read", READS)
def test_parts_are_torch_s_derivative(read: str, kept: torch.memory_format) -> None:
    for batch, rows in ((1, 1), (1, 3), (2, 3)):
        check(
            Pooled(READS[read], POOLS["over each other"] if read != "all" else POOLS["apart"]), image(batch), rows, kept
        )


@pytest.mark.parametrize("kept", [LAST, FIRST])
def test_one_channel_is_torch_s_derivative(kept: torch.memory_format) -> None:
    for batch in (1, 3):
        check(Pooled(READS["all"], POOLS["over each other"]), image(batch, 1), 2, kept)


def test_rows_have_memory_of_their_own() -> None:
    """What follows may write into it."""
    net, x = Pooled(READS["all"], POOLS["over each other"]), image(2)
    graph = export(net, x).to(torch.float64, LAST)
    propagator = Propagator(graph, assign(make_composite("epsilon_plus"), graph))
    record = propagator.record(x, memory=True)
    r = torch.randn(2, *record.output.shape, dtype=torch.float64)
    first = propagator.down(record, {"output": r})["input"]
    kept = first.clone()
    first[0].zero_()
    assert torch.equal(first[1], kept[1])
    assert torch.equal(propagator.down(record, {"output": r})["input"], kept)


@pytest.mark.parametrize("kept", [LAST, FIRST])
def test_sixteen_bits_are_torch_s_derivative(kept: torch.memory_format) -> None:
    net, x = Pooled(READS["all"], POOLS["over each other"]), image(2).bfloat16()
    graph = export(net, x.float()).to(torch.bfloat16, kept)
    propagator = Propagator(graph, assign(make_composite("epsilon_plus"), graph))
    record = propagator.record(x)
    r = torch.randint(-3, 4, (2, *record.output.shape)).bfloat16()
    found = propagator.down(record, {"output": r})["input"]
    wide = x.double().requires_grad_()
    expected = [torch.autograd.grad(net(wide), wide, row.double())[0] for row in r]
    assert found.dtype == torch.bfloat16
    assert torch.equal(found.double(), torch.stack(expected))
