"""Every operation against gradient × input where that is its answer; adjoints; and `check` against what runs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.lrp.calls import BILINEAR, IMAGES, SMOOTH, TOKENS, Call
from xaiwidgets.crp import CRP
from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import LRP, AbsLRP, Composite, Epsilon, assign, check
from xaiwidgets.model import ImageModel

TINY = 1e-13
LRP_0 = Composite(default=Epsilon(epsilon=TINY, stabiliser=TINY), stabiliser=TINY)
ROWS = [
    *[pytest.param(call, False, 1.0, id=f"image-{name}") for name, call in IMAGES.items()],
    *[pytest.param(call, True, 1.0, id=f"token-{name}") for name, call in TOKENS.items()],
    *[pytest.param(call, True, 0.5, id=f"bilinear-{name}") for name, call in BILINEAR.items()],
    *[pytest.param(call, True, None, id=f"smooth-{name}") for name, call in SMOOTH.items()],
]


class Around(nn.Module):
    """The call, with linear steps before and after it, of the given precision."""

    def __init__(self, call: Call, tokens: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.call, self.tokens = call, tokens
        self.first = nn.Conv2d(3, 6 if tokens else 3, 1, bias=False)
        self.width = self.middle(torch.randn(2, 3, 8, 8)).shape[1]
        self.head = nn.Linear(self.width, 4, bias=False)

    def middle(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.call(x.mean(3) if self.tokens else x).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(x))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(("call", "tokens", "factor"), ROWS)
def test_relevance_and_its_adjoint(call: Call, tokens: bool, factor: float | None, x: Tensor) -> None:
    module = Around(call, tokens).double().eval()
    graph = export(module, x)
    with torch.no_grad():
        for batch in (x, x[:1]):
            expected = module(batch)
            assert torch.allclose(graph.run(batch), expected, rtol=1e-9, atol=1e-9)
    propagator = Propagator(graph, assign(LRP_0, graph))
    record = propagator.record(x, memory=True)
    r = torch.randn(2, *record.output.shape, dtype=torch.float64)
    down = propagator.down(record, {"output": r * record.output})["input"]
    v = torch.randn_like(down)
    up = propagator.up(record, {"input": v})["output"]
    difference = (v * down).sum() - (up * r * record.output).sum()
    assert abs(float(difference)) <= 1e-7 * float(v.norm() * down.norm())
    if factor is None:
        assert torch.isfinite(down).all()
        return
    inputs = x.clone().requires_grad_()
    for row, start in zip(down, r, strict=True):
        (gradient,) = torch.autograd.grad(module(inputs), inputs, start)
        assert torch.allclose(row, factor * gradient * x, rtol=1e-5, atol=1e-7 * float(row.abs().max()))


@pytest.mark.parametrize(("call", "tokens", "factor"), ROWS)
def test_every_method_runs_where_check_is_content(call: Call, tokens: bool, factor: float | None, x: Tensor) -> None:
    model = ImageModel(Around(call, tokens).eval(), input_size=8, mean=0.0, std=1.0)
    assert check(model).ok
    images = x.float()
    for explain in (LRP(model), LRP(model, "attn_lrp"), LRP(model, "gradient_x_input"), AbsLRP(model)):
        together = explain(images, [0, 1, 2]).relevance
        assert torch.isfinite(together).all()
        alone = explain(images[1:2], 1).relevance[0]
        assert torch.allclose(alone, together[1], rtol=1e-3, atol=1e-4 * float(alone.abs().max()))
    shares = CRP(model).rank(images, target=1, layer="first").share
    assert torch.isfinite(shares).all()
    assert float(shares.abs().sum(1).min()) == pytest.approx(1, abs=1e-4)
