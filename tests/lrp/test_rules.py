"""Every rule against its formula, written out slowly on the dense matrix of the step, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import RULES as REGISTERED
from xaiwidgets.lrp import AlphaBeta, Composite, Epsilon, Gamma, PassRule, Rule, ZBox, ZPlus, assign, make_rule

EPSILON = 1e-6
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv": (lambda: nn.Conv2d(3, 4, 3), (3, 7, 7)),
    "no_bias": (lambda: nn.Conv2d(3, 4, 3, bias=False), (3, 7, 7)),
    "stride_padding": (lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), (3, 8, 7)),
    "dilation": (lambda: nn.Conv2d(2, 3, 3, dilation=2, padding=2), (2, 7, 6)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1), (4, 5, 5)),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4, stride=2), (4, 6, 5)),
    "one_by_one": (lambda: nn.Conv2d(5, 3, 1), (5, 4, 4)),
    "asymmetric": (lambda: nn.Conv2d(2, 3, (1, 3), stride=(2, 1), padding=(0, 1)), (2, 5, 9)),
    "same": (lambda: nn.Conv2d(2, 3, 3, padding="same"), (2, 5, 6)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3, stride=2), (3, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), (3, 4, 4)),
    "linear": (lambda: nn.Linear(6, 5), (6,)),
    "tokens": (lambda: nn.Linear(6, 5), (3, 6)),
}


def st(z: Tensor, epsilon: float = EPSILON) -> Tensor:
    return z + epsilon * torch.where(z < 0, -1.0, 1.0)


def share(c: Tensor, z: Tensor, r: Tensor) -> Tensor:
    """Σ_j c_ij R_j / st(z_j) for contributions c (inputs, outputs)."""
    return (c * (r / st(z))).sum(1)


def epsilon_rule(x: Tensor, w: Tensor, b: Tensor, r: Tensor, mask: Tensor) -> Tensor:
    c = x[:, None] * w
    return share(c, c.sum(0) + b, r)


def alpha_beta(alpha: float, beta: float) -> Callable[..., Tensor]:
    def rule(x: Tensor, w: Tensor, b: Tensor, r: Tensor, mask: Tensor) -> Tensor:
        c = x[:, None] * w
        plus, minus = c.clamp(min=0), c.clamp(max=0)
        for_it = share(plus, plus.sum(0) + b.clamp(min=0), r)
        return alpha * for_it - beta * share(minus, minus.sum(0) + b.clamp(max=0), r)

    return rule


def gamma(value: float) -> Callable[..., Tensor]:
    def rule(x: Tensor, w: Tensor, b: Tensor, r: Tensor, mask: Tensor) -> Tensor:
        """Each output favours the contributions that have its own sign."""
        c = x[:, None] * w
        positive = c.sum(0) + b > 0
        favoured = torch.where(positive, c.clamp(min=0), c.clamp(max=0))
        bias = torch.where(positive, b.clamp(min=0), b.clamp(max=0))
        c = c + value * favoured
        return share(c, c.sum(0) + b + value * bias, r)

    return rule


def z_box(low: float, high: float) -> Callable[..., Tensor]:
    def rule(x: Tensor, w: Tensor, b: Tensor, r: Tensor, mask: Tensor) -> Tensor:
        c = x[:, None] * w - low * w.clamp(min=0) - high * w.clamp(max=0)
        return share(c, c.sum(0), r)

    return rule


def flat(x: Tensor, w: Tensor, b: Tensor, r: Tensor, mask: Tensor) -> Tensor:
    return share(mask, mask.sum(0), r)


def w_square(x: Tensor, w: Tensor, b: Tensor, r: Tensor, mask: Tensor) -> Tensor:
    return share(w.square(), w.square().sum(0) + b.square(), r)


# A row a rule: the rule, and its formula for one sample: inputs x (i,), the dense matrix w (i, j), bias b (j,), relevance r (j,), and
# where the matrix has a weight at all -> relevance (i,).
RULES: dict[str, tuple[Rule, Callable[..., Tensor]]] = {
    "epsilon": (Epsilon(epsilon=EPSILON), epsilon_rule),
    "alpha2_beta1": (AlphaBeta(), alpha_beta(2, 1)),
    "alpha3_beta2": (AlphaBeta(alpha=3, beta=2), alpha_beta(3, 2)),
    "z_plus": (ZPlus(), alpha_beta(1, 0)),
    "gamma": (Gamma(gamma=0.25), gamma(0.25)),
    "gamma_large": (Gamma(gamma=3.0), gamma(3.0)),
    "z_box": (ZBox(low=-2.0, high=2.5), z_box(-2.0, 2.5)),
    "flat": (make_rule("flat"), flat),
    "w_square": (make_rule("w_square"), w_square),
}


def dense(layer: nn.Module, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The layer as a matrix (inputs, outputs), its bias, and where the matrix has a weight at all."""
    size = int(torch.tensor(shape).prod())
    basis = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    with torch.no_grad():
        bias = layer(torch.zeros(1, *shape, dtype=torch.float64))
        matrix = (layer(basis) - bias).flatten(1)
        saved = {name: parameter.clone() for name, parameter in layer.named_parameters()}
        for parameter in layer.parameters():
            parameter.fill_(1.0 if parameter.ndim > 1 else 0.0)
        mask = (layer(basis)).flatten(1)
        for name, parameter in layer.named_parameters():
            parameter.copy_(saved[name])
    return matrix, bias.flatten(), mask


