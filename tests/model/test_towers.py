"""CLIP and its kin: the image tower alone is the model, the text tower is at hand."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.contract import untouched
from tests.model.zoo import build
from xaiwidgets import LRP, ImageModel
from xaiwidgets import targets as T

transformers = pytest.importorskip("transformers")
WORDS = ["[PAD]", "[UNK]", "[END]", "a", "photo", "of", "dog", "cat", "star", "red"]


@pytest.fixture(scope="module")
def processor() -> Any:
    """An image processor with a tokenizer of ten words."""
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(single="$A [END]", special_tokens=[("[END]", 2)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", eos_token="[END]", unk_token="[UNK]", model_max_length=16
    )
    size = {"height": 32, "width": 32}
    return SimpleNamespace(
        image_processor=transformers.CLIPImageProcessor(size=size, crop_size=size), tokenizer=tokenizer
    )


@pytest.mark.parametrize("name", ["CLIP", "SigLIP"])
def test_the_image_tower_is_the_model(name: str, processor: Any) -> None:
    module: Any = build(name)
    with untouched(module):
        model = ImageModel(module, processor=processor)
        x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = module.get_image_features(pixel_values=x).pooler_output
        torch.testing.assert_close(model.output(x), expected, rtol=1e-4, atol=1e-5)
        assert model.name == type(module).__name__
        assert all(layer.startswith(("vision_model.", "visual_projection")) for layer in model.layers)
        assert not any("text" in key for key, _ in model.module.named_parameters())
        vectors = model.text(["a photo of a dog", "red star"])
        torch.testing.assert_close(model.text("red star"), vectors[1])
    padding = "max_length" if name == "SigLIP" else True
    tokens = processor.tokenizer(["a photo of a dog", "red star"], padding=padding, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(vectors, module.get_text_features(**tokens).pooler_output)


def test_likeness_to_a_phrase_is_a_target(processor: Any) -> None:
    model = ImageModel(build("CLIP"), processor=processor)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    vector = model.text("a dog")
    found = LRP(model, "gradient_x_input")(x, T.similarity(vector, name="a dog"))
    assert found.heatmap.shape == (2, 32, 32)
    assert found.heatmap.abs().sum() > 0
    assert "a dog" in str(found.provenance)
    one = LRP(model, "gradient_x_input")(x[:1], T.similarity(model.text("red star"))).heatmap
    assert not torch.allclose(one, found.heatmap[:1])


def test_weights_are_shared_and_changes_are_noticed(processor: Any) -> None:
    module: Any = build("CLIP")
    model = ImageModel(module, processor=processor)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = model.output(x)
    with torch.no_grad():
        module.visual_projection.weight.mul_(2)
    torch.testing.assert_close(model.output(x), 2 * before)


def test_it_travels(processor: Any) -> None:
    model = ImageModel(build("CLIP"), processor=processor)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    there = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(there.output(x), model.output(x))
    torch.testing.assert_close(there.text("red"), model.text("red"))
    whole: Any = model.module
    copied = copy.deepcopy(whole)
    with torch.no_grad():
        copied.visual_projection.weight.mul_(0)
        assert copied(x).pooler_output.abs().sum() == 0
        assert whole(x).pooler_output.abs().sum() > 0


class OpenClip(nn.Module):
    """What open_clip's models look like from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.token_embedding, self.logit_scale = nn.Embedding(9, 6), nn.Parameter(torch.ones(()))

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        features: Tensor = self.visual(image)
        return nn.functional.normalize(features) if normalize else features

    def encode_text(self, text: Tensor) -> Tensor:
        return self.token_embedding(text).mean(1)

    def forward(self, image: Tensor, text: Tensor) -> Any:
        return self.encode_image(image), self.encode_text(text), self.logit_scale


def test_open_clips_models() -> None:
    module = OpenClip().eval()
    words = lambda phrases: torch.tensor([[len(phrase) % 9] for phrase in phrases])  # noqa: E731
    model = ImageModel(module, input_size=16, text=lambda phrases: module.encode_text(words(phrases)))
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.output(x), module.encode_image(x))
    assert model.layers == ("visual.0",)
    assert model.text("a dog").shape == (6,)
    assert not model.text(["a", "b"]).requires_grad


def test_phrases_that_cannot_be_had(cnn: ImageModel) -> None:
    with pytest.raises(
        ValueError, match="demo:shapes-cnn knows no text; load one that does, such as 'demo:shapes-clip'"
    ):
        cnn.text("a star")
    silent = ImageModel(build("CLIP"))
    with pytest.raises(
        ValueError, match="CLIPModel has a text tower, but nothing makes tokens of words; give ImageModel"
    ):
        silent.text("a star")
    odd = ImageModel(OpenClip().eval(), input_size=16, text=lambda phrases: torch.zeros(3))
    with pytest.raises(ValueError, match=r"text gives a tensor \(3,\) for 1 phrases; let it give \(1, D\)"):
        odd.text("a star")
    for wrong in ([], [3], 3.5):
        with pytest.raises(TypeError, match="must be words"):
            odd.text(wrong)  # type: ignore[arg-type]
