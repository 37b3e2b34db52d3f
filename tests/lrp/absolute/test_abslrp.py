"""absLRP against its one formula, written down literally (`slow`), row by row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.lrp.absolute.slow import NETS, chain, one, random_values, slow_rows, starts, vgg
from tests.lrp.tiny import TinyResNet, TinyViT, tiny_vgg
from xaiwidgets.graph import Propagator, export
from xaiwidgets.lrp import LRP, AbsLRP, assign, make_composite
from xaiwidgets.lrp.absolute.contrast import batch_leads
from xaiwidgets.lrp.absolute.rules import normalise
from xaiwidgets.model import ImageModel


def prepared(net: nn.Module, x: Tensor) -> Propagator:
    """The rules on the network as it was exported, in the precision of `x`."""
    graph, composite = export(net, x), make_composite("abs_lrp")
    assert batch_leads(graph)
    return Propagator(composite.view(graph), assign(composite, composite.view(graph)))


def carried(propagator: Propagator, x: Tensor, start: Tensor) -> Tensor:
    """Both rows of the input's relevance, (2, N, C, H, W)."""
    begin = torch.stack([one(row) for row in start])
    return normalise(propagator.down(propagator.record(x), {"output": begin})["input"], len(x))


def rows_of(net: nn.Module, x: Tensor, start: Tensor) -> Tensor:
    return carried(prepared(net, x), x, start)


def assert_rows(found: Tensor, expected: Tensor, error: float) -> None:
    """Every row of every image by itself: relative error, and correlation."""
    for row, right in zip(found.flatten(0, 1).flatten(1), expected.flatten(0, 1).flatten(1), strict=True):
        assert right.abs().sum() > 0.9  # what N₁ leaves of a row that is not empty
        assert (row - right).norm() <= error * right.norm()
        assert torch.corrcoef(torch.stack([row, right]))[0, 1] > 1 - error


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", NETS)
def test_equals_the_formula_row_by_row(name: str) -> None:
    net, x = random_values(NETS[name][0](), seed=2), images()
    start = starts(net(x).detach())
    expected = slow_rows(name, net, x, start)
    assert_rows(rows_of(net, x, start), expected, 1e-6)
    # In the precision and memory format that explainers run in, on kernels with prepared weights.
    x, propagator = x.float(), AbsLRP(net.float()).propagator(x.float())
    assert_rows(carried(propagator, x, start.float()).double(), expected, 1e-3)


def test_a_batch_norm_is_a_step_of_its_own() -> None:
    """Folded into the convolution it would be another method."""
    net, x = random_values(NETS["vgg_bn"][0](), seed=2), images()
    start, composite = starts(net(x).detach()), make_composite("abs_lrp")
    graph = export(net, x)
    found = carried(Propagator(graph, assign(composite, graph)), x, start)
    with pytest.raises(AssertionError):
        assert_rows(found, slow_rows("vgg_bn", net, x, start), 1e-2)
    rows = ImageModel(net.float(), input_size=16).check("abs_lrp").rows
    assert [row.operation for row in rows].count("batch_norm") == 3
    assert "batch_norm" not in [row.operation for row in ImageModel(net, input_size=16).check().rows]


@pytest.mark.parametrize(
    "norm",
    [
        lambda: nn.BatchNorm2d(6),
        lambda: nn.GroupNorm(2, 6),
        lambda: nn.GroupNorm(6, 6),
        lambda: nn.InstanceNorm2d(6, affine=True),
        lambda: nn.LayerNorm(16),
    ],
)
@pytest.mark.parametrize("positive", [False, True])
def test_norms_of_magnitudes_have_their_own_statistics(norm: Callable[[], nn.Module], positive: bool) -> None:
    before = [nn.ReLU()] if positive else []
    layers: list[nn.Module] = [
        nn.Conv2d(3, 6, 3, padding=1),
        *before,
        norm(),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    ]
    net, x = random_values(nn.Sequential(*layers, nn.Linear(24, 4)), seed=3), images()
    start = starts(net(x).detach())
    _, down = chain(net, x)
    assert_rows(rows_of(net, x, start), torch.stack([down(one(row)) for row in start]), 1e-6)


class TokensWithBatchNorm(nn.Module):
    """Linear layers on tokens with batch norms after them, as LeViT has."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 4, stride=4)
        self.linear, self.norm = nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8)
        self.head = nn.Linear(8 * 16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = self.norm(self.linear(x).flatten(0, 1)).reshape(x.shape[0], -1, 8)
        return self.head(x.transpose(1, 2).flatten(1))


def test_batch_norms_of_tokens() -> None:
    """The tokens' linear layer and batch norm are a 1×1 convolution and its batch norm under another shape."""
    net, x = random_values(TokensWithBatchNorm(), seed=3), images()
    twin = nn.Sequential(net.patch, nn.Conv2d(6, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Flatten(), net.head)
    twin.double().eval()
    with torch.no_grad():
        twin.get_parameter("1.weight").copy_(net.linear.weight[..., None, None])
    twin.get_submodule("2").load_state_dict(net.norm.state_dict())
    torch.testing.assert_close(twin(x), net(x))
    start = starts(net(x).detach())
    _, down = chain(twin, x)
    assert_rows(rows_of(net, x, start), torch.stack([down(one(row)) for row in start]), 1e-6)


class PadsThenPools(nn.Module):
    """Max-pooling behind a pad of −∞, as models with TensorFlow's padding have."""

    def __init__(self, apart: bool) -> None:
        super().__init__()
        self.conv, self.head, self.apart = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6 * 64, 4), apart

    def forward(self, x: Tensor) -> Tensor:
        x, pad = self.conv(x), 0 if self.apart else 1
        x = F.pad(x, (1, 1, 1, 1), value=float("-inf")) if self.apart else x
        return self.head(F.max_pool2d(x, 3, 2, padding=pad).flatten(1))


