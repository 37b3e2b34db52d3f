"""Every method follows the score that a target names: the numbers, against autograd, brute force and sums of parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import xaiwidgets as xw
from tests.contract import assert_close
from tests.targets.nets import classifier, images, segmenter
from xaiwidgets import ImageModel
from xaiwidgets import targets as T
from xaiwidgets.evaluate import insertion_deletion, localisation, model_randomisation, sufficiency
from xaiwidgets.targets import TargetError

BOX = (2, 2, 10, 8)
MASK = torch.zeros(16, 16)
MASK[2:8, 2:10] = 1.0


def in_box(out: Any) -> Tensor:
    """The road's logits in BOX, straight from the module's answer: maps have half the image's size."""
    return out["out"][:, 1, 1:4, 1:5].sum((1, 2))


CASES: list[tuple[Callable[[], ImageModel], Any, Callable[[Any], Tensor]]] = [
    (classifier, 3, lambda out: out[:, 3]),
    (classifier, lambda out: out[:, 3] - out[:, 1], lambda out: out[:, 3] - out[:, 1]),
    (classifier, T.class_(3) - 0.5 * T.class_(1), lambda out: out[:, 3] - 0.5 * out[:, 1]),
    (classifier, lambda out: out.softmax(1)[:, 2], lambda out: out.softmax(1)[:, 2]),
    (classifier, T.similarity(torch.arange(5.0)), lambda out: torch.cosine_similarity(out, torch.arange(5.0)[None])),
    (classifier, T.value(2, against=0.5), lambda out: out[:, 2] - 0.5),
    (segmenter, T.region("road", BOX), in_box),
    (segmenter, T.region("road", MASK), in_box),
]


def s_of(model: ImageModel, s: Callable[[Any], Tensor], x: Tensor) -> Tensor:
    with torch.no_grad():
        return s(model.module(x))


@pytest.mark.parametrize(("make", "target", "s"), CASES)
class TestForwardAndGradient:
    def test_gradients_are_autograds(
        self, make: Callable[[], ImageModel], target: Any, s: Callable[[Any], Tensor]
    ) -> None:
        model, x = make(), images()
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(s(model.module(leaf)).sum(), leaf)
        assert_close(xw.GradientXInput(model)(x, target).relevance, gradient * x, 1e-5)
        smooth = xw.SmoothGrad(model, samples=2, noise=0.0)(x, target)
        assert_close(smooth.relevance, gradient * x, 1e-5)
        path = sum(
            torch.autograd.grad(s(model.module(at)).sum(), at)[0]
            for at in ((x * share).requires_grad_() for share in (0.25, 0.75))
        )
        assert_close(xw.IntegratedGradients(model, steps=2)(x, target).relevance, x * path / 2, 1e-5)

    def test_occlusion(self, make: Callable[[], ImageModel], target: Any, s: Callable[[Any], Tensor]) -> None:
        model, x = make(), images()
        found = xw.Occlusion(model, size=8, stride=8)(x, target).heatmap
        for top in (0, 8):
            for left in (0, 8):
                covered = x.clone()
                covered[:, :, top : top + 8, left : left + 8] = 0
                drop = s_of(model, s, x) - s_of(model, s, covered)
                torch.testing.assert_close(found[:, top, left], drop, atol=1e-4, rtol=1e-4)

    def test_rise(self, make: Callable[[], ImageModel], target: Any, s: Callable[[Any], Tensor]) -> None:
        model, x = make(), images()
        masks = torch.rand(6, 16, 16, generator=torch.Generator().manual_seed(0))
        found = xw.RISE(model, masks=masks, score="logit")(x, target, progress=False)
        for row in range(2):
            scores = s_of(model, s, x[row] * masks[:, None])
            expected = (scores[:, None, None] * masks).sum(0) / masks.sum(0)
            assert_close(found.importance[row], expected, 1e-4)

    def test_curves(self, make: Callable[[], ImageModel], target: Any, s: Callable[[Any], Tensor]) -> None:
        model, x = make(), images()
        curves = xw.pixel_flipping(
            model,
            x,
            {"LRP": xw.LRP(model)},
            target=target,
            perturb="zero",
            patch=8,
            schedule="linear",
            steps=4,
            random=1,
        )
        for step in range(5):
            expected = s_of(model, s, curves.inputs("LRP", step))
            torch.testing.assert_close(curves.scores["LRP"][:, step], expected, atol=1e-4, rtol=1e-4)
        text = curves.provenance.parameters.get("target")
        assert (curves.score, text) == ("logit", None) if target == 3 else curves.score == "target" and text


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_gamma_box", "attn_lrp", "gradient_x_input"])
class TestLinearTargets:
    """LRP is linear in its start: of a weighted sum of outputs it is the weighted sum of the outputs' LRPs."""

    def test_of_classes(self, composite: str) -> None:
        model, x = classifier(), images()
        lrp = xw.LRP(model, composite)
        weights = torch.tensor([0.5, -2.0, 0.0, 1.0, 0.25])
        parts = sum(float(w) * lrp(x, k).relevance for k, w in enumerate(weights))
        assert_close(lrp(x, lambda out: out @ weights).relevance, torch.as_tensor(parts), 1e-5)
        assert_close(lrp(x, T.similarity(weights, "dot")).relevance, torch.as_tensor(parts), 1e-5)
        contrast = lrp(x, T.class_(3) - T.class_(1))
        assert_close(contrast.relevance, lrp(x, 3).relevance - lrp(x, 1).relevance, 1e-5)
        assert_close(lrp(x, 3, against=1).relevance, contrast.relevance, 1e-5)
        assert_close(lrp(x, T.class_(3), against=T.class_(1)).relevance, contrast.relevance, 1e-5)

    def test_of_regions(self, composite: str) -> None:
        model, x = segmenter(), images()
        lrp = xw.LRP(model, composite)
        maps = model.output(x)
        whole = torch.zeros_like(x)
        for row in range(1, 4):
            for column in range(1, 5):
                start = torch.zeros_like(maps)
                start[:, 1, row, column] = maps[:, 1, row, column]
                whole += lrp(x, start=start).relevance
        found = lrp(x, T.region("road", BOX))
        assert_close(found.relevance, whole, 1e-5)
        assert_close(lrp(x, lambda out: out[:, 1, 1:4, 1:5].sum((1, 2))).relevance, whole, 1e-5)
        left, right = T.region("road", (2, 2, 6, 8)), T.region("road", (6, 2, 10, 8))
        assert_close(lrp(x, left + right).relevance, whole, 1e-5)
        account = found.conservation
        assert account is not None
        assert account.start == pytest.approx(float(maps[:, 1, 1:4, 1:5].sum()), rel=1e-5)
        assert account.score == pytest.approx(account.start, rel=1e-5)