def propagate(layer: nn.Module, rule: Rule, x: Tensor, r: Tensor) -> tuple[Tensor, Propagator]:
    graph = export(layer, x)
    propagator = Propagator(graph, assign(Composite(default=rule), graph))
    record = propagator.record(x)
    return propagator.down(record, {"output": r})["input"], propagator


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kind", LAYERS)
def test_rule_equals_its_formula(kind: str, name: str) -> None:
    torch.manual_seed(3)
    make, shape = LAYERS[kind]
    layer = make().double()
    rule, formula = RULES[name]
    x = torch.randn(2, *shape, dtype=torch.float64)
    r = torch.randn(3, *layer(x).shape, dtype=torch.float64)
    found, _ = propagate(layer, rule, x, r)
    w, b, mask = dense(layer, shape)
    for row in range(3):
        for sample in range(2):
            expected = formula(x[sample].flatten(), w, b, r[row, sample].flatten(), mask)
            scale = expected.abs().max()
            assert (found[row, sample].flatten() - expected).abs().max() <= 1e-6 * scale


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kind", LAYERS)
def test_up_is_the_adjoint_of_down(kind: str, name: str) -> None:
    torch.manual_seed(4)
    make, shape = LAYERS[kind]
    layer = make().double()
    x = torch.randn(2, *shape, dtype=torch.float64)
    r = torch.randn(3, *layer(x).shape, dtype=torch.float64)
    down, propagator = propagate(layer, RULES[name][0], x, r)
    v = torch.randn_like(down)
    for memory in (False, True):
        up = propagator.up(propagator.record(x, memory=memory), {"input": v})["output"]
        difference = ((v * down).sum() - (up * r).sum()).abs()
        assert difference <= 1e-10 * v.norm() * down.norm()


@pytest.mark.parametrize("name", RULES)
def test_positive_inputs_take_the_short_cut_to_the_same_result(name: str) -> None:
    torch.manual_seed(5)
    net = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3, padding=1)).double()
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    r = torch.randn(1, 2, 4, 6, 6, dtype=torch.float64)
    short, _ = propagate(net, RULES[name][0], x, r)
    long, _ = propagate(net[1], RULES[name][0], x.relu(), r)
    assert torch.allclose(short, long, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "rule", [AlphaBeta(zero_bias=True), ZPlus(zero_bias=True), Epsilon(epsilon=1e-12, zero_bias=True)]
)
def test_zero_bias_conserves(rule: Rule) -> None:
    torch.manual_seed(6)
    layer = nn.Conv2d(3, 4, 3, padding=1).double()
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    r = torch.randn(1, 2, 4, 6, 6, dtype=torch.float64)
    found, _ = propagate(layer, rule, x, r)
    assert found.sum().item() == pytest.approx(r.sum().item(), rel=1e-3)


def test_alpha_minus_beta_must_be_one() -> None:
    with pytest.raises(ValueError, match="alpha − beta must be 1"):
        AlphaBeta(alpha=2, beta=2)


def test_every_rule_has_a_row() -> None:
    assert {type(rule) for rule, _ in RULES.values()} == set(REGISTERED.values()) - {PassRule}


def test_pass_leaves_relevance_as_it_is() -> None:
    r = torch.randn(3, 2, 5)
    found, _ = propagate(nn.Linear(5, 5), PassRule(), torch.randn(2, 5), r)
    assert torch.equal(found, r)
