"""Gates, norms, pools and joins beside linear steps: half each, held statistics, the constant of a sigmoid; all with adjoints."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import assign, make_composite


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x.mean((2, 3), keepdim=True))


class Mixed(nn.Module):
    """Squeeze and excite, group norm, joined branches, padding, rolling, average and max pooling, an unfolded batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.norm, self.bn = nn.GroupNorm(2, 8), nn.BatchNorm2d(8)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        a = nn.functional.avg_pool2d(self.norm(x), 3, 2, 1)
        b = nn.functional.max_pool2d(self.bn(torch.roll(nn.functional.pad(x, (1, 1, 0, 0)), 1, 3)[..., 1:-1]), 3, 2, 1)
        return self.head(torch.cat([a, b], 1).mean((2, 3)))


def test_a_gate_takes_half_less_the_constant_of_its_sigmoid() -> None:
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64) + 0.5
    graph = export(Gate(), x.float()).to(torch.float64)
    propagator = Propagator(graph, assign(make_composite("attn_lrp"), graph))
    r = torch.randn(1, 2, 3, 4, 4, dtype=torch.float64)
    found = propagator.down(propagator.record(x), {"output": r})["input"][0]
    mean = x.mean((2, 3), keepdim=True)
    through_gate = (r[0] / 2).sum((2, 3), keepdim=True) * (mean.sigmoid() - 0.5) / mean.sigmoid()
    expected = r[0] / 2 + through_gate * x / (16 * mean)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_gamma_box", "attn_lrp", "gradient_x_input"])
def test_adjoint(composite: str) -> None:
    torch.manual_seed(0)
    net = Mixed().double().eval()
    x = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    graph = export(net, x)
    propagator = Propagator(graph, assign(make_composite(composite), graph))
    for memory in (False, True):
        record = propagator.record(x, memory=memory)
        r = torch.randn(3, 2, 4, dtype=torch.float64)
        down = propagator.down(record, {"output": r})["input"]
        v = torch.randn_like(down)
        up = propagator.up(record, {"input": v})["output"]
        assert abs(float((v * down).sum() - (up * r).sum())) <= 1e-9 * float(v.norm() * down.norm())
