"""Where relevance went, in words: how much reached the pixels, and what to try where it is next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor, nn

from tests.lrp.tiny import TinyResNet, TinyViT, tiny_vgg
from xaiwidgets import LRP, ImageModel
from xaiwidgets.graph import Propagator, export
from xaiwidgets.graph.local import Into, Pass, Site
from xaiwidgets.lrp import Composite, Conservation, Flat, Leak, assign, make_composite
from xaiwidgets.lrp.account import Account
from xaiwidgets.lrp.passing import Passed, explain
from xaiwidgets.lrp.starts import Begun, Part


def biased(bias: float) -> ImageModel:
    torch.manual_seed(0)
    last = nn.Linear(4 * 14 * 14, 3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), last).eval()
    with torch.no_grad():
        last.bias.add_(bias)
    return ImageModel(net, input_size=16, mean=0, std=1)


def texts(figure: Figure) -> list[str]:
    """All that a figure says, lines joined."""
    return [text.get_text().replace("\n", " ") for text in figure.findobj(Text) if isinstance(text, Text)]


@pytest.fixture
def x() -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


Function = Callable[[Tensor], Tensor]


def _unpooled(x: Tensor) -> Tensor:
    y, where = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(y, where, [2, 2])


def _written(x: Tensor) -> Tensor:
    y = x * 2
    y[:, :2] = 0.0
    return y


ENDS: dict[str, tuple[Function, str]] = {
    "unpooling": (_unpooled, "entries filled in"),
    "a padded number": (lambda x: F.pad(x, (2, 1, 0, 1), value=1.5), "entries filled in"),
    "a write": (_written, "entries filled in"),
    "index_fill": (lambda x: x.index_fill(1, torch.tensor([0]), 0.3), "entries filled in"),
    "where": (lambda x: torch.where(x > 0, x, 0.7), "entries filled in"),
    "masked_fill": (lambda x: x.masked_fill(x < 0, 0.5), "entries filled in"),
    "a triangle": (lambda x: x.tril(), "entries filled in"),
    "unfolded padding": (lambda x: F.unfold(x, 3, padding=1).unflatten(2, (16, 16)), "entries filled in"),
    "tokens": (lambda x: torch.cat([torch.ones_like(x[:, :1]), x], 1), "constant tokens"),
    "a bound": (lambda x: torch.maximum(x, torch.full_like(x, 0.2)), "a fixed bound"),
    "a sigmoid": (torch.sigmoid, "the constant of a non-linearity"),
    "a number": (lambda x: x + 0.5, "an added constant"),
    "a gradient": (lambda x: x * x.sigmoid(), "what gradient × input does not conserve"),
}


class Filled(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        shape = function(torch.zeros(1, 4, 16, 16)).shape
        self.first, self.head = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(shape[1], 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self.first(x))).mean((2, 3))


@pytest.mark.parametrize("name", ENDS)
def test_relevance_that_ends_is_accounted_for_by_name(name: str, x: Tensor) -> None:
    function, into = ENDS[name]
    # The flat rule sends relevance to zeros, too.
    composite = "gradient_x_input" if "gradient" in into else Composite(default=Flat())
    model = ImageModel(Filled(function).eval(), input_size=16, mean=0, std=1)
    account = LRP(model, composite, start="one")(x, 1).conservation
    assert account is not None
    size = max(abs(account.start), *(abs(leak.amount) for leak in account.leaks))
    lost = sum(leak.amount for leak in account.leaks)
    assert abs(account.start - account.input - lost) <= 1e-4 * size
    assert any(leak.into == into and abs(leak.amount) > 1e-3 * size for leak in account.leaks)
    assert all(leak.layer and leak.into for leak in account.leaks)


def test_next_to_nothing_at_the_pixels_is_said_in_repr_and_figure(x: Tensor) -> None:
    found = LRP(biased(500.0))(x, 0)
    account = found.conservation
    assert account is not None
    assert abs(account.share) < 0.01
    said = "Only 0.0% of the score reached the pixels, most of the rest went into bias and ε at 3: the map shows little"
    assert account.warning == account.sentence
    assert account.warning.startswith(said)
    assert "Try zero_bias=True, or composite='epsilon_gamma_box'." in account.warning
    assert account.warning in repr(found)
    assert account.warning in str(account)
    assert account.warning in texts(found.plot(x))
    # What it advises helps.
    better = LRP(biased(500.0), zero_bias=True)(x, 0)
    assert better.conservation is not None
    assert better.conservation.share == pytest.approx(1.0, abs=0.02)


def test_an_account_that_is_well_says_its_share_alone(x: Tensor) -> None:
    found = LRP(biased(0.0), zero_bias=True)(x, 0)
    account = found.conservation
    assert account is not None
    assert account.warning == ""
    assert account.sentence == f"{account.share:.1%} of the relevance reached the pixels."
    assert account.sentence in repr(found)
    assert not any("reached the pixels" in text for text in texts(found.plot(x)))


@pytest.mark.parametrize(
    ("into", "advice"),
    [
        ("bias and ε", "zero_bias=True, or composite='epsilon_gamma_box'"),
        ("ε and softmax", "composite='cp_lrp'"),
        ("an added constant", "composite='cp_lrp'"),
        ("ε", "composite='epsilon_gamma_box'"),
    ],
)
def test_the_advice_fits_the_leak(into: str, advice: str) -> None:
    account = Conservation(10.0, 0.5, {}, (Leak("block", into, 9.0), Leak("head", "ε", 0.5)))
    assert account.warning.endswith(f"into {into} at block: the map shows little of what the model used. Try {advice}.")
    negative = Conservation(-10.0, -0.5, {}, (Leak("block", into, -9.0),))
    assert negative.warning.startswith("Only 5.0% of the score reached the pixels, most of the rest went into")
    assert Conservation(0.0, 0.0, {}, ()).warning == ""


class Joined(nn.Module):
    """Branches that are joined, cut apart, taken in parts and multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.left, self.right = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 1), nn.Conv2d(8, 4, 3, padding=1)
        self.act, self.pool, self.drop = nn.Hardswish(), nn.MaxPool2d(2), nn.Dropout(0.2)
        self.again, self.head = nn.Conv2d(5, 5, 1), nn.Linear(5 * 9, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(x))
        a, b = torch.cat([self.left(x), self.right(x)], 1).chunk(2, 1)
        x = self.pool(a * b.tanh() + b[:, :1])
        return self.head(self.again(self.drop(x.roll(1, 2))).flatten(1))


