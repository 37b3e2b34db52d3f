"""Reference images: the right heatmaps on the right samples, crops, fades, duplicates, the receptive field, the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import xaiwidgets as xw
from xaiwidgets import CRP, ImageModel, ReferenceIndex
from xaiwidgets.demo import Shapes
from xaiwidgets.index.pictures import ReferenceImages, neuron_weights, receptive_field

LAYER = "features.conv4"
LENGTH = 48


@pytest.fixture(scope="module")
def data() -> Shapes:
    return Shapes(LENGTH)


@pytest.fixture(scope="module")
def crp(cnn: ImageModel) -> CRP:
    # Without biases nothing is lost on the way down.
    return CRP(cnn, zero_bias=True)


@pytest.fixture(scope="module")
def index(crp: CRP, data: Shapes, tmp_path_factory: pytest.TempPathFactory) -> ReferenceIndex:
    return ReferenceIndex.build(crp, data, tmp_path_factory.mktemp("index"), [LAYER, "embedding"], progress=False)


def whole(crp: CRP, data: Any, found: Any, **options: Any) -> ReferenceImages:
    shown: ReferenceImages = xw.references(crp, data, found, crop=False, **options)
    return shown


def test_heatmaps_are_conditional_on_the_concept(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    found = index.top(LAYER, 5, 4)
    shown = whole(crp, data, found)
    assert shown.mode == "class"
    for k, sample in enumerate(found.samples.tolist()):
        x, label = data[sample]
        expected = crp(x[None], label, LAYER, [5]).heatmap[0]
        assert torch.allclose(shown.heatmaps[k], expected, rtol=1e-4, atol=1e-6)
        assert torch.allclose(shown.pixels[k], crp.model.pixels(x[None])[0], atol=0.5 / 255 + 1e-6)
    # A heatmap adds up to the score it is ranked by.
    assert torch.allclose(torch.stack(shown.heatmaps).sum((1, 2)), found.scores, rtol=1e-3)
    assert torch.equal(shown.samples, found.samples)
    assert torch.equal(shown.scores, found.scores)


def test_by_activation_heatmaps_begin_at_the_layer(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    found = index.top(LAYER, 5, 3, by="activation")
    shown = whole(crp, data, found)
    assert shown.mode == "layer"
    x = torch.stack([data[sample][0] for sample in found.samples.tolist()])
    expected = crp.attribute(x, [{LAYER: [5]}], start_layer=LAYER).heatmap
    assert torch.allclose(torch.stack(shown.heatmaps), expected, rtol=1e-4, atol=1e-5)


def test_the_strongest_neuron_and_its_field(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    found = index.top(LAYER, 5, 4)
    shown = whole(crp, data, found, mode="neuron")
    fields = xw.references(crp, data, found, mode="neuron", crop="field").boxes
    result = crp(torch.stack([data[s][0] for s in found.samples.tolist()]), found.targets, layers=[LAYER])
    for k, (row, column) in enumerate(found.positions.tolist()):
        neuron = result.layers[LAYER][k, 5]
        assert neuron[row, column] == neuron.max()
        heatmap = shown.heatmaps[k].clone()
        assert float(heatmap.sum()) == pytest.approx(float(neuron[row, column]), rel=1e-3)
        left, top, right, bottom = fields[k].tolist()
        heatmap[top:bottom, left:right] = 0
        assert not heatmap.any()


@pytest.mark.parametrize(
    ("layer", "position"), [("features.conv2", (10, 21)), (LAYER, (0, 3)), ("features.conv6", (4, 2))]
)
def test_receptive_field_is_what_a_neuron_sees(
    cnn: ImageModel, crp: CRP, layer: str, position: tuple[int, int]
) -> None:
    x = torch.randn(24, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    (left, top, right, bottom) = receptive_field(crp, x, layer, 0, torch.tensor([position]))[0].tolist()

    def neuron(images: Tensor) -> Tensor:
        return cnn.graph_for(images).run(images, stop=layer)[:, 0, position[0], position[1]]

    before = neuron(x)
    for axis, begin, end in ((3, left, right), (2, top, bottom)):
        for line in range(64):
            changed = x.clone()
            changed.select(axis, line).add_(torch.randn(24, 3, 64))
            seen = bool((neuron(changed) != before).any())
            assert seen == (begin <= line < end), (axis, line)


def test_a_transformer_sees_everything(vit: ImageModel) -> None:
    crp = CRP(vit, "attn_lrp")
    x = torch.zeros(1, 3, 64, 64)
    heads = next(name for name in crp.layers if name.endswith(":heads"))
    assert receptive_field(crp, x, heads, 1, torch.tensor([[0, 3]])).tolist() == [[0, 0, 64, 64]]
    weights = neuron_weights(crp.concept(heads), 1, (0, 3))
    assert weights.nonzero()[:, 1:3].unique(dim=0).tolist() == [[1, 3]]


def test_crops_and_fades(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    found = index.top(LAYER, 5, 4)
    full, tight, tighter = (xw.references(crp, data, found, crop=crop) for crop in (False, True, 0.6))
    assert full.boxes.tolist() == [[0, 0, 64, 64]] * 4
    for k, (left, top, right, bottom) in enumerate(tight.boxes.tolist()):
        assert torch.equal(tight.pixels[k], full.pixels[k][:, top:bottom, left:right])
        assert torch.equal(tight.heatmaps[k], full.heatmaps[k][top:bottom, left:right])
        inner = tighter.boxes[k].tolist()
        assert left <= inner[0]
        assert top <= inner[1]
        assert right >= inner[2]
        assert bottom >= inner[3]
        assert min(inner[2] - inner[0], inner[3] - inner[1]) >= 8
        # What is cut off matters little.
        assert tight.heatmaps[k].abs().sum() > 0.8 * full.heatmaps[k].abs().sum()
    faded = xw.references(crp, data, found, crop=False, fade=0.5)
    for k in range(4):
        dark = (faded.pixels[k] - full.pixels[k] * 0.3).abs().amax(0) < 1e-6
        same = (faded.pixels[k] - full.pixels[k]).abs().amax(0) < 1e-6
        assert bool((dark | same).all())
        assert 0 < float(same.float().mean()) < 0.5
        strongest = int(full.heatmaps[k].argmax())
        assert bool(same.flatten()[strongest])


def test_near_duplicates_go(crp: CRP, tmp_path: Path) -> None:
    shapes = Shapes(12)
    data = [shapes[i % 6] for i in range(12)]
    data = [(x + 0.01 * i, label) for i, (x, label) in enumerate(data)]
    index = ReferenceIndex.build(crp, data, tmp_path, [LAYER], progress=False)
    found = index.top(LAYER, 5, 12)
    kept = whole(crp, data, found, unique=True)
    assert sorted(sample % 6 for sample in kept.samples.tolist()) == list(range(6))
    ranks = [found.samples.tolist().index(sample) for sample in kept.samples.tolist()]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0
    assert len(whole(crp, data, found, unique=True, n=3)) == 3
    assert len(whole(crp, data, found)) == 12


def test_several_at_once(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    several = xw.references(crp, data, [index.top(LAYER, unit, 2) for unit in (1, 2)])
    assert [shown.concept for shown in several] == [1, 2]
    single = xw.references(crp, data, index.top(LAYER, 2, 2))
    assert all(torch.equal(a, b) for a, b in zip(several[1].heatmaps, single.heatmaps, strict=True))


def test_the_cache_is_used_and_never_trusted(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    probes = {round(k * (LENGTH - 1) / 7) for k in range(8)}
    found = index.top("embedding", 3, 3)
    own = set(found.samples.tolist()) - probes
    assert own
    fresh = whole(crp, data, found, cache=index)
    (file,) = (index.path / "references").iterdir()

    class Counted:
        fingerprint = data.fingerprint

        def __init__(self) -> None:
            self.read = 0

        def __len__(self) -> int:
            return LENGTH

        def __getitem__(self, position: int) -> Any:
            # Some samples are read to compare the data set with the index's.
            self.read += position in own
            return data[position]

    def again(kept: bool) -> None:
        counted = Counted()
        shown = whole(crp, counted, found, cache=index)
        assert (counted.read == 0) == kept
        for name in ("pixels", "heatmaps"):
            assert all(torch.equal(a, b) for a, b in zip(getattr(shown, name), getattr(fresh, name), strict=True))

    again(kept=True)
    # Crops and fades come from the same file.
    assert xw.references(crp, data, found, cache=index, fade=True).boxes.tolist() != fresh.boxes.tolist()
    assert list((index.path / "references").iterdir()) == [file]
    for harm in (file.read_bytes()[:-7], file.read_bytes()[:-1] + b"?"):
        file.write_bytes(harm)
        again(kept=False)
        again(kept=True)
    assert list((index.path / "references").iterdir()) == [file]
    assert len(whole(crp, data, index.top("embedding", 4, 3), cache=str(index.path))) == 3
    assert len(list((index.path / "references").iterdir())) == 2


def test_a_class_without_samples(crp: CRP, data: Shapes, tmp_path: Path) -> None:
    only = [(x, label) for x, label in (data[i] for i in range(16)) if label != 2]
    index = ReferenceIndex.build(crp, only, tmp_path, [LAYER], progress=False)
    found = index.top(LAYER, 5, target=2)
    assert len(found) == 0
    assert 2 not in {use.target for use in index.classes(LAYER, 5)}
    for crop in (True, "field", False):
        shown = xw.references(crp, only, found, crop=crop, fade=True, unique=True)
        assert len(shown) == 0
        assert shown.boxes.shape == (0, 4)
    assert len(shown.plot().axes) == 2


def test_figure(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    figure = xw.references(crp, data, index.top(LAYER, 5, 3)).plot(name="stripes <b>")
    assert len(figure.axes) == 6
    assert figure._suptitle.get_text() == "stripes <b>, RelMax"
    assert figure._repr_png_()[:4] == b"\x89PNG"


def test_bad_input(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    found = index.top(LAYER, 5, 3)
    with pytest.raises(TypeError, match=r"draw xaiwidgets.references\(crp, dataset, found\).plot\(\)"):
        found.plot()
    with pytest.raises(ValueError, match="mode='clas' is not known; did you mean 'class'"):
        xw.references(crp, data, found, mode="clas")
    with pytest.raises(ValueError, match="crop='fields' is not known; did you mean 'field'"):
        xw.references(crp, data, found, crop="fields")
    with pytest.raises(ValueError, match=r"fade=3 must be a share from 0 to 1"):
        xw.references(crp, data, found, fade=3)
    with pytest.raises(ValueError, match=r"unique='a' must be a share from 0 to 1"):
        xw.references(crp, data, found, unique="a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"n=-1 must be a whole number of at least 1, or None for all"):
        xw.references(crp, data, found, n=-1)
    with pytest.raises(TypeError, match="crp is LRP; give a CRP"):
        xw.references(xw.LRP(crp.model), data, found)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"found holds int; give what index.top\(…\) returns, or a list of such"):
        xw.references(crp, data, [3])
    with pytest.raises(TypeError, match="cache is bool; give the index that found comes from, its folder, or None"):
        xw.references(crp, data, found, cache=True)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="cx holds no index"):
        xw.references(crp, data, found, cache="cx")


def test_only_what_the_index_is_of(crp: CRP, data: Shapes, index: ReferenceIndex) -> None:
    found = index.top(LAYER, 6, 3)
    kept = sorted(index.path.glob("references/*"))
    for cache in (index, None):
        for explainer, pictures, said in (
            (CRP(crp.model, "epsilon_plus"), data, "another composite"),
            (CRP(crp.model), data, "another composite"),
            (crp, Shapes(5), r"a data set of 48 samples \(this one has 5\); give what it was built with"),
            (crp, Shapes(LENGTH, seed=9), "another data set; give what it was built with"),
        ):
            with pytest.raises(ValueError, match=rf"the index that found comes from is of {said}"):
                xw.references(explainer, pictures, [found], cache=cache)
    assert sorted(index.path.glob("references/*")) == kept, "nothing of another data set is kept"
