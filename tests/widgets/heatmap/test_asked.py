"""What may be asked of a heatmap overlay: of its state, of other people's explainers, of numbers of masks, after it was closed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import Recorded
from xaiwidgets import RELAX, HeatmapOverlay, ImageModel
from xaiwidgets.lrp import LRP

Overlay = Callable[..., Recorded]


def test_what_is_set_is_checked_and_refused(overlay: Overlay, cnn: ImageModel, x: Tensor) -> None:
    w = overlay(LRP(cnn), x, target="star")
    star, ring = w.class_names.index("star"), w.class_names.index("ring")
    assert w.target == star
    w.target, w.against = "ring", "star"
    assert (w.target, w.against) == (ring, star)
    w.target = np.int64(star)
    assert w.get_state()["target"] == star
    for name, value, said in (
        ("target", 99, "target=99 is not a class of the model; give 0 to"),
        ("against", "rest", "against='rest' is for calls of an explainer; give one class to contrast with, or None"),
        ("against", "moon", "against='moon' is not known"),
        ("image", 9, "image=9 is not there; give 0 to 2"),
        ("method", "LPR", "method='LPR' is not known; did you mean 'LRP'"),
    ):
        before = getattr(w, name)
        with pytest.raises(ValueError, match=said):
            setattr(w, name, value)
        assert getattr(w, name) == before
    # What comes together from the browser is taken together, or not at all.
    w.set_state({"image": 1, "target": ring, "against": None})
    assert (w.image, w.target, w.against) == (1, ring, None)
    with pytest.raises(ValueError, match="image=9 is not there"):
        w.set_state({"target": star, "image": 9})
    assert (w.image, w.target) == (1, ring)
    assert w.wait(20)
    assert w.status["state"] == "done"


def test_other_peoples_explainers_are_told_the_predicted_class(
    overlay: Overlay, small: ImageModel, images: Tensor
) -> None:
    asked: list[Any] = []

    def gradient(x: Tensor, target: int) -> Tensor:
        asked.append(target)
        return x * target

    predicted = int(small.scores(images[:1]).argmax())
    w = overlay({"gradient": gradient, "LRP": LRP(small)}, images)
    assert w.wait(20)
    assert asked == [predicted]
    w.target = 4
    assert w.wait(20)
    assert asked == [predicted, 4]
    w = overlay(gradient, images, model=small)
    assert w.wait(20)
    assert asked[-1] == predicted


def test_explainers_of_another_kind_are_taken(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    class Captum:
        def attribute(self, x: Tensor, target: Any = None) -> Tensor:
            return x * target[:, None, None, None]

    w = overlay({"captum": Captum(), "of x alone": lambda x: x.sum(1)}, images, model=small, target=2)
    assert w.wait(20)
    assert torch.allclose(w.result.heatmap if hasattr(w.result, "heatmap") else w.result, 2 * images[:1].sum(1))
    w.method = "of x alone"
    assert w.wait(20)
    assert w.status["state"] == "done"
    with pytest.raises(TypeError, match="explainer 'a' is object; give an explainer, a result, or a heatmap for each"):
        HeatmapOverlay({"a": object()}, images)


@pytest.mark.parametrize("masks", ["balanced", "random", "own"])
def test_the_result_is_the_one_that_calling_gives(
    overlay: Overlay, small: ImageModel, images: Tensor, masks: Any
) -> None:
    if masks == "own":
        masks = torch.rand(90, 16, 16, generator=torch.Generator().manual_seed(0)).round()
    relax = RELAX(small, n_masks=70, cells=4, batch_size=20, masks=masks)
    w = overlay(relax, images)
    assert w.wait(20)

    def same(n_masks: int) -> None:
        expected = relax.with_parameters(n_masks=n_masks)(images[:1])
        assert w.result.n_masks == w.result.total == expected.n_masks
        assert torch.equal(w.result.importance, expected.importance)
        assert torch.equal(w.result.standard_error, expected.standard_error)

    same(70)
    taken = w.result.n_masks
    w.more()
    assert w.wait(20)
    same(70 + taken)
    w = overlay(relax, images, n_masks=30)
    assert w.wait(20)
    same(30)


def test_a_closed_widget_says_so(small: ImageModel, images: Tensor, tmp_path: Path) -> None:
    w = HeatmapOverlay(LRP(small), images)
    w.close()
    for wrong in (lambda: w.save(tmp_path / "a.png"), lambda: w.save(tmp_path / "a.html"), w.compute, w.more):
        with pytest.raises(ValueError, match="the widget was closed, and its images and explanations are gone"):
            wrong()
    for name, value in (
        ("image", 1), ("show", "relevance"), ("show", "gallery"), ("method", "LRP"), ("target", 1), ("depth", "0"),
        ("beside", [1]), ("beside_images", [0]), ("beside_methods", ["LRP"]), ("parameters", {"LRP": {}}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="the widget was closed"):
            setattr(w, name, value)


def test_the_interpreter_ends_with_widgets_open() -> None:
    made = """
import torch, xaiwidgets as xw
model, x = xw.load("demo:shapes-cnn"), torch.randn(2, 3, 64, 64)
kept = [xw.HeatmapOverlay(xw.RELAX(model, n_masks=10**6), x), xw.ConceptBrowser(xw.CRP(model), x)]
kept[0].target = 1
"""
    ended = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