class Queries(nn.Module):
    """Tokens summed up by queries that were learned."""

    def __init__(self, images: bool) -> None:
        super().__init__()
        self.images, self.patch = images, nn.Conv2d(3, 16, 4, 4)
        self.queries, self.heads = nn.Parameter(torch.randn(1, 2, 3, 8)), (2, 8)
        self.both, self.head = nn.Linear(16, 32), nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.both(self.patch(x).flatten(2).transpose(1, 2))
        k, v = (part.unflatten(-1, self.heads).transpose(1, 2) for part in tokens.chunk(2, -1))
        # A batch of one size is written into the graph, and the queries with it.
        queries = self.queries.expand(len(x) if self.images else x.shape[0], -1, -1, -1)
        return self.head(F.scaled_dot_product_attention(queries, k, v).flatten(1))


NETS: dict[str, Callable[[], nn.Module]] = {
    "residual": TinyResNet,
    "joined": Joined,
    "dropout": tiny_vgg,
    "attention": lambda: TinyViT(fused=True),
    "attention in steps": lambda: TinyViT(fused=False),
    "queries": lambda: Queries(images=False),
    "queries, image by image": lambda: Queries(images=True),
}


def booked(propagator: Propagator, x: Tensor, batch: int, layers: tuple[str, ...] = ()) -> tuple[Passed, Conservation]:
    def start(output: Tensor, part: Part) -> Begun:
        draw = torch.Generator().manual_seed(2)
        return Begun(torch.randn(1, len(x), *output.shape[1:], dtype=x.dtype, generator=draw)[:, part])

    found = explain(propagator, x, start, layers, batch=batch)
    assert found.conservation is not None
    return found, found.conservation