def test_finite_behind_pads_of_minus_infinity() -> None:
    apart, within, x = random_values(PadsThenPools(True)), random_values(PadsThenPools(False)), images()
    within.load_state_dict(apart.state_dict())
    start = starts(apart(x).detach())
    assert_rows(rows_of(apart, x, start), rows_of(within, x, start), 1e-9)
    layers = [within.conv, nn.MaxPool2d(3, 2, padding=1), nn.Flatten(), within.head]
    _, down = vgg(nn.Sequential(*layers), x)
    assert_rows(rows_of(apart, x, start), torch.stack([down(one(row)) for row in start]), 1e-6)


@pytest.mark.slow
def test_finite_on_a_transformer_with_a_convolutional_stem() -> None:
    import timm

    found = AbsLRP(timm.create_model("vit_tiny_r_s16_p8_224", pretrained=False).eval())(torch.randn(1, 3, 224, 224))
    assert torch.isfinite(found.relevance).all()
    assert found.relevance.abs().amax() == 1


@pytest.mark.parametrize("name", NETS)
def test_a_batch_equals_single_images(name: str) -> None:
    net, x = random_values(NETS[name][0](), seed=2), images(4)
    start = starts(net(x).detach())
    propagator = prepared(net, x)
    alone = torch.cat([carried(propagator, x[i : i + 1], start[:, i : i + 1]) for i in range(4)], 1)
    assert_rows(carried(propagator, x, start), alone, 1e-9)
    model = ImageModel(net.float(), input_size=16)
    together, each = AbsLRP(model, batch=3)(x.float(), [1, 3, 0, 2]).relevance, AbsLRP(model, batch=1)
    singles = torch.cat([each(x[i : i + 1].float(), t).relevance for i, t in enumerate([1, 3, 0, 2])])
    torch.testing.assert_close(together, singles, atol=1e-3, rtol=1e-3)


TINY: dict[str, Callable[[], nn.Module]] = {
    "vgg": tiny_vgg,
    "resnet": TinyResNet,
    "vit": lambda: TinyViT(False),
    "vit_fused": lambda: TinyViT(True),
}


@pytest.mark.parametrize("name", TINY)
def test_classes_and_the_composite_of_that_name_are_the_same_method(name: str) -> None:
    torch.manual_seed(2)
    model = ImageModel(TINY[name]().eval(), input_size=8)
    x = torch.randn(3, 3, 8, 8)
    magnitude = AbsLRP(model, batch=2)
    layer = model.layers[0]
    alone = [magnitude(x, target, layers=[layer]) for target in (3, 0, [1, 2, 1])]
    for result, each in zip(magnitude.classes(x, [3, 0, [1, 2, 1]], layers=[layer]), alone, strict=True):
        torch.testing.assert_close(result.relevance, each.relevance, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(result.layers[layer], each.layers[layer], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(result.activations[layer], each.activations[layer])
        assert result.target is not None
        assert each.target is not None
        assert torch.equal(result.target, each.target)
    for lrp in (
        LRP(model, "abs_lrp"),
        LRP(model).with_parameters(composite="abs_lrp"),
        LRP(model, magnitude.composite),
    ):
        found = lrp(x, 3)
        torch.testing.assert_close(found.relevance, alone[0].relevance, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            lrp(x, 3, against=0).heatmap, magnitude(x, 3, against=0).heatmap, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(lrp.classes(x, [3])[0].relevance, found.relevance, atol=1e-4, rtol=1e-4)
        assert found.conservation is None
        assert found.provenance.method == "absLRP"
        assert found.provenance.parameters["start"] == "one"


def test_parameters() -> None:
    torch.manual_seed(2)
    model = ImageModel(tiny_vgg().eval(), input_size=8)
    magnitude = AbsLRP(model, epsilon=1e-3)
    assert magnitude.with_parameters().provenance == magnitude.provenance
    assert magnitude.with_parameters(epsilon=1e-2).parameters == {"epsilon": 1e-2}
    with pytest.raises(TypeError, match="takes no keyword 'epsilom'; did you mean 'epsilon'"):
        magnitude.with_parameters(epsilom=1)
    controls = {control["name"]: control for control in LRP(model, "abs_lrp").controls()}
    assert set(controls) == {"composite", "epsilon"}
    assert controls["composite"]["value"] in controls["composite"]["options"]
    back = LRP(model, "abs_lrp").with_parameters(composite="epsilon_plus")
    assert back.provenance.parameters == {"composite": "epsilon_plus", "start": "logit"}
