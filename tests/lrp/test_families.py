"""Families of timm: where `check` is content every method runs, and what it refuses they refuse. All of them: benchmark `families`."""

from __future__ import annotations

import pytest
import timm

from tests.families import FAMILIES, Entry, attempt, timm_model
from xaiwidgets.crp import CRP
from xaiwidgets.graph import GraphError
from xaiwidgets.lrp import LRP, AbsLRP
from xaiwidgets.model import ImageModel

# Small ones of different kinds: squeeze and excitation, group norm, layer norm with layer scale, attention, attention between
# convolutions, kernels that were merged, tokens that go through convolutions.
QUICK = [
    "test_byobnet",
    "test_efficientnet_gn",
    "test_convnext3",
    "test_vit",
    "test_coatnet",
    "repghostnet_050",
    "levit_128s",
]
# Those that needed something of their own: folding, maxima over windows, repeated keys, cross-covariances, views that were written to,
# cosine attention, a cosine transform at the input, float32 by their own wish, weights from the image, halos, several scales.
SLOW = [
    "volo_d1_224", "hiera_tiny_224", "gcvit_xxtiny", "xcit_nano_12_p8_224", "mvitv2_tiny", "swinv2_tiny_window8_256", "csatv2",
    "efficientvit_b0", "repghostnet_050", "tf_efficientnet_cc_b0_4e", "halonet_h1", "coat_lite_tiny", "sam2_hiera_tiny", "gmlp_ti16_224",
    "naflexvit_base_patch16_parfac_gap", "mobilenetv5_base",
]  # fmt: skip
NAMED = {entry.name: entry for entry in FAMILIES.values()}


@pytest.mark.parametrize("name", [*QUICK, *[pytest.param(name, marks=pytest.mark.slow) for name in SLOW]])
def test_everything_runs_on(name: str) -> None:
    if not timm.is_model(NAMED[name].name):
        pytest.skip(f"{name} came with a newer timm")
    outcome = attempt(name, *timm_model(NAMED[name]))
    assert outcome.status == "pass", f"{outcome.step}: {outcome.said}"


def test_a_recurrent_family_is_refused_by_all_in_the_same_words() -> None:
    small = {"img_size": 64, "layers": (1, 1, 1, 1), "embed_dims": (16, 16, 16, 16), "hidden_sizes": (8, 8, 8, 8)}
    module, x = timm_model(Entry("sequencer2d_s", 64, small))
    outcome = attempt("sequencer2d_s", module, x)
    assert (outcome.status, outcome.step) == ("refused", "check")
    assert "nn.LSTM is recurrent" in outcome.said
    model = ImageModel(module, input_size=64, mean=0.0, std=1.0)
    for call in (LRP(model), AbsLRP(model), CRP(model).rank):
        with pytest.raises(GraphError, match=r"rnn_v': nn\.LSTM is recurrent.*use what needs no rules \(RELAX"):
            call(x)
