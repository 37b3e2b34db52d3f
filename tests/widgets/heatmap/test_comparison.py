"""What stands beside what: the pictures on screen, their scales, the difference of two, all images; in Python, figures and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.targets.nets import classifier
from tests.widgets.conftest import Recorded
from xaiwidgets import LRP, RELAX, GradientXInput, HeatmapOverlay, ImageModel
from xaiwidgets.widgets.choices import StateError

Overlay = Callable[..., Recorded]
NAMES = ("cat", "dog", "owl", "fox", "bee")


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return classifier(class_names=NAMES)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def titles(w: Recorded) -> list[str]:
    w._finish(())
    return [pane.title for pane in w._panes()]


def page(path: Path) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert found
    return [message["content"] for message in json.loads(found[1])["messages"]]


class TestWhat:
    def test_classes_by_the_short_way(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        w = overlay(LRP(model), x, targets=["fox", 1])
        assert (w.show, w.beside, w.target) == ("targets", [3, 1], None)
        assert titles(w) == ["Picture", "fox", "dog"]
        for pane, target in zip(w._panes()[1:], (3, 1), strict=True):
            torch.testing.assert_close(pane.values, LRP(model)(x[:1], target).heatmap[0])
        named = overlay(LRP(model), x, targets={"first": lambda out: out[:, 0], "rest": lambda out: out[:, 1:].sum(1)})
        assert titles(named) == ["Picture", "first", "rest"]
        for wrong, message in (
            (["moon"], "beside='moon' is not known"),
            (3, "beside is int"),
            ([99], "beside=99 is not"),
        ):
            with pytest.raises(StateError, match=message):
                HeatmapOverlay(LRP(model), x, targets=wrong)

    def test_images(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        w = overlay(LRP(model), x, show="images")
        assert titles(w) == ["Image 1", "Image 2", "Image 3", "Image 4"]
        w.beside_images = [7, 2, 7]
        assert w.beside_images == [7, 2]
        assert titles(w) == ["Image 8", "Image 3"]
        for pane, image in zip(w._panes(), (7, 2), strict=True):
            torch.testing.assert_close(pane.values, LRP(model)(x[image, None]).heatmap[0])
            assert torch.equal(pane.pixels, x[image])
            best = model.predict(x[image, None], top=1).probabilities[0]
            assert pane.note == f"{NAMES[int(best.argmax())]}, probability {float(best.max()):.1%}"
        with pytest.raises(StateError, match="beside_images=9 is not there; give 0 to 8"):
            w.beside_images = [9]
        assert w.beside_images == [7, 2]

    def test_methods(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        methods = {"LRP": LRP(model), "gradient": GradientXInput(model), "RELAX": RELAX(model, n_masks=64, cells=4)}
        w = overlay(methods, x, show="compare")
        assert titles(w) == ["Picture", "LRP: Relevance", "gradient: Relevance", "RELAX: Importance"]
        w.beside_methods = ["RELAX", "LRP"]
        assert titles(w) == ["Picture", "LRP: Relevance", "RELAX: Importance"], "in the order of the methods"
        with pytest.raises(StateError, match="beside_methods='LPR' is not known; did you mean 'LRP'"):
            w.beside_methods = ["LPR"]

    def test_at_most_six(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        w = overlay(LRP(model), x, show="images", beside_images=list(range(9)))
        assert len(w._shown()) == 6

    def test_what_breaks_says_so_in_its_own_place(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        def broken(x: Tensor, target: Any = None) -> Tensor:
            raise RuntimeError("out of luck")

        w = overlay({"broken": broken, "LRP": LRP(model)}, x, show="compare")
        assert w.wait(20)
        [refused] = w.of("maps")
        assert (refused["method"], refused["refused"], refused["final"]) == ("broken", "out of luck", True)
        w._finish(())
        panes = w._panes()
        assert [pane.values is None for pane in panes] == [True, True, False]
        assert panes[1].note == "out of luck"
        assert list(w.results) == ["LRP"]


class TestScales:
    def test_one_where_counted_alike(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        w = overlay(LRP(model), x, show="images", beside_images=[0, 1, 2])
        w._finish(())
        panes = w._panes()
        largest = [float(pane.values.abs().max()) for pane in panes]  # type: ignore[union-attr]
        assert len(set(largest)) == 3
        assert all(pane.span == pytest.approx((-max(largest), max(largest))) for pane in panes)
        w.scale = "own"
        assert [pane.span[1] for pane in w._panes()] == pytest.approx(largest)
        w.scale, w.fixed_range = "fixed", [-2.0, 2.0]
        assert all(pane.span == (-2, 2) for pane in w._panes())

    def test_methods_of_one_kind_share_others_do_not(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        methods = {"a": LRP(model), "b": LRP(model, "epsilon_plus"), "c": GradientXInput(model)}
        w = overlay(methods, x, show="compare")
        w._finish(())
        a, b, c = w._panes()[1:]
        largest = [float(pane.values.abs().max()) for pane in (a, b, c)]  # type: ignore[union-attr]
        assert a.span == b.span == pytest.approx((-max(largest[:2]), max(largest[:2])))
        assert c.span[1] == pytest.approx(largest[2])


class TestDifference:
    def test_is_the_first_minus_the_second(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        w = overlay(LRP(model), x, targets=["fox", "dog", "bee"], difference=(2, 0))
        assert w.difference == [2, 0]
        assert titles(w) == ["Picture", "fox", "dog", "bee", "bee − fox"]
        last = w._panes()[-1]
        expected = LRP(model)(x[:1], 4).heatmap[0] - LRP(model)(x[:1], 3).heatmap[0]
        torch.testing.assert_close(last.values, expected)
        bound = float(expected.abs().max())
        assert last.span == pytest.approx((-bound, bound))
        assert (last.signed, last.unit) == (True, "relevance of the logit")
        assert last.note == "above zero: more in bee; below: more in fox"
        w.difference = None
        assert len(w._panes()) == 4

    def test_of_two_images_lies_over_neither(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        w = overlay(LRP(model), x, show="images", difference=[0, 1])
        w._finish(())
        assert torch.equal(w._panes()[-1].pixels, torch.ones(3, 16, 16))

    def test_only_of_what_is_counted_alike(self, overlay: Overlay, model: ImageModel, x: Tensor) -> None:
        methods = {"LRP": LRP(model), "RELAX": RELAX(model, n_masks=64, cells=4), "gradient": GradientXInput(model)}
        w = overlay(methods, x, show="compare", difference=[0, 1])
        w._finish(())
        assert [pane.title for pane in w._panes()][-1] == "gradient: Relevance", "no difference"
        lrp, relax, gradient = w._on_screen()
        assert w._apart(lrp, relax) == "LRP is counted in relevance of the logit, RELAX in mean similarity"
        assert w._apart(lrp, gradient) == ""
        w.difference = [2, 0]
        assert w._panes()[-1].title == "gradient − LRP"

    def test_arrays_before_and_after_share_a_scale(self, overlay: Overlay, x: Tensor) -> None:
        before, after = torch.zeros(9, 16, 16), torch.zeros(9, 16, 16)
        before[0, 0, 0], after[0, 0, 0] = 2.0, -5.0
        w = overlay(
            {"before": before, "after": after, "LRP": before, "RISE": before}, x, show="compare", difference=[1, 0]
        )
        w._finish(())
        spans = {pane.title.split(":")[0]: pane.span for pane in w._panes()}
        assert (spans["before"], spans["after"], spans["after − before"]) == ((-5, 5), (-5, 5), (-7, 7))
        assert (spans["LRP"], spans["RISE"]) == ((-2, 2), (-2, 2)), "names of methods say that they are counted apart"
        assert [method["method"] for method in w.methods] == ["", "", "LRP", "RISE"]

    @pytest.mark.parametrize("wrong", [(0, 0), (0,), (0, 9), (0, 1, 2), "ab", (0.5, 1), 3])
    def test_what_is_none(self, overlay: Overlay, model: ImageModel, x: Tensor, wrong: Any) -> None:
        w = overlay(LRP(model), x, show="images", difference=[1, 0])
        with pytest.raises(StateError, match="difference"):
            w.difference = wrong
        assert w.difference == [1, 0]


class TestGallery:
    def test_all_images_on_one_scale(self, overlay: Overlay, model: ImageModel, x: Tensor, tmp_path: Path) -> None:
        w = overlay(LRP(model), x, show="gallery", labels=[0] * 9)
        path = w.save(tmp_path / "a.png")
        assert path.stat().st_size > 10_000
        panes = w._panes()
        assert [pane.title for pane in panes] == [f"Image {number}" for number in range(1, 10)]
        largest = max(float(pane.values.abs().max()) for pane in panes)  # type: ignore[union-attr]
        assert {pane.span for pane in panes} == {(-largest, largest)}
        for image, pane in enumerate(panes):
            torch.testing.assert_close(pane.values, LRP(model)(x[image, None]).heatmap[0])
            best = model.predict(x[image, None], top=1).probabilities[0]
            said = f"{NAMES[int(best.argmax())]} {float(best.max()):.0%} {'✓' if int(best.argmax()) == 0 else '✗'}"
            assert pane.note == said
        assert "9 images on one scale" in w._caption()
        figure = w._figure()
        bars = [axis for axis in figure.axes if axis.get_label() == "<colorbar>"]
        assert len(bars) == 1
        rows = {round(axis.get_position().y0, 2) for axis in figure.axes if axis not in bars}
        assert len(rows) == 2, "eight in a row"

    def test_keeps_all_however_many(self, overlay: Overlay, model: ImageModel) -> None:
        x = torch.rand(70, 3, 16, 16, generator=torch.Generator().manual_seed(3))
        w = overlay(LRP(model), x, show="gallery")
        w._finish(())
        assert len(w._panes()) == 70
        # Of what fills a gallery a saved notebook keeps the picture on screen alone.
        size = int.from_bytes(w.snapshot[:4], "little")
        assert json.loads(w.snapshot[4 : 4 + size])["image"] == 0


class TestPages:
    def test_hold_what_they_compare(self, overlay: Overlay, model: ImageModel, x: Tensor, tmp_path: Path) -> None:
        w = overlay(LRP(model), x, show="images", beside_images=[5, 2])
        messages = page(w.save(tmp_path / "a.html"))
        assert {m["image"] for m in messages if m["type"] == "maps"} == {0, 2, 5}
        assert {m["image"] for m in messages if m["type"] == "picture"} == {0, 2, 5}
        assert {m["image"] for m in messages if m["type"] == "prediction"} >= {2, 5}
        w.show = "gallery"
        messages = page(w.save(tmp_path / "b.html"))
        assert {m["image"] for m in messages if m["type"] == "maps"} == set(range(9))

    def test_of_models_hold_what_each_says(
        self, overlay: Overlay, model: ImageModel, x: Tensor, tmp_path: Path
    ) -> None:
        other = model.with_module(classifier(seed=8).module, "after")
        w = overlay({"before": LRP(model), "after": LRP(other)}, x, show="models")
        messages = page(w.save(tmp_path / "a.html"))
        assert {m["method"] for m in messages if m["type"] == "maps"} == {"before", "after"}
        assert {m.get("model", 0) for m in messages if m["type"] == "prediction"} == {0, 1}


def test_maps_travel_in_half_precision(overlay: Overlay, model: ImageModel, x: Tensor) -> None:
    w = overlay(LRP(model), x, show="gallery")
    for image in range(9):
        w.hear(type="compute", **w._question(image=image).plain())
        assert w.wait(20)
    sizes = [len(buffers[0]) for _, buffers in w.packets("maps")]
    assert len(sizes) >= 9
    assert set(sizes) == {16 * 16 * 2}


class Eager(Recorded):
    """Asks for the next as soon as there is a map, as a browser does that fills a comparison."""

    asked_next = False

    def send(self, content: Any, buffers: Any = None) -> None:
        super().send(content, buffers)
        if content["type"] == "maps" and content["final"] and content["method"] == "a" and not self.asked_next:
            self.asked_next = True
            self.hear(type="compute", id=1, image=0, method="b", target=None, against=None, parameters={})


def test_an_answer_is_complete_though_the_next_is_asked_for_at_once(model: ImageModel, x: Tensor) -> None:
    w = Eager({"a": LRP(model), "b": LRP(model, "epsilon_plus")}, x)
    try:
        assert w.wait(30)
        answers = {question.method: answer for question, answer in w._answers.items()}
        assert set(answers) == {"a", "b"}
        last = {content["method"]: content for content in w.of("maps")}
        for name, answer in answers.items():
            assert answer.unit, name
            assert (last[name]["unit"], last[name]["notes"]) == (answer.unit, answer.notes)
    finally:
        w.close()
