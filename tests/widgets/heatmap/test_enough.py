"""Masks end when they are enough."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.widgets.conftest import Recorded
from xaiwidgets import RELAX, ImageModel

Overlay = Callable[..., Recorded]


class Corner(nn.Module):
    """Sees one corner alone: what matters is plain after few masks."""

    def forward(self, x: Tensor) -> Tensor:
        seen = x[:, :, :4, :4].mean((2, 3))
        return torch.cat([seen, torch.full_like(seen, 0.05)], 1)


@pytest.fixture
def corner() -> RELAX:
    return RELAX(ImageModel(Corner().eval(), mean=(0.0,) * 3, std=(1.0,) * 3), n_masks=20_000, cells=4)


def test_masks_end_where_the_error_is_small(overlay: Overlay, corner: RELAX) -> None:
    x = torch.ones(1, 3, 16, 16)
    w = overlay(corner, x)
    assert w.wait(60)
    result = w.result
    spread = float(result.importance.max() - result.importance.min())
    assert 128 <= result.n_masks < 20_000
    assert float(result.standard_error.max()) <= 0.03 * spread
    assert w.status["enough"] is True
    assert w.status["done"] == w.status["total"] == result.n_masks
    # They are the explainer's own: as many of them give the same.
    assert torch.allclose(result.importance, corner.with_parameters(n_masks=result.n_masks)(x).importance, atol=1e-5)


def test_more_goes_on_to_all_masks(overlay: Overlay, corner: RELAX) -> None:
    w = overlay(corner, torch.ones(1, 3, 16, 16), n_masks=8000)
    assert w.wait(60)
    early = w.result.n_masks
    assert early < 8000
    w.more()
    assert w.wait(60)
    assert w.result.n_masks >= 8000
    assert w.status["enough"] is False
    before = w.result.n_masks
    w.more()
    assert w.wait(60)
    assert w.result.n_masks >= before + 8000


def test_all_masks_where_a_person_wants_them(overlay: Overlay, corner: RELAX) -> None:
    w = overlay(corner, torch.ones(1, 3, 16, 16), n_masks=1000, enough=0)
    assert w.wait(60)
    assert w.result.n_masks >= 1000
    assert w.status["enough"] is False
