"""An index of models that give maps or queries: each class that is predicted in an image is explained, where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.targets.nets import detector, images, segmenter
from xaiwidgets import CRP, ImageModel, ReferenceIndex, references
from xaiwidgets.targets import found_boxes

LAYER = "features"


def data(count: int, labels: Any = None, size: float = 1.0) -> list[Any]:
    x = images(count) * size
    return [(x[i], labels[i]) if labels else x[i] for i in range(count)]


def slowly(model: ImageModel, x: Tensor, classes: list[list[int]]) -> dict[tuple[int, int], Tensor]:
    """(sample, class) -> relevance (K,) of each concept, one call of CRP each: in a class's maps or queries alone."""
    crp, found = CRP(model), {}
    for image, own in enumerate(classes):
        for number in own:
            found[image, number] = crp.attribute(x[image : image + 1], [{"y": [number]}], layers=[LAYER]).layers[LAYER]
    return {key: value.flatten(2).sum(2)[0] if value.ndim == 4 else value.sum(-1)[0] for key, value in found.items()}


def build(model: ImageModel, samples: list[Any], path: Path, **options: Any) -> ReferenceIndex:
    settings = {"layers": [LAYER], "progress": False, "top": 30, "class_top": 30, **options}
    return ReferenceIndex.build(CRP(model), samples, path, **settings)


@pytest.mark.filterwarnings("ignore:the data set has no labels")
@pytest.mark.parametrize("kind", ["maps", "queries"])
def test_every_class_that_is_predicted(kind: str, tmp_path: Path) -> None:
    # So bright that queries find several classes.
    size = 1.0 if kind == "maps" else 20.0
    model, x = (segmenter if kind == "maps" else detector)(), images(6) * size
    output = model.output(x)
    if kind == "maps":
        classes = [sorted(image.unique().tolist()) for image in output.argmax(1)]
    else:
        found = [found_boxes(model, output[row : row + 1], x[row : row + 1]) for row in range(6)]
        classes = [sorted({box.label for box in boxes or ()}) for boxes in found]
    assert max(map(len, classes)) > 1
    index = build(model, data(6, size=size), tmp_path / "index")
    expected = slowly(model, x, classes)
    for concept in range(3):
        top = index.top(LAYER, concept, n=30)
        rows = zip(top.samples.tolist(), top.targets.tolist(), top.scores.tolist(), strict=True)
        told = {(image, number): score for image, number, score in rows}
        assert set(told) == set(expected)
        for key, score in told.items():
            assert score == pytest.approx(float(expected[key][concept]), rel=1e-4, abs=1e-5 * size)
    # The same in smaller shards, and pictures of a class where it is.
    again = build(model, data(6, size=size), tmp_path / "again", shard=1)
    assert torch.equal(again.top(LAYER, 1, n=30).scores, index.top(LAYER, 1, n=30).scores)
    first = index.top(LAYER, 0, n=2)
    shown = references(CRP(model), data(6, size=size), first)
    assert len(shown.heatmaps) == 2


def test_labels_of_maps_are_those_that_are_predicted(tmp_path: Path) -> None:
    model, x = segmenter(), images(4)
    there = [set(image.unique().tolist()) for image in model.output(x).argmax(1)]
    index = build(model, data(4, [{0, 1, 2, 3}] * 3 + [{1}]), tmp_path / "index")
    top = index.top(LAYER, 0, n=30)
    told = set(zip(top.samples.tolist(), top.targets.tolist(), strict=True))
    assert told == {(image, number) for image in range(3) for number in there[image]} | {(3, n) for n in {1} & there[3]}
    assert index.class_names == ("background", "road", "sky", "car")


def test_what_has_no_classes(tmp_path: Path) -> None:
    depth = ImageModel(nn.Conv2d(3, 1, 3, padding=1).eval(), input_size=16, scores="values", mean=0, std=1)
    with pytest.raises(ValueError, match=r"gives \(N, 1, 16, 16\), which has no classes; an index needs scores"):
        build(depth, data(2, [0, 0]), tmp_path / "index", layers=None)
