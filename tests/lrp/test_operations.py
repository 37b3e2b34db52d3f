"""Operations that are not linear layers, a row each: what their kind promises, against torch's own derivative in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.laws import assert_adjoint
from xaiwidgets.graph import Graph, Propagator, export
from xaiwidgets.graph.kinds import KINDS
from xaiwidgets.lrp import assign, make_composite

Function = Callable[[Tensor], Tensor]

# A row an operation: its ATen name, a function of one image (N, 4, 6, 6) that calls it.
OPERATIONS: dict[str, Function] = {
    # moves
    "reshape": lambda x: x.reshape(x.shape[0], 12, 12),
    "flatten": lambda x: x.flatten(1),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "transpose": lambda x: x.transpose(1, 3),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "slice": lambda x: x[:, :, 1:5:2],
    "select": lambda x: x[:, 2],
    "cat": lambda x: torch.cat([x, x[:, :1]], 1),
    "stack": lambda x: torch.stack([x[:, :2], x[:, 2:]], 1),
    "roll": lambda x: torch.roll(x, 2, 3),
    "flip": lambda x: x.flip(2),
    "pad": lambda x: F.pad(x, (1, 2, 0, 1)),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "unfold": lambda x: x.unfold(2, 2, 2),
    "im2col": lambda x: F.unfold(x, 2, stride=2),
    # sums
    "add": lambda x: x[:, :2] + x[:, 2:],
    "sub": lambda x: x[:, :2] - x[:, 2:],
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum(3),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 4),
    "upsample_nearest2d": lambda x: F.interpolate(x, scale_factor=2.0),
    "upsample_bilinear2d": lambda x: F.interpolate(x, size=(9, 9), mode="bilinear"),
    # winners
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
    "amax": lambda x: x.amax((2, 3)),
    # element by element
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "tanh": torch.tanh,
    "hardtanh": F.hardtanh,
    "hardswish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "exp": torch.exp,
    "cos": torch.cos,
    "sin": torch.sin,
    "erf": torch.erf,
    "abs": torch.abs,
    "neg": torch.neg,
    "square": torch.square,
    # products of two activations, statistics times an activation
    "mul": lambda x: x[:, :2] * x[:, 2:],
    "var": lambda x: x * x.var(1, keepdim=True),
    "std": lambda x: x * x.std((2, 3), keepdim=True),
    "rsqrt": lambda x: x * torch.rsqrt(x.square() + 1),
    "linalg_vector_norm": lambda x: x * torch.linalg.vector_norm(x, dim=1, keepdim=True),
}


class Calls(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@cache
def graph_of(name: str) -> Graph:
    graph = export(Calls(OPERATIONS[name]), images(0).float()).to(torch.float64)
    assert name in {operation.target for operation in graph.operations}
    return graph


def images(seed: int) -> Tensor:
    return torch.randn(2, 4, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def st(z: Tensor) -> Tensor:
    return z + 1e-6 * torch.where(z < 0, -1.0, 1.0)


def expected(name: str, x: Tensor, r: Tensor) -> Tensor:
    """What the kind promises for relevance r at the output; what it takes for granted of the operation is asserted."""
    function, kind = OPERATIONS[name], KINDS[name]
    y, jacobian = function(x), torch.autograd.functional.jacobian(function, x)
    jacobian = jacobian.reshape(y.numel(), x.numel())
    if kind in {"move", "winner"}:
        assert torch.allclose(jacobian @ x.flatten(), y.flatten()), "each result is one of the entries"
        return (r.flatten() @ jacobian).reshape(x.shape)
    if kind == "sum":
        assert torch.allclose(jacobian @ x.flatten(), y.flatten()), "the operation is linear"
        return x * ((r / st(y)).flatten() @ jacobian).reshape(x.shape)
    if kind == "pass":
        assert torch.equal(jacobian, jacobian.diag().diag()), "element by element"
        at_zero = float(function(torch.zeros(1, 1, 1, 1, dtype=x.dtype)))
        return r * (y - at_zero) / st(y) if at_zero else r
    if kind == "product":
        assert torch.allclose(jacobian @ x.flatten(), 2 * y.flatten()), "a product of two"
        return torch.cat([r, r], 1) / 2
    assert kind == "statistic"
    return r


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_what_its_kind_promises(name: str) -> None:
    x, graph = images(1), graph_of(name)
    propagator = Propagator(graph, assign(make_composite("epsilon_plus"), graph))
    record = propagator.record(x)
    r = torch.randn(3, *record.output.shape, dtype=torch.float64)
    found = propagator.down(record, {"output": r})["input"]
    for row, relevance in zip(found, r, strict=True):
        right = expected(name, x, relevance)
        assert (row - right).abs().max() <= 1e-6 * right.abs().max()


@pytest.mark.parametrize("composite", ["epsilon_plus", "gradient_x_input"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_up_is_the_adjoint_of_down(name: str, composite: str) -> None:
    assert_adjoint(graph_of(name), composite, images(2))
