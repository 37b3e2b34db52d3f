"""What widgets say of pictures that must not be taken for more than they are."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.widgets.conftest import Recorded
from xaiwidgets import LRP, RELAX, RISE, ImageModel
from xaiwidgets.widgets.cautions import CAUTION, cautions_of, spent
from xaiwidgets.words import hardly_matters, little_reached

Overlay = Callable[..., Recorded]


class Deaf(nn.Module):
    """A representation that hardly depends on the picture: at most a share of ``hears``."""

    def __init__(self, hears: float) -> None:
        super().__init__()
        self.hears = hears
        self.mix = nn.Conv2d(3, 4, 16, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        heard = torch.tanh(self.mix(x)).mean((2, 3))
        return torch.tensor([1.0, 0, 0, 0]) + self.hears * heard


def cautions(w: Recorded) -> list[str]:
    assert w.wait(30)
    notes: list[list[str]] = w.of("maps")[-1]["notes"]
    return [text for label, text in notes if label == CAUTION]


def encoder(hears: float) -> ImageModel:
    torch.manual_seed(0)
    return ImageModel(Deaf(hears).eval(), mean=(0.0,) * 3, std=(1.0,) * 3)


def test_an_effect_of_next_to_nothing_is_said(overlay: Overlay, images: Tensor) -> None:
    w = overlay(RELAX(encoder(0.01), n_masks=1024), images, enough=0)
    [said] = cautions(w)
    low = float(w.result.importance.min())
    assert said == hardly_matters("the representation", 1 - low)
    assert said.startswith("Hiding parts changes the representation by at most 0.00")
    assert said.endswith("%: hardly anything here matters.")
    assert cautions(overlay(RELAX(encoder(1.0), n_masks=1024), images, enough=0)) == []


def test_a_map_within_its_standard_errors_is_said(overlay: Overlay, images: Tensor) -> None:
    [said] = cautions(overlay(RELAX(encoder(1.0), n_masks=14, masks="random"), images, enough=0))
    assert said.startswith("The map's range (")
    assert said.endswith("what it shows may be chance. More masks tell.")


def test_a_score_that_hiding_does_not_move(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    result = RISE(small, n_masks=512)(images[:1])
    maps = {"importance": result.importance[0], "standard_error": result.standard_error[0]}
    whole = float(maps["importance"].max() - maps["importance"].min())
    flat = {name: values * 0.005 / whole for name, values in maps.items()}
    assert cautions_of(result, flat) == [hardly_matters("the probability", 0.005)]


def test_a_score_that_did_not_reach_the_pixels(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    module = copy.deepcopy(small.module)
    # All of the score comes from a bias.
    last = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
    last.bias.data.fill_(1000.0)
    w = overlay(LRP(ImageModel(module, mean=(0.0,) * 3, std=(1.0,) * 3)), images, target=1)
    [said] = cautions(w)
    assert said == w.result.conservation.warning
    assert said.startswith("Only ")


@pytest.mark.parametrize(
    ("reached", "said"), [(5.0, []), (0.004, [little_reached(0.0004)]), (-0.004, [little_reached(0.0004)])]
)
def test_a_concepts_class(reached: float, said: list[Any]) -> None:
    assert spent(reached, 10.0) == said
    assert spent(reached, 0.0) == []
    assert all(text.startswith("Only 0.04 % of the score reached the pixels") for text in said)
