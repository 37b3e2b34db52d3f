"""Figures: drawn without pyplot, with the numbers they stand for."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets import RELAX, ImageModel, RelaxResult, plots
from xaiwidgets.lrp import LRP


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def result(small: ImageModel, images: Tensor) -> RelaxResult:
    return RELAX(small, n_masks=32, cells=3)(images)


def shown(figure: Any, title: str) -> list[np.ndarray]:
    """What is drawn last in every axis with this title."""
    axes = [axis for axis in figure.axes if axis.get_title() == title]
    assert axes
    return [np.ma.filled(np.ma.asarray(axis.images[-1].get_array(), dtype=float), np.nan) for axis in axes]


def test_relax_shows_its_numbers(small: ImageModel, images: Tensor, result: RelaxResult) -> None:
    figure = result.plot(small.pixels(images), quantile=0.25)
    for title, values in (
        ("Importance", result.importance),
        ("Uncertainty", result.uncertainty),
        ("Standard error", result.standard_error),
    ):
        np.testing.assert_allclose(np.stack(shown(figure, title)), values, rtol=1e-6)
    sure = np.stack(shown(figure, "U-RELAX, surest 25%"))
    assert np.array_equal(~np.isnan(sure), result.sure(0.25).numpy())
    assert "32 masks" in figure.get_suptitle()
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert result.plot().get_axes()


def test_signed_heatmaps_are_centred_at_zero(small: ImageModel, images: Tensor) -> None:
    attribution = LRP(small)(images)
    figure = attribution.plot(small.pixels(images))
    drawn = [axis.images[-1] for axis in figure.axes if axis.get_title() == "relevance"]
    assert len(drawn) == 2
    for image in drawn:
        low, high = image.get_clim()
        assert low == -high < 0
    plots.heatmaps(torch.zeros(1, 4, 4))


def test_nothing_is_registered_globally(result: RelaxResult) -> None:
    def registered() -> list[int]:
        pyplot = sys.modules.get("matplotlib.pyplot")
        return [] if pyplot is None else pyplot.get_fignums()

    before = registered()
    result.plot()
    assert registered() == before


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_any_number_of_channels_is_drawn(channels: int) -> None:
    pixels = torch.rand(1, channels, 8, 8)
    figures = (
        plots.picture(pixels[0]),
        plots.heatmaps(torch.randn(1, 8, 8), pixels),
        plots.concepts("", pixels[0], [], [], [("", pixels[0])]),
    )
    expected = pixels[0].permute(1, 2, 0) if channels == 3 else pixels[0].mean(0)
    for figure in figures:
        np.testing.assert_allclose(np.asarray(figure.axes[0].images[0].get_array()), expected, rtol=1e-6)
        figure.savefig(io.BytesIO())


def test_pictures_that_do_not_fit(images: Tensor, result: RelaxResult) -> None:
    with pytest.raises(ValueError, match=r"image has values outside \[0, 1\]; give pixel values, such as model.pixels"):
        result.plot(images)
    with pytest.raises(ValueError, match=r"image has shape \(1, 3, 16, 16\); give \(2, C, H, W\)"):
        result.plot(images[:1])
    with pytest.raises(TypeError, match="result is int; there is no figure of it"):
        plots.plot(3)
