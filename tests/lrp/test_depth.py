"""Relevance at every layer that has a picture: the same as layer by layer, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from tests.lrp.tiny import TinyResNet, TinyViT, tiny_vgg
from xaiwidgets import LRP, AbsLRP, ImageModel
from xaiwidgets.graph import Propagator
from xaiwidgets.lrp import LayerMaps


def swin() -> nn.Module:
    from torchvision.models.swin_transformer import SwinTransformer

    return SwinTransformer([4, 4], 12, depths=[2, 1], num_heads=[1, 2], window_size=[4, 4], num_classes=5)


def windowed() -> nn.Module:
    """Its windows pass through modules of their own."""
    from timm.models.swin_transformer import SwinTransformer

    made: nn.Module = SwinTransformer(
        img_size=32, patch_size=4, window_size=4, embed_dim=12, depths=(2, 1), num_heads=(1, 2), num_classes=5
    )
    return made


MODELS = {"cnn": (tiny_vgg, 8), "resnet": (TinyResNet, 16), "vit": (lambda: TinyViT(True), 8), "swin": (swin, 32)}


def model_of(name: str) -> tuple[ImageModel, Tensor]:
    torch.manual_seed(0)
    make, size = {**MODELS, "windowed": (windowed, 32)}[name]
    model = ImageModel(make().eval(), input_size=size, mean=0, std=1)
    return model, torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))


def on_the_grid(relevance: Tensor, grid: Sequence[int]) -> Tensor:
    """(N, h, w) of a layer's relevance, told by its shape alone: channels first, channels last, or tokens after one of the class."""
    if relevance.ndim == 4:
        return relevance.sum(1) if tuple(relevance.shape[2:]) == tuple(grid) else relevance.sum(3)
    places = relevance.sum(2)
    return places[:, places.shape[1] - grid[0] * grid[1] :].unflatten(1, list(grid))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_gamma_box"])
def test_every_layer_is_what_a_call_for_it_gives(name: str, composite: str) -> None:
    model, x = model_of(name)
    lrp = LRP(model, composite)
    found = lrp.depth(x)
    ordinary = lrp(x, layers=[name for name in found.names if name != "input"])
    assert torch.equal(found.heatmap, ordinary.heatmap), "at the pixels, the ordinary heatmap to the bit"
    assert found.target is not None
    assert ordinary.target is not None
    assert torch.equal(found.target, ordinary.target)
    assert found.totals is not None
    assert found.start is not None
    assert ordinary.conservation is not None
    assert float(found.start.sum()) == pytest.approx(ordinary.conservation.start, rel=1e-5)
    for i, layer in enumerate(found.names[:-1]):
        relevance, values = ordinary.layers[layer], found.maps[layer]
        assert torch.allclose(values, on_the_grid(relevance, values.shape[1:]), atol=1e-6), layer
        assert torch.allclose(found.totals[:, i], relevance.flatten(1).sum(1), atol=1e-5), layer
    assert float(found.totals[:, -1].sum()) == pytest.approx(ordinary.conservation.input, abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_way_goes_down_through_every_convolution_and_token_layer(name: str) -> None:
    model, x = model_of(name)
    found, graph = LRP(model).depth(x), model.graph
    steps = [graph.index(layer) for layer in found.names]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] == 0
    spatial = {
        index
        for layer, index in graph.layers.items()
        if isinstance(model.module.get_submodule(layer), nn.Conv2d | nn.LayerNorm | nn.MaxPool2d)
    }
    assert spatial, "a model without any would show nothing"
    named = {layer: tuple(values.shape[1:]) for layer, values in found.maps.items()}
    shapes = [graph.operations[index].shape for index in spatial - set(steps)]
    assert all(None in shape[1:] or 1 in shape[1:3] or len(shape) < 3 for shape in shapes), (shapes, named)


def test_everything_passes_where_nothing_runs_beside() -> None:
    model, x = model_of("resnet")
    lrp = LRP(model, "epsilon_plus_flat", zero_bias=True)
    found = lrp.depth(x)
    whole = dict(zip(found.names, found.whole, strict=True))
    assert whole == {"conv3": False, "conv2": False, "pool": True, "conv1": True, "input": True}
    assert found.shares is not None
    for layer, all_of_it, shares in zip(found.names, found.whole, found.shares.T, strict=True):
        assert torch.allclose(shares, torch.ones(3), atol=1e-3) == all_of_it, layer


