"""What a target says of an output: numbers, words, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import xaiwidgets as xw
from tests.targets.nets import classifier, detector, images, segmenter
from xaiwidgets import ImageModel
from xaiwidgets import targets as T
from xaiwidgets.baselines import GradientXInput
from xaiwidgets.targets import Score, TargetError, score_of


def asked(model: ImageModel, target: Any, x: Tensor | None = None) -> tuple[Score, Tensor]:
    x = images() if x is None else x
    output = model.output(x)
    return score_of(model, output, target, x), output


class TestClasses:
    def test_index_name_none_and_one_an_image(self) -> None:
        model = classifier(3, class_names=("a", "b", "c"))
        _, output = asked(model, 0)
        for target, chosen in ((1, [1, 1]), ("c", [2, 2]), ([0, "b"], [0, 1]), (np.array([2, 0]), [2, 0])):
            score, _ = asked(model, target)
            assert torch.equal(score(output), output[[0, 1], chosen])
            assert score.classes is not None
            assert score.classes.tolist() == chosen
        assert torch.equal(asked(model, None)[0](output), output.amax(1))
        assert asked(model, ["b", 2])[0].names == ("b", "c")
        assert torch.equal(asked(model, T.class_("b"))[0](output), output[:, 1])

    def test_two_names_for_one_score(self) -> None:
        model = classifier(1, class_names=("cat", "dog"))
        score, output = asked(model, "dog")
        other, _ = asked(model, "cat")
        assert torch.equal(score(output), output[:, 0])
        assert torch.equal(other(output), -output[:, 0])
        torch.testing.assert_close(score.probability(output) + other.probability(output), torch.ones(2))
        predicted, _ = asked(model, None)
        assert predicted.classes is not None
        assert predicted.classes.tolist() == (output[:, 0] > 0).long().tolist()


class TestRegions:
    def test_box_mask_and_one_an_image(self) -> None:
        model = segmenter()
        mask = torch.zeros(16, 16, dtype=torch.bool)
        mask[2:8, 4:10] = True
        _, output = asked(model, "road")
        expected = output[:, 1, 1:4, 2:5].sum((1, 2))
        for region in ((4, 2, 10, 8), mask, mask.numpy(), mask.float(), torch.tensor([4, 2, 10, 8])):
            torch.testing.assert_close(asked(model, T.region("road", region))[0](output), expected)
        both = torch.stack([mask, ~mask])
        found = asked(model, T.region(1, both))[0](output)
        whole = output[:, 1].sum((1, 2))
        torch.testing.assert_close(found, torch.stack([expected[0], whole[1] - expected[1]]))

    def test_a_place_of_the_map_that_a_box_covers_in_part_counts_in_part(self) -> None:
        score, output = asked(segmenter(), T.region("road", (0, 0, 1, 2)))
        torch.testing.assert_close(score(output), output[:, 1, 0, 0] / 2)

    def test_where_it_is_predicted_and_around_a_point(self) -> None:
        model = segmenter()
        maps = torch.zeros(1, 4, 8, 8)
        maps[0, 1, 1:3, 1:3] = 5.0
        maps[0, 1, 5:7, 5:8] = 7.0
        maps[0, 0] += 1.0
        x = images(1)
        assert float(score_of(model, maps, "road", x)(maps)) == 4 * 5 + 6 * 7
        assert float(score_of(model, maps, None, x)(maps)) == 4 * 5 + 6 * 7, (
            "the background is asked about by name only"
        )
        point = score_of(model, maps, T.region(None, (11, 12)), x)
        assert float(point(maps)) == 6 * 7
        assert point.names == ("road around the point (11, 12)",)
        assert float(score_of(model, maps, T.region("background"), x)(maps)) == 54
        with pytest.raises(TargetError, match=r"predicts background there in image 0; give a box or a mask"):
            score_of(model, maps, T.region("road", (0, 0)), x)
        with pytest.raises(TargetError, match=r"predicts sky nowhere in image 0; give mask="):
            score_of(model, maps, "sky", x)

    def test_one_map(self) -> None:
        model = segmenter()
        maps = torch.full((1, 1, 8, 8), -1.0)
        maps[:, :, :2] = 3.0
        one = ImageModel(model.module, input_size=16, class_names=("rest", "cup"), scores="sigmoid")
        for target in (None, "cup", T.region("cup")):
            score = score_of(one, maps, target, images(1))
            assert float(score(maps)) == 16 * 3
            assert score.names == ("cup where it is predicted",)
        with pytest.raises(TargetError, match="tells 'cup' from the rest; ask about that"):
            score_of(one, maps, "rest", images(1))
        depth = ImageModel(model.module, input_size=16, scores="values")
        assert float(score_of(depth, maps[:, 0], None, images(1))(maps[:, 0])) == 16 * 3 - 48


class TestOthers:
    def test_similarity(self) -> None:
        model, x = classifier(), images(3)
        vector = torch.randn(5, generator=torch.Generator().manual_seed(0))
        score, output = asked(model, T.similarity(vector, name="a dog"), x)
        torch.testing.assert_close(score(output), torch.cosine_similarity(output, vector[None]))
        assert score.names == ("likeness to a dog",) * 3
        torch.testing.assert_close(asked(model, T.similarity(vector, "dot"), x)[0](output), output @ vector)
        each = asked(model, T.similarity(output.flip(0)), x)[0]
        torch.testing.assert_close(each(output), torch.cosine_similarity(output, output.flip(0)))
        itself = asked(model, T.similarity(x[0]), x)[0]
        torch.testing.assert_close(itself(output)[0], torch.tensor(1.0))

    def test_value(self) -> None:
        model = classifier(3, scores="values")
        score, output = asked(model, T.value(2, against=0.5))
        torch.testing.assert_close(score(output), output[:, 2] - 0.5)
        each = asked(model, T.value(2, against=[0.5, 1.5]))[0]
        torch.testing.assert_close(each(output), output[:, 2] - torch.tensor([0.5, 1.5]))
        assert score.names[0] == "output 2 against 0.5"
        alone = classifier(1, scores="values")
        assert torch.equal(asked(alone, None)[0](alone.output(images())), alone.output(images())[:, 0])

    def test_functions_and_sums(self) -> None:
        model = classifier(3, class_names=("a", "b", "c"))
        score, output = asked(model, lambda out: out[:, 0] - 2 * out[:, 2])
        combined, _ = asked(model, T.class_("a") - 2 * T.class_("c"))
        torch.testing.assert_close(score(output), output[:, 0] - 2 * output[:, 2])
        torch.testing.assert_close(score(output), combined(output))
        assert str(T.class_("a") - 2 * T.class_("c")) == "class 'a' − 2 · class 'c'"
        assert str(-(T.class_("a") + T.class_("b"))) == "−(class 'a' + class 'b')"
        mixed = asked(model, [T.class_("a"), "b"])[0]
        torch.testing.assert_close(mixed(output), torch.stack([output[0, 0], output[1, 1]]))
        assert mixed.names == ("a", "b")
        with pytest.raises(TypeError, match="a target is combined with targets and weights, not with int"):
            _ = T.class_("a") - 1

    def test_functions_in_words(self) -> None:
        def margin(out: Tensor) -> Tensor:
            return out[:, 0] - out[:, 1]

        assert T.said(margin) == "margin"
        assert T.said(lambda out: out[:, 0]) == "lambda out: out[:, 0]"
        two = [T.said(given) for given in (lambda out: out[:, 0], lambda out: out[:, 1])]
        assert two == ["lambda out: out[:, 0]", "lambda out: out[:, 1]"]
        assert T.said(T.function(lambda out: out[:, 0], "the first")) == "the first"
        result = xw.RISE(classifier(), n_masks=8, cells=2, masks="random")(images(), margin)
        assert result.provenance.parameters["target"] == "margin"


class TestRows:
    """A score of some images is asked about versions of them, in any order."""

    @pytest.mark.parametrize(
        ("model", "target"),
        [
            (classifier, 3),
            (classifier, T.similarity(torch.ones(5))),
            (classifier, T.value(1, against=[0.5, 1.0, 2.0])),
            (classifier, lambda out: out.square().sum(1)),
            (classifier, [T.class_(0), 1, lambda out: out[:, 2]]),
            (classifier, T.class_(0) - T.class_(1)),
            (segmenter, T.region("road", (2, 2, 9, 9))),
            (detector, T.box(1, "cat")),
        ],
    )
    def test_of(self, model: Callable[[], ImageModel], target: Any) -> None:
        net, x = model(), images(3)
        score, output = asked(net, target, x)
        rows = [2, 0, 0, 1]
        torch.testing.assert_close(score.of(rows)(output[rows]), score(output)[rows])
        torch.testing.assert_close(score.of(torch.tensor(rows))(output[rows]), score(output)[rows])
        torch.testing.assert_close(score.of(slice(1, 3))(output[1:]), score(output)[1:])
        assert score.of(rows).names == tuple(score.names[row] for row in rows)
        whole = T.together([score.of([0]), score.of([1, 2])])
        torch.testing.assert_close(whole(output), score(output))
        assert whole.names == score.names
        torch.testing.assert_close(score.of(rows).gradient(output[rows]), score.gradient(output)[rows])
        torch.testing.assert_close(score.of(rows).start(output[rows]), score.start(output)[rows])


def nothing(out: Tensor) -> Any:
    return out.detach()[:, 0]


@pytest.mark.parametrize(
    ("model", "target", "message"),
    [
        (classifier, 5, "target=5 is not a class of Sequential; give 0 to 4"),
        (classifier, [0, 1, 2], "target has 3 classes for 2 images; give one class, or one an image"),
        (classifier, T.region("road"), r"region\('road', where it is predicted\) is about maps \(N, classes, H, W\); .*\(N, 5\)"),
        (classifier, T.box(3), r"is about queries or anchors \(N, queries, classes\), or detections; Sequential gives \(N, 5\)"),
        (classifier, T.similarity(torch.ones(4)), r"has shape \(1, 4\); give a vector \(5,\), as Sequential gives"),
        (classifier, T.similarity(torch.ones(3, 5)), "target has 3 vectors for 2 images; give one, or one an image"),
        (classifier, T.similarity(torch.zeros(5)), "is zero, or has NaN or infinite values; give a direction"),
        (classifier, T.similarity("a dog"), r"'a dog' is a phrase; give a vector \(5,\), such as model\.text\('a dog'\)"),
        (classifier, "the red star", r"or, where the model knows text, targets\.similarity\(model\.text\('the red star'\)\)"),
        (segmenter, T.region("road", (1, 2, 3, 4, 5)), r"region\('road', in \(1, 2, 3, 4, 5\)\): region is \(1, 2, 3, 4, 5\); give \(left, top"),
        (detector, T.box("a"), r"which='a' is no box; give the number of one, 0 to 3, .* of a class, T\.box\(target='a'\)"),
        (classifier, T.value(7), "target=7 is not a class of Sequential; give 0 to 4"),
        (classifier, lambda out: out, r"the target, .*, gives shape \(2, 5\); return one number an image, \(2,\)"),
        (classifier, lambda out: out.sum(), r"gives shape \(\); return one number an image"),
        (classifier, lambda out: 3, r"gives int; return a tensor of one number an image"),
        (classifier, lambda out: out.argmax(1), "gives int64; return floating-point numbers"),
        (classifier, lambda out: out[:, 0] / 0, "gives .*inf for row 0; it must be finite for every output"),
        (classifier, lambda out: out[:, 0] * float("nan"), "gives nan for row 0; it must be finite for every output"),
        (classifier, lambda out: out[:, 9], r"raises IndexError: .*It is called with the output \(N, 5\)"),
        (classifier, lambda out: out[:, 0] - out[:, 0].mean(), r"for the first image alone and .* among 2; let every row"),
        (segmenter, "lawn", "target='lawn' is not known; choose from 'background'"),
        (segmenter, T.region("road", (0, 0, 30, 8)), r"reaches outside the image, which is 16 wide and 16 high"),
        (segmenter, T.region("road", torch.zeros(16, 16)), "region is empty: no pixel of the mask is set"),
        (segmenter, T.region("road", torch.ones(5, 5)), r"a mask \(16, 16\), as the image has"),
        (segmenter, T.region("road", torch.ones(3, 16, 16)), "target has 3 masks for 2 images"),
        (segmenter, T.region("road", (40, 3)), "lies outside the image, which is 16 wide and 16 high"),
        (segmenter, T.similarity(torch.ones(4)), r"is about representations \(N, D\); Segmenter gives \(N, 4, 8, 8\)"),
        (segmenter, T.class_("road"), r"is about scores \(N, classes\); Segmenter gives \(N, 4, 8, 8\)"),
        (segmenter, T.value(0), r"is about values \(N, outputs\)"),
        (detector, T.box(9, "dog"), "is out of range; Detector gives 4 queries: give 0 to 3, or a box"),
        (detector, T.box(0, "cow"), "target='cow' is not known"),
        (detector, T.box((30, 0, 40, 5), "dog"), "overlaps with no box of Detector; give one near a box it finds"),
        (detector, T.box((8, 8, 4, 4), "dog"), r"a box is \(left, top, right, bottom\) in pixels with left < right"),
    ],
)  # fmt: skip
def test_what_does_not_fit(model: Callable[[], ImageModel], target: Any, message: str) -> None:
    net = model()
    with pytest.raises(ValueError, match=message):
        asked(net, target)
    # Explainers say the same.
    with pytest.raises(ValueError, match=message):
        xw.Occlusion(net, size=8)(images(), target)


@pytest.mark.parametrize("target", [nothing, lambda out: out.sign()[:, 0].detach(), lambda out: torch.ones(len(out))])
def test_a_function_without_a_gradient_is_named_where_one_is_needed(target: Any) -> None:
    net = classifier()
    for explainer in (xw.LRP(net), xw.AbsLRP(net), xw.GradientXInput(net), xw.CRP(net)):
        with pytest.raises(TargetError, match=r"has no gradient: .* RISE and Occlusion need none"):
            explainer(images(), target)
    assert xw.RISE(net, n_masks=8, cells=2, masks="random")(images(), target).importance.shape == (2, 16, 16)


def test_a_gradient_that_is_not_finite_is_named() -> None:
    with pytest.raises(TargetError, match="has a gradient that is NaN or infinite at this output"):
        xw.LRP(classifier())(images(), lambda out: (out[:, 0] - out[:, 0]).sqrt())


def test_several_plain_values_leave_a_question() -> None:
    net = classifier(3, scores="values")
    with pytest.raises(TargetError, match="target is missing: Sequential gives 3 values; say which, such as target=0"):
        xw.LRP(net)(images())
    assert xw.LRP(net)(images(), 1).target is not None


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: T.similarity(torch.ones(3), "l2"), ValueError, "kind='l2' is not known; choose from 'cosine', 'dot'"),  # type: ignore[arg-type]
        (lambda: T.value(0, against="low"), TypeError, "against is str; give a number, or one an image"),
        (lambda: T.value(0, against=float("nan")), ValueError, "against=nan must be a finite number"),
        (lambda: T.function(3), TypeError, "score is int; give a function of the output"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_no_output_could_fit(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "function", [lambda o: o.mul_(2)[:, 0], lambda o: o.sub_(1)[:, 0], lambda o: o.clamp_(-1, 1)[:, 0]]
)
def test_a_function_that_works_in_place_has_an_output_of_its_own(function: Callable[[Tensor], Tensor]) -> None:
    model, x = classifier(3), images()
    output, found = model.output(x), function(model.output(x))
    score, mine = asked(model, function, x)
    assert torch.equal(score(mine), found)
    assert torch.equal(mine, output)
    for explainer in (xw.LRP, GradientXInput):
        result = explainer(model)(x, function)
        assert torch.equal(result.output, output)
    apart = GradientXInput(model)(x, lambda o: function(o.clone()))
    torch.testing.assert_close(GradientXInput(model)(x, function).relevance, apart.relevance)


def test_targets_are_weighed_with_numbers() -> None:
    with pytest.raises(
        TypeError, match="a target is weighed with a number, not with Class; for anything else of the output give"
    ):
        T.class_(1) * T.class_(2)  # type: ignore[operator]
    assert str(T.class_(1) * np.float32(2) * float(torch.tensor(0.5))) == "0.5 · 2 · class 1"
