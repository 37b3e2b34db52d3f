"""Whatever people hold as an explanation, and the numbers they ask with: all measures take the same."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets import ImageModel
from xaiwidgets.evaluate import (
    gae,
    insertion_deletion,
    localisation,
    model_randomisation,
    pixel_flipping,
    stream_gae,
    sufficiency,
)

QUIET: dict[str, Any] = {"progress": False}


class Attribution:
    """As captum's: no function, but a method that takes the target by name."""

    def __init__(self, model: ImageModel) -> None:
        self.model = model

    def attribute(self, inputs: Tensor, target: Tensor) -> Tensor:
        return gradients(self.model)(inputs, target)


def gradients(model: ImageModel) -> Callable[[Tensor, Tensor], Tensor]:
    """What a person writes in a cell: it needs autograd, wherever it is called from."""

    def saliency(x: Tensor, target: Tensor) -> Tensor:
        leaf = x.clone().requires_grad_()
        model.module(leaf).gather(1, target[:, None]).sum().backward()
        assert leaf.grad is not None
        return leaf.grad.abs().sum(1)

    return saliency


MEASURES: dict[str, Callable[[ImageModel, Tensor, Any], Any]] = {
    "pixel_flipping": lambda model, x, given: pixel_flipping(model, x, given, random=0, **QUIET).scores,
    "insertion_deletion": lambda model, x, given: insertion_deletion(model, x, given, **QUIET).insertion,
    "sufficiency": lambda model, x, given: sufficiency(model, x, given, **QUIET).scores,
    "localisation": lambda model, x, given: localisation(model, x, torch.ones(len(x), *x.shape[2:]), given).rank,
    "gae": lambda model, x, given: gae(model, x, given, steps=3, **QUIET).gae,
}


@pytest.mark.parametrize("measure", MEASURES)
def test_all_kinds_of_explainers(model: ImageModel, x: Tensor, measure: str) -> None:
    x = x.repeat(2, 1, 1, 1)[:4]
    own = gradients(model)
    target = model.scores(x).argmax(1)
    given = {"function": own, "captum": Attribution(model), "of x alone": lambda images: own(images, target[:1])}
    found = MEASURES[measure](model, x, given)
    assert torch.equal(found["function"], found["captum"])
    assert set(found) == set(given)


@pytest.mark.parametrize("measure", MEASURES)
def test_an_explainer_that_fails_is_named(model: ImageModel, x: Tensor, measure: str) -> None:
    def broken(images: Tensor, target: Tensor) -> Tensor:
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck") as caught:
        MEASURES[measure](model, x.repeat(2, 1, 1, 1)[:4], {"mine": broken})
    assert caught.value.__notes__ == ["raised by the explainer 'mine'"]


def test_randomisation_wants_a_maker(model: ImageModel, x: Tensor) -> None:
    from xaiwidgets import LRP

    with pytest.raises(TypeError, match="is an explainer of one model; give a function that makes one"):
        model_randomisation(model, x, {"LRP": LRP(model)})  # type: ignore[dict-item]


