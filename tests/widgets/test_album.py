"""What a widget says of its images: predictions, labels, small pictures of all, in few bytes and never twice."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.widgets.conftest import Recorded
from xaiwidgets import RELAX, ImageModel
from xaiwidgets.lrp import LRP
from xaiwidgets.widgets.album import PAGE_BYTES, Album, labels_of
from xaiwidgets.widgets.choices import Classes

Overlay = Callable[..., Recorded]


def pictures(count: int, height: int = 64, width: int = 64) -> Tensor:
    """Busy ones: noise over a ramp is hard to pack."""
    noise = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))
    return 0.6 * noise + 0.4 * torch.linspace(0, 1, width)


def test_a_prediction_is_the_models(small: ImageModel, images: Tensor) -> None:
    album = Album(small, images, images, [None, 2, 0])
    packet = album.prediction(1)
    assert packet is not None
    assert packet.content == {"type": "prediction", "image": 1, "kind": "probability", "label": 2}
    classes, shares = (np.frombuffer(part, kind) for part, kind in zip(packet.buffers, ("<i4", "<f4"), strict=True))
    expected = small.predict(images[1:2]).probabilities[0]
    assert (np.diff(shares) <= 0).all()
    assert sorted(classes) == list(range(len(expected)))
    assert torch.allclose(torch.from_numpy(shares.copy()), expected[torch.from_numpy(classes.copy()).long()])
    assert album.prediction(1) is packet, "made once"


def test_values_keep_their_order_and_are_no_probabilities(images: Tensor) -> None:
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2)).eval()
    album = Album(ImageModel(module, input_size=16, scores="values"), images, images, [None] * 3)
    packet = album.prediction(0)
    assert packet is not None
    assert packet.content["kind"] == "value"
    assert np.frombuffer(packet.buffers[0], "<i4").tolist() == [0, 1]
    with torch.no_grad():
        expected = module(images[:1])[0]
    assert torch.allclose(torch.tensor(np.frombuffer(packet.buffers[1], "<f4")), expected)


def test_what_has_no_classes_says_nothing_but_shows_its_pictures(images: Tensor) -> None:
    maps = ImageModel(torch.nn.Conv2d(3, 4, 3).eval(), input_size=16)
    for model in (None, maps):
        album = Album(model, images, images.clamp(0, 1), [None] * 3)
        assert album.prediction(0) is None
        assert album.brief(0) is None
        [page] = album.pages()
        assert (page.content["classes"], page.content["labels"]) == (None, [None] * 3)


@pytest.mark.parametrize(("count", "height", "width"), [(64, 224, 224), (64, 64, 64), (5, 20, 80), (150, 32, 32)])
def test_small_pictures_show_what_they_are_of_in_few_bytes(count: int, height: int, width: int) -> None:
    shown = pictures(count, height, width)
    shown[:, :, : height // 2, : width // 2] = torch.linspace(0, 1, count)[:, None, None, None]
    pages = list(Album(None, shown, shown, [None] * count).pages())
    assert [page.content["start"] for page in pages] == list(range(0, count, 64))
    index = 0
    for page in pages:
        [data] = page.buffers
        assert len(data) <= PAGE_BYTES
        sheet = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)
        w, h = page.content["tile"]
        assert max(w, h) == min(48, max(height, width))
        assert w / h == pytest.approx(width / height, rel=0.05)
        for place in range(len(page.content["labels"])):
            row, column = divmod(place, page.content["columns"])
            tile = sheet[row * h : (row + 1) * h, column * w : (column + 1) * w]
            corner = tile[h // 8 : h // 3, w // 8 : w // 3].mean() / 255
            assert corner == pytest.approx(index / (count - 1), abs=0.08), f"image {index}"
            index += 1
    assert index == count


def test_labels_are_classes_one_an_image(small: ImageModel, images: Tensor) -> None:
    named = ImageModel(small.module, class_names=["a", "b", "c", "d", "e"], input_size=16)
    classes = Classes(named, images)
    assert labels_of(None, classes, 3) == [None] * 3
    assert labels_of(["b", 4, None], classes, 3) == [1, 4, None]
    assert labels_of(torch.tensor([0, 1, 2]), classes, 3) == [0, 1, 2]
    assert labels_of(np.array([3]), classes, 1) == [3]
    with pytest.raises(ValueError, match="labels has 2 entries for 3 images; give the true class of each, or None"):
        labels_of([0, 1], classes, 3)
    with pytest.raises(ValueError, match="labels has 1 entries for 3 images"):
        labels_of("a", classes, 3)
    with pytest.raises(ValueError, match="labels='f' is not known"):
        labels_of(["f", 0, 1], classes, 3)
    with pytest.raises(ValueError, match="labels=9 is not a class of the model"):
        labels_of([9, 0, 1], classes, 3)


def test_a_widget_tells_each_thing_once_and_the_map_first(overlay: Overlay, small: ImageModel) -> None:
    x = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    w = overlay(LRP(small), x, labels=[0] * 64)
    assert w.wait(60)
    kinds = [content["type"] for content, _ in w.sent]
    assert kinds.index("maps") < kinds.index("prediction") < kinds.index("album")
    assert (kinds.count("prediction"), kinds.count("album")) == (1, 1)
    [(page, buffers)] = w.packets("album")
    assert len(buffers[0]) <= 30_000
    assert page["classes"] == small.scores(x).argmax(1).tolist()
    assert page["labels"] == [0] * 64
    w.image = 5
    assert w.wait(20)
    assert [content["image"] for content in w.of("prediction")] == [0, 5]
    assert len(w.of("album")) == 1
    # A view that opens later hears all of it.
    w.sent.clear()
    w.hear(type="ready")
    assert {content["image"] for content in w.of("prediction")} == {0, 5}
    assert len(w.of("album")) == 1
    assert w.model_name == small.name


def test_an_encoder_predicts_nothing(overlay: Overlay, images: Tensor) -> None:
    encoder = ImageModel(
        torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
    )
    w = overlay(RELAX(encoder, n_masks=64, cells=4), images)
    assert w.wait(20)
    assert w.of("prediction") == []
    [page] = w.of("album")
    assert page["classes"] is None
