"""What stands on screen: one picture, or several beside each other. Questions, figures and saved pages follow from the list of them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import traitlets
from torch import Tensor

from xaiwidgets.errors import unknown, whole
from xaiwidgets.widgets.choices import CLOSED, Classes, StateError, check_image, check_known
from xaiwidgets.widgets.heatmap.answers import Answer, Question
from xaiwidgets.widgets.heatmap.methods import Method, span_of
from xaiwidgets.widgets.heatmap.state import HeatmapState

__all__ = ["COMPARISONS", "GALLERY", "SIDE_BY_SIDE", "TARGETS", "HeatmapComparison", "OnScreen"]

SIDE_BY_SIDE, GALLERY = "side_by_side", "gallery"
"""What `show` may be beside a view: all views of a method, all images of a method."""
METHODS, TARGETS, IMAGES, MODELS = "compare", "targets", "images", "models"
COMPARISONS = (METHODS, TARGETS, IMAGES, MODELS)
"""What `show` may be to compare: a picture a method, a target, an image, a model."""
MOST = 6
"""Pictures beside each other, where a person chooses them."""
FEW = 4
"""Images beside each other, where nobody chose."""


@dataclass(frozen=True)
class OnScreen:
    """One map on screen: what it answers, which of the answer's maps it is, what stands above it; `short` names it among others."""

    question: Question
    view: dict[str, Any]
    title: str
    short: str