def test_a_limit_cuts_heatmaps_and_classes_too(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    x, heat = x[:3], heat[:3]
    few = pixel_flipping(model, x, {"a": heat}, target=[0, 1, 2], limit=2, random=0, **QUIET)
    same = pixel_flipping(model, x[:2], {"a": heat[:2]}, target=[0, 1], random=0, **QUIET)
    assert torch.equal(few.scores["a"], same.scores["a"])
    assert few.target.tolist() == [0, 1]


def test_numbers_of_numpy(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    numbers: dict[str, Any] = {"patch": np.int64(5), "steps": np.int32(3), "seed": np.uint8(1), "random": np.int64(1)}
    few: dict[str, Any] = {"batch_size": np.int64(7), "limit": np.int64(2), "resamples": np.int64(50)}
    there = pixel_flipping(model, x, {"a": heat}, **numbers, **few, perturb=np.float32(0.5), **QUIET)
    here = pixel_flipping(
        model, x[:2], {"a": heat[:2]}, patch=5, steps=3, seed=1, random=1, batch_size=7, perturb=0.5, **QUIET
    )
    assert torch.equal(there.scores["a"], here.scores["a"])
    assert str(there)
    x = x.repeat(2, 1, 1, 1)[:4]
    of_gae: dict[str, Any] = {"steps": np.int64(3), "seed": np.int64(2), **QUIET}
    assert gae(model, x, {"g": gradients(model)}, **of_gae).total == 1


class Parcels(Executor):
    """Runs jobs at once, on copies; keeps the size of what it was sent."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.sizes.append(len(pickle.dumps(arguments[1:])))
        future: Future[Any] = Future()
        future.set_result(function(*pickle.loads(pickle.dumps(arguments))))
        return future


def test_jobs_carry_their_own_images_only(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    many, maps = x.repeat(20, 1, 1, 1), heat.repeat(20, 1, 1)
    options: dict[str, Any] = {"perturb": "random", "random": 1, "batch_size": 8, "patch": 8, **QUIET}
    parcels = Parcels()
    spread = pixel_flipping(model, many, {"a": maps}, executor=parcels, **options)
    assert torch.equal(spread.scores["a"], pixel_flipping(model, many, {"a": maps}, **options).scores["a"])
    assert len(parcels.sizes) > 5
    each = (many.nbytes + maps.nbytes) / len(many)
    assert max(parcels.sizes) < 4 * each + 4000
    # GAE's mosaics are of images from anywhere.
    parcels = Parcels()
    labels = torch.arange(len(many)) % 5
    from xaiwidgets.baselines import GradientXInput

    asked: dict[str, Any] = {"steps": 2, "batch_size": 4, **QUIET}
    scores = gae(model, (many, labels), {"g": GradientXInput(model)}, executor=parcels, **asked)
    assert torch.equal(scores.gae["g"], gae(model, (many, labels), {"g": GradientXInput(model)}, **asked).gae["g"])
    assert max(parcels.sizes) < 5 * each + 4000


def test_forked_processes_are_refused(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor,
        pytest.raises(ValueError, match=r"by fork, in which torch hangs; give ProcessPoolExecutor\(mp_context="),
    ):
        pixel_flipping(model, x, {"a": heat}, executor=executor, **QUIET)
    with pytest.raises(TypeError, match=r"executor is str; give a concurrent.futures.Executor"):
        pixel_flipping(model, x, {"a": heat}, executor="dask", **QUIET)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("range", {}, "the label of image .* is 99; .* has classes 0 to 4"),
        ("negative", {}, "the label of image 2 is -1; give classes from 0 on"),
        ("few", {}, "labels has 3 classes for 4 images"),
        ("words", {}, r"labels\[0\]='cat' is not a class"),
        ("none", {"confidence": 95}, r"confidence=95 must lie in \(0, 1\), such as 0.95"),
        ("none", {"resamples": 0}, "resamples=0 must be a whole number of at least 1"),
        ("none", {"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ("none", {"limit": -2}, "limit=-2 must be a whole number of at least 1"),
        ("none", {"steps": 1}, "steps=1 must be a whole number of at least 2: the first one shows the untouched image"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_gae_is_asked_for_what_can_be(  # noqa: PLR0917
    model: ImageModel, x: Tensor, data: str, options: dict[str, Any], message: str, streamed: bool
) -> None:
    x = x.repeat(2, 1, 1, 1)[:4]
    labels: Any = {"range": [0, 99, 1, 2], "negative": [0, 1, -1, 2], "few": [0, 1, 2], "words": ["cat"] * 4}.get(data)
    ask: Any = stream_gae if streamed else partial(gae, **QUIET)
    with pytest.raises(ValueError, match=message):
        list(ask(model, (x, labels), {"g": gradients(model)}, **options))


def test_labels_that_are_no_classes_do_not_matter_where_none_are_needed(model: ImageModel, x: Tensor) -> None:
    images = x[:2]
    data = [(images[0], "a caption"), (images[1], torch.ones(3))]
    curves = pixel_flipping(model, data, {"g": gradients(model)}, random=0, **QUIET)
    assert torch.equal(
        curves.scores["g"], pixel_flipping(model, images, {"g": gradients(model)}, random=0, **QUIET).scores["g"]
    )


def test_a_class_without_any_probability_is_no_number_less() -> None:
    from xaiwidgets.evaluate.gae.parts import score_mosaic

    board = score_mosaic(torch.tensor([[1.0, 0.0]]), torch.tensor([[1, 1, 1, 1]]), torch.tensor([0]), (4, 4))
    assert torch.isfinite(board).all()


def test_insertion_begins_with_nothing_and_ends_with_all(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    found = insertion_deletion(model, x, {"a": heat}, schedule="squares", patch=4, delete_with="blur", **QUIET)
    assert found.insertion_fractions[[0, -1]].tolist() == [0, 1]
    assert found.deletion_fractions[[0, -1]].tolist() == [0, 1]
    # All shown is the image itself; nothing shown is what deleting all leaves.
    assert torch.allclose(found.insertion["a"][:, -1], found.deletion["a"][:, 0], atol=1e-5)
    assert torch.allclose(found.insertion["a"][:, 0], found.deletion["a"][:, -1], atol=1e-5)


def test_tables_keep_the_confidence_that_was_asked_for(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    wide = insertion_deletion(model, x, {"a": heat}, confidence=0.99, **QUIET).table()["a"]["insertion"]
    narrow = insertion_deletion(model, x, {"a": heat}, confidence=0.5, **QUIET).table()["a"]["insertion"]
    assert wide.high - wide.low > narrow.high - narrow.low
    some = sufficiency(model, x, {"a": heat}, fractions=(0.05, 0.5), patch=10, confidence=0.5, **QUIET)
    assert some.confidence == 0.5
    # Shares are those of whole patches.
    patches = 1 / float(some.fractions[some.fractions > 0].min())
    assert float(some.fractions[1] * patches) == pytest.approx(round(float(some.fractions[1] * patches)))


def test_frames_of_chance_are_drawn(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    curves = pixel_flipping(model, x, {"a": heat}, random=1, **QUIET)
    assert len(curves.plot(kind="frames", method="random", steps=[0, 2]).axes) == 2


def test_a_schedule_that_flips_nothing(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    with pytest.raises(ValueError, match=r"schedule=\[0.001, 0.002\] flips none of"):
        pixel_flipping(model, x, {"a": heat}, schedule=[0.001, 0.002], **QUIET)
