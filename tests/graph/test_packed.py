"""Convolutions of single pixels, which run as linear layers, against torch's convolutions and their derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xaiwidgets.graph import export, packed
from xaiwidgets.graph.linear import LinearMap

LAST, FIRST = torch.channels_last, torch.contiguous_format
SIZES = [(6, 5), (1, 1), (1, 4), (7, 1)]


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pixelwise(stride: int | tuple[int, int] = 1, bias: bool = True, inputs: int = 48, outputs: int = 40) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 1, stride, bias=bias).eval()


def map_of(layer: nn.Conv2d, x: Tensor) -> LinearMap:
    [step] = [operation for operation in export(layer, x).operations if operation.target == "conv2d"]
    return LinearMap(step)


def ways(layer: nn.Conv2d, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """W x + b and Wᵀ s (rows, N, …), in float64."""
    weight, bias = layer.weight.double(), None if layer.bias is None else layer.bias.double()
    with torch.enable_grad():
        x = x.double().requires_grad_()
        y = F.conv2d(x, weight, bias, layer.stride)
        back = [torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in s.double()]
    return y.detach(), torch.stack(back)


def near(found: Tensor, expected: Tensor, part: float = 1e-5) -> None:
    assert found.shape == expected.shape
    size = float(expected.abs().max())
    assert size > 0
    assert float((found.double() - expected.double()).abs().max()) <= part * size


@pytest.fixture(params=["fused", "beside", "torch"])
def operators(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With what torch's operators can do: multiply a factor too, run packed weights, or nothing."""
    if request.param != "fused":
        monkeypatch.setattr(packed, "_multiplies_rows", lambda: False)
    if request.param == "torch":
        monkeypatch.setattr(packed, "_works", lambda: False)
    found: str = request.param
    return found


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize("size", SIZES)
def test_equals_the_convolution(
    size: tuple[int, int], stride: int | tuple[int, int], bias: bool, operators: str
) -> None:
    layer = pixelwise(stride, bias)
    for batch, rows in ((1, 1), (2, 3), (3, 1)):
        x = values(batch, 48, *size)
        with torch.no_grad():
            s = values(rows, *layer(x).shape, seed=1)
        forward, back = ways(layer, x, s)
        weights = map_of(layer, x[:1])
        for kept in (LAST, FIRST):
            mine = torch.stack([row.contiguous(memory_format=kept) for row in s])
            factor = values(*x.shape, seed=2).contiguous(memory_format=kept)
            before = factor.clone()
            with torch.no_grad():
                near(weights.apply(x.contiguous(memory_format=kept), layer.bias), forward)
                near(weights.transpose(mine, tuple(x.shape)), back)
                near(weights.transpose(mine, tuple(x.shape), factor), back * factor)
            assert torch.equal(factor, before)
    packed_ways = [way for way in weights._packed.values() if way is not None]
    assert len(packed_ways) == (0 if operators == "torch" else 2)


@pytest.mark.parametrize("stride", [1, 2])
def test_pixels_that_no_output_reads_take_nothing(stride: int) -> None:
    layer = pixelwise(stride)
    x = values(2, 48, 6, 5)
    with torch.no_grad():
        s = torch.ones_like(layer(x))[None]
        found = map_of(layer, x).transpose(s, tuple(x.shape), torch.ones_like(x))[0]
    read = torch.zeros(6, 5, dtype=torch.bool)
    read[::stride, ::stride] = True
    assert torch.equal(found != 0, read.expand(found.shape))


@pytest.mark.parametrize("packed_at", [(1, 1), (5, 1), (1, 2)])
def test_weights_packed_at_one_number_of_images_and_threads_serve_others(packed_at: tuple[int, int]) -> None:
    layer, x = pixelwise(), values(7, 48, 6, 5)
    with torch.no_grad():
        s = values(1, *layer(x).shape, seed=1)
    factor = values(*x.shape, seed=2)
    forward, back = ways(layer, x, s)
    weights, before = map_of(layer, x[:1]), torch.get_num_threads()
    try:
        with torch.no_grad():
            for images, threads in (packed_at, (7, 2), (1, 1), (4, 2), (4, 1)):
                torch.set_num_threads(threads)
                some = slice(images)
                near(weights.apply(x[some], layer.bias), forward[some])
                near(weights.transpose(s[:, some], (images, 48, 6, 5), factor[some]), (back * factor)[:, some])
    finally:
        torch.set_num_threads(before)


