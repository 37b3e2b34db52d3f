"""Unusual modules, on which explanations were once wrong without a word or did not come at all; each with its right value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import CRP, LRP, AbsLRP, ImageModel
from xaiwidgets.graph import GraphError
from xaiwidgets.lrp import Composite, Epsilon, check
from xaiwidgets.widgets.cautions import cautions_of

LRP_0 = Composite("LRP-0", default=Epsilon(epsilon=1e-9), stabiliser=1e-9)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def gradient_x_input(net: nn.Module, x: Tensor, target: int) -> Tensor:
    inputs = x.double().requires_grad_()
    (gradient,) = torch.autograd.grad(net.double()(inputs)[:, target].sum(), inputs)
    return (gradient * inputs).detach().float()


def tracked(kind: str, **options: bool) -> nn.Module:
    norm = getattr(nn, kind)(4, track_running_stats=True, **options)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.3, 3)
    return norm


class Chosen(nn.Module):
    """One of two convolutions, place by place."""

    def __init__(self, mask: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.mask = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1), mask

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.mask(x), self.a(x), self.b(x))


def stripes(x: Tensor) -> Tensor:
    return torch.arange(x.shape[-1]) % 2 == 0


LINEAR: dict[str, Callable[[], nn.Module]] = {
    "instance norm with statistics": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), tracked("InstanceNorm2d")),
    "affine too": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), tracked("InstanceNorm2d", affine=True)),
    "batch norm first": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Identity(), tracked("BatchNorm2d"), nn.ReLU()),
    "where, a fixed mask": lambda: Chosen(stripes),
    "where, a mask of the image": lambda: Chosen(lambda x: x[:, :1] > 0.2),
    "where, everything": lambda: Chosen(lambda x: torch.ones_like(x[:, :1], dtype=torch.bool)),
    "even kernels": lambda: nn.Sequential(nn.Conv2d(3, 4, 4, padding="same"), nn.ReLU(), nn.AdaptiveMaxPool2d(3)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_lrp_0_is_gradient_x_input(name: str, x: Tensor) -> None:
    torch.manual_seed(1)
    body = LINEAR[name]()
    net = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    model = ImageModel(net, input_size=16, mean=0, std=1)
    found = LRP(model, LRP_0)(x, 2)
    right = gradient_x_input(net, x, 2)
    assert (found.relevance - right).abs().max() <= 2e-4 * right.abs().max()
    account = found.conservation
    assert account is not None
    lost = sum(leak.amount for leak in account.leaks)
    assert account.start == pytest.approx(account.input + lost, abs=1e-4 * max(abs(account.start), abs(lost)))


def test_where_gives_relevance_to_what_was_chosen(x: Tensor) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(Chosen(stripes), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    found = LRP(ImageModel(net, input_size=16, mean=0, std=1), "epsilon_plus")(x, 0, layers=["0.a", "0.b"])
    even = stripes(x)
    for layer, mine in (("0.a", even), ("0.b", ~even)):
        relevance = found.layers[layer]
        assert relevance[..., mine].abs().sum() > 0
        assert relevance[..., ~mine].abs().max() == 0


def plain() -> nn.Sequential:
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(16, 3)).eval()


def test_a_compiled_module_is_explained_as_the_one_it_was_made_from(x: Tensor) -> None:
    net = plain()
    made: Any = torch.compile(net)
    whole, compiled = (ImageModel(m, input_size=16, mean=0, std=1) for m in (net, made))
    assert check(compiled).ok
    methods: list[Callable[[ImageModel], LRP]] = [LRP, lambda m: LRP(m, "gradient_x_input"), AbsLRP]
    for method in methods:
        assert torch.equal(method(compiled)(x, 1).relevance, method(whole)(x, 1).relevance)
    layer = CRP(whole).layers[0]
    assert layer in CRP(compiled).layers
    assert torch.equal(CRP(compiled).rank(x, 1, layer).relevance, CRP(whole).rank(x, 1, layer).relevance)


class Cast(nn.Module):
    """A model that chooses its own precision."""

    def __init__(self, net: nn.Module, enabled: bool) -> None:
        super().__init__()
        self.net, self.enabled = net, enabled

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.enabled):
            return self.net(x).to(x.dtype)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_model_that_casts_itself_is_explained_in_full_precision(enabled: bool, x: Tensor) -> None:
    net = plain()
    whole, cast = (ImageModel(m.eval(), input_size=16, mean=0, std=1) for m in (net, Cast(net, enabled)))
    assert check(cast).ok
    scores = cast.scores(x)
    assert torch.allclose(scores, whole.scores(x), atol=0.02 * float(scores.abs().max()))
    methods: list[Callable[[ImageModel], LRP]] = [LRP, lambda m: LRP(m, "attn_lrp"), AbsLRP]
    for method in methods:
        found, right = method(cast)(x, 1).relevance, method(whole)(x, 1).relevance
        assert (found - right).abs().max() <= 0.02 * right.abs().max()


def pooled(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


def test_relevance_that_is_no_number_is_said(x: Tensor) -> None:
    net = pooled(nn.ReLU(), nn.LPPool2d(2, 2))
    bias = net.get_parameter("0.bias")
    with torch.no_grad():
        bias[:2] = -9.0  # some windows hold nothing but zeros, where the root has no slope
    model = ImageModel(net, input_size=16)
    assert not check(model, "abs_lrp").ok
    with pytest.raises(GraphError, match="the relevance of Sequential is NaN or infinite"):
        AbsLRP(model)(x)


class Without(nn.Module):
    """Scores of which the second is of a class that is masked."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(torch.tensor([False, True, False]), -torch.inf)


def test_classes_that_are_masked(x: Tensor) -> None:
    net = pooled(nn.ReLU())
    masked = ImageModel(nn.Sequential(*net, Without()).eval(), input_size=16)
    plain = ImageModel(net, input_size=16)
    assert check(masked).ok
    assert masked.predict(x).probabilities[:, 1].tolist() == [0, 0]
    torch.testing.assert_close(LRP(masked)(x, 2).relevance, LRP(plain)(x, 2).relevance)
    assert AbsLRP(masked)(x, 2).relevance.isfinite().all()


def test_a_map_of_nothing_is_said(x: Tensor) -> None:
    model = ImageModel(pooled(nn.LogSigmoid()), input_size=16)
    found = AbsLRP(model)(x[:1])
    assert not found.relevance.any()
    assert found.caution.startswith("The map is zero everywhere: nothing reached the pixels")
    assert repr(found).endswith(found.caution)
    assert cautions_of(found, {}) == [found.caution]
    assert AbsLRP(ImageModel(pooled(nn.ReLU()), input_size=16))(x).caution == ""
