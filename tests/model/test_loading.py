"""load: the libraries' own transforms and names, weights on disk, and errors that say what to do. No network."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from xaiwidgets import ImageModel, load


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.fixture(scope="module")
def mobile() -> ImageModel:
    return load("torchvision:mobilenet_v3_small", pretrained=False, device="cpu")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without network, proxies or caches."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("xaiwidgets.model.hub.getproxies", dict)
    monkeypatch.setattr("xaiwidgets.model.sources.in_torch_cache", lambda url: False)
    monkeypatch.setattr("xaiwidgets.model.sources.in_hub_cache", lambda name: False)
    monkeypatch.setattr("xaiwidgets.model.hub._hub_has", lambda name, file: False)


def test_demo_models_know_their_classes(cnn: ImageModel, vit: ImageModel) -> None:
    for model in (cnn, vit, load("demo:shapes-hans")):
        assert model.class_names is not None
        assert len(model.class_names) == 8
        assert model.input_size == (64, 64)
        assert not model.module.training


def test_torchvisions_own_transform_and_names(mobile: ImageModel, photo: Image.Image) -> None:
    from torchvision.models import MobileNet_V3_Small_Weights

    weights = MobileNet_V3_Small_Weights.DEFAULT
    torch.testing.assert_close(mobile.prepare(photo)[0], weights.transforms()(photo))
    assert mobile.class_names == tuple(weights.meta["categories"])
    assert mobile.input_size == (224, 224)
    pixels = mobile.pixels(mobile.prepare(photo))
    torch.testing.assert_close(mobile.normalise(pixels), mobile.prepare(photo), atol=1e-5, rtol=1e-5)


def test_timms_own_transform_and_names(photo: Image.Image) -> None:
    import timm
    from timm.data import create_transform, resolve_model_data_config

    model = load("timm:vit_tiny_patch16_224.augreg_in21k_ft_in1k", pretrained=False)
    module = timm.create_model("vit_tiny_patch16_224.augreg_in21k_ft_in1k", pretrained=False)
    transform = create_transform(**resolve_model_data_config(module), is_training=False)
    torch.testing.assert_close(model.prepare(photo)[0], transform(photo))
    assert model.class_names is not None
    assert len(model.class_names) == 1000
    assert model.class_names[0] == "tench"
    assert load("timm:vit_tiny_patch16_224", pretrained=False, num_classes=10).class_names is None


def test_options_go_to_the_library(photo: Image.Image) -> None:
    model = load("torchvision:mobilenet_v3_small", pretrained=False, num_classes=7, device="cpu")
    assert model.class_names is None
    assert model.scores(model.prepare(photo)).shape == (1, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18", "name='resnet18' needs its source: 'demo:shapes-cnn', 'torchvision:resnet18', 'timm:vit_small"),
        ("hub:resnet18", "needs its source"),
        ("demo:", "needs its source"),
        ("demo:shape-cnn", "did you mean 'demo:shapes-cnn'"),
        ("torchvision:resnet81", "did you mean .*'torchvision:resnet18'"),
        ("timm:vit_small_patch16_225", "did you mean .*'timm:vit_small_patch16_224'"),
        ("timm:resnet18.a9_in1k", r"did you mean .*'timm:resnet18\.a1_in1k'"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name, pretrained=False)


def test_unknown_keywords() -> None:
    with pytest.raises(TypeError, match=r"load\('demo:shapes-cnn'\) takes no keyword 'num_classes'"):
        load("demo:shapes-cnn", num_classes=3)


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:resnet10t.c3_in1k"])
@pytest.mark.usefixtures("offline")
def test_no_connection_for_weights(name: str) -> None:
    message = r"weights of .* cannot be fetched here \(no connection to .+\); give checkpoint=.*pretrained=False.*demo:"
    with pytest.raises(ConnectionError, match=message):
        load(name)


@pytest.mark.usefixtures("offline")
def test_demo_models_need_no_connection() -> None:
    assert load("demo:shapes-cnn").class_names


MOBILE = "torchvision:mobilenet_v3_small"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return load(MOBILE, pretrained=False, num_classes=3, device="cpu").module.state_dict()


class TestCheckpoints:
    def open(self, path: Path, **options: Any) -> ImageModel:
        return load(MOBILE, checkpoint=path, num_classes=3, device="cpu", **options)

    def same(self, model: ImageModel, state: dict[str, torch.Tensor]) -> bool:
        own = model.module.state_dict()
        return own.keys() == state.keys() and all(torch.equal(own[key], state[key]) for key in state)

    @pytest.mark.usefixtures("offline")
    def test_safetensors_and_state_dicts_however_wrapped(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        save_file(state, tmp_path / "a.safetensors")
        torch.save(state, tmp_path / "b.pt")
        torch.save({"state_dict": state, "epoch": 3}, tmp_path / "c.pth")
        torch.save({"model": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "d.pt")
        torch.save({"model_state_dict": state, "optimizer_state_dict": {"lr": 0.1}}, tmp_path / "e.pt")
        lightning = {f"model.{key}": value for key, value in state.items()} | {"criterion.weight": torch.ones(3)}
        torch.save({"state_dict": lightning, "pytorch-lightning_version": "2.5", "epoch": 1}, tmp_path / "f.ckpt")
        torch.save({f"_orig_mod.{key}": value for key, value in state.items()}, tmp_path / "g.pt")
        torch.save({"net": {f"module.model.{key}": value for key, value in state.items()}}, tmp_path / "h.pt")
        save_file({f"model.{key}": value for key, value in state.items()}, tmp_path / "i.safetensors")
        for name in ("backbone", "encoder", "network"):
            save_file({f"{name}.{key}": value for key, value in state.items()}, tmp_path / f"{name}.safetensors")
        for name in ("weights", "params", "ema", "student"):
            torch.save({name: state, "epoch": 3}, tmp_path / f"{name}.pt")
        old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
        assert len(old) < len(state), "files of torch before 0.4.1 have no such counts"
        save_file(old, tmp_path / "old.safetensors")
        for path in sorted(tmp_path.iterdir()):
            assert self.same(self.open(path), state), path.name
            assert not self.open(path).module.training

    def test_what_does_not_fit(self, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
        path = tmp_path / "a.safetensors"
        save_file({**state, "classifier.3.weight": torch.zeros(5, 1024)}, path)
        with pytest.raises(ValueError, match=r"does not fit MobileNetV3: 1 of another shape, such as 'classifier\.3"):
            self.open(path)
        short = {key: value for key, value in state.items() if key != "classifier.3.bias"}
        save_file({**short, "extra": torch.zeros(1)}, path)
        with pytest.raises(ValueError, match=r"1 missing, such as 'classifier\.3\.bias'; 1 not in the model"):
            self.open(path)
        torch.save([1, 2], tmp_path / "list.pt")
        with pytest.raises(ValueError, match=r"holds no state dict of tensors; save module\.state_dict"):
            self.open(tmp_path / "list.pt")
        with pytest.raises(FileNotFoundError, match=r"is no file \(looked in .*\); check the path"):
            self.open(tmp_path / "missing.pt")

    def test_no_safetensors_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "junk.safetensors").write_bytes(b"junk")
        with pytest.raises(
            ValueError, match=r"junk.safetensors' cannot be read as plain weights .* save module.state_dict"
        ):
            self.open(tmp_path / "junk.safetensors")

    def test_pickled_code_is_not_run(self, tmp_path: Path) -> None:
        torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
        with pytest.raises(ValueError, match=r"cannot be read as plain weights .* save module.state_dict"):
            self.open(tmp_path / "module.pt")
        (tmp_path / "broken.pt").write_bytes(b"not weights")
        with pytest.raises(ValueError, match="cannot be read as plain weights"):
            self.open(tmp_path / "broken.pt")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", 3.5])
def test_devices_that_are_not_there(device: Any) -> None:
    with pytest.raises(ValueError, match=f"device={device!r} is not to be had here; choose from 'cpu'"):
        load("demo:shapes-cnn", device=device)


def test_timm_models_built_for_other_images(photo: Image.Image) -> None:
    options: dict[str, Any] = {"pretrained": False, "device": "cpu"}
    for name, img_size in (("vit_tiny_patch16_224", (64, 64)), ("mixer_s32_224", 64)):
        model = load(f"timm:{name}", in_chans=1, img_size=img_size, **options)
        assert (model.channels, model.input_size, len(model.mean)) == (1, (64, 64), 1)
        x = model.prepare(photo)
        assert x.shape == (1, 1, 64, 64)
        assert model.scores(x).shape == (1, 1000)


def test_images_of_many_channels_are_not_made_of_pictures(photo: Image.Image) -> None:
    model = load("timm:resnet18", pretrained=False, in_chans=5, device="cpu")
    with pytest.raises(
        ValueError, match=r"pictures have 1 or 3 channels, timm:resnet18 takes 5; make a normalised tensor"
    ):
        model.prepare(photo)
    assert model.scores(torch.zeros(1, 5, 64, 64)).shape == (1, 1000)


def test_rooms_are_reached_from_the_package() -> None:
    code = "import xaiwidgets as xw; assert callable(xw.evaluate.localisation); assert 'evaluate' in dir(xw)"
    subprocess.run([sys.executable, "-c", code], check=True)
