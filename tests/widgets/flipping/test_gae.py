"""The flipping viewer on data sets, and GAE in it, without a browser."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import RecordedViewer, until
from tests.widgets.flipping.double import Gate
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


def test_gae_and_curves_keep_out_of_each_others_way(viewer: Viewer, small: ImageModel) -> None:
    x = torch.randn(16, 3, 16, 16)
    methods = {"g": GradientXInput(small), "h": lambda images, target: images.abs().sum(1)}
    w = viewer(small, x, methods, patch=4, perturb="mean", random=0, batch_size=8)
    # Asked at once: the curves come first, then GAE.
    w.compute_gae()
    assert w.wait(60)
    assert w.result is not None
    assert w.result.final
    assert w.gae_result is not None
    assert w.gae_result.final
    assert (w.status["state"], w.status["unit"]) == ("done", "mosaics")
    # Another question, and a method hidden, while GAE is computed.
    w.compute_gae()
    until(lambda: w.status.get("unit") == "mosaics" and w.status["state"] == "running")
    w.hidden = ["h"]
    w.perturb = "gray"
    assert w.wait(60)
    assert w.gae_result.final
    assert set(w.gae_result.methods) == {"g", "h"}
    assert w.result.final
    assert w.status["state"] == "done"


def test_what_replaces_an_explainer_is_not_given_its_heatmaps(viewer: Viewer, small: ImageModel) -> None:
    x, gate = torch.randn(2, 3, 16, 16), Gate()
    w = viewer(small, x, {"g": gate}, patch=4, perturb="mean", random=0)
    until(lambda: gate.asked > 0)
    other = lambda images, target: -images.abs().sum(1)  # noqa: E731
    w.add("g", other)
    gate.permits.release(9)
    assert w.wait(30)
    w.perturb = "gray"
    assert w.wait(30)
    expected = pixel_flipping(small, x, {"g": other}, order="both", patch=4, perturb="gray", random=0, **QUIET)
    assert w.result is not None
    assert torch.equal(w.result.ranks["g"], expected.ranks["g"])


def test_the_saved_state_follows_the_screen(viewer: Viewer, small: ImageModel) -> None:
    w = viewer(small, torch.randn(4, 3, 16, 16), {"g": GradientXInput(small)}, patch=4, perturb="mean", order="morf")

    def kept() -> tuple[str, int, bool]:
        (size,) = struct.unpack_from("<I", w.snapshot)
        contents = [entry["content"] for entry in json.loads(w.snapshot[4 : 4 + size])]
        of = {content["type"]: content for content in contents}
        return of["curves"]["order"], of["picture"]["image"], "gae" in of

    assert w.wait(30)
    w.order = "lerf"
    assert w.wait(30)
    assert kept() == ("lerf", 0, False)
    w.order = "morf"
    until(lambda: kept() == ("morf", 0, False))
    w.image = 3
    until(lambda: kept() == ("morf", 3, False))
    w.compute_gae()
    assert w.wait(30)
    until(lambda: kept() == ("morf", 3, True))


def test_why_gae_cannot_be_computed(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    few = viewer(small, images, {"g": GradientXInput(small)}, patch=8)
    assert few.gae_missing == "GAE makes mosaics of four images; here are 3"
    with pytest.raises(ValueError, match="mosaics of four"):
        few.compute_gae()
    few.hear(type="gae")
    assert few.status["state"] == "error"
    fixed = viewer(small, torch.randn(4, 3, 16, 16), {"a": torch.rand(4, 16, 16)}, patch=8)
    assert "give explainers" in fixed.gae_missing