class TestLRP:
    def test_classes_by_another_way_are_the_same_to_the_bit(self) -> None:
        model, x = classifier(), images()
        for explainer in (xw.LRP(model), xw.AbsLRP(model), xw.LRP(model, start="one"), xw.CRP(model)):
            assert torch.equal(explainer(x, T.class_(3)).relevance, explainer(x, 3).relevance)
            assert torch.equal(explainer(x, [T.class_(3), 3]).relevance, explainer(x, 3).relevance)
            target = explainer(x, T.class_(3)).target
            assert target is not None
            assert target.tolist() == [3, 3]

    def test_a_cosine_begins_with_the_dot_product_over_fixed_lengths(self) -> None:
        model, x = classifier(), images()
        vector = torch.randn(5, generator=torch.Generator().manual_seed(3))
        output = model.output(x)
        cosine = xw.LRP(model)(x, T.similarity(vector))
        scale = 1 / (vector.norm() * output.norm(dim=1))
        start = output * vector * scale[:, None]
        assert_close(cosine.relevance, xw.LRP(model)(x, start=start).relevance, 1e-5)
        account = cosine.conservation
        assert account is not None
        assert account.start == pytest.approx(float(torch.cosine_similarity(output, vector[None]).sum()), rel=1e-4)
        assert "of which the output's is held fixed" in str(account)
        # What output ⊙ gradient would begin with is nothing.
        score = T.score_of(model, output, T.similarity(vector))
        torch.testing.assert_close((output * score.gradient(output)).sum(1), torch.zeros(2), atol=1e-6, rtol=0)

    def test_a_score_that_is_not_linear_says_both_numbers(self) -> None:
        model, x = classifier(), images()
        account = xw.LRP(model)(x, lambda out: out.square().sum(1)).conservation
        assert account is not None
        output = model.output(x)
        assert account.score == pytest.approx(float(output.square().sum()), rel=1e-4)
        assert account.start == pytest.approx(2 * float(output.square().sum()), rel=1e-4)
        assert f"Relevance began with {account.start:.4g}; the score explained is {account.score:.4g}." in str(account)
        linear = xw.LRP(model)(x, 3).conservation
        assert linear is not None
        assert "began with" not in str(linear)

    def test_a_value_begins_with_what_is_above_its_reference(self) -> None:
        model, x = classifier(3, scores="values"), images()
        output = model.output(x)
        start = torch.zeros_like(output)
        start[:, 2] = output[:, 2] - torch.tensor([0.5, -1.0])
        assert_close(
            xw.LRP(model)(x, T.value(2, against=[0.5, -1.0])).relevance, xw.LRP(model)(x, start=start).relevance, 1e-6
        )

    def test_abs_lrp_tells_a_region_from_the_other_classes_there(self) -> None:
        model, x = segmenter(), images()
        maps = model.output(x)
        start = torch.zeros_like(maps)
        start[:, :, 1:4, 1:5] = -1 / 3
        start[:, 1, 1:4, 1:5] = 1.0
        absolute = xw.AbsLRP(model)
        assert_close(absolute(x, T.region("road", BOX)).relevance, absolute(x, start=start).relevance, 1e-5)
        # A difference has what it is told apart from in itself.
        start = torch.zeros_like(maps)
        start[:, 1, 1:4, 1:5], start[:, 2, 1:4, 1:5] = 1.0, -1.0
        pair = T.region("road", BOX) - T.region("sky", BOX)
        assert_close(absolute(x, pair).relevance, absolute(x, start=start).relevance, 1e-5)

    def test_two_names_for_one_logit(self) -> None:
        model, x = classifier(1, class_names=("cat", "dog")), images()
        for explainer in (xw.LRP(model), xw.GradientXInput(model), xw.AbsLRP(model)):
            dog, cat = explainer(x, "dog").relevance, explainer(x, "cat").relevance
            assert_close(cat, -dog, 1e-6)
        assert_close(xw.LRP(model)(x, "dog").relevance, xw.LRP(model)(x, lambda out: out[:, 0]).relevance, 1e-6)

    def test_several_at_once_and_in_chunks(self) -> None:
        model, x = segmenter(), images(5)
        targets = [T.region("road", BOX), T.region("sky", MASK), lambda out: out[:, 3].amax((1, 2))]
        lrp = xw.LRP(model, batch=2)
        for found, target in zip(lrp.classes(x, targets), targets, strict=True):
            assert_close(found.relevance, xw.LRP(model)(x, target).relevance, 1e-5)
            assert found.target is None
        each = lrp(x, [targets[row % 3] for row in range(5)])
        for row in range(5):
            assert_close(each.relevance[row], lrp(x[row : row + 1], targets[row % 3]).relevance[0], 1e-5)
        assert each.provenance.parameters["target"][:2] == [
            "region('road', in the box (2, 2, 10, 8))",
            "region('sky', in a mask of 48 pixels)",
        ]


