"""What a person may choose in a widget, checked wherever it is set: in a call, on the widget, in the browser."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
import traitlets
from torch import Tensor

from xaiwidgets.errors import unknown, whole
from xaiwidgets.model import ImageModel
from xaiwidgets.plots.colours import COLORMAPS
from xaiwidgets.targets import Target, class_count, target_of

# What a closed widget has in place of images. Made here: a widget may be collected in the middle of an export, whose modes would
# take a tensor that is made then for one of the model's.
NO_IMAGES = torch.empty(0)
CLOSED = "the widget was closed, and its images and explanations are gone; make it again"


_FEW = 16
"""So many outputs of a regression are a choice; more, without names, are a representation."""


class StateError(traitlets.TraitError, ValueError):
    """A value that a widget cannot take. As a TraitError it makes several changes at once be taken back together."""


class Classes:
    """What a person may ask about: the classes of a model, for images like x (N, C, H, W), and after them targets that somebody
    named; without a model any index is taken. ``more``: names of classes that only other models know; of these the last ``later``
    are unknown to the first that has names."""

    def __init__(self, model: ImageModel | None, x: Tensor, more: Sequence[str] = (), later: int = 0) -> None:
        self.classes = tuple(() if model is None else model.class_names or ())
        self.classes += tuple(more)
        self.later = later
        self._named: dict[str, Any] = {}
        # All of x: a view that is kept beside its base makes torch abort when the interpreter ends.
        self._model, self._x = model, x

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, where they have any, and of the targets, by index."""
        return (*self.classes, *self._named)

    @property
    def named(self) -> dict[str, Any]:
        """The targets by name, in the order of their indices, which follow those of the classes."""
        return dict(self._named)

    @cached_property
    def count(self) -> int | None:
        """How many classes there are, asked of the model, which may have names for some only; None without a model, and where the model
        gives something else."""
        if self._model is None:
            return None
        with self._model.lock:
            output = self._model.output(self._x[:1])
            return class_count(self._model, output)

    def asked(self, index: int | None) -> Any:
        """What an explainer is told of an index: a class, or a target; None stays."""
        named = list(self._named.values())
        first = len(self.classes)
        return index if index is None or not first <= index < first + len(named) else named[index - first]

    def is_named(self, index: int | None) -> bool:
        """Whether an index is that of a target, not of a class."""
        return index is not None and len(self.classes) <= index < len(self.names)

    def index(self, argument: str, value: Any) -> int | None:
        """A class by its index or name, or a target, by name or itself; None stays. Of targets by name (a dict) the first.

        Raises:
            StateError: neither, or not a class of the model.
        """
        if isinstance(value, Mapping):
            if not value:
                raise StateError(f"{argument} is empty; give at least one target by name, or None")
            added = [self._add(str(name), entry) for name, entry in value.items()]
            return added[0]
        if isinstance(value, list | tuple):
            raise StateError(
                f"{argument}={value!r} is several; give one class, or targets by name as {{'name': target, …}}. Classes beside each other: "
                "HeatmapOverlay(…, show='targets', beside=[…])"
            )
        if isinstance(value, Target) or callable(value):
            return self._add(str(target_of(value)), value)
        if value is None:
            return None
        if self._x is NO_IMAGES:
            raise StateError(CLOSED)
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

    def _add(self, name: str, target: Any) -> int:
        """One more target; one of that name takes the older one's place. Raises StateError for a name that a class has."""
        if not self.classes and self.count is not None:
            # Targets stand after the classes, which need names of some kind then. A representation's numbers are no choice.
            values = self._model is not None and self._model.meaning == "values"
            none = values and is_representation(self._model, self.count)
            word, count = ("output" if values else "class"), 0 if none else self.count
            self.classes = tuple(f"{word} {index}" for index in range(count))
        if name in self.classes:
            raise StateError(f"target {name!r} has the name of a class; give it another")
        self._named[name] = target
        return len(self.classes) + list(self._named).index(name)


