"""Several models in one overlay: each has its own images, classes and predictions; names tie them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.targets.nets import classifier
from tests.widgets.conftest import Recorded
from xaiwidgets import LRP, RELAX, RISE, GradientXInput, HeatmapOverlay, ImageModel

Overlay = Callable[..., Recorded]
FIRST, SECOND = ("cat", "dog", "owl", "fox", "bee"), ("fox", "yak", "cat", "bee", "dog")


@pytest.fixture(scope="module")
def one() -> ImageModel:
    return classifier(class_names=FIRST, name="one")


@pytest.fixture(scope="module")
def other() -> ImageModel:
    """Other weights, other classes, other statistics."""
    module = classifier(seed=5).module
    return ImageModel(
        module, class_names=SECOND, input_size=16, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), name="other"
    )


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def both(overlay: Overlay, one: ImageModel, other: ImageModel, pixels: Tensor) -> Recorded:
    return overlay({"A": LRP(one), "B": LRP(other)}, pixels, show="models")


def test_images_are_carried_over_by_their_pixels(
    both: Recorded, one: ImageModel, other: ImageModel, pixels: Tensor
) -> None:
    both._finish(())
    own = other.normalise(pixels)
    assert float((own - pixels).abs().max()) > 0.5, "the statistics differ"
    results = both.results
    torch.testing.assert_close(results["A"].heatmap, LRP(one)(pixels[:1]).heatmap)
    torch.testing.assert_close(results["B"].heatmap, LRP(other)(own[:1]).heatmap)
    assert torch.equal(both._pixels, pixels)


def test_what_each_says_is_its_own(both: Recorded, one: ImageModel, other: ImageModel, pixels: Tensor) -> None:
    both._finish(())
    own = other.predict(other.normalise(pixels[:1]), top=1)
    answers = {question.method: answer for question, answer in both._answers.items()}
    name, share = SECOND[int(own.probabilities.argmax())], float(own.probabilities.max())
    assert answers["B"].notes[0] == ["class explained", f"{name}, probability {share:.1%}"]
    first = one.predict(pixels[:1], top=1).probabilities
    assert answers["A"].notes[0] == [
        "class explained", f"{FIRST[int(first.argmax())]}, probability {float(first.max()):.1%}",
    ]  # fmt: skip
    told = {content.get("model", 0): buffers for content, buffers in both.packets("prediction")}
    assert set(told) == {0, 1}
    for number, shares in ((0, first), (1, own.probabilities)):
        classes = np.frombuffer(told[number][0], "<i4")
        names = FIRST if number == 0 else SECOND
        expected = [both.class_names.index(names[index]) for index in shares[0].argsort(descending=True)]
        assert classes.tolist() == expected
        assert np.frombuffer(told[number][1], "<f4") == pytest.approx(shares[0].sort(descending=True).values.numpy())
    assert [(m["model"], m["model_name"]) for m in both.methods] == [(0, "one"), (1, "other")]


def test_classes_are_one_by_name(both: Recorded, one: ImageModel, other: ImageModel, pixels: Tensor) -> None:
    assert both.class_names == [*FIRST, "yak"], "what only another model knows comes after"
    both.target = "fox"
    both.against = "cat"
    both._finish(())
    results = both.results
    own = other.normalise(pixels[:1])
    torch.testing.assert_close(results["A"].heatmap, LRP(one)(pixels[:1], 3, against=0).heatmap)
    torch.testing.assert_close(results["B"].heatmap, LRP(other)(own, 0, against=2).heatmap)
    notes = [both._answers[question].notes[0][1] for question in both._shown()]
    assert len(notes) == 2
    assert all("fox, probability" in said and "against cat" in said for said in notes)


@pytest.mark.parametrize(("name", "lacks", "knows"), [("owl", "B", "A"), ("yak", "A", "B")])
def test_a_model_without_the_class_says_so(both: Recorded, tmp_path: Path, name: str, lacks: str, knows: str) -> None:
    both.target = name
    both._finish(())
    answers = {question.method: answer for question, answer in both._answers.items() if question.target is not None}
    model = {"A": "one", "B": "other"}[lacks]
    assert (
        answers[lacks].refused == f"{model} has no class “{name}”; choose a class that it knows, or its predicted one"
    )
    assert answers[lacks].maps == {}
    assert answers[knows].maps["relevance"].abs().max() > 0
    [refused] = [content for content in both.of("maps") if content.get("refused")]
    assert (refused["method"], refused["maps"], refused["final"]) == (lacks, [], True)
    panes = both._panes()
    assert [pane.values is None for pane in panes] == [True, lacks == "A", lacks == "B"]
    assert any("has no class" in pane.note for pane in panes)
    assert both.save(tmp_path / "a.png").stat().st_size > 5000
    # Alone it is an error, as any other.
    both.show, both.method = "relevance", lacks
    both.compute()
    assert both.wait(20)
    assert both.status["state"] == "error"
    assert "has no class" in both.status["message"]


def test_named_targets_are_of_all_models(both: Recorded, one: ImageModel, other: ImageModel, pixels: Tensor) -> None:
    both.target = {"spread": lambda out: out[:, 0] - out[:, 1]}
    both._finish(())
    torch.testing.assert_close(
        both.results["B"].heatmap, LRP(other)(other.normalise(pixels[:1]), lambda out: out[:, 0] - out[:, 1]).heatmap
    )


def test_one_method_a_model_of_the_kind_of_the_present_one(
    overlay: Overlay, one: ImageModel, other: ImageModel, pixels: Tensor
) -> None:
    methods = {
        "LRP A": LRP(one), "grad A": GradientXInput(one), "grad B": GradientXInput(other), "LRP B": LRP(other),
        "again B": LRP(other, "epsilon_plus"),
    }  # fmt: skip
    w = overlay(methods, pixels, show="models")
    assert [question.method for question in w._shown()] == ["LRP A", "LRP B"]
    w.method = "again B"
    assert [question.method for question in w._shown()] == ["LRP A", "again B"]
    w.method = "grad B"
    assert [question.method for question in w._shown()] == ["grad A", "grad B"]


def test_before_and_after_of_one_model(overlay: Overlay, one: ImageModel, pixels: Tensor) -> None:
    after = one.with_module(classifier(seed=3).module)
    assert after.name == one.name
    w = overlay({"before": LRP(one), "after": LRP(after)}, pixels, show="models", difference=[0, 1])
    w._finish(())
    first, second = LRP(one)(pixels[:1]).heatmap[0], LRP(after)(pixels[:1]).heatmap[0]
    panes = w._panes()
    assert [pane.title for pane in panes] == ["Picture", "before: Relevance", "after: Relevance", "before − after"]
    torch.testing.assert_close(panes[-1].values, first - second)


def test_finished_results_say_what_they_explain_not_what_is_predicted(
    overlay: Overlay, one: ImageModel, pixels: Tensor
) -> None:
    before, after = LRP(one)(pixels, "dog"), LRP(one)(pixels, ["owl", 3, 3], against="cat")
    w = overlay({"before": before, "after": after, "array": after.heatmap.numpy()}, pixels, model=one, show="compare")
    w._finish(())
    explains = {said["method"]: said.get("explains") for said in w.of("maps")}
    assert explains == {"before": "dog", "after": "owl rather than cat", "array": None}
    predicted = one.class_name(int(one.output(pixels[:1]).argmax()))
    notes = [pane.note for pane in w._panes()]
    assert notes[1].startswith(f"predicted {predicted}, ")
    assert notes[1].endswith("; explained dog")
    assert notes[2].endswith("; explained owl rather than cat")
    assert "explained" not in notes[3]
    account = next(answer.notes for question, answer in w._answers.items() if question.method == "before")
    assert account[1][0] == "relevance at the pixels, all 3 images together", "no number of one image"
    assert w.methods[0]["views"][0]["high"] == "speaks for {class}"
    assert w.methods[2]["views"][0]["high"] == "positive values of the given map"
    alone = overlay(after, pixels, image=1)
    assert alone.wait(20)
    assert alone.of("maps")[-1]["explains"] == "class 3 rather than cat", "without a model there are no names"


@pytest.mark.parametrize("first_has_names", [True, False])
def test_a_model_without_names_has_those_of_the_other_by_their_numbers(
    overlay: Overlay, pixels: Tensor, first_has_names: bool
) -> None:
    named, bare = classifier(class_names=FIRST), classifier(seed=5)
    assert bare.class_names is None
    models = (named, bare) if first_has_names else (bare, named)
    w = overlay(
        {"A": LRP(models[0]), "B": LRP(models[1])}, pixels, target={"mine": lambda out: out[:, 0]}, show="models"
    )
    assert w.class_names == [*FIRST, "mine"]
    w.target = None
    w._finish(())
    notes = {question.method: answer.notes for question, answer in w._answers.items() if question.target is None}
    of_bare = "B" if first_has_names else "A"
    predicted = FIRST[int(bare.output(pixels[:1]).argmax())]
    assert notes[of_bare][0][1].startswith(f"{predicted}, probability")
    assert notes[of_bare][1] == ["class names", "another model's, by their numbers: this one has none"]
    w.target = "owl"
    w._finish(())
    torch.testing.assert_close(w.results[of_bare].heatmap, LRP(bare)(pixels[:1], 2).heatmap)


def test_a_model_without_names_and_with_other_classes_is_refused(overlay: Overlay, pixels: Tensor) -> None:
    named = classifier(class_names=FIRST)
    bare = ImageModel(nn.Sequential(named.module, nn.Linear(5, 3)).eval(), input_size=16, mean=0, std=1, name="bare")
    for pair in ((named, bare), (bare, named)):
        with pytest.raises(ValueError, match="bare has 3 classes without names, another model names 5") as refused:
            overlay({"A": LRP(pair[0]), "B": LRP(pair[1])}, pixels)
        assert "\n" not in str(refused.value)
    # Who explains no class has none that could be taken for another's.
    w = overlay({"RELAX": RELAX(bare, n_masks=128, cells=4), "LRP": LRP(named)}, pixels)
    assert w.class_names == list(FIRST)


def test_the_same_module_is_one_model(overlay: Overlay, one: ImageModel, pixels: Tensor) -> None:
    named = ImageModel(one.module, class_names=FIRST, input_size=16, mean=0, std=1)
    bare = ImageModel(one.module, input_size=16, mean=0, std=1)
    w = overlay({"LRP": LRP(bare)}, pixels, model=named)
    assert len(w._subjects) == 1
    assert w.class_names == list(FIRST)


def test_results_know_their_model_by_name(overlay: Overlay, one: ImageModel, other: ImageModel, pixels: Tensor) -> None:
    w = overlay({"live": LRP(one), "made": LRP(other)(other.normalise(pixels), 1)}, pixels)
    assert [method["model_name"] for method in w.methods] == ["one", "other"]
    assert w._albums[1].said(0) is None, "of a model that is not here nobody knows what it says"
    own = overlay({"live": LRP(one), "made": LRP(one)(pixels, 1)}, pixels)
    assert [method["model"] for method in own.methods] == [0, 0]


def test_images_of_each(overlay: Overlay, one: ImageModel, other: ImageModel, pixels: Tensor) -> None:
    own = other.normalise(pixels.flip(3))
    w = overlay({"A": LRP(one), "B": LRP(other), "C": RISE(other, n_masks=32)}, {"A": pixels, "B": own}, show="models")
    w._finish(())
    torch.testing.assert_close(w.results["B"].heatmap, LRP(other)(own[:1]).heatmap)


def _unsaid() -> ImageModel:
    return ImageModel(nn.Sequential(nn.Flatten(), nn.Linear(768, 5)).eval(), input_size=16, name="unsaid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, m: x | {"Z": x["A"]}, "x='Z' is not known"),
        (
            lambda x, m: {"A": x["A"]},
            "x has no images for 'B'; give those of each explainer by its name, or one tensor",
        ),
        (
            lambda x, m: {"A": x["A"], "B": x["B"][:2]},
            r"x of other has shape \(2, 3, 16, 16\), of one \(3, 3, 16, 16\)",
        ),
        (lambda x, m: {"A": x["A"], "B": torch.rand(3, 3, 32, 32)}, "give the same images in one size"),
        (lambda x, m: {"A": x["A"], "B": x["B"][:, :1]}, "has 1 channels, other takes 3"),
    ],
)
def test_images_that_do_not_fit(
    one: ImageModel, other: ImageModel, pixels: Tensor, change: Callable[..., Any], message: str
) -> None:
    explainers = {"A": LRP(one), "B": LRP(other)}
    with pytest.raises(ValueError, match=message):
        HeatmapOverlay(explainers, change({"A": pixels, "B": other.normalise(pixels)}, other))


def test_nothing_is_guessed_of_how_a_model_takes_its_images(other: ImageModel, pixels: Tensor) -> None:
    message = (
        r"x cannot be carried over to 'B': unsaid and other take their images in other ways, and nobody said how unsaid does; "
        r"give its ImageModel mean= and std=, or images for each, as x=\{'B': …, …\}"
    )
    with pytest.raises(ValueError, match=message):
        HeatmapOverlay({"A": LRP(other), "B": LRP(_unsaid())}, pixels)