def test_channels_stay_last_in_memory(operators: str) -> None:
    """What follows would be slow in another layout."""
    x = values(2, 48, 6, 5).contiguous(memory_format=LAST)
    for stride in (1, 2):
        layer = pixelwise(stride)
        weights = map_of(layer, x)
        with torch.no_grad():
            y = weights.apply(x, layer.bias)
            assert y.is_contiguous(memory_format=LAST)
            assert weights.transpose(y[None], tuple(x.shape))[0].is_contiguous(memory_format=LAST)
            assert weights.transpose(y[None], tuple(x.shape), x)[0].is_contiguous(memory_format=LAST)
            assert weights.apply(x.contiguous(), layer.bias).is_contiguous()


def test_parts_and_repeats_of_tensors_are_read_rightly(operators: str) -> None:
    """Channels taken from more, images and pixels that are one in memory, no image at all."""
    layer = pixelwise()
    many = values(2, 96, 6, 5).contiguous(memory_format=LAST)
    one = values(1, 48, 1, 1)
    with torch.no_grad():
        for x in (many[:, :48], many[:, ::2], one.expand(3, 48, 6, 5)):
            weights = map_of(layer, x)
            y = weights.apply(x, layer.bias)
            for part in (y, many[:1, :40], one[:, :40]):
                s = part.expand(y.shape)[None]
                forward, back = ways(layer, x, s)
                near(y, forward)
                near(weights.transpose(s, tuple(x.shape), x), back * x)
        weights = map_of(layer, one.expand(1, 48, 6, 5))
        weights.apply(many[:1, :48], layer.bias)
        none = weights.apply(many[:0, :48], layer.bias)
        assert none.shape == (0, 40, 6, 5)
        assert weights.transpose(none[None], (0, 48, 6, 5)).shape == (1, 0, 48, 6, 5)
        assert weights.transpose(none[None], (0, 48, 6, 5), many[:0, :48]).shape == (1, 0, 48, 6, 5)


@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_factor_of_one_pixel_is_that_of_all(stride: int, size: tuple[int, int], operators: str) -> None:
    """Bounds of pixels are."""
    layer, x = pixelwise(stride, inputs=3, outputs=400), values(1, 3, *size)
    with torch.no_grad():
        s = values(1, *layer(x).shape, seed=1)
    _, back = ways(layer, x, s)
    bound = values(1, 3, 1, 1, seed=2)
    with torch.no_grad():
        near(map_of(layer, x).transpose(s, tuple(x.shape), bound), back * bound)


@pytest.mark.parametrize("stride", [1, 2])
def test_sixteen_bits(stride: int, operators: str) -> None:
    x = values(2, 48, 6, 5).bfloat16()
    layer = pixelwise(stride).bfloat16()
    factor = values(*x.shape, seed=2).bfloat16()
    weights = map_of(layer, x)
    with torch.no_grad():
        s = values(1, *layer(x).shape, seed=1).bfloat16()
    forward, back = ways(layer, x, s)
    with torch.no_grad():
        found = weights.apply(x, layer.bias), weights.transpose(s, tuple(x.shape), factor)
    assert {tensor.dtype for tensor in found} == {torch.bfloat16}
    near(found[0], forward, 0.02)
    near(found[1], back * factor, 0.02)


@pytest.mark.parametrize(("inputs", "outputs"), [(31, 33), (32, 32), (1, 1024), (1024, 1), (8, 4)])
def test_few_weights_and_single_channels(inputs: int, outputs: int) -> None:
    layer, x = pixelwise(2, inputs=inputs, outputs=outputs), values(2, inputs, 5, 4)
    with torch.no_grad():
        s = values(1, *layer(x).shape, seed=1)
    forward, back = ways(layer, x, s)
    weights, factor = map_of(layer, x), values(*x.shape, seed=2)
    with torch.no_grad():
        near(weights.apply(x, layer.bias), forward)
        near(weights.transpose(s, tuple(x.shape), factor), back * factor)
    many = inputs * outputs >= packed.SMALLEST and packed._works()
    assert [way is not None for way in weights._packed.values()] == [many, many]


@pytest.mark.parametrize(("padding", "groups"), [(1, 1), ((0, 1), 1), (0, 2)])
def test_a_margin_or_groups_are_no_linear_layer(padding: int | tuple[int, int], groups: int) -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv2d(64, 64, 1, padding=padding, groups=groups), values(2, 64, 4, 3)
    weights = map_of(layer, x)
    with torch.no_grad():
        y = layer(x)
        near(weights.apply(x, layer.bias), y)
    wide, s = x.clone().requires_grad_(), values(*y.shape, seed=1)
    (back,) = torch.autograd.grad(layer(wide), wide, s)
    with torch.no_grad():
        near(weights.transpose(s[None], tuple(x.shape), x), (back * x)[None])
