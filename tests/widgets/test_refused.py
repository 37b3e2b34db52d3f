"""Settings that do not fit are refused in one line, and what is known without an explanation is shown without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import CRP, ConceptBrowser, ImageModel

from .conftest import Recorded, RecordedViewer, until


def model() -> ImageModel:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module = nn.Sequential(layers, nn.Linear(4, 3))
    return ImageModel(module.eval(), input_size=16, class_names=["ring", "star", "heart"], mean=[0] * 3, std=[1] * 3)


def broken(x: Tensor, target: Any) -> Tensor:
    raise RuntimeError("out of memory")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("show", "nope", "show='nope' is not known"),
        ("colormap", "nope", "colormap='nope' is not known"),
        ("zoom", [0, 0, 0], "magnification of at least 1"),
        ("zoom", [2, 0.5, 1.5], "x and y from 0 to 1"),
        ("selection", 5, "selection=5 is no place"),
        ("selection", {"x": -1, "y": 0}, "selection\\['x'\\]=-1"),
        ("target", ["star", "heart"], "beside="),
        ("opacity", float("nan"), "opacity=nan is not finite"),
        ("enough", float("inf"), "enough=inf is not finite"),
        ("fixed_range", [1, 0], "fixed_range=\\[1.0, 0.0\\] spans no colours"),
        ("fixed_range", [0, float("inf")], "spans no colours"),
        ("parameters", {"nope": {}}, "parameters='nope' is not known"),
        ("parameters", {"Tensor": 3}, "parameters\\['Tensor'\\] is int"),
        ("depth", "layer3", "depth='layer3' cannot be shown: none of the methods goes down layer by layer"),
        ("beside_images", [0, 9], "beside_images=9 is not there"),
    ],
)
def test_the_overlay_refuses(overlay: Callable[..., Recorded], name: str, value: Any, said: str) -> None:
    images, heat = torch.rand(2, 3, 16, 16), torch.rand(2, 16, 16)
    widget = overlay(heat, images, model=model())
    before = getattr(widget, name)
    with pytest.raises(ValueError, match=said) as refused:
        setattr(widget, name, value)
    assert "\n" not in str(refused.value)
    assert getattr(widget, name) == before
    with pytest.raises(ValueError, match=said):
        overlay(heat, images, model=model(), **{name: value})


def test_targets_as_a_keyword_are_classes_of_the_model(
    overlay: Callable[..., Recorded], images: Tensor, heat: Tensor
) -> None:
    with pytest.raises(ValueError, match="beside='moon' is not known"):
        overlay(heat, images, model=model(), targets=["star", "moon"])


def test_the_viewer_refuses(viewer: Callable[..., RecordedViewer], images: Tensor, heat: Tensor) -> None:
    widget = viewer(model(), images, {"a": heat})
    assert widget.wait(20)
    for name, value, said in [
        ("hidden", ["nope"], "hidden='nope' is not known"),
        ("step", 99, "step=99 is not there"),
        ("selection", 5, "selection=5 is no place"),
    ]:
        with pytest.raises(ValueError, match=said):
            setattr(widget, name, value)
        with pytest.raises(ValueError, match=said):
            viewer(model(), images, {"a": heat}, **{name: value})
    with pytest.raises(TypeError, match="give them by name"):
        viewer(model(), images, [broken])


def test_the_browser_refuses(images: Tensor) -> None:
    browser = ConceptBrowser(CRP(model()), images)
    try:
        with pytest.raises(TypeError, match="selection=5 is no selection"):
            browser.selection = 5  # type: ignore[assignment]
        with pytest.raises(ValueError, match="colormap='nope'"):
            browser.colormap = "nope"
    finally:
        browser.close()


def test_picture_and_prediction_come_though_nothing_is_explained(
    overlay: Callable[..., Recorded], images: Tensor
) -> None:
    widget = overlay(broken, images, model=model())
    until(lambda: bool(widget.of("prediction")))
    assert widget.status["state"] == "error"
    assert widget.of("picture")


def test_the_viewer_says_what_is_predicted_though_it_broke(
    viewer: Callable[..., RecordedViewer], images: Tensor
) -> None:
    widget = viewer(model(), images, {"a": broken}, random=0)
    until(lambda: widget.status["state"] == "error" and bool(widget.of("prediction")))


def test_the_browser_shows_the_picture_though_it_broke(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(ConceptBrowser, "_post", lambda self, packet: sent.append(packet.content))
    monkeypatch.setattr("xaiwidgets.widgets.concepts.answers.Answers.focus", broken)
    browser = ConceptBrowser(CRP(model()), images)
    try:
        until(lambda: {"picture", "prediction"} <= {content["type"] for content in sent})
        assert browser.status["message"] == "out of memory"
    finally:
        browser.close()


def test_one_probability_alone_is_told_as_such(overlay: Callable[..., Recorded], images: Tensor, heat: Tensor) -> None:
    layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    one = ImageModel(layers.eval(), input_size=16, mean=[0] * 3, std=[1] * 3)
    widget = overlay({"a": lambda x, target: x.sum(1)}, images, model=one)
    until(lambda: bool(widget.of("album")))
    assert widget.of("album")[0]["alone"] is True