def test_tokens_without_a_place_are_no_picture_but_have_their_share() -> None:
    model, x = model_of("vit")
    found = LRP(model).depth(x)
    assert found.shares is not None
    assert found.pictured is not None
    top = found.names.index("norm")
    assert found.maps["norm"].shape == (3, 2, 2)
    assert torch.allclose(found.pictured[:, top], torch.zeros(3)), "the head reads the class token alone"
    assert (found.shares[:, top].abs() > 0.01).all()
    assert torch.allclose(found.pictured[:, -1], found.shares[:, -1], atol=1e-5)


def test_values_of_windows_and_heads_are_no_pictures() -> None:
    model, x = model_of("windowed")
    found, graph = LRP(model).depth(x), model.graph
    assert "layers.0.blocks.0.attn.qkv" in graph.layers
    assert "layers.0.blocks.0.attn.qkv" not in found.maps, "four windows an image"
    assert found.maps["layers.0.blocks.0"].shape == (3, 8, 8)
    assert found.maps["layers"].shape[1:] == (4, 4), "its last block"
    model, x = model_of("vit")
    assert {tuple(values.shape[1:]) for values in LRP(model).depth(x).maps.values()} == {(2, 2), (8, 8)}


def test_of_absolute_relevance_the_pictures_without_an_account() -> None:
    model, x = model_of("resnet")
    for method in (AbsLRP(model), LRP(model, "abs_lrp")):
        found = method.depth(x, 2)
        ordinary = method(x, 2, layers=[name for name in found.names if name != "input"])
        assert torch.equal(found.heatmap, ordinary.heatmap)
        for layer in found.names[:-1]:
            assert torch.allclose(found.maps[layer], ordinary.layers[layer].sum(1), atol=1e-5), layer
        assert found.start is found.totals is found.shares is found.pictured is None


def test_an_activation_shares_the_picture_of_its_layer() -> None:
    model, x = model_of("cnn")
    found = LRP(model).depth(x)
    assert found.names == ("5", "3", "2", "0", "input")
    ordinary = LRP(model)(x, layers=["0", "1"])
    assert torch.equal(ordinary.layers["0"], ordinary.layers["1"])


def test_chunks_and_single_images_agree() -> None:
    model, x = model_of("vit")
    together = LRP(model).depth(x, [0, 1, 2])
    chunks = LRP(model, batch=1).depth(x, [0, 1, 2])
    assert together.names == chunks.names
    for layer in together.names:
        assert torch.allclose(together.maps[layer], chunks.maps[layer], atol=1e-6)
    alone = LRP(model).depth(x[1:2], 1)
    assert torch.allclose(alone.maps["patch"][0], together.maps["patch"][1], atol=1e-6)


def test_it_takes_one_pass_and_keeps_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = model_of("resnet")
    lrp = LRP(model)
    lrp(x)
    passes, down = [], Propagator.down

    def counted(self: Propagator, record: object, start: object, to: object, *rest: object, **more: object) -> object:
        passes.append(to)
        return down(self, record, start, to, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Propagator, "down", counted)
    lrp.depth(x)
    assert passes == [["input"]]


def test_what_is_asked_is_what_a_call_takes() -> None:
    model, x = model_of("resnet")
    lrp = LRP(model)
    assert torch.equal(lrp.depth(x, 1, against=2).heatmap, lrp(x, 1, against=2).heatmap)
    start = torch.randn(3, 4, generator=torch.Generator().manual_seed(3))
    given = lrp.depth(x, start=start)
    assert torch.equal(given.heatmap, lrp(x, start=start).heatmap)
    assert given.start is not None
    assert torch.allclose(given.start, start.sum(1))
    nothing = lrp.depth(x, start=torch.zeros(3, 4))
    assert nothing.shares is not None
    assert nothing.shares.isnan().all(), "shares of nothing say nothing"
    with pytest.raises(ValueError, match="target"):
        lrp.depth(x, [0, 1])


def test_its_figure_goes_from_the_output_to_the_pixels() -> None:
    model, x = model_of("resnet")
    found = LRP(model).depth(x)
    assert isinstance(found, LayerMaps)
    assert "5 layers: conv3 16×16" in repr(found) or "5 layers: conv3 8×8" in repr(found)
    figure = found.plot(model.pixels(x).clamp(0, 1), row=1, most=3)
    assert isinstance(figure, Figure)
    titles = [axis.get_title(loc="left").split("\n")[0] for axis in figure.axes if axis.get_title(loc="left")]
    assert titles == ["conv3", "pool", "pixels"]
    plain = found.plot(most=2)
    assert [axis.get_title().split("\n")[0] for axis in plain.axes if axis.get_title()] == ["conv3", "pixels"]
    with pytest.raises(ValueError, match="row=3 is no image of 3"):
        found.plot(row=3)
    with pytest.raises(ValueError, match="most=1"):
        found.plot(most=1)
