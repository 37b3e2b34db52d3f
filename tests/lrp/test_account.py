"""Where relevance went, in words: how much reached the pixels, and what to try where it is next to nothing."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor, nn

from xaiwidgets import LRP, ImageModel
from xaiwidgets.lrp import Conservation, Leak


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