@pytest.mark.parametrize("composite", ["attn_lrp", "epsilon_plus_flat", "gradient_x_input"])
@pytest.mark.parametrize("name", NETS)
def test_every_layer_of_the_account_has_what_is_there(name: str, composite: str) -> None:
    torch.manual_seed(0)
    net = NETS[name]().double().eval()
    x = torch.randn(5, 3, 8, 8, dtype=torch.float64)
    graph = export(net, x[:1])
    propagator = Propagator(graph, assign(make_composite(composite), graph))
    assert graph.single == ("image by image" in name)
    _, account = booked(propagator, x, 5)
    size = max(abs(account.start), *map(abs, account.layers.values()), *(abs(leak.amount) for leak in account.leaks))
    assert len(account.layers) >= 3
    assert abs(account.start - account.input - sum(leak.amount for leak in account.leaks)) <= 1e-9 * size
    # Again, of the same propagator, at once and in chunks; with the relevance that is there.
    for batch in (5, 2, 1):
        found, again = booked(propagator, x, batch, tuple(account.layers))
        assert again.layers == pytest.approx(account.layers, abs=1e-9 * size)
        assert again.input == pytest.approx(account.input, abs=1e-9 * size)
        amounts = {(leak.layer, leak.into): leak.amount for leak in again.leaks}
        assert amounts == pytest.approx(
            {(leak.layer, leak.into): leak.amount for leak in account.leaks}, abs=1e-9 * size
        )
        for layer, amount in again.layers.items():
            there = found.rows[0][layer].double()
            assert amount == pytest.approx(float(there.sum()), abs=1e-6 * float(there.abs().sum()) + 1e-9 * size), layer


class Half(Pass):
    """One's own, which hands on half and says nothing of what is lost."""

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return [relevance / 2]


def test_one_s_own_way_down_is_not_taken_for_one_that_loses_nothing(x: Tensor) -> None:
    composite = Composite(treatments={"relu": lambda operation, place: Half()})
    found = LRP(biased(0.0), composite)(x, 0, layers=("0", "1"))
    account = found.conservation
    assert account is not None
    [leak] = [leak for leak in account.leaks if leak.into == "what half does not conserve"]
    assert leak.amount == pytest.approx(account.layers["1"] / 2, rel=1e-4)
    assert account.layers["0"] == pytest.approx(float(found.layers["0"].sum()), rel=1e-4)


class Chosen(nn.Module):
    """A part of normalised tokens, and a sum of them that takes no factor."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm, self.head = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), nn.Linear(8, 3)
        with torch.no_grad():
            self.norm.bias[0], self.norm.weight[0] = 3e-6, 0.0  # of the size of ε

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.patch(x).flatten(2).transpose(1, 2))
        return self.head(tokens[:, 0].tanh())


def test_what_a_part_loses_as_it_becomes_a_factor_is_booked(x: Tensor) -> None:
    torch.manual_seed(0)
    net = Chosen().double().eval()
    images = x.double()[..., :8, :8]
    graph = export(net, images)
    propagator = Propagator(graph, assign(make_composite("attn_lrp"), graph))
    [part] = [operation for operation in graph.operations if propagator.index("norm") in operation.inputs]
    assert part.target in {"select", "slice"}
    assert not propagator.forms.factored[part.index]
    assert propagator.forms.factored[part.inputs[0]]
    account = Account(propagator)
    record = propagator.record(images)
    found = propagator.down(
        record, {"output": torch.ones_like(record.output)[None]}, [part.index, "norm"], trace=account
    )
    lost = float(found[part.index].sum() - found["norm"].sum())
    assert abs(lost) > 1e-7 * float(found["norm"].abs().sum())
    assert float(account.lost[part.index]) == pytest.approx(lost, rel=1e-6)
