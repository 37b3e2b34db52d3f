"""What can be pointed at in an overlay: what the browser is told of it, what is asked, what is refused; targets beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.targets.nets import (
    BLUE,
    RED,
    classifier,
    colour_detector,
    colour_segmenter,
    detector,
    images,
    segmenter,
    two_things,
)
from tests.widgets.conftest import Recorded
from xaiwidgets import LRP, RISE, ImageModel
from xaiwidgets import targets as T
from xaiwidgets.widgets.choices import StateError
from xaiwidgets.widgets.heatmap.places import place_of

Overlay = Callable[..., Recorded]


def asked(w: Recorded, **content: Any) -> str:
    """The name of the target that a person pointed at, once it is explained."""
    w.hear(type="ask", **{"image": 0, **content})
    assert w.wait(30)
    assert w.status["state"] == "done", w.status
    return str(w.class_names[w.target])


def refused(w: Recorded, **content: Any) -> str:
    """The line that says why nothing can be asked there."""
    before = (w.target, list(w.class_names))
    w.hear(type="ask", **{"image": 0, **content})
    assert w.status["state"] == "error"
    assert (w.target, w.class_names) == before
    return str(w.status["message"])


class TestTold:
    def test_regions(self, overlay: Overlay) -> None:
        model, x = segmenter(), images()
        w = overlay(LRP(model), x)
        assert w.wait(30)
        ((content, (labels,)),) = w.packets("places")
        best = model.output(x[:1]).argmax(1)[0]
        assert (content["drawn"], content["boxes"]) == (True, None)
        assert content["regions"]["shape"] == [8, 8]
        assert np.array_equal(np.frombuffer(labels, np.uint8).reshape(8, 8), best.numpy())
        for index, share in content["regions"]["shares"].items():
            assert share == pytest.approx(float((best == int(index)).float().mean()))
        # Told again to a page that is opened later, and to a saved one.
        w.sent.clear()
        w.hear(type="ready")
        assert len(w.packets("places")) == 1

    def test_one_map_and_plain_values(self, overlay: Overlay) -> None:
        class One(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x.mean(1, keepdim=True)

        x = images()
        one = ImageModel(One().eval(), input_size=16, channels=3, class_names=("rest", "cup"), mean=0, std=1)
        w = overlay(LRP(one), x)
        assert w.wait(30)
        _, (labels,) = w.packets("places")[0]
        inside = (x[0].mean(0) > 0).numpy()
        assert np.array_equal(np.frombuffer(labels, np.uint8).reshape(16, 16), np.where(inside, 0, 255))
        y, left = (int(side) for side in np.argwhere(inside)[0])
        assert asked(w, point=[left, y]) == f"cup at ({left}, {y})"
        y, left = (int(side) for side in np.argwhere(~inside)[0])
        assert "predicts 'rest' there in image 0" in refused(w, point=[left, y])
        depth = ImageModel(One().eval(), input_size=16, channels=3, scores="values", mean=0, std=1)
        w = overlay(LRP(depth), x)
        assert w.wait(30)
        assert (w.of("places")[0]["regions"], w.of("places")[0]["drawn"]) == (None, True)
        assert asked(w, box=[1, 2, 5, 6]) == "output 0 in (1, 2, 5, 6)"

    def test_boxes_of_queries_and_of_detections(self, overlay: Overlay) -> None:
        model, x = detector(), images()
        w = overlay(LRP(model), x)
        assert w.wait(30)
        boxes = w.of("places")[0]["boxes"]
        shares = model.output(x[:1]).softmax(2)[0, :, :3]
        assert [box["share"] for box in boxes] == sorted((float(row.max()) for row in shares), reverse=True)
        for box in boxes:
            assert box["label"] == int(shares[box["number"]].argmax())
            assert box["box"] == model.boxes(x[:1])[0, box["number"]].tolist()  # type: ignore[index]
        chosen = boxes[1]
        name = f"{model.class_name(chosen['label'])}, box {chosen['number']}"
        assert asked(w, found=chosen["number"]) == name
        expected = LRP(model)(x[:1], T.box(chosen["number"], chosen["label"])).relevance
        torch.testing.assert_close(w.result.relevance, expected)
        assert w.targets[-1] == {"index": 3, "name": name, "places": {"0": {"box": chosen["box"]}}}
        assert "box 99 is none that Detector finds in image 0; pick one of those listed" in refused(w, found=99)
        assert "a region cannot be asked about: Detector gives (N, 4, 4), no maps" in refused(w, point=[1, 1])

        w = overlay(RISE(colour_detector(), cells=4, n_masks=64), two_things())
        assert w.wait(30)
        assert [box["box"] for box in w.of("places")[0]["boxes"]] == [list(map(float, RED)), list(map(float, BLUE))]

    def test_nothing_where_nothing_can_be_pointed_at(self, overlay: Overlay) -> None:
        for w in (overlay(LRP(classifier()), images()), overlay({"mine": images()[:, 0]}, images())):
            assert w.wait(30)
            assert w.of("places") == []
        assert "nothing can be asked about here: the widget has no model" in refused(w, point=[1, 1])


class TestAsked:
    def test_a_point_and_a_box(self, overlay: Overlay) -> None:
        model, x = colour_segmenter(), two_things()
        w = overlay(LRP(model), x)
        assert w.wait(30)
        assert asked(w, point=[50, 45]) == "blue square at (50, 45)"
        torch.testing.assert_close(w.result.relevance, LRP(model)(x, T.region(2, (50, 45))).relevance)
        # A box is about the class predicted in it, unless a class is chosen; the background only by name.
        assert asked(w, box=[20, 20, 60, 58]) == "blue square in (20, 20, 60, 58)"
        w.target = "__background__"
        assert asked(w, box=[20, 20, 60, 58]) == "__background__ in (20, 20, 60, 58)"
        torch.testing.assert_close(w.result.relevance, LRP(model)(x, T.region(0, (20, 20, 60, 58))).relevance)
        assert [entry["index"] for entry in w.targets] == [3, 4, 5]
        assert w.targets[0]["places"] == {"0": {"point": [50, 45]}}
        # What was asked before is the same target.
        assert asked(w, point=[50, 45]) == "blue square at (50, 45)"
        assert len(w.targets) == 3

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"box": [5, 5, 900, 9]}, "reaches outside the image, which is 64 wide and 64 high"),
            ({"box": [5, 5, 5, 9]}, "is empty; give (left, top, right, bottom) with left < right"),
            ({"box": [5, 5, "a", 9]}, "is none; give (left, top, right, bottom) in pixels"),
            ({"box": [5, 5]}, "is none; give (left, top, right, bottom) in pixels"),
            ({"point": [70, 1]}, "lies outside the image, which is 64 wide and 64 high"),
            ({"point": "here"}, "is none; give (x, y) in pixels"),
            ({}, "nothing was pointed at; give a point (x, y), a box"),
            ({"image": 4, "point": [1, 1]}, "image=4 is not there; give 0 to 0"),
        ],
    )
    def test_what_is_none(self, overlay: Overlay, content: dict[str, Any], message: str) -> None:
        w = overlay(LRP(colour_segmenter()), two_things())
        assert w.wait(30)
        assert message in refused(w, **content)

    def test_is_taken_off_the_list_and_comes_back(self, overlay: Overlay) -> None:
        named = {"a": lambda out: out[:, 0], "b": lambda out: out[:, 1]}
        w = overlay(LRP(classifier(class_names=list("vwxyz"))), images(), targets=named, beside=["a", "b", "x"])
        assert w.wait(30)
        w.target = "a"
        w.hear(type="forget", index=5)
        assert [entry["name"] for entry in w.targets] == ["b"]
        assert (w.target, w.beside, w.forgotten) == (None, [6, 2], [5])
        w.hear(type="forget", index=2)
        assert w.beside == [6, 2], "a class stays"
        assert w.class_names[5:] == ["a", "b"], "the numbers of others stay theirs"
        assert w.forgotten == [5], "nor is it forgotten"
        w.target = "a"
        assert [entry["name"] for entry in w.targets] == ["a", "b"]
        assert w.forgotten == []

    def test_without_class_names_targets_stand_after_the_classes(self, overlay: Overlay) -> None:
        model = ImageModel(colour_segmenter().module, input_size=64, mean=0, std=1)
        w = overlay(LRP(model), two_things())
        assert w.wait(30)
        assert asked(w, point=[50, 45]) == "class 2 at (50, 45)"
        assert w.class_names == ["class 0", "class 1", "class 2", "class 2 at (50, 45)"]

    def test_places_of_targets_given(self) -> None:
        assert place_of(T.region("road", (1, 2, 3, 4))) == {"box": [1, 2, 3, 4]}
        assert place_of(T.region(None, torch.tensor([5, 6]))) == {"point": [5, 6]}
        assert place_of(T.box((1.0, 2.0, 3.0, 4.5), "dog")) == {"box": [1.0, 2.0, 3.0, 4.5]}
        for target in (T.box(3), T.region("road"), T.region("road", torch.ones(4, 4)), T.value(1), lambda out: out):
            assert place_of(target) == {}


class TestBeside:
    def test_one_scale_where_units_agree(self, overlay: Overlay) -> None:
        model, x = colour_segmenter(), two_things()
        named = {
            "red": T.region("red square", RED),
            "blue": T.region("blue square", (34, 34, 62, 62)),
            "both": lambda out: out.sum((1, 2, 3)),
        }
        x[:, 2] *= 0.8
        w = overlay(LRP(model), x, target=named, show="targets")
        w._finish(())
        assert [question.target for question in w._shown()] == [3, 4, 5]
        assert [answer.unit for answer in w._answers.values()] == ["logit of pixels", "logit of pixels", ""]
        picture, red, blue, both = w._panes()
        assert (picture.values, red.title, blue.title, both.title) == (None, "red", "blue", "both")
        largest = [float(pane.values.abs().max()) for pane in (red, blue, both)]  # type: ignore[union-attr]
        assert largest[0] > 1.01 * largest[1]
        assert red.span == blue.span == pytest.approx((-max(largest[:2]), max(largest[:2])))
        assert both.span == pytest.approx((-largest[2], largest[2]))
        for pane, target in ((red, named["red"]), (blue, named["blue"])):
            torch.testing.assert_close(pane.values, LRP(model)(x, target).heatmap[0])
        assert [mark.box for mark in red.marks if mark.strong] == [RED]
        assert "red, score" in w._caption()
        assert "blue, score" in w._caption()

    def test_which(self, overlay: Overlay) -> None:
        w = overlay(LRP(classifier(class_names=("a", "b", "c", "d", "e"))), images(), show="targets", beside=["c", 0])
        assert w.beside == [2, 0]
        assert [question.target for question in w._shown()] == [2, 0]
        w.beside = []
        assert [question.target for question in w._shown()] == [None], "nothing has a name: what is explained"
        w.target = lambda out: out[:, 1] - out[:, 0]
        assert [question.target for question in w._shown()] == [5]
        for wrong, message in ((["z"], "beside='z' is not known"), ([9], "beside=9 is not a class"), ([None], "None")):
            with pytest.raises(StateError, match=message):
                w.beside = wrong
        with pytest.raises(StateError, match="beside is int; give a list of classes or targets"):
            w.beside = 3  # type: ignore[assignment]
        # What is asked while others are compared joins them.
        s = overlay(LRP(colour_segmenter()), two_things(), show="targets", beside=["red square"])
        assert s.wait(30)
        asked(s, point=[50, 45])
        assert s.beside == [1, 3]

    def test_of_a_method_without_classes_there_is_one(self, overlay: Overlay) -> None:
        x = two_things()
        w = overlay({"mine": x[:, 0], "LRP": LRP(colour_segmenter())}, x, target={"here": T.region(1)}, show="targets")
        assert len(w._shown()) == 1
        w.method = "LRP"
        assert [question.target for question in w._shown()] == [3]
