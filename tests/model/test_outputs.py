"""Which tensor of what a module returns is explained, and what its numbers mean."""

from __future__ import annotations

import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import xaiwidgets as xw
from tests.contract import assert_close, untouched
from tests.targets.nets import classifier, images, segmenter
from xaiwidgets import ImageModel
from xaiwidgets.baselines import GradientXInput
from xaiwidgets.evaluate import insertion_deletion, pixel_flipping, sufficiency
from xaiwidgets.graph import GraphError
from xaiwidgets.model.outputs import OutputError, Selection


@dataclass
class Answer:
    logits: Tensor
    features: Tensor
    loss: Tensor | None = None


class Named(NamedTuple):
    logits: Tensor
    features: Tensor


KINDS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "tensor": lambda logits, features: logits,
    "only one": lambda logits, features: (logits,),
    "dict": lambda logits, features: {"logits": logits, "features": features},
    "ordered": lambda logits, features: OrderedDict(features=features, out=logits),
    "tuple": lambda logits, features: (features, logits),
    "list": lambda logits, features: [features, logits],
    "named": Named,
    "dataclass": Answer,
    "nested": lambda logits, features: {"decoder": [features, {"last": logits}], "encoder": features},
}


class Returning(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kind, self.body, self.head = kind, nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Any:
        features = self.body(x).relu()
        return KINDS[self.kind](self.head(features.mean((2, 3))), features)


def model(kind: str, **options: Any) -> ImageModel:
    return ImageModel(Returning(kind).eval(), input_size=16, mean=0, std=1, **options)


@pytest.fixture(scope="module")
def expected() -> Tensor:
    with torch.no_grad():
        found: Tensor = Returning("tensor").eval()(images())
    return found


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("tensor", None), ("only one", None), ("dict", None), ("ordered", None), ("named", None), ("dataclass", None),
        ("dict", "logits"), ("ordered", "out"), ("tuple", 1), ("list", -1), ("named", "logits"), ("named", 0),
        ("dataclass", "logits"), ("dataclass", lambda answer: answer.logits), ("tuple", lambda both: both[1]),
        ("nested", ("decoder", 1, "last")), ("nested", "decoder.1.last"), ("nested", ["decoder", -1, "last"]),
    ],
)  # fmt: skip
def test_the_output_that_is_meant(kind: str, output: Any, expected: Tensor) -> None:
    net, x = model(kind, output=output), images()
    with untouched(net.module):
        torch.testing.assert_close(net.output(x), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(net.scores(x), expected, atol=1e-5, rtol=1e-5)
    assert net.layers == ("body", "head"), "no wrapper's name stands before a layer's"
    plain = xw.LRP(model("tensor"))(x, 2)
    assert_close(xw.LRP(net)(x, 2).relevance, plain.relevance, 1e-6)
    assert_close(xw.RELAX(net, n_masks=8, cells=2, masks="random")(x).importance,
                 xw.RELAX(model("tensor"), n_masks=8, cells=2, masks="random")(x).importance, 1e-5)  # fmt: skip


def test_what_only_other_outputs_need_is_not_in_the_graph() -> None:
    net = model("dict", output=lambda answer: answer["features"])
    assert net.layers == ("body",)
    assert all(operation.target != "linear" for operation in net.graph.operations)
    assert net.output(images()).shape == (2, 4, 14, 14)


def test_the_selection_is_said_and_travels() -> None:
    assert "output='logits'" in repr(model("dict", output="logits"))
    assert "output=" not in repr(model("dict"))
    net = model("nested", output=("decoder", 1, "last"))
    again = pickle.loads(pickle.dumps(net))
    assert torch.equal(again.output(images()), net.output(images()))
    other = net.with_module(Returning("nested").eval(), "other")
    assert torch.equal(other.output(images()), net.output(images()))
    assert (other.name, other.module is net.module) == ("other", False)


@pytest.mark.parametrize(
    ("kind", "output", "message"),
    [
        ("tuple", None, r"Returning gives tuple of 0 \(2, 4, 14, 14\), 1 \(2, 5\), not one tensor; say which to explain, such as output=0"),
        ("dict", "score", r"output='score' is not among what Returning returns, dict of 'logits' .*; choose from 'logits', 'features'"),
        ("tuple", 2, r"output=2 is not among what Returning returns, .*; choose from 0, 1"),
        ("tensor", "logits", r"output='logits': 'logits' is looked for in a tensor \(2, 5\), which has no named parts; give a path that ends there"),
        ("tensor", ("out", 0), r"output=\('out', 0\): 'out' is looked for in a tensor \(2, 5\), which has no named parts"),
        ("tensor", lambda answer: answer.logits, r"of Returning raises AttributeError: 'Tensor' object has no attribute 'logits'\. It is called with "
         r"what the module returns, a tensor \(2, 5\); give a function"),
        ("nested", ("decoder", 3), r"output=\('decoder', 3\) is not among .*; choose from 0, 1"),
        ("nested", "decoder", r"output='decoder' of Returning gives list of 0 .*; it must give one tensor \(N, …\)"),
        ("dict", lambda answer: [answer["logits"]], r"of Returning gives list of 0 .*; it must give one tensor"),
    ],
)  # fmt: skip
def test_outputs_that_are_not_there(kind: str, output: Any, message: str) -> None:
    net = model(kind, output=output)
    for call in (net.output, net.predict, xw.Occlusion(net)):
        with pytest.raises(OutputError, match=message.replace("(2, ", r"(\d, ").replace(r"\(2", r"\(\d")):
            call(images())
    with pytest.raises(GraphError, match=message.replace(r"\(2", r"\(\d")):
        xw.LRP(net)(images())


@pytest.mark.parametrize("given", [3.5, True, {"logits"}, ("a", 2.0), ()])
def test_selections_that_are_none(given: Any) -> None:
    with pytest.raises(TypeError, match="output"):
        Selection(given)


def test_rows_that_are_lost() -> None:
    net = classifier(output=lambda out: out.mean(0))
    with pytest.raises(OutputError, match=r"gives 5 rows, \(5, 1\), for 2 images; it must give \(N, …\)"):
        net.output(images())


# -- what scores mean --------------------------------------------------------------------------------------------------

MEANINGS: list[tuple[str, Callable[[], ImageModel], str, Callable[[Tensor], Tensor]]] = [
    ("several classes", classifier, "softmax", lambda z: z.softmax(1)),
    ("log-softmax", lambda: classifier(5, nn.LogSoftmax(1)), "softmax", lambda z: z.exp()),
    ("one logit", lambda: classifier(1, scores="sigmoid"), "sigmoid", torch.sigmoid),
    ("several labels", lambda: classifier(5, scores="sigmoid"), "sigmoid", torch.sigmoid),
    ("ends in softmax", lambda: classifier(5, nn.Softmax(1)), "probabilities", lambda z: z),
    ("ends in sigmoid", lambda: classifier(5, nn.Sigmoid()), "probabilities", lambda z: z),
    ("regression", lambda: classifier(1, scores="values"), "values", lambda z: z),
]


@pytest.mark.parametrize(("name", "make", "meaning", "probability"), MEANINGS, ids=[row[0] for row in MEANINGS])
class TestMeaning:
    def test_predict(
        self, name: str, make: Callable[[], ImageModel], meaning: str, probability: Callable[[Tensor], Tensor]
    ) -> None:
        net, x = make(), images()
        assert f"scores='{meaning}'" in repr(net)
        prediction = net.predict(x)
        assert net.meaning == meaning
        torch.testing.assert_close(prediction.probabilities, probability(prediction.scores))
        best = int(prediction.scores[0].argmax())
        assert prediction.classes[0, 0] == best
        likely = float(probability(prediction.scores)[0, best])
        said = f"{likely:.4g}" if meaning == "values" else f"{likely:.1%}"
        assert f"image 0: class {best} {said}" in str(prediction)

    def test_rise(
        self, name: str, make: Callable[[], ImageModel], meaning: str, probability: Callable[[Tensor], Tensor]
    ) -> None:
        net, x = make(), images()
        masks = torch.rand(6, 16, 16, generator=torch.Generator().manual_seed(0))
        found = xw.RISE(net, masks=masks)(x, 0, progress=False)
        with torch.no_grad():
            scores = probability(net.module(x[0] * masks[:, None]))[:, 0]
        assert_close(found.importance[0], (scores[:, None, None] * masks).sum(0) / masks.sum(0), 1e-4)

    def test_curves_insertion_and_sufficiency(
        self, name: str, make: Callable[[], ImageModel], meaning: str, probability: Callable[[Tensor], Tensor]
    ) -> None:
        net, x = make(), images()
        how: dict[str, Any] = {"target": 0, "patch": 8, "progress": False}
        heat = {"heat": torch.rand(2, 16, 16)}
        with torch.no_grad():
            scores, grey = net.module(x)[:, 0], probability(net.module(x))[:, 0]
        for score, expected in (("logit", scores), ("probability", grey)):
            curves = xw.pixel_flipping(net, x, heat, score=score, schedule="linear", steps=2, random=0, **how)  # type: ignore[arg-type]
            torch.testing.assert_close(curves.scores["heat"][:, 0], expected, atol=1e-5, rtol=1e-4)
            assert curves.score == ("value" if meaning == "values" else score)
        found = insertion_deletion(net, x, heat, steps=2, **how)
        torch.testing.assert_close(found.insertion["heat"][:, -1], grey, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.deletion["heat"][:, 0], grey, atol=1e-5, rtol=1e-4)
        with torch.no_grad():
            none = probability(net.module(torch.zeros_like(x)))[:, 0]
        torch.testing.assert_close(found.deletion["heat"][:, -1], none, atol=1e-5, rtol=1e-4)
        enough = sufficiency(net, x, heat, fractions=[0.25], **how)
        torch.testing.assert_close(enough.full, grey, atol=1e-5, rtol=1e-4)


def test_one_score_without_names_is_said_to_be_a_guess_once() -> None:
    net = classifier(1)
    with pytest.warns(UserWarning, match=r"Sequential gives one score, .* scores='sigmoid', or give scores='values'"):
        assert net.meaning == "sigmoid"
    assert net.predict(images()).meaning == "sigmoid"  # and no second time: a warning is an error here
    assert "scores='sigmoid' (guessed)" in repr(net)
    for said in (
        classifier(1, scores="sigmoid"),
        classifier(1, scores="values"),
        classifier(1, class_names=("a", "b")),
    ):
        assert said.meaning in ("sigmoid", "values")


def test_one_logit_between_two_names() -> None:
    net, x = classifier(1, class_names=("cat", "dog")), images(4)
    prediction = net.predict(x)
    dog = prediction.scores[:, 0].sigmoid()
    torch.testing.assert_close(prediction.probabilities, torch.stack([1 - dog, dog], 1))
    assert prediction.classes[:, 0].tolist() == (dog > 0.5).long().tolist()
    assert prediction.names[0][0] == ("dog" if dog[0] > 0.5 else "cat")
    rise = xw.RISE(net, n_masks=16, cells=2, masks="random")
    total = rise(x, "dog", progress=False).importance + rise(x, "cat", progress=False).importance
    torch.testing.assert_close(total, torch.ones_like(total))
    ended = classifier(1, nn.Sigmoid(), class_names=("cat", "dog"))
    torch.testing.assert_close(ended.predict(x).probabilities, prediction.probabilities)
    assert ended.predict(x).classes[:, 0].tolist() == prediction.classes[:, 0].tolist()


def test_maps_have_probabilities_of_every_place() -> None:
    net = segmenter()
    maps = net.output(images())
    torch.testing.assert_close(net.probabilities(maps), maps.softmax(1))
    assert net.meaning == "softmax"


def test_a_functional_ending_is_found_in_the_graph() -> None:
    class Ending(Returning):
        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = super().forward(x)
            return torch.sigmoid(scores)

    net = ImageModel(Ending("tensor").eval(), input_size=16, mean=0, std=1)
    assert net.meaning == "probabilities"
    assert "scores='probabilities' (guessed)" in repr(net)


def test_unknown_meanings() -> None:
    with pytest.raises(ValueError, match="scores='logits' is not known; choose from 'softmax', 'sigmoid'"):
        classifier(5, scores="logits")


# -- one number an image -------------------------------------------------------------------------------------------------


class Squeezed(nn.Module):
    """(N,): one logit an image without an axis of its own, as networks for two classes often end."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x).squeeze(1)
        return found


@pytest.mark.parametrize("target", [None, 0])
def test_one_number_an_image_is_one_column(target: int | None) -> None:
    plain, x = classifier(1, scores="sigmoid"), images()
    net = ImageModel(Squeezed(plain.module).eval(), input_size=16, mean=0, std=1, scores="sigmoid")
    assert net.output(x).shape == (2, 1)
    assert torch.equal(net.scores(x), plain.scores(x))
    assert torch.equal(net.predict(x).probabilities, plain.predict(x).probabilities)
    for explainer in (xw.LRP, xw.AbsLRP, GradientXInput, lambda m: xw.RISE(m, n_masks=16, cells=2, masks="random")):
        assert_close(explainer(net)(x, target).heatmap, explainer(plain)(x, target).heatmap, 1e-6)
    assert_close(xw.CRP(net)(x, target).heatmap, xw.CRP(plain)(x, target).heatmap, 1e-6)
    flipped, expected = (pixel_flipping(m, x, {"map": x[:, 0]}, target=target) for m in (net, plain))
    for order, curves in expected.curves.items():
        assert_close(flipped.curves[order]["map"], curves["map"], 1e-6)


def test_the_guess_of_one_number_an_image_stays_after_the_export() -> None:
    net = ImageModel(Squeezed(classifier(1).module).eval(), input_size=16, mean=0, std=1)
    before = repr(net)
    assert net.check().ok
    assert repr(net) == before
    assert "scores='sigmoid' (guessed)" in before


# -- answers that are no numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda net, x: net.predict(x),
        lambda net, x: xw.LRP(net)(x),
        lambda net, x: xw.LRP(net, batch=1)(x),
        lambda net, x: xw.CRP(net)(x, 0),
        lambda net, x: GradientXInput(net)(x),
        lambda net, x: xw.RISE(net, n_masks=8)(x),
        lambda net, x: pixel_flipping(net, x, {"map": x[:, 0]}),
    ],
)
def test_nan_is_said_with_the_image_it_comes_of(ask: Callable[[ImageModel, Tensor], Any]) -> None:
    x = images()
    x[0], x[1] = -x[0].abs(), x[1].abs()

    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (-x.mean((2, 3))).sqrt()

    net = ImageModel(Root().eval(), input_size=16, mean=0, std=1, class_names=("r", "g", "b"))
    with pytest.raises(OutputError, match="Root answers NaN for image 1: nothing can be explained of that"):
        ask(net, x)


def test_probabilities_that_cannot_be_are_said_once() -> None:
    net, x = classifier(5, scores="probabilities"), images()
    low, high = (f"{float(bound):.4g}" for bound in classifier(5).output(x).aminmax())
    with pytest.warns(UserWarning, match=f"scores='probabilities', but Sequential answers {low} to {high}; give"):
        net.predict(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.predict(x)


def test_maps_are_no_scores() -> None:
    with pytest.raises(OutputError, match=r"\(2, 4, 8, 8\), no scores \(N, classes\); .* T\.region of maps, T\.box of"):
        segmenter().predict(images())
