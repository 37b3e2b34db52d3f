"""What the heatmap overlay shows, as messages for the browser, as a page and as a figure."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.model import ImageModel
from xaiwidgets.widgets.cautions import CAUTION, cautions_of
from xaiwidgets.widgets.choices import CLOSED, Classes, check_image
from xaiwidgets.widgets.heatmap.answers import Answer, Question
from xaiwidgets.widgets.heatmap.methods import Method, hidden_by, notes_of, span_of
from xaiwidgets.widgets.heatmap.places import Places
from xaiwidgets.widgets.heatmap.state import HeatmapState
from xaiwidgets.widgets.wire import Packet, map_range, maps_packet, picture_packet
from xaiwidgets.words import SETTINGS, choice, word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xaiwidgets.plots import Look, Mark, Pane

__all__ = ["HeatmapPages"]

SIDE_BY_SIDE, COMPARE, TARGETS = "side_by_side", "compare", "targets"
"""What `show` may be beside a view: all views of a method, a picture a method, a picture a target."""
_MOST_TARGETS = 6


class HeatmapPages(HeatmapState):
    """The overlay's state with the answers behind it."""

    _model: ImageModel | None
    _x: Tensor
    _pixels: Tensor
    _classes: Classes
    _known: dict[str, Method]
    _answers: OrderedDict[Question, Answer]
    _places: Places

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

    def _shown(self, image: int | None = None) -> list[Question]:
        """The questions whose answers are on screen."""
        if self.show == COMPARE:
            return [self._question(name, image) for name in self._known]
        if self.show == TARGETS and self._known[self.method].classes:
            return [self._question(image=image, target=target) for target in self._compared(image)]
        return [self._question(image=image)]

    def _compared(self, image: int | None = None) -> list[int | None]:
        """The targets beside each other: those chosen, else those that have a name in this image; the present one alone without any."""
        image = str(self.image if image is None else image)  # type: ignore[assignment]
        named = [entry["index"] for entry in self.targets if not entry["places"] or image in entry["places"]]
        return list(self.beside or named)[:_MOST_TARGETS] or [self.target]

    # -- for the browser -----------------------------------------------------------------------------------------------

    def _recorded(self, images: Sequence[int] | None = None, room: float = math.inf) -> list[Packet]:
        shown = [self._question(), *self._shown()]
        shown += [question for image in images or () if image != self.image for question in self._shown(image)]
        question = shown[0]
        packets = [picture_packet(question.image, self._pixels[question.image])]
        others = {question.image}
        # What is on screen, or would be with another image, comes first where there is not room for everything.
        kept = list(self._answers.items())
        for known, answer in sorted(kept, key=lambda entry: entry[0] not in shown):
            if known == question or (images is not None and known.image not in images):
                continue
            packet = self._packet(known, answer, None)
            if known not in shown:
                room -= packet.size
                if room < 0:
                    break
            if known.image not in others:
                others.add(known.image)
                packets.append(picture_packet(known.image, self._pixels[known.image]))
            packets.append(packet)
        # The one on screen comes last: it is what the newest message shows.
        packets = [*self._places.known(images), *packets]
        present = self._answers.get(question)
        return packets if present is None else [*packets, self._packet(question, present, None)]

    def _packet(self, question: Question, answer: Answer, request: int | None) -> Packet:
        return maps_packet(
            {**question.plain(), "request": request, "notes": answer.notes, "unit": answer.unit},
            answer.maps,
            final=answer.final,
            shared=self._shared(question.method),
        )

    def _shared(self, method: str) -> dict[str, list[float]]:
        """The range of each map over all images computed so far: one scale to compare them on."""
        ranges: dict[str, list[float]] = {}
        for question, answer in list(self._answers.items()):
            if question.method == method:
                for name, values in answer.maps.items():
                    low, high = map_range(values)
                    before = ranges.get(name, [low, high])
                    ranges[name] = [min(low, before[0]), max(high, before[1])]
        return ranges

    def _notes(self, question: Question, answer: Answer) -> list[list[str]]:
        """Lines under the picture: what was explained, and what the result itself has to say."""
        lines = []
        if self._model is not None and self._known[question.method].classes:
            x = self._x[question.image, None]
            line, answer.unit = self._classes.explained(x, question.target, question.against)
            lines.append(line)
        cautions = [[CAUTION, said] for said in cautions_of(answer.result, answer.maps)]
        return lines + cautions + notes_of(answer.result)

    def _explained(self, question: Question) -> str:
        """What was explained, in words, as the answer says it; nothing for methods that explain no class."""
        answer = self._answers.get(question)
        notes = answer.notes if answer is not None and self._known[question.method].classes else []
        return notes[0][1] if notes and notes[0][0] in ("class explained", "explained") else ""

    def _finish(self, images: Sequence[int]) -> None:
        # What is compared is asked for by the browser, which need not be there.
        super()._finish(images or ((self.image,) if len(self._shown()) > 1 else ()))
        if not any(question in self._answers for question in self._shown()):
            # A file without its map would be a trap: whoever opens it later cannot know.
            why = self.status.get("message") or "it was stopped before the first numbers were there"
            raise RuntimeError(f"nothing was saved: {why}")

    # -- as a figure ---------------------------------------------------------------------------------------------------

    def _figure(self) -> Figure:
        from xaiwidgets import plots

        # At first display a moment is enough for a first picture of a fast model, and nobody notices it.
        if self._answers.get(self._question()) is None:
            self._runner.wait(0.3)
        panes = self._panes()
        if all(pane.values is None for pane in panes):
            return plots.picture(self._pixels[self._question().image], title=self.title)
        return plots.overlays(panes, self._look(), title=self.title, caption=self._caption())

    def _panes(self) -> list[Pane]:
        """The pictures on screen, as far as their maps are there."""
        from xaiwidgets import plots

        comparing = self.show in (COMPARE, TARGETS)
        panes = []
        if comparing or self.show == SIDE_BY_SIDE:
            panes.append(plots.Pane("Picture", self._pixels[self.image], marks=self._marks(self.target)))
        shown = [(question, answer) for question in self._shown() if (answer := self._answers.get(question))]
        for question, answer in shown:
            method = self._known[question.method]
            views = method.views[:1] if comparing else [v for v in method.views if v["name"] == self.show]
            views = list(method.views) if self.show == SIDE_BY_SIDE else views or method.views[:1]
            for view in views:
                hidden = None
                if view["filtered"] and method.filter is not None and self.threshold < 1:
                    hidden = hidden_by(answer.maps[method.filter], self.threshold)
                alike = [other for asked, other in shown if self.show == TARGETS and other.unit == answer.unit]
                panes.append(
                    plots.Pane(
                        title=self._titled(question, view["label"]),
                        pixels=self._pixels[question.image],
                        values=answer.maps[view["map"]],
                        span=self._span(method, view, alike or [answer]),
                        signed=view["kind"] == "diverging",
                        unit="" if view["unit"].lower() == view["label"].lower() else view["unit"],
                        hidden=hidden,
                        marks=self._marks(question.target),
                    )
                )
        return panes

    def _titled(self, question: Question, label: str) -> str:
        if self.show == COMPARE:
            return f"{self._known[question.method].name}: {label}"
        if self.show != TARGETS:
            return label
        names = self.class_names
        return names[question.target] if question.target is not None and question.target < len(names) else label

    def _marks(self, target: int | None) -> tuple[Mark, ...]:
        """What the model finds in the image, and the place asked about, as far as they are drawn."""
        known = [entry["places"] for entry in self.targets if entry["index"] == target]
        place = known[0].get(str(self.image), {}) if known else {}
        return self._places.marks(self.image, place, self.found)

    def _span(self, method: Method, view: dict[str, Any], alike: Sequence[Answer]) -> tuple[float, float]:
        """The values at the ends of the colours, as the browser has them. ``alike``: the answers that share them."""
        own = view["map"] == method.views[0]["map"]
        if self.scale == "fixed" and self.fixed_range and own:
            return (self.fixed_range[0], self.fixed_range[1])
        shared = self._shared(method.name).get(view["map"]) if self.scale == "shared" else None
        signed = view["kind"] == "diverging"
        ends = [span_of(answer.maps[view["map"]], self.clip, signed=signed, given=shared) for answer in alike]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def _look(self) -> Look:
        from xaiwidgets import plots

        scale, x, y = self.zoom
        size = 1 / max(1.0, scale)
        left, top = (min(max(at - size / 2, 0.0), 1 - size) for at in (x, y))
        return plots.Look(
            self.colormap, self.opacity, self.picture, self.overlay, self.filter_mode == "fade", (left, top, size)
        )

    def _called(self) -> str:
        methods = ", ".join(dict.fromkeys(question.method for question in self._shown()))
        return self.title or (f"{methods} of {self.model_name}" if self.model_name else methods)

    def _caption(self) -> str:
        """Model, methods with their settings, class and date: what a figure must say to be read later."""
        parts = [self.model_name] if self.model_name else []
        shown = self._shown()
        for name, question in {question.method: question for question in shown}.items():
            settings = [
                f"{word(SETTINGS, key).label} {choice(key, value)}" for key, value in dict(question.parameters).items()
            ]
            answer = self._answers.get(question)
            masks = getattr(getattr(answer, "result", None), "n_masks", None)
            settings += [] if masks is None else [f"{masks} masks"]
            parts.append(f"{name} ({', '.join(settings)})" if settings else name)
        said = [line for question in shown if (line := self._explained(question))]
        parts += said if self.show == TARGETS else said[:1]
        if self.images > 1:
            parts.append(f"image {self.image + 1} of {self.images}")
        return " · ".join([*parts, date.today().isoformat()])
