"""From the output to the pixels: what Python computes, tells and saves of the layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.widgets.conftest import Recorded
from tests.widgets.heatmap.test_pages import messages, pixels
from xaiwidgets import LRP, RELAX, AbsLRP, ImageModel
from xaiwidgets.lrp import LayerMaps
from xaiwidgets.widgets.heatmap.depth import upsampled

Overlay = Callable[..., Recorded]


@pytest.fixture(scope="module")
def model() -> ImageModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 5),
    )  # fmt: skip
    return ImageModel(module.eval(), input_size=16, mean=(0.5,) * 3, std=(0.25,) * 3)


NAMES = ("5", "3", "2", "0", "input")


def test_nothing_is_computed_until_a_layer_is_asked_for(overlay: Overlay, model: ImageModel, images: Tensor) -> None:
    w = overlay(LRP(model), images)
    assert w.wait(20)
    assert (w.depth, w.layer_maps, w.of("layers")) == (None, None, [])
    assert w.methods[0]["layers"] is True


def test_the_browser_asks_once_and_gets_every_layer(overlay: Overlay, model: ImageModel, images: Tensor) -> None:
    lrp = LRP(model)
    w = overlay(lrp, images)
    assert w.wait(20)
    w.hear(type="depth", image=1, method="LRP", target=2, against=None, parameters={})
    assert w.wait(20)
    [(said, buffers)] = w.packets("layers")
    expected = lrp.depth(images[1:2], 2)
    assert [entry["name"] for entry in said["layers"]] == list(NAMES[:-1]), "the pixels are the ordinary map"
    assert (said["image"], said["target"], said["pixels"]) == (1, 2, [16, 16])
    assert (said["shares"], said["pictured"]) == (expected.shares[0].tolist(), expected.pictured[0].tolist())  # type: ignore[index]
    assert said["whole"] == [True] * 5
    for entry, buffer in zip(said["layers"], buffers, strict=True):
        values = np.frombuffer(buffer, entry["dtype"]).reshape(entry["shape"]).astype(np.float32)
        wanted = expected.maps[entry["name"]][0].numpy()
        assert np.abs(values - wanted).max() <= np.ptp(wanted) / 2000
    assert w.status["state"] == "done"
    w.hear(type="depth", image=1, method="LRP", target=2, against=None, parameters={})
    assert len(w.of("layers")) == 2, "a browser that has not got them gets them again"


def test_the_pixel_end_is_the_ordinary_map(overlay: Overlay, model: ImageModel, images: Tensor) -> None:
    w = overlay(LRP(model), images, depth="3", target=1)
    assert w.wait(20)
    found = w.layer_maps
    assert isinstance(found, LayerMaps)
    assert torch.equal(found.heatmap, w.result.heatmap)
    assert w.depth == "3"
    w.depth = "input"
    assert w.depth is None


def test_the_layer_stays_for_another_class_image_and_composite(
    overlay: Overlay, model: ImageModel, images: Tensor
) -> None:
    w = overlay(LRP(model), images, depth="3")
    assert w.wait(20)
    for change in ({"target": 4}, {"image": 2}, {"parameters": {"LRP": {"composite": "epsilon_gamma_box"}}}):
        for name, value in change.items():
            setattr(w, name, value)
        assert w.wait(20)
        assert w.depth == "3"
    asked = w.of("layers")
    assert [(entry["image"], entry["target"]) for entry in asked] == [(0, None), (0, 4), (2, 4), (2, 4)]
    expected = LRP(model, "epsilon_gamma_box").depth(images[2:3], 4)
    assert w.layer_maps is not None
    assert torch.allclose(w.layer_maps.maps["3"], expected.maps["3"])
    w.target = 4
    assert w.wait(20)
    assert len(w.of("layers")) == 4


def test_a_layer_that_is_not_there_is_said(overlay: Overlay, model: ImageModel, images: Tensor) -> None:
    w = overlay(LRP(model), images, depth="layer9")
    assert w.wait(20)
    assert w.depth is None
    assert w.status["state"] == "error"
    assert "depth='layer9'" in w.status["message"]
    with pytest.raises(ValueError, match="depth='conv1' is not known"):
        w.depth = "conv1"
    w.depth = "2"
    assert w.depth == "2"


def test_methods_without_layers_show_their_own_map(overlay: Overlay, model: ImageModel, images: Tensor) -> None:
    w = overlay({"RELAX": RELAX(model, n_masks=128, cells=4), "absLRP": AbsLRP(model)}, images, depth="3")
    assert w.wait(30)
    assert [method["layers"] for method in w.methods] == [False, True]
    assert w.of("layers") == []
    w.hear(type="depth", image=0, method="RELAX", target=None, against=None, parameters={})
    assert w.wait(20)
    assert w.of("layers") == []
    w.method = "absLRP"
    assert w.wait(20)
    [said] = w.of("layers")
    assert said["shares"] is said["pictured"] is None, "no account of sums"


def test_a_figure_shows_the_layer_upsampled_to_the_picture(
    overlay: Overlay, model: ImageModel, images: Tensor, tmp_path: Path
) -> None:
    w = overlay(LRP(model), images, depth="3", target=1, clip=90)
    assert w.wait(20)
    [pane] = w._panes()
    values = LRP(model).depth(images[:1], 1).maps["3"][0]
    assert pane.values is not None
    assert torch.allclose(pane.values, upsampled(values, (16, 16)), atol=1e-6)
    end = float(values.flatten().abs().sort().values[-1])
    assert -pane.span[0] == pane.span[1] <= end
    assert pane.title.startswith("Relevance at 3\n8 × 8 · ")
    shown = pixels(w.save(tmp_path / "layer.png"))
    w.depth = None
    assert not np.array_equal(shown, pixels(w.save(tmp_path / "pixels.png")))
    with Image.open(tmp_path / "layer.png") as image:
        assert min(image.size) > 300


def test_on_one_scale_colours_are_relevance_for_equal_areas(
    overlay: Overlay, model: ImageModel, images: Tensor
) -> None:
    w = overlay(LRP(model), images, depth="3", target=1)
    assert w.wait(20)
    w.depth = None
    [ordinary] = w._panes()
    w.depth, w.depth_scale = "3", "total"
    [pane] = w._panes()
    assert pane.span == pytest.approx(tuple(4 * end for end in ordinary.span)), "four pixels a cell"


def test_comparisons_are_of_the_pixels_and_one_picture_goes_down_again(
    overlay: Overlay, model: ImageModel, images: Tensor
) -> None:
    w = overlay({"LRP": LRP(model), "absLRP": AbsLRP(model)}, images, depth="3", show="compare")
    assert w.wait(20)
    for show in ("compare", "targets", "images", "models", "gallery"):
        w.show = show
        w.target = 1
        w.hear(type="depth", image=0, method="LRP", target=1, against=None, parameters={})
        for question in w._shown():
            w.hear(type="compute", id=None, **question.plain())
            assert w.wait(20)
        assert w.of("layers") == [], show
        panes = [pane for pane in w._panes() if pane.values is not None]
        assert panes
        for pane, question in zip(panes, w._shown(), strict=True):
            assert torch.equal(pane.values, w._answers[question].maps["relevance"]), show  # type: ignore[arg-type]
            assert " at 3" not in pane.title
    w.show = "side_by_side"
    assert w.wait(20)
    assert len(w.of("layers")) == 1, "asked for as soon as it is shown"
    plain, pane = w._panes()
    assert plain.values is None
    assert pane.title.startswith("Relevance at 3")


def test_the_layers_of_another_model_are_its_own(overlay: Overlay, model: ImageModel, images: Tensor) -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5)).eval()
    other = ImageModel(module, input_size=16, mean=(0.0,) * 3, std=(1.0,) * 3)
    own = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    w = overlay({"one": LRP(model), "two": LRP(other)}, {"one": images, "two": own}, method="two", depth="0", target=2)
    assert w.wait(20)
    assert w.layer_maps is not None
    assert torch.equal(w.layer_maps.maps["0"], LRP(other).depth(own[:1], 2).maps["0"])
    # Whoever goes from one model to another has named no layer that is not there.
    w.method = "one"
    assert w.wait(20)
    assert w.depth == "0"
    w.depth = "3"
    w.method = "two"
    assert w.wait(20)
    assert (w.depth, w.status["state"]) == (None, "done")
    w.method = "one"
    assert w.wait(20)
    w.depth = "3"
    w.method = "two"
    assert (w.depth, w.status["state"]) == (None, "done"), "its layers are known already"


def test_pages_hold_the_layers(overlay: Overlay, model: ImageModel, images: Tensor, tmp_path: Path) -> None:
    w = overlay(LRP(model), images, depth="3")
    path = w.save(tmp_path / "all.html", images="all")
    assert sorted(entry["image"] for entry in messages(path, "layers")) == [0, 1, 2]
    assert [entry["image"] for entry in messages(w.save(tmp_path / "this.html"), "layers")] == [0]
    w.sent.clear()
    w.hear(type="ready")
    assert len(w.of("layers")) == 3, "a new view hears of them"


def test_a_page_of_many_images_holds_the_layers_of_each(overlay: Overlay, model: ImageModel, tmp_path: Path) -> None:
    many = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    w = overlay(LRP(model), many, depth="3")
    path = w.save(tmp_path / "all.html", images="all")
    assert sorted(entry["image"] for entry in messages(path, "layers")) == list(range(12))


def test_upsampling_is_bilinear_between_the_middles_of_cells() -> None:
    values = torch.tensor([[0.0, 4.0], [8.0, -4.0]])
    grown = upsampled(values, (8, 8))
    assert (grown[0, 0], grown[0, 7], grown[7, 0], grown[7, 7]) == (0, 4, 8, -4)
    assert float(grown[3, 0]) == pytest.approx(8 * 0.375)
    assert float(grown[3, 3]) == pytest.approx(0.625 * (0.375 * 4) + 0.375 * (8 * 0.625 - 4 * 0.375))
