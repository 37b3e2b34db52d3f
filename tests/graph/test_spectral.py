"""Ways through complex numbers: those that are linear become one step between real numbers, others are refused in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xaiwidgets.graph import Graph, GraphError, export
from xaiwidgets.lrp import LRP, check
from xaiwidgets.model import ImageModel

Function = Callable[[Tensor], Tensor]


class Filter(nn.Module):
    """A global filter with learned complex weights, or any function in its place."""

    def __init__(self, function: Function | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.weight = nn.Parameter(torch.randn(4, 8, 5, 2))

    def forward(self, x: Tensor) -> Tensor:
        if self.function is not None:
            return self.function(x)
        return torch.fft.irfft2(torch.fft.rfft2(x) * torch.view_as_complex(self.weight), s=(8, 8))


def net(function: Function | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), Filter(function), nn.ReLU(), nn.Flatten(1), nn.LazyLinear(5)).eval()


def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def graph_of(module: nn.Module) -> Graph:
    with torch.no_grad():
        module(images())
    return export(module, images())


LINEAR: dict[str, Function | None] = {
    "filter": None,
    "padded": lambda x: torch.fft.ifft2(F.pad(torch.fft.fft2(x), (0, 2, 1, 0))).real,
    "two transforms": lambda x: torch.fft.irfft2(torch.fft.rfft2(x) + 2 * torch.fft.rfft2(x.flip(3)) / 3),
    "only within": lambda x: torch.fft.irfft(x, n=6),
    "matrix": lambda x: (torch.fft.fft(x) @ torch.complex(torch.ones(8, 3), torch.eye(8)[:, :3])).imag,
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_way_is_one_step(name: str) -> None:
    graph = graph_of(net(LINEAR[name]))
    spectral = [operation for operation in graph.operations if operation.target == "spectral"]
    assert len(spectral) == 1
    assert spectral[0].layer == "1"
    assert not any(operation.dtype is not None and operation.dtype.is_complex for operation in graph.operations)


def test_in_other_precisions() -> None:
    module = net()
    graph = graph_of(module)
    expected = module(images()).detach()
    torch.testing.assert_close(graph.to(torch.float64).run(images().double()).float(), expected)
    narrow = graph.to(torch.bfloat16).run(images().bfloat16())
    assert narrow.dtype == torch.bfloat16
    torch.testing.assert_close(narrow.float(), expected, rtol=0.05, atol=0.05)


def test_its_weights_are_seen_to_change() -> None:
    model = ImageModel(net(), input_size=8)
    model.module(images())
    before = LRP(model)(images(), 0).relevance
    model.module.get_parameter("1.weight").data[0, 0, 0] += 3
    after = LRP(model)(images(), 0).relevance
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, LRP(ImageModel(model.module, input_size=8))(images(), 0).relevance)


OTHER: dict[str, tuple[Function, str]] = {
    "magnitude": (lambda x: torch.fft.rfft2(x).abs(), "torch.fft.rfft2"),
    "phase": (lambda x: torch.fft.rfft2(x).angle(), "torch.fft.rfft2"),
    "product": (lambda x: (torch.fft.fft2(x) * torch.fft.fft2(x.flip(2))).real, "torch.fft.fft2"),
    "quotient": (lambda x: (1 / (torch.fft.fft2(x) + x)).real, "torch.fft.fft2"),
    "shifted": (lambda x: (torch.fft.fft2(x) + 1j).imag, "torch.fft.fft2"),
    "padded": (lambda x: F.pad(torch.fft.fft2(x), (1, 1), value=2.0).real, "torch.fft.fft2"),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_is_not_linear_is_refused_in_words(name: str) -> None:
    function, called = OTHER[name]
    model = ImageModel(net(function), input_size=8)
    with torch.no_grad():
        model.module(images())
    report = check(model)
    assert not report.ok
    first = report.unsupported[0]
    assert first.layer == "1"
    assert first.note.startswith(f"{called} computes with complex numbers, which relevance passes only where")
    assert "RELAX" in first.note
    with pytest.raises(GraphError, match=rf"'1': {called} computes with complex numbers"):
        LRP(model)(images(), 0)
