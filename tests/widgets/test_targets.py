"""Targets beyond classes in the widgets: one or several by name, which stand after the classes; what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from tests.targets.nets import classifier, images, segmenter
from tests.widgets.conftest import Recorded, RecordedViewer, Recorder
from xaiwidgets import CRP, LRP, RISE
from xaiwidgets import targets as T
from xaiwidgets.widgets import ConceptBrowser
from xaiwidgets.widgets.choices import StateError

VECTOR = torch.arange(5.0)


class RecordedBrowser(Recorder, ConceptBrowser):
    """A concept browser that keeps its messages."""


def notes(w: Any) -> list[list[str]]:
    """What was last said beside the picture."""
    found: list[list[str]] = w.packets("maps")[-1][0]["notes"]
    return found


@pytest.fixture
def opened() -> Iterator[Any]:
    made: list[Any] = []

    def make(kind: Any, *arguments: Any, **options: Any) -> Any:
        made.append(kind(*arguments, **options))
        assert made[-1].wait(60)
        return made[-1]

    yield make
    for widget in made:
        widget.close()


class TestOverlay:
    def test_several_by_name_after_the_classes(self, opened: Any) -> None:
        model, x = classifier(class_names=("a", "b", "c", "d", "e")), images()
        phrases = {
            "a dog": T.similarity(VECTOR),
            "a cat": T.similarity(-VECTOR),
            "more b": lambda out: out[:, 1] - out[:, 0],
        }
        w = opened(Recorded, LRP(model), x, target=phrases)
        assert w.class_names == ["a", "b", "c", "d", "e", "a dog", "a cat", "more b"]
        assert w.target == 5
        for name, target in phrases.items():
            w.target = name
            assert w.wait(60)
            assert w.target == w.class_names.index(name)
            torch.testing.assert_close(w.result.relevance, LRP(model)(x[:1], target).relevance)
            assert notes(w)[0][0] == "explained"
            assert notes(w)[0][1].startswith(f"{name}, score ")
        w.target = 2
        assert w.wait(60)
        assert notes(w)[0][0] == "class explained"
        assert notes(w)[0][1].startswith("c, probability ")
        w.target, w.against = "a dog", "a cat"
        assert w.wait(60)
        expected = LRP(model)(x[:1], phrases["a dog"], against=phrases["a cat"])
        torch.testing.assert_close(w.result.relevance, expected.relevance)
        assert notes(w)[0][1].endswith(" against a cat")

    def test_one_given_later(self, opened: Any) -> None:
        model, x = segmenter(), images()
        w = opened(Recorded, {"LRP": LRP(model), "mine": lambda x, target: LRP(model)(x, target).heatmap}, x)
        assert notes(w)[0][1].endswith(f", score {float(w.result.conservation.score):.4g}")
        region = T.region("road", (2, 2, 10, 8))
        w.target = region
        assert w.wait(60)
        assert w.class_names[w.target] == str(region)
        torch.testing.assert_close(w.result.relevance, LRP(model)(x[:1], region).relevance)
        # An explainer of somebody else is told what the model predicts, where nothing is asked.
        w.target, w.method = None, "mine"
        assert w.wait(60)
        torch.testing.assert_close(w.result, LRP(model)(x[:1]).heatmap)

    def test_without_class_names(self, opened: Any) -> None:
        w = opened(Recorded, LRP(classifier()), images(), target={"a dog": T.similarity(VECTOR)})
        assert w.class_names == ["class 0", "class 1", "class 2", "class 3", "class 4", "a dog"]
        embedding = classifier(60, scores="values")
        w = opened(Recorded, LRP(embedding), images(), target={"a dog": T.similarity(torch.ones(60))})
        assert w.class_names == ["a dog"], "the numbers of a representation are no choice"
        assert w.target == 0

    def test_what_scores_mean(self, opened: Any) -> None:
        for model, said in (
            (classifier(1, scores="sigmoid"), "class 0, probability {:.1%}"),
            (classifier(1, class_names=("cat", "dog")), "{}, probability {:.1%}"),
            (classifier(4, nn.Softmax(1)), "class {}, probability {:.1%}"),
            (classifier(1, scores="values"), "output 0, score {:.4g}"),
        ):
            x = images()
            w = opened(Recorded, RISE(model, n_masks=8, cells=2, masks="random"), x)
            prediction = model.predict(x[:1])
            best = float(prediction.probabilities[0].max())
            name = {"{}, probability {:.1%}": prediction.names[0][0]}.get(said, int(prediction.classes[0, 0]))
            expected = said.format(*([name, best] if said.count("{") == 2 else [best]))
            assert notes(w)[0][1] == expected

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ({}, "target is empty; give at least one target by name"),
            ({"b": T.similarity(VECTOR)}, "target 'b' has the name of a class; give it another"),
            ("lawn", "target='lawn' is not known"),
            (9, "target=9 is not a class of the model; give 0 to 4"),
        ],
    )
    def test_what_does_not_fit(self, target: Any, message: str) -> None:
        model = classifier(class_names=("a", "b", "c", "d", "e"))
        with pytest.raises(StateError, match=message):
            Recorded(LRP(model), images(), target=target)

    def test_a_target_that_no_output_fits_is_shown(self, opened: Any) -> None:
        w = opened(Recorded, LRP(classifier()), images(), target=T.region("road"))
        assert w.status["state"] == "error"
        assert "is about maps (N, classes, H, W); Sequential gives (N, 5)" in w.status["message"]


class TestFlipping:
    def test_curves_of_targets(self, opened: Any) -> None:
        model, x = segmenter(), images(4)
        region = T.region("road", (2, 2, 10, 8))
        w = opened(RecordedViewer, model, x, {"LRP": LRP(model)}, target={"here": region}, random=1, perturb="zero")
        assert w.class_names == ["background", "road", "sky", "car", "here"]
        curves = w.of("curves")[-1]
        assert curves["targets"] == [4] * 4
        assert curves["known_images"] == 4
        score = T.score_of(model, model.output(x), region, x)
        torch.testing.assert_close(w.result.scores["LRP"][:, 0], score(model.output(x)), atol=1e-4, rtol=1e-4)
        assert w.result.score == "target"
        assert "Segmenter gives (N, 4, 8, 8)" in w.gae_missing
        # Each target has heatmaps of its own.
        w.hear(type="look", **_asked(w), image=0, method="LRP", orders=[], steps=[], maps=["LRP"])
        assert w._looker.wait(20)
        first = w.packets("map")[-1][1][1]
        w.target = T.region("sky", (2, 2, 10, 8))
        assert w.wait(60)
        w.hear(type="look", **_asked(w), image=0, method="LRP", orders=[], steps=[], maps=["LRP"])
        assert w._looker.wait(20)
        assert w.packets("map")[-1][1][1] != first


def _asked(w: Any) -> dict[str, Any]:
    return {name: getattr(w, name) for name in ("order", "perturb", "patch", "target", "score")}


class TestConcepts:
    def test_a_target(self, opened: Any) -> None:
        model, x = segmenter(), images()
        region = T.region("road", (2, 2, 10, 8))
        w = opened(RecordedBrowser, CRP(model, "epsilon_plus"), x, target={"here": region}, layer="features")
        focus = w.of("focus")[-1]
        assert (focus["target"], focus["probability"]) == (4, None)
        assert focus["score"] == pytest.approx(float(CRP(model, "epsilon_plus").focus(x[:1], region).score), rel=1e-5)
        assert w.result.target == "road in the box (2, 2, 10, 8)"
        torch.testing.assert_close(w.result.class_heatmap, CRP(model, "epsilon_plus")(x[:1], region).heatmap[0])
        assert w.selection["target"] == 4
        w.target = None
        assert w.wait(60)
        assert "where it is predicted" in str(w.result.target)

    def test_the_probability_is_what_the_scores_mean(self, opened: Any) -> None:
        x = images()
        for model in (classifier(1, scores="sigmoid"), classifier(4, scores="sigmoid"), classifier(4, nn.Softmax(1))):
            w = opened(RecordedBrowser, CRP(model), x, layer="0")
            assert w.of("focus")[-1]["probability"] == pytest.approx(
                float(model.predict(x[:1]).probabilities.max()), rel=1e-4
            )
        w = opened(RecordedBrowser, CRP(classifier(1, scores="values")), x, layer="0")
        assert w.of("focus")[-1]["probability"] is None

    def test_references_are_of_classes(self, opened: Any) -> None:
        model = segmenter()
        w = opened(RecordedBrowser, CRP(model), images(), target={"here": T.region("road")}, layer="features")
        with pytest.raises(StateError, match="reference_class='here' is no class"):
            w.reference_class = "here"