class ClassChoice(traitlets.Int):
    """A class, kept as its index, of a widget that has its `Classes` in ``_classes``; a name may be given, None, or another target, which
    then stands among the widget's ``class_names``."""

    def __init__(self) -> None:
        super().__init__(None, allow_none=True)

    def validate(self, obj: Any, value: Any) -> Any:
        classes = obj._classes
        index = classes.index(self.name, value)
        if self.name == "reference_class" and classes.is_named(index):
            raise StateError(f"reference_class={value!r} is no class; references are kept by class: give one, or None")
        if classes.names and list(classes.names) != obj.class_names:
            obj.class_names = list(classes.names)
        return index


class ClassList(traitlets.List):
    """Classes and targets, kept as indices, of a widget that has its `Classes` in ``_classes``; names may be given."""

    def __init__(self) -> None:
        super().__init__(traitlets.Int(), [])

    def validate(self, obj: Any, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise StateError(
                f"{self.name} is {type(value).__name__}; give a list of classes or targets, by index or name"
            )
        found = [obj._classes.index(self.name, entry) for entry in value]
        if None in found:
            raise StateError(f"{self.name} has None; give classes or targets, by index or name")
        return super().validate(obj, list(dict.fromkeys(found)))


class Colormap(traitlets.Unicode):
    """The name of a colour map that the widgets have."""

    def validate(self, obj: Any, value: Any) -> Any:
        return check_known(str(self.name), super().validate(obj, value), COLORMAPS)


class Finite(traitlets.Float):
    """A number that is one: what is not cannot be written to a page."""

    def validate(self, obj: Any, value: Any) -> Any:
        if isinstance(value, int | float) and not math.isfinite(value):
            raise StateError(f"{self.name}={value} is not finite; give a number")
        return super().validate(obj, value)


class Zoom(traitlets.List):
    """[magnification, x, y]: how large the picture is drawn, 1 for the whole of it, and the middle of what is seen, in shares of it."""

    def __init__(self) -> None:
        super().__init__(traitlets.Float(), [1.0, 0.5, 0.5])

    def validate(self, obj: Any, value: Any) -> Any:
        numbers = isinstance(value, list | tuple) and len(value) == 3 and all(isinstance(n, int | float) for n in value)
        if not numbers or not math.isfinite(value[0]) or value[0] < 1 or not all(0 <= n <= 1 for n in value[1:]):
            raise StateError(
                f"{self.name}={value!r} is no part of a picture; give [magnification of at least 1, x, y], x and y from 0 to 1"
            )
        return super().validate(obj, list(value))


class Pinned(traitlets.Any):
    """A place that a person pinned, as two whole numbers by name, or None."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(None)
        self.keys = (first, second)

    def validate(self, obj: Any, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping) or set(value) != set(self.keys):
            first, second = self.keys
            raise StateError(f"{self.name}={value!r} is no place; give {{{first!r}: …, {second!r}: …}}, or None")
        try:
            return {key: whole(f"{self.name}[{key!r}]", value[key], 0) for key in self.keys}
        except ValueError as error:
            raise StateError(str(error)) from None


def is_representation(model: ImageModel | None, count: int) -> bool:
    """Whether so many plain values of a model are numbers of a vector, of which nobody asks for one."""
    return count > _FEW and (model is None or not model.class_names)


def check_image(image: int, images: int, argument: str = "image") -> int:
    """The number of an image. Raises StateError where there is none."""
    if images == 0:
        raise StateError(CLOSED)
    if not 0 <= image < images:
        raise StateError(f"{argument}={image} is not there; give 0 to {images - 1}")
    return image


def check_known(argument: str, name: str, known: Iterable[str]) -> str:
    """A name among those known. Raises StateError with the nearest ones."""
    names = list(known)
    if not names:
        raise StateError(CLOSED)
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
