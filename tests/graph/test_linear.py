"""Linear maps on prepared weights against torch's own functions."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from xaiwidgets.graph import export, packed
from xaiwidgets.graph.linear import LinearMap

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv": (lambda: nn.Conv2d(16, 64, 3, padding=1), (16, 9, 7)),
    "stride": (lambda: nn.Conv2d(16, 32, 3, stride=2, padding=1), (16, 8, 7)),
    "patches": (lambda: nn.Conv2d(3, 96, 4, stride=4), (3, 17, 12)),
    "dilation": (lambda: nn.Conv2d(16, 32, 3, dilation=2, padding=2), (16, 7, 6)),
    "one_by_one": (lambda: nn.Conv2d(64, 32, 1, stride=2), (64, 5, 4)),
    "groups": (lambda: nn.Conv2d(64, 64, 3, groups=4, padding=1), (64, 5, 5)),
    "depthwise": (lambda: nn.Conv2d(128, 128, 3, groups=128, padding=1), (128, 6, 5)),
    "asymmetric": (lambda: nn.Conv2d(32, 64, (1, 3), stride=(2, 1), padding=(0, 1)), (32, 5, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(16, 32, 3, stride=2, padding=1, output_padding=1), (16, 4, 4)),
    "linear": (lambda: nn.Linear(64, 48), (64,)),
    "tokens": (lambda: nn.Linear(64, 48), (5, 64)),
}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_equals_torch(name: str, batch: int, rows: int) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer = make()
    bias = layer.get_parameter("bias")
    graph = export(layer, torch.randn(1, *shape)).to(memory_format=torch.channels_last)
    operation = graph.operations[graph.output]
    weights = LinearMap(operation)
    x = torch.randn(rows, batch, *shape, requires_grad=True)
    y = torch.stack([layer(row) for row in x])
    s = torch.randn_like(y)
    (expected,) = torch.autograd.grad(y, x, s)
    with torch.no_grad():
        assert torch.allclose(weights.apply(x, bias), y, rtol=1e-4, atol=1e-5)
        assert torch.allclose(weights.transpose(s, (batch, *shape)), expected, rtol=1e-4, atol=1e-5)
        strided = s.transpose(-1, -2).contiguous().transpose(-1, -2)
        assert torch.allclose(weights.transpose(strided, (batch, *shape)), expected, rtol=1e-4, atol=1e-5)
        assert torch.allclose(graph.run(x[0]), y[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["conv", "stride", "tokens"])
def test_weights_packed_for_one_size_serve_another(name: str) -> None:
    make, shape = LAYERS[name]
    weights = LinearMap(export(make(), torch.randn(1, *shape)).operations[1])
    for batch in (1, 7, 2):
        s = torch.randn(batch, *weights.apply(torch.randn(1, *shape)).shape[1:])
        both = weights.transpose(s[None], (batch, *shape))[0]
        alone = [weights.transpose(row[None, None], (1, *shape))[0, 0] for row in s]
        assert torch.allclose(both, torch.stack(alone), atol=1e-5)


def test_sixteen_bits() -> None:
    layer = nn.Conv2d(16, 64, 3, padding=1)
    x = torch.randn(2, 16, 8, 8)
    graph = export(layer, x).to(torch.bfloat16, torch.channels_last)
    assert torch.allclose(graph.run(x).float(), layer(x), atol=0.05)


def test_without_the_operators_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_works", lambda: False)
    layer = nn.Conv2d(16, 64, 3, padding=1)
    x = torch.randn(2, 16, 8, 8)
    weights = LinearMap(export(layer, x).operations[1])
    assert torch.equal(weights.apply(x, layer.bias), F.conv2d(x, layer.weight, layer.bias, padding=1))
    assert not any(weights._packed.values())


def test_single_vectors_and_doubles_are_left_to_torch() -> None:
    assert not packed.worthwhile("linear", torch.ones(64, 64), torch.ones(1, 1, 64))
    assert not packed.worthwhile("conv2d", torch.ones(64, 64, 3, 3).double(), torch.ones(1, 64, 7, 7).double())


def test_memory_format_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relevance of one image keeps the strides of channels-last memory; kernels of torch would re-order it otherwise."""

    def strides(x: Tensor) -> tuple[int, ...]:
        weights = LinearMap(export(nn.Conv2d(16, 64, 3, padding=1), x).operations[1])
        s = weights.apply(x.contiguous(memory_format=torch.channels_last))[None]
        return weights.transpose(s, tuple(x.shape))[0].stride()

    for batch in (1, 2):
        x = torch.randn(batch, 16, 8, 6)
        assert strides(x) == x.contiguous(memory_format=torch.channels_last).stride()


def test_threads_may_prepare_at_once() -> None:
    layer = nn.Conv2d(16, 64, 3, padding=1)
    x = torch.randn(1, 16, 8, 8)
    expected = layer(x).detach()
    for _ in range(20):
        weights = LinearMap(export(layer, x).operations[1])
        found: list[Tensor] = []

        def work(weights: LinearMap = weights, found: list[Tensor] = found) -> None:
            y = weights.apply(x, layer.get_parameter("bias").detach())
            found.extend((y, weights.transpose(y, tuple(x.shape))))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert all(torch.allclose(y, expected, atol=1e-5) for y in found if y.shape == expected.shape)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "padding", "dilation"), [(1, 0, 1), (3, 1, 1), (3, 0, 2), (5, 2, 1)])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("last", [True, False])
def test_transposed_times_a_factor(  # noqa: PLR0917
    stride: int, kernel: int, padding: int, dilation: int, rows: int, last: bool
) -> None:
    draw = torch.Generator().manual_seed(0)
    layer = torch.nn.Conv2d(24, 40, kernel, stride, padding, dilation).eval()
    x = torch.randn(2, 24, 15, 14, generator=draw)
    graph = export(layer, x)
    [step] = [operation for operation in graph.operations if operation.target == "conv2d"]
    format_ = torch.channels_last if last else torch.contiguous_format
    weights = LinearMap(step)
    with torch.no_grad():
        s = torch.randn(rows, *layer(x).shape, generator=draw)
        s = torch.stack([row.contiguous(memory_format=format_) for row in s])
        factor = torch.randn(x.shape, generator=draw).contiguous(memory_format=format_)
        kept = factor.clone()
        found = weights.transpose(s, tuple(x.shape), factor)
        expected = torch.stack(
            [conv2d_input(x.shape, layer.weight, row, stride, padding, dilation) * factor for row in s]
        )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(factor, kept)
