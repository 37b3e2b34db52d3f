"""The models that an overlay explains: each with the images as it takes them, and its classes among those of the widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Result
from xaiwidgets.targets import TargetError, score_of, told
from xaiwidgets.widgets.choices import Classes
from xaiwidgets.widgets.heatmap.inputs import batch_of

__all__ = ["UNTOLD", "Subject", "names_of_others", "subjects_of"]

UNTOLD = "what it explains"
"""Of a result that does not say which class it explains."""


class Subject:
    """One model of the overlay, or none; of the first one the classes are those of the widget.

    Attributes:
        x: the images (N, C, H, W) as the model takes them. name: the model's.
    """

    def __init__(self, model: ImageModel | None, x: Tensor, name: str = "") -> None:
        self.model, self.x = model, x
        self.name = name if model is None else model.name
        self._classes = Classes(None, x)
        self._lent = False

    def know(self, classes: Classes, asked: bool = True) -> None:
        """Learn which classes a person may ask about. ``asked``: whether the model will be.

        Raises:
            ValueError: the model has no names of classes, and not as many classes as have names.
        """
        self._classes = classes
        self._lent = asked and self.model is not None and bool(classes.classes) and not self._names
        if self._lent:
            count, named = Classes(self.model, self.x).count, len(classes.classes) - classes.later
            if count is not None and count != named:
                raise ValueError(
                    f"{self.name} has {count} classes without names, another model names {named}: which are the same is not known; "
                    "give the first class_names, as ImageModel(…, class_names=[…])"
                )

    @property
    def borrowed(self) -> list[list[str]]:
        """The note of a model whose classes have another one's names."""
        return [["class names", "another model's, by their numbers: this one has none"]] if self._lent else []

    @property
    def among(self) -> list[int] | None:
        """The widget's index of each class, where both have names; None where the numbers are the same."""
        own, all_ = self._names, self._classes.classes
        if not own or not all_ or all_[: len(own)] == own:
            return None
        first = {name: index for index, name in reversed(list(enumerate(all_)))}
        return [first[name] for name in own]

    def own(self, index: int | None) -> Any:
        """What the model's explainers are told of a class or target of the widget: a class by the name that both know it by.

        Raises:
            TargetError: the model has no such class.
        """
        own, all_ = self._names, self._classes.classes
        if index is None or index >= len(all_) or not own:
            return self._classes.asked(index)
        if index < len(own) and own[index] == all_[index]:
            return index
        if all_[index] not in own:
            raise TargetError(
                f"{self.name} has no class “{all_[index]}”; choose a class that it knows, or its predicted one"
            )
        return own.index(all_[index])

    def predicted(self, image: int) -> Any:
        """What the model predicts of an image, as explainers are told; None without a model."""
        if self.model is None:
            return None
        x = self.x[image, None]
        with self.model.lock:
            found = told(None, score_of(self.model, self.model.output(x), None, x))
        return int(found) if isinstance(found, Tensor) else found

    def explained(self, image: int, target: int | None, against: int | None) -> tuple[list[str], str]:
        """What is explained of an image, in words, and the model's answer to it: ["class explained", "star, probability 99.5%"]; and
        what its score is counted in."""
        assert self.model is not None
        model, classes, x = self.model, self._classes, self.x[image, None]
        with model.lock:
            output = model.output(x)
            score = score_of(model, output, self.own(target), x)
        name = classes.names[target] if target is not None and classes.is_named(target) else score.names[0]
        if self._lent and target is None and score.classes is not None:
            name = classes.names[int(score.classes.reshape(-1)[0])]
        said = f"{name}, score {float(score(output)):.4g}"
        if score.classes is not None:
            value = float(score.probability(output))
            said = f"{name}, value {value:.4g}" if model.meaning == "values" else f"{name}, probability {value:.1%}"
        if against is not None:
            rival = classes.names[against] if classes.is_named(against) else model.class_name(self.own(against))
            said += f" against {rival}"
        return ["class explained" if score.classes is not None else "explained", said], score.unit

    def told_by(self, result: Result, row: int) -> str:
        """What a finished result says that it explains of its image `row`: "dog", "dog rather than cat"."""
        asked = result.provenance.parameters
        classes = getattr(result, "target", None)
        told = [asked.get("target") if classes is None else classes, asked.get("against")]
        names = [self._called(entry[row] if isinstance(entry, Tensor | list) else entry) for entry in told]
        return " rather than ".join(name for name in names if name) if names[0] else UNTOLD

    def _called(self, entry: Any) -> str:
        if entry is None or isinstance(entry, str):
            return "" if entry is None else entry
        if self._lent and int(entry) < len(self._classes.classes):
            return self._classes.classes[int(entry)]
        return self.model.class_name(int(entry)) if self.model is not None else f"class {int(entry)}"

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(() if self.model is None else self.model.class_names or ())


