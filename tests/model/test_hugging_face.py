"""transformers models as they are: what configuration and processor say, and the same answers as the library gives."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.model.zoo import CLASSIFIERS, build
from xaiwidgets import ImageModel

transformers = pytest.importorskip("transformers")

QUICK = ("ViT", "DINOv2 with registers", "ResNet", "TimmWrapper")


@pytest.fixture
def picture() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((300, 240))


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in CLASSIFIERS if n not in QUICK)]
)
def test_every_image_classifier_as_it_is(name: str) -> None:
    module = build(name)
    model = ImageModel(module)
    x = torch.randn(2, 3, *model.input_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = module(x).logits
    found = model.predict(x)
    assert model.class_names == ("cat", "dog", "fox", "owl")
    assert model.meaning == "softmax"
    torch.testing.assert_close(found.scores, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.probabilities, expected.softmax(1), rtol=1e-3, atol=1e-4)
    own = dict(module.named_modules())
    assert all(layer in own for layer in model.layers)


def config(**options: Any) -> Any:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return transformers.ViTConfig(image_size=16, patch_size=8, **sizes, **options)


def classifier(**options: Any) -> nn.Module:
    return transformers.ViTForImageClassification(config(**options)).eval()


@pytest.mark.parametrize(
    ("options", "meaning"),
    [
        ({"num_labels": 3}, "softmax"),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, "sigmoid"),
        ({"num_labels": 2, "problem_type": "regression"}, "values"),
        ({"num_labels": 1}, "values"),
        ({"num_labels": 1, "problem_type": "multi_label_classification"}, "sigmoid"),
    ],
)
def test_what_scores_mean_is_known(options: dict[str, Any], meaning: str) -> None:
    model = ImageModel(classifier(**options))
    assert model.meaning == meaning
    assert ImageModel(classifier(**options), scores="softmax").meaning == "softmax"
    assert model.class_names is None  # LABEL_0 and so on are no names


def test_names_belong_to_classifiers() -> None:
    labels = {"id2label": {"1": "dog", "0": "cat"}}
    assert ImageModel(classifier(**labels)).class_names == ("cat", "dog")
    encoder = ImageModel(transformers.ViTModel(config(**labels)).eval())
    assert encoder.class_names is None
    assert encoder.output(torch.zeros(1, 3, 16, 16)).shape == (1, 16)

    own = type("Mine", (transformers.ViTForImageClassification,), {})
    assert ImageModel(own(config(**labels)).eval()).class_names == ("cat", "dog")
    assert ImageModel(classifier(**labels), class_names=["a", "b"]).class_names == ("a", "b")


def test_size_and_statistics_without_a_processor() -> None:
    model = ImageModel(classifier())
    assert model.input_size == (16, 16)
    assert model.mean == model.std == (0.5, 0.5, 0.5)
    assert "mean and std assumed" in repr(model)
    assert "assumed" not in repr(ImageModel(classifier(), mean=(0.4,) * 3, std=0.2))
    grey = ImageModel(classifier(num_channels=1))
    assert (grey.channels, grey.mean, grey.std) == (1, (0.0,), (1.0,))
    assert ImageModel(build("ResNet")).mean == (0.485, 0.456, 0.406)


PROCESSORS = {
    "ViTImageProcessor": {"size": {"height": 32, "width": 24}},
    "CLIPImageProcessor": {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}},
    "ConvNextImageProcessor": {"size": {"shortest_edge": 32}},
    # Blue first; and normalised twice.
    "MobileViTImageProcessor": {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}},
    "EfficientNetImageProcessor": {"size": {"height": 32, "width": 32}},
    "RTDetrImageProcessor": {"size": {"height": 32, "width": 32}},
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_processor_makes_the_images(name: str, picture: Image.Image) -> None:
    processor = getattr(transformers, name)(**PROCESSORS[name])
    model = ImageModel(nn.Conv2d(3, 2, 3), processor=processor)
    x = model.prepare(picture)
    torch.testing.assert_close(x, processor(images=picture, return_tensors="pt")["pixel_values"])
    assert x.shape[2:] == model.input_size
    # Pixels are those of the picture, whatever the order of channels.
    flat = Image.new("RGB", (64, 64), (255, 128, 0))
    pixels = model.pixels(model.prepare(flat))[0, :, 8, 8]
    torch.testing.assert_close(pixels, torch.tensor([1.0, 128 / 255, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.normalise(model.pixels(x)), x, atol=1e-4, rtol=1e-4)
    assert model.prepare(picture, size=48).shape == (1, 3, 48, 48)
    torch.testing.assert_close(
        model.prepare(flat, size=16)[0, :, 3, 3], model.prepare(flat)[0, :, 8, 8], atol=1e-4, rtol=1e-4
    )


def test_what_is_given_goes_before_the_processor(picture: Image.Image) -> None:
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    model = ImageModel(classifier(), processor=processor, mean=(0.1,) * 3, transform=lambda image: torch.zeros(3, 8, 8))
    assert model.mean == (0.1, 0.1, 0.1)
    assert model.prepare(picture).shape == (1, 3, 8, 8)
    assert "assumed" not in repr(ImageModel(classifier(), processor=processor))


def test_processors_that_make_no_images() -> None:
    for given, message in (
        (3, "processor is int; give what transformers' AutoProcessor or AutoImageProcessor gives"),
        (lambda **options: {"input_ids": 3}, r"processor function gives NoneType as pixel_values of a picture"),
        (
            lambda images, return_tensors: {"pixel_values": torch.zeros(3, 8, 8)},
            r"gives a tensor \(3, 8, 8\) as pixel_values of a picture; it must give one image \(1, C, H, W\)",
        ),
    ):
        with pytest.raises(TypeError, match=message):
            ImageModel(classifier(), processor=given)
    constant = SimpleNamespace(image_processor=lambda images, return_tensors: {"pixel_values": torch.ones(1, 3, 8, 8)})
    with pytest.raises(ValueError, match="mixes the channels of a picture or turns them"):
        ImageModel(classifier(), processor=constant)


def test_transformers_is_imported_by_those_who_use_it() -> None:
    code = (
        "import sys, torch, xaiwidgets as xw; m = xw.ImageModel(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3),"
        " torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())); xw.load('demo:shapes-cnn');"
        " assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
