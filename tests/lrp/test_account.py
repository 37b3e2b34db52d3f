"""Where relevance went, in words: how much reached the pixels, and what to try where it is next to nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor, nn

from xaiwidgets import LRP, ImageModel
from xaiwidgets.lrp import Composite, Conservation, Flat, Leak


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
