"""The small image-text model: a phrase is found in a picture of two objects, and pictures of two tell the truth about themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets import LRP, ImageModel, load
from xaiwidgets import targets as T
from xaiwidgets.demo import Pairs, load_clip
from xaiwidgets.demo import train_clip as training
from xaiwidgets.demo.clip import weights_path


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return load("demo:shapes-clip", device="cpu")


def test_two_objects_and_their_masks() -> None:
    pairs = Pairs(40, seed=5)
    for index in range(40):
        pair = pairs.sample(index)
        one, other = pair.scenes
        assert one.shape != other.shape
        assert one.colour != other.colour
        assert pair.phrases == (f"the {one.colour} {one.shape}", f"the {other.colour} {other.shape}")
        assert not (pair.masks[0] & pair.masks[1]).any()
        # The picture's mean colour in each mask is nearer to that object's tone than to the other's.
        assert all(mask.mean() > 0.03 for mask in pair.masks)
        again = Pairs(9999, seed=5).sample(index)
        assert np.array_equal(again.image, pair.image)
    with pytest.raises(IndexError, match=r"index 40 is out of range for 40 pictures\. Give 0 to 39\."):
        pairs.sample(40)
    with pytest.raises(ValueError, match="indices is empty"):
        pairs.batch([])


def shares(model: ImageModel, count: int = 24) -> Tensor:
    """(2, N): the share on its own object of what speaks for a phrase, of all that lies on the two objects."""
    batch = Pairs(count, seed=3).batch(range(count))
    explain, found = LRP(model), []
    for number in (0, 1):
        vectors = model.text([pair.phrases[number] for pair in batch.pairs])
        heat = explain(batch.x, T.similarity(vectors)).heatmap.clamp(min=0)
        inside = (heat[:, None] * batch.masks).sum((2, 3))
        found.append(inside[:, number] / inside.sum(1))
    return torch.stack(found)


def test_a_phrase_is_found(model: ImageModel) -> None:
    found = shares(model)
    # Of one picture: the named object takes 70 % or more, and 30 % or less when the other is named.
    assert (found >= 0.7).float().mean() > 0.95, found
    assert found.mean() > 0.8


def test_an_untrained_model_finds_nothing() -> None:
    """The measure can fail: with random weights the named object takes about half."""
    from xaiwidgets.demo.clip import ShapesClip, Words

    torch.manual_seed(0)
    module = ShapesClip().eval()
    found = shares(ImageModel(module, text=Words(module), input_size=64, mean=0.5, std=0.25))
    # Where no relevance is positive there is no share.
    assert 0.3 < float(found.nanmean()) < 0.7


def test_it_knows_what_shows(model: ImageModel) -> None:
    module, spec = load_clip()
    assert weights_path().stat().st_size < 1_000_000
    assert spec.accuracy["colour alone"] > 0.95
    # The recipe as it stands is the one that made the weights.
    made = {"seed": 0, "images": training.IMAGES}
    assert {name: spec.training[name] for name in made} == made
    found = training.evaluate(module, images=200, seed=9)
    # Measured when it was trained, on other pictures.
    for name, share in found.items():
        assert abs(share - spec.accuracy[name]) < 0.12, (name, share, spec.accuracy[name])
    assert model.class_names is None
    assert model.output(torch.zeros(1, 3, 64, 64)).shape == (1, 48)
    assert not any(name.startswith("text") for name, _ in model.module.named_parameters())


def test_words_and_those_it_never_learned(model: ImageModel) -> None:
    assert torch.equal(model.text("the red star"), model.text("A photo of a red star."))
    assert not torch.allclose(model.text("red"), model.text("star"))
    with pytest.raises(ValueError, match=r"phrase 'the red dog' has the word 'dog'; give a colour, a shape, or both"):
        model.text("the red dog")
    with pytest.raises(ValueError, match="phrase 'a photo of' has 0 words that mean something"):
        model.text(["red", "a photo of"])
    with pytest.raises(ValueError, match="has 3 words that mean something"):
        model.text("the red blue star")


def test_a_short_run_repeats_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, record = training.train(seed=7, images=128, progress=False)
    second, _ = training.train(seed=7, images=128, progress=False)
    assert record["images"] == 128
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    quick = training.evaluate
    monkeypatch.setattr(training, "evaluate", lambda module: quick(module, images=20))
    threads = str(torch.get_num_threads())
    assert training.main(["--out", str(tmp_path), "--images", "128", "--threads", threads]) == 0
    module, spec = load_clip(tmp_path)
    assert spec.training["images"] == 128
    assert not module.training
    with pytest.raises(ValueError, match=r"images=3 is too few\. Give at least 128, two batches\."):
        training.train(images=3)


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"make the weights: python -m xaiwidgets\.demo\.train_clip"):
        load_clip(tmp_path)
