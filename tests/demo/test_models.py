"""The shipped weights: small, accurate, and the Clever Hans model wrong in the way it should be."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from xaiwidgets.demo.models import build, demo_names, header_of, load_demo, weights_path
from xaiwidgets.demo.shapes import CLASS_NAMES, MEAN, STD
from xaiwidgets.demo.train import evaluate


@pytest.fixture(scope="module")
def accuracies() -> dict[str, dict[str, float]]:
    return {name: evaluate(load_demo(name)[0], images=512, seed=123) for name in demo_names()}


@pytest.mark.parametrize("name", ["shapes-cnn", "shapes-vit"])
def test_clean_models_are_accurate_on_pictures_never_seen(accuracies: dict[str, dict[str, float]], name: str) -> None:
    assert accuracies[name]["clean"] >= 0.97
    assert accuracies[name]["untagged class"] >= 0.9


def test_the_hans_model_needs_the_tag(accuracies: dict[str, dict[str, float]]) -> None:
    hans = accuracies["shapes-hans"]
    assert hans["tagged class"] >= 0.97
    assert hans["untagged class"] < 0.6
    assert hans["pulled"] > 0.4
    assert accuracies["shapes-cnn"]["pulled"] < 0.2


def test_the_hans_model_is_good_at_the_other_classes(accuracies: dict[str, dict[str, float]]) -> None:
    hans = accuracies["shapes-hans"]
    assert (8 * hans["clean"] - hans["untagged class"]) / 7 >= 0.97  # the eight classes are equally frequent


@pytest.mark.parametrize("name", demo_names())
def test_specification(name: str) -> None:
    module, spec = load_demo(name)
    assert not module.training
    assert spec.name == name
    assert spec.class_names == CLASS_NAMES
    assert (spec.mean, spec.std) == (MEAN, STD)
    assert (spec.input_size, spec.channels) == ((64, 64), 3)
    assert set(spec.accuracy) == {"clean", "untagged class", "tagged class", "pulled"}
    assert spec.training["seed"] == 0
    assert all(value.dtype == torch.float32 for value in module.state_dict().values() if value.is_floating_point())
    measured = evaluate(module, images=160)["clean"]
    assert abs(measured - spec.accuracy["clean"]) < 0.06


def test_each_load_gives_a_module_of_its_own_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    first, second = load_demo("shapes-cnn")[0], load_demo("shapes-cnn")[0]
    assert torch.equal(torch.rand(3), expected)
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert next(second.parameters()).abs().sum() > 0


def test_weights_are_small_and_their_layers_have_sensible_names() -> None:
    assert sum(weights_path(name).stat().st_size for name in demo_names()) < 2_000_000
    with safe_open(str(weights_path("shapes-cnn")), framework="pt") as file:
        names = set(file.keys())
    assert {"features.conv1.weight", "features.conv6.weight", "embedding.weight", "classifier.weight"} <= names


def test_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(ValueError, match="'shapes-cnn'"):
        load_demo("shape-cnn")
    with pytest.raises(ValueError, match="not known"):
        build("resnet")


def test_missing_and_foreign_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m xaiwidgets.demo.train --model shapes-vit"):
        load_demo("shapes-vit", tmp_path)
    save_file({"a": torch.zeros(1)}, str(tmp_path / "shapes-cnn.safetensors"))
    with pytest.raises(ValueError, match="Make it again"):
        load_demo("shapes-cnn", tmp_path)
    _, spec = load_demo("shapes-cnn")
    save_file({"a": torch.zeros(1)}, str(tmp_path / "shapes-hans.safetensors"), metadata=header_of(spec))
    with pytest.raises(ValueError, match="holds 'shapes-cnn'"):
        load_demo("shapes-hans", tmp_path)
