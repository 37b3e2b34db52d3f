"""Directions as concepts: they split a layer's relevance, and behave as channels do where they are channels."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from xaiwidgets import CRP, LRP, ImageModel, ReferenceIndex, references
from xaiwidgets import targets as T
from xaiwidgets.crp import Dictionary
from xaiwidgets.demo import Shapes

LAYER = "features.relu5"
CHANNELS = 64


@pytest.fixture(scope="module")
def autoencoder(cnn: ImageModel) -> Dictionary:
    """A sparse autoencoder's matrices for 64 channels, 100 directions, not trained."""
    generator = torch.Generator().manual_seed(0)
    decoder = torch.randn(100, CHANNELS, generator=generator) / CHANNELS**0.5
    encoder = decoder + 0.1 * torch.randn(100, CHANNELS, generator=generator)
    return Dictionary(
        decoder,
        encoder,
        bias=-0.1 * torch.rand(100, generator=generator),
        offset=torch.rand(CHANNELS, generator=generator) / 9,
    )


def by_number(ranking: Any) -> Tensor:
    """(N, units): relevance, or activation, in the order of the concepts' numbers."""
    return torch.zeros_like(ranking.relevance).scatter(1, ranking.concepts, ranking.relevance)


def codes_of(dictionary: Any, z: Tensor) -> Tensor:
    """(N, H, W, units), by the formula."""
    shifted = z.permute(0, 2, 3, 1) - (0 if dictionary.offset is None else dictionary.offset)
    found = shifted @ dictionary.encoder.T + (0 if dictionary.bias is None else dictionary.bias)
    found = found.relu() if dictionary.positive else found
    if dictionary.top is None:
        return found
    least = found.abs().topk(dictionary.top, -1).values[..., -1:]
    return torch.where(found.abs() >= least, found, 0.0)


