"""The second view of an export: every batch norm a step of its own, and what is alike there only once."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor, nn

from tests.lrp.conftest import randomise
from xaiwidgets.graph import Graph, export, unfolded
from xaiwidgets.model import ImageModel


class Net(nn.Module):
    """A batch norm that folds, one that does not, and layers that have none."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv, self.mix = nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3)
        self.bn, self.head = nn.BatchNorm2d(16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.first(x)).relu()
        return self.head(self.bn(self.mix(x)).relu().mean((2, 3)))


@pytest.fixture
def net() -> nn.Module:
    return randomise(Net())


def targets(graph: Graph) -> list[str]:
    return [operation.target for operation in graph.operations]


def test_the_same_model_with_every_batch_norm_apart(net: nn.Module) -> None:
    x = torch.randn(2, 3, 9, 7)
    graph = export(net, x)
    apart = unfolded(graph)
    assert targets(graph).count("batch_norm") == 1
    assert targets(apart).count("batch_norm") == 2
    assert apart.run(x).equal(apart.run(x))
    torch.testing.assert_close(apart.run(x), net(x), atol=1e-5, rtol=1e-5)
    before = net.get_submodule("mix")(net.get_submodule("conv")(net.get_submodule("first")(x)).relu())
    torch.testing.assert_close(apart.run(x, stop="mix"), before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(apart.run(x, stop="bn"), graph.run(x, stop="bn"), atol=1e-5, rtol=1e-5)
    assert unfolded(graph) is apart
    assert unfolded(apart) is apart
    half = unfolded(graph.to(torch.float64, torch.channels_last))
    assert half.dtype == torch.float64
    torch.testing.assert_close(half.run(x), net.double()(x.double()), atol=1e-6, rtol=1e-6)


def test_without_folded_batch_norms_there_is_one_graph() -> None:
    net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3)).eval()
    graph = export(net, torch.randn(1, 3, 8, 8))
    assert unfolded(graph) is graph


def maps(graph: Graph) -> dict[str, int]:
    linear = [operation.layer for operation in graph.operations if operation.target in {"conv2d", "linear"}]
    return {layer: id(entry) for layer, entry in zip(linear, graph.linear_maps, strict=True)}


def test_what_folding_left_alone_is_there_once(net: nn.Module) -> None:
    x = torch.randn(2, 3, 9, 7)
    graph = export(net, x).to(memory_format=torch.channels_last)
    apart = unfolded(graph)
    for layer, same in {"conv": True, "head": True, "mix": False}.items():
        assert (maps(graph)[layer] == maps(apart)[layer]) is same
    held = {tensor.data_ptr() for tensor in graph.constants}
    assert sum(tensor.data_ptr() in held for tensor in apart.constants) >= 4  # weight and bias of the two


def test_sizes_share_and_what_goes_takes_its_second_view_along(net: nn.Module) -> None:
    model = ImageModel(net, input_size=9)
    first, second = model.graph_for(torch.zeros(1, 3, 9, 9)), model.graph_for(torch.zeros(1, 3, 12, 11))
    one, two = unfolded(first), unfolded(second)
    assert one is not two
    assert maps(one) == maps(two)
    assert {t.data_ptr() for t in one.constants} == {t.data_ptr() for t in two.constants}
    assert first.before is not None
    made = first.before.made
    assert len(made) == 2
    with torch.no_grad():
        net.get_parameter("head.bias").add_(1)  # the graphs go
    model.graph_for(torch.zeros(1, 3, 9, 9))
    del first, second
    gc.collect()
    assert len(made) == 0
