"""Graphs of several image sizes: weights are shared, the least recently used go, threads may ask for different ones."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.graph.test_memory import resident
from xaiwidgets.graph import own_bytes, unfolded
from xaiwidgets.lrp import LRP, AbsLRP
from xaiwidgets.model import ImageModel, graphs


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5),
    ).eval()  # fmt: skip


def image(size: int) -> Tensor:
    return torch.randn(2, 3, size, size + 1, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_and_what_is_made_of_them_are_shared(dtype: torch.dtype) -> None:
    module = net()
    model = ImageModel(module, input_size=8)
    made = [model.graph_for(image(size), dtype=dtype) for size in (8, 12, 17)]
    first = made[0]
    for graph in made[1:]:
        assert graph.example_shape != first.example_shape
        assert own_bytes(graph, [first]) == 0
        assert all(a is b for a, b in zip(graph.linear_maps, first.linear_maps, strict=True))
    plain = [unfolded(graph) for graph in made]  # with its batch norms apart, as absLRP takes it
    for graph in plain[1:]:
        assert graph is not plain[0]
        assert own_bytes(graph, [plain[0]]) == 0
        assert all(a is b for a, b in zip(graph.linear_maps, plain[0].linear_maps, strict=True))
    if dtype == torch.float32:
        for size in (17, 8, 12):  # packed for one size, used for another
            torch.testing.assert_close(model.scores(image(size)), module(image(size)).detach())


def test_the_least_recently_used_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MOST", 3)
    model = ImageModel(net(), input_size=8)
    first = model.graph_for(image(8))
    second = model.graph_for(image(9))
    model.graph_for(image(10))
    assert model.graph_for(image(8)) is first
    model.graph_for(image(11))
    assert model.graph_for(image(8)) is first
    assert model.graph_for(image(9)) is not second


def test_sizes_with_much_of_their_own_go_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    class Table(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.linspace(0, 1, x.shape[-1] * x.shape[-2]).view(x.shape[-2:])

    monkeypatch.setattr(graphs, "OWN", 4 * 900)
    model = ImageModel(nn.Sequential(Table(), *net()).eval(), input_size=8)
    first = model.graph_for(image(20))
    model.graph_for(image(21))
    assert model.graph_for(image(20)) is first
    model.graph_for(image(22))
    model.graph_for(image(23))
    assert model.graph_for(image(20)) is not first


def test_two_threads_with_two_sizes() -> None:
    model = ImageModel(net(), input_size=8)
    explain: dict[str, Any] = {"LRP": LRP(model), "absLRP": AbsLRP(model)}
    keys = [(name, size) for name in explain for size in (8, 13)]
    alone = {(name, size): explain[name](image(size)).relevance for name, size in keys}
    # For as long as it lasts, torch's export takes oneDNN from the whole process, so that another thread rounds otherwise: by 4e-5 of the
    # largest entry of an absLRP map, whose derivatives cancel. Another size's or method's map is another map altogether.
    before = torch.backends.mkldnn.set_flags(False)
    try:
        rounding = {(name, size): explain[name](image(size)).relevance for name, size in keys}
    finally:
        torch.backends.mkldnn.set_flags(*before)
    found: dict[Any, list[Tensor]] = {key: [] for key in alone}
    fresh = ImageModel(model.module, input_size=8)
    shared: dict[str, Any] = {"LRP": LRP(fresh), "absLRP": AbsLRP(fresh)}

    def work(name: str, size: int) -> None:
        for _ in range(4):
            found[name, size].append(shared[name](image(size)).relevance)

    threads = [threading.Thread(target=work, args=key) for key in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key, expected in alone.items():
        assert len(found[key]) == 4
        apart = float((rounding[key] - expected).abs().max() / expected.abs().max())
        assert apart < 1e-4
        for each in found[key]:
            assert float((each - expected).abs().max() / expected.abs().max()) <= 2 * apart + 1e-6, key


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_sixteen_sizes_of_a_resnet_stay_small() -> None:
    import torchvision

    module = torchvision.models.resnet18().eval()
    model = ImageModel(module, input_size=224)
    lrp = LRP(model)
    lrp(torch.randn(1, 3, 224, 224))
    gc.collect()
    before = resident()
    for size in range(64, 64 + 16 * 16, 16):
        x = torch.randn(1, 3, size, size)
        with torch.no_grad():
            torch.testing.assert_close(model.scores(x), module(x), atol=1e-4, rtol=1e-4)
        lrp(x)
    gc.collect()
    assert resident() - before < 300e6
