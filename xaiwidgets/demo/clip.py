"""shapes-clip, a small image-text model: pictures of shapes and phrases such as "the red star" as vectors of one space.

It was trained on pictures of one and of two objects, phrase by phrase with a sigmoid loss (Zhai et al., ICCV 2023):
`python -m xaiwidgets.demo.train_clip` makes its weights again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from xaiwidgets.demo.drawing import COLOURS, SHAPES
from xaiwidgets.demo.models import DemoSpec, read_weights, shapes_cnn

__all__ = ["CLIP", "VOCABULARY", "ShapesClip", "Words", "load_clip"]

CLIP: Final = "shapes-clip"
VOCABULARY: Final = ("", *COLOURS, *SHAPES, "thing")
"""Words that carry meaning; the first stands for none."""
FILLERS: Final = frozenset({"a", "an", "the", "photo", "picture", "of", "one"})
WORDS: Final = 2  # of a phrase that carry meaning, at most


class ShapesClip(nn.Module):
    """Two towers: `encode_image` (N, 3, H, W) and `encode_text` (n, 2) tokens, both to (…, 48). Their cosine tells what shows.

    The picture's vector is the mean over its places, so what makes it like a phrase can be found there.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.visual = nn.Sequential(
            OrderedDict(
                features=shapes_cnn().get_submodule("features"),
                project=nn.Conv2d(96, width, 1),
                average=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
            )
        )
        self.text_words = nn.EmbeddingBag(len(VOCABULARY), width, mode="sum", padding_idx=0)
        # More than a sum of words: "a red star and a blue ring" is not "a red ring and a blue star".
        self.text_layers = nn.Sequential(nn.Linear(width, 96), nn.GELU(), nn.Linear(96, width))
        self.logit_scale, self.logit_bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-4.0))

    def encode_image(self, image: Tensor) -> Tensor:
        found: Tensor = self.visual(image)
        return found

    def encode_text(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.text_layers(self.text_words(tokens))
        return found

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        """Logits (N, n) of whether what phrase j says shows in picture i."""
        images, texts = (nn.functional.normalize(part) for part in (self.encode_image(image), self.encode_text(tokens)))
        return images @ texts.T * self.logit_scale.exp() + self.logit_bias


def tokens(phrases: Sequence[str]) -> Tensor:
    """Phrases as numbers of words, (n, 2).

    Raises:
        ValueError: a word that the model never learned, or none that it did, or too many.
    """
    rows = []
    for phrase in phrases:
        words = [word for word in phrase.lower().replace(",", " ").replace(".", " ").split() if word not in FILLERS]
        unknown = [word for word in words if word not in VOCABULARY]
        if unknown or not 1 <= len(words) <= WORDS:
            said = f"has the word {unknown[0]!r}" if unknown else f"has {len(words)} words that mean something"
            raise ValueError(
                f"phrase {phrase!r} {said}; give a colour, a shape, or both, such as 'the red star': {', '.join(COLOURS)}; "
                f"{', '.join(SHAPES)}"
            )
        numbers = [VOCABULARY.index(word) for word in words]
        rows.append(numbers + [0] * (WORDS - len(numbers)))
    return torch.tensor(rows)


class Words:
    """Phrases (n) -> vectors (n, 48), by the text tower of a `ShapesClip`. Raises ValueError for words it never learned."""

    def __init__(self, module: ShapesClip) -> None:
        self.module = module

    def __call__(self, phrases: Sequence[str]) -> Tensor:
        numbers = tokens(phrases).to(self.module.text_words.weight.device)
        with torch.no_grad():
            return self.module.encode_text(numbers)


def weights_path(folder: str | Path | None = None) -> Path:
    """File of the weights, in the package or in another folder."""
    return (Path(folder) if folder is not None else Path(__file__).parent / "weights") / f"{CLIP}.safetensors"


def load_clip(folder: str | Path | None = None) -> tuple[ShapesClip, DemoSpec]:
    """The trained model in eval mode (float32, CPU) and its specification; a new module at each call.

    Raises ValueError for a file of another format, FileNotFoundError where the weights are missing.
    """
    weights, spec = read_weights(weights_path(folder), CLIP, "python -m xaiwidgets.demo.train_clip")
    with torch.random.fork_rng(devices=[]):
        module = ShapesClip()
    module.load_state_dict(weights)
    return module.eval(), spec
