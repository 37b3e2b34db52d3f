"""Models with two towers, one for images and one for text (CLIP and its kin): the image tower as a module, the text tower at hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.model.outputs import entries_of
from xaiwidgets.model.state import evaluating

__all__ = ["Text", "image_tower", "phrases_of"]

OF_TEXT = ("text", "transformer", "token_embedding", "ln_final", "positional_embedding")
"""How names of parts that only text passes begin: transformers' and open_clip's."""


def image_tower(module: nn.Module, method: str) -> nn.Module:
    """The module with `method` as its forward and without the parts for text; weights are shared, names of layers stay.

    Args:
        method: from images to representations, "get_image_features" (transformers) or "encode_image" (open_clip).
    """
    tower = copy.copy(module)
    # The dict of parts is the tower's own from here on; the parts are shared.
    parts = {name: part for name, part in module._modules.items() if not name.startswith(OF_TEXT)}
    vars(tower)["_modules"] = parts
    vars(tower)["forward"] = partial(getattr(type(module), method), tower)
    return tower


class Text:
    """Phrases (n) -> representations (n, D), by the text tower of a model and its tokenizer.

    Raises:
        ValueError: when called without a tokenizer.
    """

    def __init__(self, module: Any, tokenizer: Any) -> None:
        self.module, self.tokenizer = module, tokenizer

    def __call__(self, phrases: Sequence[str]) -> Tensor:
        if self.tokenizer is None:
            raise ValueError(
                f"{type(self.module).__name__} has a text tower, but nothing makes tokens of words; give ImageModel(…, processor=) "
                "what transformers' AutoProcessor gives"
            )
        # SigLIP learned from texts that are all of the full length.
        padding = "max_length" if str(self.module.config.model_type).startswith("siglip") else True
        tokens = self.tokenizer(list(phrases), padding=padding, truncation=True, return_tensors="pt")
        device = next(self.module.parameters()).device
        with evaluating(self.module), torch.no_grad():
            found = self.module.get_text_features(**{name: value.to(device) for name, value in tokens.items()})
        return found if isinstance(found, Tensor) else entries_of(found)["pooler_output"]


def phrases_of(text: Callable[[Sequence[str]], Tensor] | None, name: str, phrase: str | Sequence[str]) -> Tensor:
    """Representations of a phrase, (D,), or of several, (n, D), in the space of a model's images.

    Raises:
        TypeError: no phrase. ValueError: the model knows no text, or what knows it gives something else than (n, D).
    """
    if text is None:
        raise ValueError(
            f"{name} knows no text; load one that does, such as 'demo:shapes-clip' or 'hf:openai/clip-vit-base-patch32', or give "
            "ImageModel(…, text=) a function from a list of phrases to (n, D)"
        )
    several = isinstance(phrase, Iterable) and not isinstance(phrase, str)
    phrases: list[Any] = list(phrase) if several else [phrase]
    if not phrases or not all(isinstance(entry, str) for entry in phrases):
        raise TypeError(f"phrase={phrase!r} must be words, such as 'a photo of a dog', or a list of such")
    found = text(phrases)
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(phrases):
        came = f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"text gives {came} for {len(phrases)} phrases; let it give ({len(phrases)}, D)")
    found = found.detach().float()
    return found if several else found[0]