class TestCRP:
    @pytest.mark.parametrize("target", [T.region("road", BOX), lambda out: out[:, 1, 1:4, 1:5].sum((1, 2))])
    def test_every_question(self, target: Any) -> None:
        model, x = segmenter(), images()
        crp = xw.CRP(model, "epsilon_plus")
        plain = crp(x, target)
        assert_close(plain.relevance, xw.LRP(model, "epsilon_plus")(x, target).relevance, 1e-6)
        parts = crp(x, target, layer="features")
        assert_close(parts.heatmap.view(2, 8, 16, 16).sum(1), plain.heatmap, 1e-4)
        assert parts.target is None
        words = str(parts.rows[0].target)
        asked = crp.attribute(x, [{"y": [target], "features": [unit]} for unit in range(2)])
        assert_close(asked.heatmap, torch.stack([parts.heatmap[0], parts.heatmap[9]]), 1e-5)
        ranking = crp.rank(x, target, layer="features")
        assert ranking.explained(0) == words
        assert words in ranking.table()
        begun = xw.LRP(model, "epsilon_plus")(x, target, layers=["features"]).layers["features"].sum((2, 3))
        assert_close(ranking.relevance[0], begun[0][ranking.concepts[0]], 1e-5)
        region = crp.region(x, (0, 0, 16, 16), target)
        total = region.relevance["features"].sum(1)
        assert_close(total, plain.heatmap.sum((1, 2)), 1e-4)
        focus = crp.focus(x[:1], target)
        assert (focus.target, focus.probability) == (words, None)
        assert focus.score == pytest.approx(float(s_of(model, in_box, x[:1])), rel=1e-4)
        graph = focus.graph()
        assert graph.target == words
        assert graph.root.relevance == pytest.approx(focus.score, rel=1e-4)
        for result in (parts, ranking, graph):
            assert result.plot() is not None

    def test_conditions_on_several_targets(self) -> None:
        model, x = segmenter(), images(1)
        crp = xw.CRP(model, "epsilon_plus")
        both = crp.attribute(x, [{"y": [T.region("road", BOX), T.region("sky", BOX)]}])
        apart = crp(x, T.region("road", BOX)).relevance + crp(x, T.region("sky", BOX)).relevance
        assert_close(both.relevance, apart, 1e-5)


