"""Which layers have concepts, and how their values are summed and searched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import CRP, ImageModel
from xaiwidgets.crp import AxisConcept, Concept, MaskConcept
from xaiwidgets.lrp import LRP


def test_layers_of_a_network_with_shortcuts(residual: ImageModel) -> None:
    crp = CRP(residual)
    assert crp.layers == ("stem", "conv1", "conv2", "side", "conv3", "conv4", "hidden", "head")
    assert [crp.units(layer) for layer in crp.layers] == [8, 8, 8, 12, 12, 12, 10, 5]
    concept = crp.concept("conv3")
    assert isinstance(concept, Concept)
    assert isinstance(concept, AxisConcept)
    assert (concept.kind, concept.axis, concept.space) == ("channel", 1, (4, 5))
    # Other values relevance passes through may be named as well.
    assert crp.units("pool") == 8
    assert crp.known(torch.zeros(1, 3, 8, 8))["conv3"] == AxisConcept("channel", 1, (1, 12, 2, 2))


def test_layers_of_a_transformer(vit: ImageModel) -> None:
    crp = CRP(vit, "attn_lrp")
    blocks = [f"blocks.{i}.{part}" for i in range(4) for part in ("attn:heads", "mlp.fc1")]
    assert crp.layers == ("patch_embed.proj", *blocks, "head")
    heads, hidden, tokens = (crp.concept(name) for name in ("blocks.2.attn:heads", "blocks.2.mlp.fc1", "blocks.2"))
    assert heads == AxisConcept("head", 1, (1, 4, 65, 24))
    assert hidden == AxisConcept("feature", 2, (1, 65, 384))
    assert tokens == AxisConcept("feature", 2, (1, 65, 96))
    assert heads.space == hidden.space == (65,)
    assert crp.concept("head").space == ()  # type: ignore[attr-defined]


def test_sums_and_maxima_of_channels() -> None:
    values = torch.randn(2, 3, 4, 5, 6)
    concept = AxisConcept("channel", 1, (1, 4, 5, 6))
    assert torch.allclose(concept.sum(values), values.sum((3, 4)), atol=1e-5)
    largest, place = concept.max(values)
    assert torch.equal(largest, values.amax((3, 4)))
    assert torch.equal(values.flatten(3).gather(3, place[..., None])[..., 0], largest)
    memory = values.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (2, 3))
    assert torch.equal(concept.max(memory)[1], place)
    assert concept.select([1, 3]).flatten().tolist() == [0, 1, 0, 1]


def test_sums_and_maxima_of_tokens_and_heads() -> None:
    tokens, values = AxisConcept("feature", 2, (1, 7, 5)), torch.randn(2, 3, 7, 5)
    assert torch.allclose(tokens.sum(values), values.sum(2), atol=1e-5)
    assert torch.equal(tokens.max(values)[1], values.argmax(2))
    heads, values = AxisConcept("head", 1, (1, 4, 7, 6)), torch.randn(2, 3, 4, 7, 6)
    assert torch.allclose(heads.sum(values), values.sum((3, 4)), atol=1e-5)
    assert torch.equal(heads.max(values)[1], values.sum(-1).argmax(-1))
    vector = AxisConcept("feature", 1, (1, 5))
    values = torch.randn(2, 3, 5)
    assert torch.equal(vector.sum(values), values)
    assert vector.max(values)[1].tolist() == torch.zeros(2, 3, 5).tolist()


def test_windows_of_attention_belong_to_their_image() -> None:
    heads = AxisConcept("head", 1, (4, 2, 9, 3))
    values = torch.randn(2, 3 * 4, 2, 9, 3)
    each = values.unflatten(1, (3, 4))
    assert torch.allclose(heads.sum(values), each.sum((2, 4, 5)), atol=1e-5)
    largest, place = heads.max(values)
    flat = each.sum(-1).movedim(3, 2).flatten(3)
    assert torch.equal(largest, flat.amax(3))
    assert torch.equal(place, flat.argmax(3))
    assert heads.space == (4, 9)


def test_masks() -> None:
    concept = MaskConcept.groups([[0, 2], [1]])((3, 4, 5))
    values = torch.randn(2, 3, 3, 4, 5)
    assert torch.allclose(concept.sum(values)[..., 0], values[:, :, [0, 2]].sum((2, 3, 4)), atol=1e-5)
    assert torch.equal(concept.max(values)[0][..., 1], values[:, :, 1].amax((2, 3)))
    assert torch.equal(concept.max(values)[1][..., 1], values[:, :, 1].flatten(2).argmax(2) + 20)
    with pytest.raises(ValueError, match=r"masks has shape \(2, 4, 1, 1\); give .* \(units, 3, 4, 5\)"):
        MaskConcept(torch.ones(2, 4, 1, 1), (3, 4, 5))


@pytest.mark.slow
def test_windows_in_a_network() -> None:
    import torchvision

    torch.manual_seed(0)
    model = ImageModel(torchvision.models.swin_t(weights=None, num_classes=5).eval(), input_size=(64, 64))
    crp, x = CRP(model, "attn_lrp", batch=2), torch.randn(3, 3, 64, 64)
    layer = "features.1.1.attn:heads"
    assert crp.concept(layer).units == 3
    found = crp(x, layer=layer, layers=[layer]).relevance.unflatten(0, (3, 3))
    for i in range(3):
        assert torch.allclose(found[i], crp(x[i : i + 1], layer=layer).relevance, atol=1e-5)
    inside = crp.region(x, (5, 9, 40, 33), layers=[layer]).relevance[layer]
    assert torch.allclose(inside, found.sum(2)[..., 9:33, 5:40].sum((2, 3)), atol=1e-4)


def test_gates_that_take_no_relevance_are_no_concepts() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gate, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x).mean((2, 3))
            return self.head(x * torch.softmax(self.gate(x), 1))

    module = Gated().eval()
    held = CRP(module, "cp_lrp")
    assert "gate" not in CRP(ImageModel(module, input_size=(8, 8)), "cp_lrp").layers
    assert held.composite.attention == "cp"
    assert LRP(module).composite.attention == "attn"
