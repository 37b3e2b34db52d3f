"""The flipping viewer on data sets, and GAE in it, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import RecordedViewer
from xaiwidgets import FlippingViewer, GradientXInput, ImageModel, pixel_flipping

QUIET: dict[str, Any] = {"progress": False}
Viewer = Callable[..., RecordedViewer]


def test_gae(viewer: Viewer, small: ImageModel) -> None:
    from xaiwidgets import gae

    x, labels = torch.randn(16, 3, 16, 16), torch.arange(16) % 5
    gradient = GradientXInput(small)
    w = viewer(small, (x, labels), {"g": gradient, "fixed": torch.rand(16, 16, 16)}, patch=8, order="morf", random=0)
    assert w.wait(30)
    assert w.gae_missing == ""
    w.hear(type="gae")
    assert w.wait(60)
    expected = gae(small, (x, labels), {"g": gradient}, **QUIET)
    assert w.gae_result is not None
    assert torch.allclose(w.gae_result.gae["g"], expected.gae["g"], atol=1e-5)
    content = w.packets("gae")[-1][0]
    assert content["rows"]["g"][0] == pytest.approx(expected.estimate("g").mean, abs=1e-6)
    assert (content["done"], content["total"]) == (4, 4)
    assert len(w.packets("gae")) > 1
    assert (w.status["state"], w.status["unit"]) == ("done", "mosaics")
    w.hidden = ["g"]
    w.hear(type="gae")
    assert w.wait(30)
    assert "show at least one method that is an explainer" in w.status["message"]


def test_a_data_set_is_read_with_its_labels(viewer: Viewer, small: ImageModel) -> None:
    x, labels = torch.randn(9, 3, 16, 16), torch.arange(9) % 5
    data = list(zip(x, labels, strict=True))
    w = viewer(small, data, {"g": GradientXInput(small)}, patch=8, perturb="mean", order="morf", random=0, limit=8)
    assert w.wait(30)
    assert (w.images, w.gae_missing) == (8, "")
    expected = pixel_flipping(
        small, x[:8], {"g": GradientXInput(small)}, patch=8, perturb="mean", order="morf", random=0, **QUIET
    )
    assert w.result is not None
    assert torch.allclose(w.result.curves["morf"]["g"], expected.curves["morf"]["g"], atol=1e-5)
    w.compute_gae()
    assert w.wait(60)
    same = viewer(small, (x[:8], labels[:8]), {"g": GradientXInput(small)}, patch=8, order="morf", random=0)
    same.wait(30)
    same.compute_gae()
    assert same.wait(60)
    assert w.gae_result is not None
    assert same.gae_result is not None
    assert torch.equal(w.gae_result.gae["g"], same.gae_result.gae["g"])


def test_a_data_set_too_large_for_memory_says_what_to_do(small: ImageModel) -> None:
    class Endless:
        def __len__(self) -> int:
            return 10**8

        def __getitem__(self, place: int) -> Tensor:
            return torch.zeros(3, 16, 16)

    with pytest.raises(ValueError, match=r"x has 100000000 images, 286\.1 GB in memory; .* limit=200"):
        FlippingViewer(small, Endless(), {"g": GradientXInput(small)}, patch=8)


def test_why_gae_cannot_be_computed(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    few = viewer(small, images, {"g": GradientXInput(small)}, patch=8)
    assert few.gae_missing == "GAE makes mosaics of four images; here are 3"
    with pytest.raises(ValueError, match="mosaics of four"):
        few.compute_gae()
    few.hear(type="gae")
    assert few.status["state"] == "error"
    fixed = viewer(small, torch.randn(4, 3, 16, 16), {"a": torch.rand(4, 16, 16)}, patch=8)
    assert "give explainers" in fixed.gae_missing
