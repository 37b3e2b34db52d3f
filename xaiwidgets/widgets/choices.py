"""What a person may choose in a widget, checked wherever it is set: in a call, on the widget, in the browser."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import torch
import traitlets
from torch import Tensor

from xaiwidgets.errors import unknown, whole
from xaiwidgets.model import ImageModel

CLOSED = "the widget was closed, and its images and explanations are gone; make it again"


class StateError(traitlets.TraitError, ValueError):
    """A value that a widget cannot take. As a TraitError it makes several changes at once be taken back together."""


class Classes:
    """The classes that a person may name: those of a model, for images like x (N, C, H, W); without a model any index is taken."""

    def __init__(self, model: ImageModel | None, x: Tensor) -> None:
        self.names = tuple(() if model is None else model.class_names or ())
        # All of x: a view that is kept beside its base makes torch abort when the interpreter ends.
        self._model, self._x = model, x

    @cached_property
    def count(self) -> int | None:
        """How many there are, asked of the model, which may have names for some only; None without a model."""
        if self._model is None:
            return None
        with self._model.lock:
            return self._model.scores(self._x[:1]).shape[1]

    def index(self, argument: str, value: Any) -> int | None:
        """A class by its index or name; None stays.

        Raises:
            StateError: neither, or not a class of the model.
        """
        if value is None:
            return None
        if isinstance(value, str):
            if not self.names:
                raise StateError(f"{argument}={value!r} is not known: the model has no class_names; give an index")
            if argument == "against" and value == "rest" and "rest" not in self.names:
                raise StateError(
                    "against='rest' is for calls of an explainer; give one class to contrast with, or None"
                )
            check_known(argument, value, self.names)
            return self.names.index(value)
        try:
            number = whole(argument, value, 0, also=": a class by its index, or its name, or None")
        except ValueError as error:
            raise StateError(str(error)) from None
        if number >= len(self.names) and self.count is not None and number >= self.count:
            raise StateError(
                f"{argument}={number} is not a class of the model; give 0 to {self.count - 1}, a name, or None"
            )
        return number


class ClassChoice(traitlets.Int):
    """A class, kept as its index, of a widget that has its `Classes` in ``_classes``; a name may be given, or None."""

    def __init__(self) -> None:
        super().__init__(None, allow_none=True)

    def validate(self, obj: Any, value: Any) -> Any:
        return obj._classes.index(self.name, value)


def check_image(image: int, images: int) -> int:
    """The number of an image. Raises StateError where there is none."""
    if images == 0:
        raise StateError(CLOSED)
    if not 0 <= image < images:
        raise StateError(f"image={image} is not there; give 0 to {images - 1}")
    return image


def check_known(argument: str, name: str, known: Iterable[str]) -> str:
    """A name among those known. Raises StateError with the nearest ones."""
    names = list(known)
    if name not in names:
        raise StateError(str(unknown(argument, name, names)))
    return name


def given_pixels(pixels: Any, x: Tensor) -> Tensor:
    """Pictures that a person wants to see in place of x's own, a tensor or array of x's shape, as (N, C, H, W) in [0, 1].

    Raises:
        TypeError: neither. ValueError: another shape, or whole numbers, which would all be white.
    """
    try:
        found = torch.as_tensor(pixels)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"pixels is {type(pixels).__name__}; give a tensor or array {tuple(x.shape)}") from None
    if found.shape != x.shape:
        raise ValueError(f"pixels has shape {tuple(found.shape)}, x {tuple(x.shape)}; give the same images")
    if not found.is_floating_point():
        raise ValueError(f"pixels has values of type {found.dtype}; give numbers from 0 to 1, such as pixels / 255")
    return found.detach().float().clamp(0, 1).cpu()
