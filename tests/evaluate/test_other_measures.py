"""Insertion and deletion, sufficiency, the randomisation check, and every figure."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.evaluate.conftest import small_model
from xaiwidgets import ImageModel
from xaiwidgets.baselines import GradientXInput
from xaiwidgets.demo import Batch
from xaiwidgets.evaluate import (
    gae,
    insertion_deletion,
    kendall,
    localisation,
    model_randomisation,
    pixel_flipping,
    sufficiency,
)

QUIET: dict[str, Any] = {"progress": False}


def test_insertion_shows_what_deletion_takes(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    result = insertion_deletion(model, x, {"a": heat}, patch=4, insert_into="zero", score="logit", **QUIET)
    target = result.target[:, None]
    fill, full = model.scores(torch.zeros_like(x)).gather(1, target)[:, 0], model.scores(x).gather(1, target)[:, 0]
    assert torch.allclose(result.insertion["a"][:, 0], fill, atol=1e-5)
    assert torch.allclose(result.insertion["a"][:, -1], full, atol=1e-5)
    assert torch.allclose(result.deletion["a"][:, 0], full, atol=1e-5)
    assert torch.allclose(result.deletion["a"][:, -1], fill, atol=1e-5)
    assert result.insertion_fractions[0] == 0
    assert result.insertion_fractions[-1] == 1
    # With 35 patches and fractions k/20: after inserting 14 of them, the 14 most relevant show and no others.
    at = int((result.insertion_fractions - 0.4).abs().argmin())
    shown = ~result.flips[0].hidden("a", 20 - at)
    sums = torch.nn.functional.avg_pool2d(heat[:, None], 4).flatten(1)
    best = sums.topk(round(35 * float(result.insertion_fractions[at]))).indices
    for row in range(3):
        assert set(shown[row, ::4, ::4].flatten().nonzero()[:, 0].tolist()) == set(best[row].tolist())


def test_sufficiency_is_the_score_of_the_best_part_alone(cnn: ImageModel, shapes: Batch) -> None:
    truth = shapes.masks.float()
    result = sufficiency(cnn, shapes.x, {"truth": truth, "wrong": 1 - truth}, fractions=(0.1, 0.5), **QUIET)
    assert result.scores["truth"].shape == (12, 2)
    assert (result.scores["truth"][:, 1] > result.scores["wrong"][:, 1]).float().mean() > 0.8
    assert torch.allclose(result.kept["truth"], result.scores["truth"] / result.full[:, None])
    assert float(result.kept["truth"][:, 1].mean()) > 0.7
    with pytest.raises(ValueError, match="must rise"):
        sufficiency(cnn, shapes.x, {"truth": truth}, fractions=(0.5, 0.1))


def test_randomisation_sees_whether_an_explainer_reads_the_model() -> None:
    model = small_model()
    x = torch.randn(2, 3, 20, 28, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    makers = {"gradient": GradientXInput, "edges": lambda changed: lambda images, target: images.abs().sum(1)}
    result = model_randomisation(model, x, makers, seed=1)
    assert result.layers == ("6", "2", "0")
    assert torch.allclose(result.similarity["edges"], torch.ones(4, 2, dtype=torch.float64))
    assert torch.allclose(result.similarity["gradient"][0], torch.ones(2, dtype=torch.float64))
    assert result.similarity["gradient"][-1].abs().max() < 0.6
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
    assert torch.equal(
        model_randomisation(model, x, makers, seed=1).similarity["gradient"], result.similarity["gradient"]
    )
    short = model_randomisation(model, x, makers, layers=["6"])
    assert short.similarity["edges"].shape == (2, 2)
    with pytest.raises(ValueError, match="layer='9' is not known"):
        model_randomisation(model, x, makers, layers=["9"])
    with pytest.raises(TypeError, match=r"makers\['map'\] gave Tensor"):
        model_randomisation(model, x, {"map": lambda changed: torch.zeros(2, 20, 28)})
    with pytest.raises(ValueError, match="makers must be"):
        model_randomisation(model, x, {})


def test_every_figure_draws(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    explainer = GradientXInput(model)
    curves = pixel_flipping(model, x, {"a": heat, "b": -heat}, order="both", patch=7, resamples=50, **QUIET)
    assert [axis.get_title() for axis in curves.plot().axes] == ["most relevant first", "least relevant first"]
    labels = [text.get_text() for text in curves.plot().axes[0].get_legend().get_texts()]  # type: ignore[union-attr]
    assert any(label.startswith("random: ") for label in labels)
    assert f"a: {float(curves.auc['a'].mean()):.3f}" in labels
    assert len(curves.plot(kind="frames", steps=[0, 2, 4]).axes) == 6
    bars: Any = curves.plot(kind="flips").axes[0].patches
    assert [bar.get_height() for bar in bars] == curves.flips.tolist()
    single = pixel_flipping(model, x[:1], {"a": heat[:1]}, random=0, **QUIET)
    assert single.plot(band=True).axes
    partial = gae(model, torch.randn(8, 3, 20, 28), {"g": explainer}, steps=3, resamples=50, **QUIET)
    assert partial.plot().axes
    assert len(partial.plot(kind="images", count=2).axes) == 4
    masks = torch.zeros(3, 20, 28)
    masks[:, :5] = 1
    assert localisation(model, x, masks, {"a": heat}).plot().axes
    assert len(insertion_deletion(model, x, {"a": heat}, steps=4, **QUIET).plot().axes) == 2
    assert sufficiency(model, x, {"a": heat}, **QUIET).plot().axes
    assert model_randomisation(model, x, {"g": GradientXInput}).plot().axes
    with pytest.raises(ValueError, match="did you mean 'curves'"):
        curves.plot(kind="curve")


def test_kendall() -> None:
    assert kendall(torch.tensor([1.0, 2, 3, 4]), torch.tensor([10.0, 20, 30, 40])) == 1
    assert kendall(torch.tensor([1.0, 2, 3, 4]), torch.tensor([4.0, 3, 2, 1])) == -1
    assert kendall(torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 3, 2, 4])) == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="two lists of the same length"):
        kendall(torch.tensor([1.0]), torch.tensor([1.0, 2]))