def subjects_of(
    sources: Mapping[str, Any], x: Tensor | Mapping[str, Tensor], model: ImageModel | None
) -> tuple[list[Subject], dict[str, int]]:
    """The models of explainers and results, the first one `model` or the first there is; and which of them each explains.

    Args:
        x: images (N, C, H, W), prepared for the first model; or those of each explainer, by its name.

    Raises:
        TypeError, ValueError: images that do not fit, or cannot be carried over to another model.
    """
    first = model or next((found for source in sources.values() if (found := _model_of(source)) is not None), None)
    models: list[ImageModel | None] = [first]
    names = [""]
    which: dict[str, int] = {}
    for name, source in sources.items():
        own = _model_of(source)
        # A result knows its model by name alone.
        told_name = source.provenance.model if isinstance(source, Result) and own is None else None
        if own is not None:
            at = next((i for i, m in enumerate(models) if m is not None and m.module is own.module), None)
            known = None if first is None else at
        else:
            known = 0
            if told_name and first is not None and told_name != first.name:
                known = next((i for i, m in enumerate(models) if told_name in (names[i], m and m.name)), None)
        if known is None:
            models.append(own)
            names.append(told_name or "")
            known = len(models) - 1
        which[name] = known
    given = _given(sources, x, which)
    home = given[0] if 0 in given else next(iter(given.values()))
    home = batch_of(home) if first is None else first.validate(home)
    subjects = []
    for number, (entry, said) in enumerate(zip(models, names, strict=True)):
        if number == 0 or entry is None or first is None:
            images = home
        elif isinstance(x, Mapping):
            images = entry.validate(given[number], f"x[{next(n for n, w in which.items() if w == number)!r}]")
        else:
            images = _carried(entry, home, first, which, number)
        if images.shape[:1] + images.shape[2:] != home.shape[:1] + home.shape[2:]:
            raise ValueError(
                f"x of {entry.name if entry else said} has shape {tuple(images.shape)}, of {first.name if first else 'the first'} "
                f"{tuple(home.shape)}; give the same images in one size"
            )
        subjects.append(Subject(entry, images, said))
    return subjects, which


def names_of_others(subjects: Sequence[Subject]) -> tuple[list[str], int]:
    """The names of classes that the first model lacks, in the order of the widget's; and how many of them follow those of the first
    model that has names, which are those of all models without any."""
    first = subjects[0]._names
    lent = () if first else next((subject._names for subject in subjects if subject._names), ())
    others = [name for subject in subjects for name in subject._names]
    more = [name for name in dict.fromkeys(others) if name not in (first or lent)]
    return [*lent, *more], len(more)


def _model_of(source: Any) -> ImageModel | None:
    found = getattr(source, "model", None)
    return found if isinstance(found, ImageModel) else None


def _given(sources: Mapping[str, Any], x: Any, which: Mapping[str, int]) -> dict[int, Any]:
    """The images that a person gave, by the number of the model that they are for."""
    if not isinstance(x, Mapping):
        return {0: x}
    for name in x:
        if name not in sources:
            raise unknown("x", name, sources)
    found: dict[int, Any] = {}
    for name, number in which.items():
        if name in x:
            found.setdefault(number, x[name])
    missing = [name for name, number in which.items() if number not in found]
    if missing:
        raise ValueError(f"x has no images for {missing[0]!r}; give those of each explainer by its name, or one tensor")
    return found


def _carried(model: ImageModel, x: Tensor, first: ImageModel, which: Mapping[str, int], number: int) -> Tensor:
    """The first model's images as another one takes them."""
    try:
        return model.adopt(x, first)
    except ValueError as error:
        name = next(entry for entry, of in which.items() if of == number)
        raise ValueError(f"x cannot be carried over to {name!r}: {error}, as x={{{name!r}: …, …}}") from None
