"""On-device inpainting and OpenCV's."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from xaiwidgets.evaluate.inpaint import onion, telea


@pytest.fixture
def ramp() -> Tensor:
    """Smooth colours, (2, 3, 40, 52): what a good filler gets right."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 40), torch.linspace(0, 1, 52), indexing="ij")
    return torch.stack([rows, columns, (rows + columns) / 2])[None].repeat(2, 1, 1, 1)


def _holes(share: float, size: tuple[int, int] = (40, 52), count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 1, size[0] // 4, size[1] // 4, generator=generator) < share
    return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_shows_stays_and_smooth_colours_come_back(ramp: Tensor, share: float) -> None:
    hidden = _holes(share)
    filled = onion(ramp, hidden)
    assert torch.equal(torch.where(hidden, ramp, filled), ramp)
    holes = hidden.expand_as(ramp)
    ours, theirs = ((guess - ramp).abs()[holes].mean() for guess in (filled, telea(ramp, hidden)))
    assert ours < 1.2 * theirs
    assert ours < (0.03 if share < 0.6 else 0.1)
    assert filled.min() >= 0
    assert filled.max() <= 1
    # What is hidden does not shine through.
    other = torch.where(hidden, torch.rand_like(ramp), ramp)
    assert torch.equal(onion(other, hidden), filled)


def test_each_picture_is_filled_by_itself(ramp: Tensor) -> None:
    hidden = _holes(0.5)
    both = onion(ramp, hidden)
    for row in range(2):
        assert torch.allclose(onion(ramp[row : row + 1], hidden[row : row + 1])[0], both[row], atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (33, 64)])
def test_any_size_and_nothing_left(size: tuple[int, int]) -> None:
    pixels = torch.rand(1, 1, *size)
    assert torch.equal(onion(pixels, torch.ones(1, 1, *size, dtype=torch.bool)), torch.full_like(pixels, 0.5))
    assert torch.equal(onion(pixels, torch.zeros(1, 1, *size, dtype=torch.bool)), pixels)
    if size != (1, 1):
        hidden = torch.ones(1, 1, *size, dtype=torch.bool)
        hidden[..., 0, 0] = False
        assert torch.allclose(onion(pixels, hidden), pixels[..., :1, :1].expand_as(pixels), atol=1e-6)


def test_one_colour_stays_one_colour() -> None:
    pixels = torch.full((1, 3, 30, 30), 0.3)
    assert torch.allclose(onion(pixels, _holes(0.7, (32, 32), 1)[..., :30, :30]), pixels, atol=1e-6)


def test_telea_takes_rounding_errors_and_full_masks(ramp: Tensor) -> None:
    hidden = _holes(0.3)
    filled = telea(ramp * 1.0000002, hidden)
    assert (filled - ramp).abs().max() < 0.2
    assert torch.equal(telea(ramp, torch.ones_like(hidden)), torch.full_like(ramp, 0.5))
    assert telea(ramp[:, :1], hidden).shape == (2, 1, 40, 52)


def test_telea_without_opencv_says_what_to_do(ramp: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"xaiwidgets\[telea\]"):
        telea(ramp, _holes(0.3))
