"""What the heatmap overlay shows, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from xaiwidgets.widgets.heatmap.answers import Answer
from xaiwidgets.widgets.heatmap.comparison import GALLERY, IMAGES, SIDE_BY_SIDE, TARGETS, OnScreen
from xaiwidgets.widgets.heatmap.methods import hidden_by
from xaiwidgets.widgets.heatmap.pages import HeatmapPages
from xaiwidgets.words import SETTINGS, choice, word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xaiwidgets.plots import Look, Mark, Pane

__all__ = ["HeatmapFigures"]

_ACROSS = 8
"""Images in a row of a gallery."""


class HeatmapFigures(HeatmapPages):
    """The overlay as a figure: the pictures on screen, and how they were made."""

    def _figure(self) -> Figure:
        from xaiwidgets import plots

        # At first display a moment is enough for a first picture of a fast model, and nobody notices it.
        if self._answers.get(self._question()) is None:
            self._runner.wait(0.3)
        panes = self._panes()
        if all(pane.values is None for pane in panes):
            return plots.picture(self._pixels[self._question().image], title=self.title)
        gallery: dict[str, Any] = {"columns": _ACROSS, "one_legend": True} if self.show == GALLERY else {}
        return plots.overlays(panes, self._look(), title=self.title, caption=self._caption(), **gallery)

    def _panes(self) -> list[Pane]:
        """The pictures on screen, as far as their maps are there."""
        from xaiwidgets import plots

        shown = [
            (entry, answer) for entry in self._on_screen() if (answer := self._answers.get(entry.question)) is not None
        ]
        there = [entry for entry, answer in shown if answer.maps]
        panes = []
        if self.show == SIDE_BY_SIDE or (self._comparing and self.show != IMAGES):
            panes.append(plots.Pane("Picture", self._pixels[self.image], marks=self._marks(self.target, self.image)))
        for entry, answer in shown:
            question, view, method = entry.question, entry.view, self._known[entry.question.method]
            about: dict[str, Any] = {
                "title": entry.title,
                "pixels": self._pixels[question.image],
                "note": self._remark(entry, answer),
            }
            if not answer.maps:
                panes.append(plots.Pane(**about))
                continue
            hidden = None
            if view["filtered"] and method.filter is not None and self.threshold < 1:
                hidden = hidden_by(answer.maps[method.filter], self.threshold)
            panes.append(
                plots.Pane(
                    **about,
                    values=answer.maps[view["map"]],
                    span=self._span(entry, there),
                    signed=view["kind"] == "diverging",
                    unit="" if view["unit"].lower() == view["label"].lower() else view["unit"],
                    hidden=hidden,
                    marks=self._marks(question.target, question.image),
                )
            )
        return [*panes, *self._subtracted(self._on_screen())]

    def _subtracted(self, entries: Sequence[OnScreen]) -> list[Pane]:
        """One picture minus another, where that is asked for and both are there in one unit."""
        from xaiwidgets import plots

        if self.difference is None or not self._comparing or max(self.difference) >= len(entries):
            return []
        one, other = (entries[place] for place in self.difference)
        answers = [self._answers.get(entry.question) for entry in (one, other)]
        if self._apart(one, other) or not all(answer is not None and answer.maps for answer in answers):
            return []
        first, second = (answer.maps[one.view["map"]] for answer in answers if answer is not None)
        values = first - second
        bound = float(values.abs().max()) or 1.0
        pixels = self._pixels[one.question.image]
        if one.question.image != other.question.image:
            # Neither of the two pictures lies beneath what is of both.
            pixels = pixels.new_ones(pixels.shape)
        title, note = f"{one.short} − {other.short}", f"above zero: more in {one.short}; below: more in {other.short}"
        return [plots.Pane(title, pixels, values, (-bound, bound), True, self._unit(one), note=note)]

    def _remark(self, entry: OnScreen, answer: Answer) -> str:
        """The line above a picture that stands beside others: what its model says, and what is explained."""
        question = entry.question
        if answer.refused or not (self._comparing or self.show == GALLERY):
            return answer.refused
        explained, said = self._explained(question), self._said(question)
        if self.show == GALLERY and said is not None:
            kind, (first, *_), (share, *_) = said
            label = self._albums[0].label(question.image)
            verdict = "" if label is None or kind == "value" else " ✓" if label == first else " ✗"
            return f"{self._named(first)} {share:.0%}{verdict}" if kind == "probability" else f"{share:.4g}"
        finished = self._known[question.method].finished
        if said is None or (explained and not finished and question.target is None and question.against is None):
            return explained
        kind, (first, *_), (share, *_) = said
        name = self._named(first)
        predicted = f"predicted {name}, {share:.1%}" if kind == "probability" else f"{name}, value {share:.4g}"
        return f"{predicted}; explained {explained}" if explained else predicted

    def _named(self, index: int) -> str:
        return self.class_names[index] if index < len(self.class_names) else f"class {index}"

    def _marks(self, target: int | None, image: int) -> tuple[Mark, ...]:
        """What the model finds in the image, and the place asked about, as far as they are drawn."""
        known = [entry["places"] for entry in self.targets if entry["index"] == target]
        place = known[0].get(str(image), {}) if known else {}
        return self._places.marks(image, place, self.found)

    def _look(self) -> Look:
        from xaiwidgets import plots

        # Of a gallery all pictures are shown whole.
        scale, x, y = (1.0, 0.5, 0.5) if self.show == GALLERY else self.zoom
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
        shown = self._shown()
        models = dict.fromkeys(self._subject(question).name or self.model_name for question in shown)
        parts = [", ".join(name for name in models if name)] if any(models) else []
        for name, question in {question.method: question for question in shown}.items():
            settings = [
                f"{word(SETTINGS, key).label} {choice(key, value)}" for key, value in dict(question.parameters).items()
            ]
            answer = self._answers.get(question)
            masks = getattr(getattr(answer, "result", None), "n_masks", None)
            settings += [] if masks is None else [f"{masks} masks"]
            parts.append(f"{name} ({', '.join(settings)})" if settings else name)
        if self.show == GALLERY:
            drawn = sum(answer is not None and bool(answer.maps) for answer in map(self._answers.get, shown))
            count = f"{drawn} of {len(shown)}" if drawn < len(shown) else f"{drawn}"
            return " · ".join([*parts, f"{count} images on one scale", date.today().isoformat()])
        said = [line for question in shown if (line := self._explained(question))]
        parts += list(dict.fromkeys(said)) if self.show == TARGETS else [] if self._comparing else said[:1]
        if self.images > 1 and self.show != IMAGES:
            parts.append(f"image {self.image + 1} of {self.images}")
        return " · ".join([*parts, date.today().isoformat()])