@pytest.mark.parametrize("top", [None, 5])
@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "gradient_x_input"])
def test_relevance_is_split_by_parts_of_the_value(
    cnn: ImageModel, x: Tensor, autoencoder: Dictionary, composite: str, top: int | None
) -> None:
    dictionary = Dictionary(autoencoder.decoder, autoencoder.encoder, autoencoder.bias, autoencoder.offset, top=top)
    crp = CRP(cnn, composite, concepts={LAYER: dictionary})
    plain = LRP(cnn, composite)(x, 3, layers=[LAYER])
    z, relevance = (part[LAYER].double() for part in (plain.activations, plain.layers))
    codes = codes_of(dictionary, z.float()).double()
    # R_k = Σ a_k d_kc R_c / z_c over places and channels; entries of zero have no relevance.
    slope = torch.where(z == 0, 0.0, relevance / z).permute(0, 2, 3, 1)
    expected = torch.einsum("nhwk,kc,nhwc->nk", codes, dictionary.decoder.double(), slope)
    found = crp.rank(x, 3, LAYER)
    in_order = by_number(found)
    torch.testing.assert_close(in_order.double(), expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()))
    active = crp.rank(x, 3, LAYER, by="activation")
    in_order = by_number(active)
    torch.testing.assert_close(in_order, codes.sum((1, 2)).float(), rtol=1e-3, atol=1e-3)
    # The model answers as ever, and without a layer the map is that of LRP.
    torch.testing.assert_close(found.output, plain.output, rtol=1e-4, atol=1e-4)
    assert torch.equal(crp(x, 3).heatmap, plain.heatmap)


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "gradient_x_input"])
def test_channels_as_directions_are_channels(cnn: ImageModel, x: Tensor, composite: str) -> None:
    crp = CRP(cnn, composite, concepts={LAYER: Dictionary(torch.eye(CHANNELS))})
    usual = CRP(cnn, composite)
    for found, expected in (
        (crp.rank(x, None, LAYER), usual.rank(x, None, LAYER)),
        (crp.rank(x, T.class_(2) - T.class_(5), LAYER), usual.rank(x, T.class_(2) - T.class_(5), LAYER)),
    ):
        assert torch.equal(found.concepts[:, :8], expected.concepts[:, :8])
        torch.testing.assert_close(found.relevance[:, :8], expected.relevance[:, :8], rtol=1e-3, atol=1e-5)
    ids = crp.rank(x[:1], None, LAYER).concepts[0, :4].tolist()
    ours, theirs = (each(x[:1], None, LAYER, ids).heatmap for each in (crp, usual))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
    box = (8, 8, 40, 44)
    ours, theirs = (each.region(x[:1], box, layers=[LAYER]).relevance[LAYER] for each in (crp, usual))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_regions_are_sums_of_heatmaps(cnn: ImageModel, x: Tensor, autoencoder: Dictionary) -> None:
    crp = CRP(cnn, concepts={LAYER: autoencoder})
    assert crp.units(LAYER) == 100
    assert LAYER in crp.layers
    left, top, right, bottom = box = (10, 4, 50, 40)
    found = crp.region(x[:1], box, 3, layers=[LAYER]).relevance[LAYER][0]
    maps = crp(x[:1], 3, LAYER).heatmap
    inside = maps[:, top:bottom, left:right].sum((1, 2))
    torch.testing.assert_close(found, inside, rtol=1e-3, atol=1e-3 * float(inside.abs().max()))
    focus = crp.focus(x[:1], 3)
    torch.testing.assert_close(focus.heatmaps(LAYER, [7, 3]), maps[[7, 3]], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(focus.region(box, [LAYER])[LAYER], found)
    nodes = crp.graph(x[:1], 3, LAYER, int(focus.rank(LAYER).concepts[0, 0]), width=(2,)).nodes
    assert len(nodes) > 1
    condition = crp.attribute(x[:1], [{"y": [3], LAYER: [7]}]).heatmap
    torch.testing.assert_close(condition, maps[7:8], rtol=1e-4, atol=1e-6)


def test_without_a_direction_its_part_is_gone(cnn: ImageModel, x: Tensor, autoencoder: Dictionary) -> None:
    crp = CRP(cnn, concepts={LAYER: autoencoder})
    z = cnn.graph_for(x).run(x, stop=LAYER)
    codes = codes_of(autoencoder, z)[..., 7]
    less = z - codes[:, None] * autoencoder.decoder[7].reshape(1, -1, 1, 1)
    rest: Any = cnn.module
    with torch.no_grad():
        expected = rest.classifier(rest.relu(rest.embedding(rest.flatten(rest.average(_above(rest, less))))))
    torch.testing.assert_close(crp.without(x, {LAYER: [7]}), expected, rtol=1e-3, atol=1e-3)


def _above(module: Any, value: Tensor) -> Tensor:
    for name, part in module.features.named_children():
        if name in ("pool5", "conv6", "norm6", "relu6"):
            value = part(value)
    return value


def test_tokens_of_a_transformer(vit: ImageModel, x: Tensor) -> None:
    decoder = torch.linalg.qr(torch.randn(96, 96, generator=torch.Generator().manual_seed(1)))[0]
    crp = CRP(vit, "gradient_x_input", concepts={"blocks.1": Dictionary(decoder)})
    plain = LRP(vit, "gradient_x_input")(x, 2, layers=["blocks.1"])
    # All directions of an orthonormal basis leave no rest.
    total = crp.rank(x, 2, "blocks.1").relevance.sum(1)
    expected = plain.layers["blocks.1"].sum((1, 2))
    torch.testing.assert_close(total, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    maps = crp(x[:1], 2, "blocks.1").heatmap.sum(0)
    torch.testing.assert_close(maps, plain.heatmap[0], rtol=1e-2, atol=1e-2 * float(plain.heatmap[0].abs().max()))


def test_references(cnn: ImageModel, autoencoder: Dictionary, tmp_path: Path) -> None:
    crp = CRP(cnn, concepts={LAYER: autoencoder})
    data = Shapes(24)
    index = ReferenceIndex.build(crp, data, tmp_path, layers=[LAYER], top=4)
    batch = data.batch(range(24))
    z = cnn.graph_for(batch.x).run(batch.x, stop=LAYER)
    sums = codes_of(autoencoder, z).sum((1, 2))
    unit = int(sums.amax(0).argmax())
    found = index.top(LAYER, unit, n=3, by="activation")
    assert found.samples.tolist() == sums[:, unit].topk(3).indices.tolist()
    for mode in ("layer", "class", "neuron"):
        pictures = references(crp, data, found, mode=mode)
        assert len(pictures.heatmaps) == 3
        assert all(float(heatmap.abs().sum()) > 0 for heatmap in pictures.heatmaps)
    other = CRP(cnn, concepts={LAYER: Dictionary(autoencoder.decoder)})
    with pytest.raises(ValueError, match="other concepts"):
        ReferenceIndex.build(other, data, tmp_path, layers=[LAYER], top=4)


def test_it_travels(cnn: ImageModel, x: Tensor, autoencoder: Dictionary) -> None:
    crp = CRP(cnn, concepts={LAYER: autoencoder})
    expected = crp.rank(x, 3, LAYER).relevance
    torch.testing.assert_close(pickle.loads(pickle.dumps(crp)).rank(x, 3, LAYER).relevance, expected)


def test_directions_that_do_not_fit(cnn: ImageModel, x: Tensor) -> None:
    eye = torch.eye(CHANNELS)
    for make, message in (
        (lambda: Dictionary(torch.zeros(3)), r"decoder has shape \(3,\); give \(units, channels\) of finite numbers"),
        (lambda: Dictionary(eye * torch.nan), "decoder has shape .* of finite numbers"),
        (lambda: Dictionary(eye, eye[:3]), r"encoder has shape \(3, 64\), decoder \(64, 64\); give both"),
        (lambda: Dictionary(eye, bias=torch.zeros(3)), r"bias has shape \(3,\); give \(64,\) finite numbers"),
        (lambda: Dictionary(eye, offset=torch.zeros(3)), r"offset has shape \(3,\); give \(64,\) finite numbers"),
        (lambda: Dictionary(eye, top=0), "top=0 must be a whole number of at least 1, or None"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match=r"decoder is str; give a tensor or array \(units, channels\)"):
        Dictionary("directions")  # type: ignore[arg-type]
    narrow = CRP(cnn, concepts={LAYER: Dictionary(torch.eye(5))})
    with pytest.raises(ValueError, match=r"has directions of 5 channels; the layer's value is .* give \(units, 64\)"):
        narrow.rank(x, 3, LAYER)
    elsewhere = CRP(cnn, concepts={"features.relu9": Dictionary(eye)})
    with pytest.raises(ValueError, match=r"concepts\['features.relu9'\]: layer 'features.relu9' is not in this model"):
        elsewhere.rank(x, 3, LAYER)
