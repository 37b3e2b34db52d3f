"""Heatmaps over pictures as figures draw them: the sign is never lied about, what is hidden is hidden, and legends agree with pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from xaiwidgets.plots import Look, Pane, overlays
from xaiwidgets.plots.overlays import composed, legend_colours, outlined
from xaiwidgets.plots.pixels import paled

SIGNED = torch.linspace(-1, 1, 401).repeat(4, 1)
HUES = {"red": (0.85, 0.1, 0.1), "blue": (0.1, 0.2, 0.85), "green": (0.1, 0.6, 0.2), "grey": (0.5, 0.5, 0.5), "black": (0.0, 0.0, 0.0)}  # fmt: skip


def solid(colour: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(colour)[:, None, None].expand(3, *SIGNED.shape)


@pytest.mark.parametrize("colour", HUES.values(), ids=HUES)
@pytest.mark.parametrize("mode", ["grey", "colour", "none"])
@pytest.mark.parametrize("colormap", ["red_blue", "purple_orange"])
def test_the_hue_is_that_of_the_sign(colour: tuple[float, ...], mode: str, colormap: str) -> None:
    pane = Pane("", solid(colour), SIGNED, (-1.0, 1.0), signed=True)
    shown = composed(pane, Look(colormap, picture=mode))
    strong = SIGNED.abs().numpy() > 0.1
    lean = shown[..., 0] - shown[..., 2]
    assert (np.sign(lean) == np.sign(SIGNED.numpy()))[strong].all()
    assert np.abs(lean[strong]).min() > 6 / 255


def test_a_value_covers_by_its_size_and_zero_shows_the_picture() -> None:
    picture = solid(HUES["green"])
    pane = Pane("", picture, SIGNED, (-1.0, 1.0), signed=True)
    grey = composed(pane, Look())
    assert np.allclose(grey[:, 200], paled(picture)[0, 0])
    change = np.abs(grey - grey[:, 200:201]).sum(2)[0]
    assert (np.diff(change[200:]) >= -1e-9).all()
    assert (np.diff(change[:201]) <= 1e-9).all()
    colour = composed(pane, Look(picture="colour"))
    assert np.allclose(colour[0, 200], HUES["green"])
    assert np.allclose(composed(pane, Look(opacity=0.0)), paled(picture)[0, 0])
    alone = composed(pane, Look(picture="none", opacity=0.0))
    assert np.abs(255 * alone[0, 200] - (242, 239, 237)).max() <= 1, "alone, nothing shines through, and zero is pale"


def test_legends_have_the_colours_of_the_pixels() -> None:
    grey = torch.full((3, *SIGNED.shape), 1 - (1 - 164 / 255) / 0.72)
    for colormap, signed, values in (("red_blue", True, SIGNED), ("magma", False, SIGNED.abs())):
        span = (-1.0, 1.0) if signed else (0.0, 1.0)
        look = Look(colormap)
        colours = legend_colours(look, signed)
        shown = composed(Pane("", grey, values, span, signed=signed), look)
        place = ((values[0] - span[0]) / (span[1] - span[0]) * 255).round().long().numpy()
        assert np.abs(shown[0] - colours[place]).max() < 0.02


def test_hidden_pixels_show_the_picture_or_fade() -> None:
    picture = solid(HUES["grey"])
    hidden = torch.zeros_like(SIGNED, dtype=torch.bool)
    hidden[:, 300:] = True
    pane = Pane("", picture, SIGNED.abs(), (0.0, 1.0), hidden=hidden)
    shown, faded, all_ = (
        composed(pane, Look()), composed(pane, Look(fade=True)), composed(replace(pane, hidden=None), Look())
    )  # fmt: skip
    assert np.allclose(shown[:, 300:], paled(picture)[0, 0])
    assert np.allclose(shown[:, :300], all_[:, :300])
    far, near = np.abs(all_ - shown)[:, 390].max(), np.abs(faded - shown)[:, 390].max()
    assert 0 < near < far / 3
    nothing = torch.full_like(SIGNED, torch.nan)
    assert np.allclose(composed(Pane("", picture, nothing), Look()), paled(picture)[0, 0]), "no value, no colour"


def test_outlines_enclose_their_share() -> None:
    values = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    for signed in (True, False):
        for share in (0.05, 0.1, 0.2):
            inside = sum(which.mean() for found, _, which in outlined(values, signed) if found == share)
            assert inside == pytest.approx(share, abs=0.001)
    assert {sign for _, sign, _ in outlined(values, signed=True)} == {1, -1}
    assert outlined(torch.zeros(8, 8), signed=True) == []


@pytest.mark.parametrize("style", ["colours", "outlines"])
def test_figures_wrap_and_say_how_they_were_made(tmp_path: Path, style: str) -> None:
    picture = solid(HUES["red"])
    panes = [
        Pane("Picture", picture),
        *(Pane(f"map {i} $x$", picture, SIGNED, (-1.0, 1.0), signed=True) for i in range(7)),
    ]
    figure = overlays(panes, Look(overlay=style, part=(0.25, 0.0, 0.5)), title="A $title$", caption="model · method")
    axes = [axis for axis in figure.axes if axis.get_images()]
    assert len(axes) == 8
    assert axes[6].get_position().y0 < axes[0].get_position().y0, "six in a row"
    assert axes[1].get_xlim() == pytest.approx((0.25 * 401, 0.75 * 401))
    texts = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    assert {"A $title$", "model · method", "map 3 $x$"} <= set(texts)
    figure.savefig(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 1000
