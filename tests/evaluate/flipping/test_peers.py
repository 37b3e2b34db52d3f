"""Pixel flipping against the published packages lrp-pf-auc and quantus, on equal orders and pixels."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.evaluate.conftest import small_model
from xaiwidgets import ImageModel
from xaiwidgets.evaluate import pixel_flipping

IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture(scope="module")
def picture() -> Tensor:
    """One picture of 32 × 32 pixels in steps of 1/255, normalised as lrp-pf-auc does."""
    values = torch.randint(0, 256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    smooth = nn.functional.interpolate(values, (32, 32), mode="bilinear").round() / 255
    return _imagenet().normalise(smooth)


def _imagenet() -> ImageModel:
    return ImageModel(small_model().module, input_size=(32, 32), **IMAGENET)


@pytest.fixture(scope="module")
def pf() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pf.core
        import pf.metrics
    return pf


@pytest.mark.parametrize(("mode", "perturb"), [("Random sampling", "random"), ("Inpainting", "telea")])
@pytest.mark.parametrize(("objective", "order"), [("Most Relevant First", "morf"), ("Least Relevant First", "lerf")])
def test_equals_lrp_pf_auc(  # noqa: PLR0917
    pf: ModuleType,
    picture: Tensor,
    mode: str,
    perturb: str,
    objective: str,
    order: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _imagenet()
    target = int(model.scores(picture).argmax())
    heat = torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(1))
    # It cuts 254.99998 to 254 and raises on 1.0000002: with both mended, the pixels are those it means.
    monkeypatch.setattr(pf.core.norm, "denorm_img_pxls", lambda image: (image.clamp(0, 1) * 255).round())
    options = {"ran_num_gen": pf.core.UniformRNG(seed=6)} if perturb == "random" else {}
    peer = pf.core.PixelFlipping(
        perturbation_steps=5, perturbation_size=8, perturb_mode=mode, sort_objective=objective, **options
    )
    with torch.no_grad():
        peer(picture.clone(), heat[:, None].expand(1, 3, 32, 32), lambda x: model.module(x)[:, target])
    theirs = peer.class_prediction_scores_n[0]
    ours = pixel_flipping(
        model, picture, {"map": heat}, order=order, perturb=perturb, patch=8, seed=6, random=0, progress=False
    )
    assert ours.setup.schedule.steps == 5
    assert ours.flips.tolist() == list(peer.number_of_flips_per_step_dict.values())
    assert torch.allclose(ours.scores["map"][0], theirs, atol=1e-4)
    auc = pf.metrics.area_under_the_curve(theirs.tolist())
    assert float(ours.step_sum["map"]) == pytest.approx(auc, abs=1e-4)
    assert torch.allclose(ours.inputs("map", -1), peer.flipped_input_nchw, atol=1e-5)


def test_equals_quantus() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from quantus.metrics.faithfulness.pixel_flipping import PixelFlipping

        model = ImageModel(small_model(channels=1).module, mean=(0.0,), std=(1.0,), input_size=(16, 16))
        generator = torch.Generator().manual_seed(4)
        x, heat = torch.randn(3, 1, 16, 16, generator=generator), torch.randn(3, 16, 16, generator=generator)
        target = model.scores(x).argmax(1)
        settings: dict[str, Any] = {"perturb_baseline": 0.25}  # a number, whatever its hint says
        metric = PixelFlipping(
            features_in_step=16, normalise=False, disable_warnings=True, return_aggregate=False, **settings
        )
        theirs = metric(
            model=model.module,
            x_batch=x.numpy(),
            y_batch=target.numpy(),
            a_batch=heat[:, None].numpy(),
            softmax=False,
            device="cpu",
        )
    ours = pixel_flipping(
        model, x, {"map": heat}, perturb=0.25, patch=1, schedule="linear", steps=16, random=0, progress=False
    )
    assert torch.allclose(ours.scores["map"][:, 1:], torch.as_tensor(theirs, dtype=torch.float32), atol=1e-4)
