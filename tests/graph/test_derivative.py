"""Derivatives of single operations: both ways, also of what reads a value twice, and of what has no second derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.laws import assert_adjoint
from xaiwidgets.crp import CRP
from xaiwidgets.graph import Graph, Propagator, export
from xaiwidgets.graph.derivative import affine, applied, called, slope, transposed
from xaiwidgets.lrp import COMPOSITES, LRP, AbsLRP, assign, check, make_composite
from xaiwidgets.model import ImageModel

Function = Callable[[Tensor], Tensor]

TWICE: dict[str, Function] = {
    "x * x": lambda x: x * x,
    "x + x": lambda x: x + x,
    "x - x / 2": lambda x: torch.sub(x, x, alpha=0.5),
    "stack": lambda x: torch.stack([x, x], 1),
    "cat": lambda x: torch.cat([x, x], 1),
    "x @ x.T": lambda x: x @ x.mT,
    "x @ x": lambda x: x @ x,
    "bmm": lambda x: torch.bmm(x[:, 0], x[:, 0]),
    "einsum": lambda x: torch.einsum("nchw,ncvw->nchv", x, x),
    "maximum": lambda x: torch.maximum(x, x),
    "where": lambda x: torch.where(x > 0, x, x),
    "x / (1 + x²)": lambda x: x / (1 + x * x),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "addcmul": lambda x: torch.addcmul(x, x, x),
    "lerp": lambda x: torch.lerp(x, x, 0.3),
    "index_add": lambda x: x.index_add(1, torch.tensor([0]), x[:, 1:2]),
    "slice and whole": lambda x: x[:, :1] * x,
}
ONCE_ONLY: dict[str, Function] = {
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "softshrink": F.softshrink,
    "rrelu": F.rrelu,
    "round": lambda x: x + x.round(),
    "sign": lambda x: x * x.sign(),
    "lp_pool2d": lambda x: F.lp_pool2d(x.abs() + 0.1, 3.0, 2),
    "lp_pool1d of norm 1": lambda x: F.lp_pool1d(x.flatten(2).abs() + 0.1, 1.0, 2),
    "local_response_norm": lambda x: F.local_response_norm(x, 2),
    "baddbmm": lambda x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2]),
    "std of equal entries": lambda x: F.pad(x, (1, 1)) / (1 + F.pad(x, (1, 1)).std(1, keepdim=True, correction=0)),
    "normalize": lambda x: F.normalize(x, dim=1),
}


class Between(nn.Module):
    """The function between two linear layers."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function, self.first = function, nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(self.middle(torch.randn(2, 3, 5, 5)).shape[1], 4)

    def middle(self, x: Tensor) -> Tensor:
        return self.function(self.first(x)).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(x))


def images() -> Tensor:
    return torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def x() -> Tensor:
    return images()


@cache
def graph_of(name: str) -> Graph:
    return export(Between(ALL[name]).double().eval(), images())


ALL = {**TWICE, **ONCE_ONLY}


@pytest.mark.parametrize("name", ALL)
def test_gradient_x_input_is_the_gradient(name: str, x: Tensor) -> None:
    module = Between(ALL[name]).double().eval()
    graph = export(module, x)
    propagator = Propagator(graph, assign(make_composite("gradient_x_input"), graph))
    record = propagator.record(x)
    start = torch.zeros_like(record.output)
    start[:, 1] = record.output[:, 1]
    found = propagator.down(record, {"output": start[None]})["input"][0]
    inputs = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(inputs)[:, 1].sum(), inputs)
    assert torch.allclose(found, gradient * x, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("composite", [name for name in COMPOSITES if name != "abs_lrp"])
@pytest.mark.parametrize("name", ALL)
def test_up_is_the_adjoint_of_down(name: str, composite: str, x: Tensor) -> None:
    assert_adjoint(graph_of(name), composite, x)


@pytest.mark.parametrize("name", ALL)
def test_every_method_runs_where_check_is_content(name: str, x: Tensor) -> None:
    model = ImageModel(Between(ALL[name]).eval(), input_size=5, mean=0.0, std=1.0)
    images = x.float()
    for composite in COMPOSITES:
        assert check(model, composite).ok
        assert torch.isfinite(LRP(model, composite)(images, 1).relevance).all()
    assert torch.isfinite(AbsLRP(model)(images, 1).relevance).all()
    assert torch.isfinite(CRP(model).rank(images, target=1, layer="first").share).all()


@pytest.mark.parametrize("name", ALL)
def test_the_derivative_of_every_step_is_that_of_torch(name: str, x: Tensor) -> None:
    graph, tried = graph_of(name), 0
    values = dict(graph.steps(x, graph.output))
    for operation in graph.operations[1:]:
        inputs = [values[i] for i in operation.inputs]
        floats = [isinstance(v, Tensor) and v.is_floating_point() for v in inputs]
        # Of fused attention its steps are differentiated: the whole has no second derivative. Hardsigmoid neither.
        if not operation.tensor or operation.selects or operation.target in {FUSED, "hardsigmoid"} or not any(floats):
            continue
        call, tried = called(operation), tried + 1
        places = [v for v, moving in zip(inputs, floats, strict=True) if moving]
        jacobians = torch.autograd.functional.jacobian(partial(call_of, call, inputs), tuple(places))
        y = call(inputs)
        s, tangents = torch.randn(2, *y.shape, dtype=y.dtype), [torch.randn(2, *v.shape, dtype=v.dtype) for v in places]
        matrices = [j.reshape(y.numel(), v.numel()) for j, v in zip(jacobians, places, strict=True)]
        down = [share for share in transposed(call, inputs, floats, s) if share is not None]
        for share, matrix in zip(down, matrices, strict=True):
            assert torch.allclose(share.flatten(1), s.flatten(1) @ matrix, atol=1e-9)
        right = sum(t.flatten(1) @ matrix.T for t, matrix in zip(tangents, matrices, strict=True))
        supply = iter(tangents)
        found = applied(call, inputs, [next(supply) if moving else None for moving in floats])
        assert torch.allclose(found.flatten(1), torch.as_tensor(right), atol=1e-9)
    assert tried


FUSED = "scaled_dot_product_attention"


def call_of(call: Callable[..., Tensor], inputs: list[object], *floats: Tensor) -> Tensor:
    """The call with other tensors in place of those inputs that are numbers."""
    supply = iter(floats)
    return call([next(supply) if isinstance(v, Tensor) and v.is_floating_point() else v for v in inputs])


def test_slopes_and_affine_steps(x: Tensor) -> None:
    graph = export(Between(F.hardsigmoid).double().eval(), x)
    step = next(operation for operation in graph.operations if operation.target == "hardsigmoid")
    assert torch.equal(slope(called(step), [x]), ((x.abs() < 3) / 6).double())
    padded = export(Between(lambda x: F.pad(x, (1, 0), value=2.0)).double().eval(), x)
    step = next(operation for operation in padded.operations if "pad" in operation.target)
    t = torch.randn(2, *x.shape, dtype=x.dtype)
    assert torch.equal(affine(called(step), [x], [t]), F.pad(t, (1, 0)))