class HeatmapComparison(HeatmapState):
    """The overlay's state, and what of all that could be asked is on screen."""

    _x: Tensor
    _classes: Classes
    _known: dict[str, Method]
    _answers: OrderedDict[Question, Answer]

    @traitlets.validate("show")
    def _valid_show(self, proposal: Any) -> str:
        if not self._known:
            raise StateError(CLOSED)
        views = [view["name"] for method in self._known.values() for view in method.views]
        known = ["", *dict.fromkeys(views), SIDE_BY_SIDE, *COMPARISONS, GALLERY]
        return check_known("show", proposal["value"], known)

    @traitlets.validate("beside_methods")
    def _valid_methods(self, proposal: Any) -> list[str]:
        return list(dict.fromkeys(check_known("beside_methods", name, self._known) for name in proposal["value"]))

    @traitlets.validate("beside_images")
    def _valid_images(self, proposal: Any) -> list[int]:
        return list(dict.fromkeys(check_image(image, len(self._x), "beside_images") for image in proposal["value"]))

    @traitlets.validate("fixed_range")
    def _valid_range(self, proposal: Any) -> list[float] | None:
        value: list[float] | None = proposal["value"]
        if value is not None and not -math.inf < value[0] < value[1] < math.inf:
            raise StateError(f"fixed_range={value!r} spans no colours; give [lowest, highest], or None")
        return value

    @traitlets.validate("parameters")
    def _valid_parameters(self, proposal: Any) -> dict[str, dict[str, Any]]:
        value: dict[str, dict[str, Any]] = proposal["value"]
        for name, own in value.items():
            check_known("parameters", name, self._known)
            if not isinstance(own, Mapping):
                raise StateError(
                    f"parameters[{name!r}] is {type(own).__name__}; give the method's own by name, as {{{name!r}: {{'…': …}}}}"
                )
        return value

    @traitlets.validate("difference")
    def _valid_difference(self, proposal: Any) -> list[int] | None:
        value = proposal["value"]
        if value is None:
            return None
        try:
            found = [whole("difference", entry, 0) for entry in (value if isinstance(value, list | tuple) else [])]
        except ValueError as error:
            raise StateError(str(error)) from None
        if len(found) != 2 or found[0] == found[1] or max(found) >= MOST:
            raise StateError(
                f"difference={value!r} is none; give the places of two pictures that stand beside each other, such as (0, 1), or None"
            )
        return found

    # -- questions -----------------------------------------------------------------------------------------------------

    def _question(self, method: str | None = None, image: int | None = None, **asked: int | None) -> Question:
        method = self.method if method is None else method
        own = self.parameters.get(method, {})
        state = {
            "image": self.image if image is None else image,
            "method": method,
            "target": asked.get("target", self.target),
            "against": self.against,
            "parameters": own,
        }
        return self._read(state)

    def _read(self, content: Mapping[str, Any]) -> Question:
        """A question, checked: a saved page of another widget, or a person's script, may ask anything."""
        if not self._known:
            raise ValueError(CLOSED)
        name = content.get("method") or next(iter(self._known))
        if name not in self._known:
            raise unknown("method", name, self._known)
        question = Question.read({**content, "method": name}, self._known[name].classes)
        check_image(question.image, len(self._x))
        return question

    def _on_screen(self, image: int | None = None) -> list[OnScreen]:
        """The maps on screen, in their order; ``image``: as if that one were shown."""
        method = self._known.get(self.method)
        if method is None:
            raise ValueError(CLOSED)
        if self.show == GALLERY:
            return [self._image_pane(number) for number in range(len(self._x))]
        if self.show == IMAGES:
            return [self._image_pane(number) for number in self._compared_images()]
        if self.show in (METHODS, MODELS):
            return [self._method_pane(known, image) for known in self._compared_methods()]
        if self.show == TARGETS and method.classes:
            return [self._target_pane(method, target, image) for target in self._compared_targets(image)]
        views = [view for view in method.views if view["name"] == self.show] or method.views[:1]
        views = list(method.views) if self.show == SIDE_BY_SIDE else list(views)
        question = self._question(image=image)
        return [OnScreen(question, view, view["label"], view["label"]) for view in views]

    def _shown(self, image: int | None = None) -> list[Question]:
        """The questions whose answers are on screen, each once."""
        return list(dict.fromkeys(entry.question for entry in self._on_screen(image)))

    @property
    def _comparing(self) -> bool:
        return self.show in COMPARISONS

    def _method_pane(self, method: Method, image: int | None) -> OnScreen:
        view = method.views[0]
        return OnScreen(self._question(method.name, image), view, f"{method.name}: {view['label']}", method.name)

    def _target_pane(self, method: Method, target: int | None, image: int | None) -> OnScreen:
        view, names = method.views[0], self.class_names
        name = view["label"] if target is None else names[target] if target < len(names) else f"class {target}"
        return OnScreen(self._question(image=image, target=target), view, name, name)

    def _image_pane(self, image: int) -> OnScreen:
        name = f"Image {image + 1}"
        return OnScreen(self._question(image=image), self._known[self.method].views[0], name, name)

    def _compared_targets(self, image: int | None = None) -> list[int | None]:
        """Those chosen, else those that have a name in this image; the present one alone without any."""
        place = str(self.image if image is None else image)
        named = [entry["index"] for entry in self.targets if not entry["places"] or place in entry["places"]]
        return list(self.beside or named)[:MOST] or [self.target]

    def _compared_images(self) -> list[int]:
        """Those chosen, else the first few."""
        return list(self.beside_images or range(min(FEW, len(self._x))))[:MOST]

    def _compared_methods(self) -> list[Method]:
        """Those chosen, else all; of models one method each, of the kind of the present one."""
        offered = list(self._known.values())
        if self.show == MODELS:
            present = self._known[self.method]
            alike = [present, *(other for other in offered if other.kind == present.kind)]
            each = {method.model: method for method in reversed(alike)}
            each[present.model] = present
            offered = [method for method in offered if method in each.values()]
        chosen = [method for method in offered if method.name in self.beside_methods]
        return (chosen if len(chosen) > 1 or (chosen and self.show == METHODS) else offered)[:MOST]

    # -- scales --------------------------------------------------------------------------------------------------------

    def _apart(self, one: OnScreen, other: OnScreen) -> str:
        """Why two maps cannot be held against each other number by number; "" where they can."""
        for entry in (one, other):
            if (answer := self._answers.get(entry.question)) is not None and answer.refused:
                return f"{entry.short} has no map"
        units = [self._unit(entry) for entry in (one, other)]
        if units[0] != units[1]:
            return f"{one.short} is counted in {units[0]}, {other.short} in {units[1]}"
        maps = [
            answer.maps[entry.view["map"]].shape
            for entry in (one, other)
            if (answer := self._answers.get(entry.question)) is not None and answer.maps
        ]
        if len(maps) == 2 and maps[0] != maps[1]:
            sizes = ["×".join(map(str, shape)) for shape in maps]
            return f"{one.short} has {sizes[0]} pixels, {other.short} {sizes[1]}"
        return ""

    def _unit(self, entry: OnScreen) -> str:
        """What a map is counted in: "relevance of the logit"."""
        answer = self._answers.get(entry.question)
        of = answer.unit if answer is not None else ""
        return f"{entry.view['unit']} of the {of}" if of else str(entry.view["unit"])

    def _alike(self, one: OnScreen, other: OnScreen) -> bool:
        """Whether two maps share a scale: of one kind of method, counted alike."""
        kinds = {self._known[entry.question.method].kind for entry in (one, other)}
        same = one.view["map"] == other.view["map"] and len(kinds) == 1
        return same and self._unit(one) == self._unit(other)

    def _span(self, entry: OnScreen, beside: Sequence[OnScreen]) -> tuple[float, float]:
        """The values at the ends of the colours, as the browser has them. ``beside``: all maps on screen."""
        view, method = entry.view, self._known[entry.question.method]
        if self.scale == "fixed" and self.fixed_range and view["map"] == method.views[0]["map"]:
            return (self.fixed_range[0], self.fixed_range[1])
        shared = self._shared(method.name).get(view["map"]) if self.scale == "shared" else None
        apart = self.scale == "own" or not (self._comparing or self.show == GALLERY)
        group = [other for other in beside if other == entry or not (apart or not self._alike(entry, other))]
        ends = []
        for other in group:
            answer = self._answers.get(other.question)
            if answer is not None and answer.maps:
                values = answer.maps[view["map"]]
                ends.append(span_of(values, self.clip, signed=view["kind"] == "diverging", given=shared))
        return min(low for low, _ in ends), max(high for _, high in ends)

    def _shared(self, method: str) -> dict[str, list[float]]:
        """The range of each map over all images computed so far: one scale to compare them on."""
        ranges: dict[str, list[float]] = {}
        for question, answer in list(self._answers.items()):
            if question.method == method:
                for name, (low, high) in answer.ranges.items():
                    before = ranges.get(name, [low, high])
                    ranges[name] = [min(low, before[0]), max(high, before[1])]
        return ranges