class TestEvaluation:
    def test_measures_that_come_from_curves(self) -> None:
        model, x = segmenter(), images()
        target = T.region("road", BOX)
        how: dict[str, Any] = {"target": target, "patch": 8, "progress": False}
        found = insertion_deletion(model, x, {"LRP": xw.LRP(model)}, steps=2, **how)
        expected = s_of(model, in_box, x)
        torch.testing.assert_close(found.insertion["LRP"][:, -1], expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.deletion["LRP"][:, 0], expected, atol=1e-4, rtol=1e-4)
        enough = sufficiency(model, x, {"LRP": xw.LRP(model)}, fractions=[0.5], **how)
        torch.testing.assert_close(enough.full, expected, atol=1e-4, rtol=1e-4)
        for result in (found, enough, *found.flips):
            assert result.provenance.parameters["target"] == "road in the box (2, 2, 10, 8)"

    def test_explainers_are_told_the_target(self) -> None:
        model, x = segmenter(), images()
        target, told = T.region("road", BOX), []

        def mine(batch: Tensor, given: Any) -> Tensor:
            told.append(given)
            return xw.LRP(model)(batch, given).heatmap

        masks = torch.zeros(2, 16, 16)
        masks[:, 4:12, 4:12] = 1
        found = localisation(model, x, masks, {"mine": mine, "LRP": xw.LRP(model)}, target=target)
        torch.testing.assert_close(found.mass["mine"], found.mass["LRP"])
        assert told == [target]
        predicted = localisation(model, x, masks, {"LRP": xw.LRP(model)})
        assert "where it is predicted" in str(predicted.provenance.parameters["target"])

    def test_random_models_are_asked_what_the_trained_one_was(self) -> None:
        model, x = segmenter(), images()
        asked: list[Tensor] = []

        def make(other: ImageModel) -> Any:
            def explain(batch: Tensor, target: Any) -> Tensor:
                output = other.output(batch)
                asked.append(T.score_of(other, output, target, batch).gradient(output))
                return xw.LRP(other)(batch, target).heatmap

            return explain

        found = model_randomisation(model, x, {"LRP": make}, layers=["head"])
        assert found.target is None
        # Where the trained model predicted its class, whatever the random one predicts.
        assert torch.equal(asked[0], asked[1])

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (segmenter, r"needs scores of at least two, .*; Segmenter gives \(N, 4, 8, 8\): measure it with"),
            (lambda: classifier(1, scores="sigmoid"), r"Sequential gives \(N, 1\)"),
            (lambda: classifier(4, scores="values"), r"Sequential gives plain values \(N, 4\)"),
        ],
    )
    def test_gae_needs_classes(self, model: Callable[[], ImageModel], message: str) -> None:
        net = model()
        with pytest.raises(ValueError, match=message):
            xw.gae(net, images(4), {"LRP": xw.LRP(net)})


class _Attribution:
    """Stands in for an object of captum's."""

    def attribute(self, x: Tensor, target: Any) -> Tensor:
        return x * target[:, None, None, None]


class _Cam:
    """Stands in for an object of pytorch-grad-cam's."""

    activations_and_grads = None

    def __call__(self, input_tensor: Tensor, targets: Any) -> Tensor:
        outputs = torch.eye(5)[: len(input_tensor)] * 3
        return torch.stack([score(output) for score, output in zip(targets, outputs, strict=True)])[:, None, None] + (
            0 * input_tensor.sum(1)
        )


def test_other_peoples_explainers_take_classes_and_functions() -> None:
    x = images()
    captum, cam = xw.as_explainer(_Attribution()), xw.as_explainer(_Cam())
    with pytest.raises(TargetError, match=r"target=region\(1, .*\) is no class, and captum takes classes"):
        captum(x, T.region(1))
    assert captum(x, 2).shape == (2, 16, 16)
    assert cam(x, [0, 1])[:, 0, 0].tolist() == [3, 3]
    assert cam(x, lambda out: out[:, 0] - out[:, 1])[:, 0, 0].tolist() == [3, -3]
    with pytest.raises(TargetError, match="is neither a class nor a function, which pytorch-grad-cam takes"):
        cam(x, T.region(1))
