"""What the heatmap overlay tells the browser, and what its pages hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from xaiwidgets.widgets.album import Album
from xaiwidgets.widgets.cautions import CAUTION, cautions_of
from xaiwidgets.widgets.heatmap.answers import Answer, Question
from xaiwidgets.widgets.heatmap.comparison import HeatmapComparison
from xaiwidgets.widgets.heatmap.methods import Method, notes_of
from xaiwidgets.widgets.heatmap.places import Places
from xaiwidgets.widgets.heatmap.subjects import UNTOLD, Subject
from xaiwidgets.widgets.wire import Packet, maps_packet, picture_packet

__all__ = ["HeatmapPages"]


class HeatmapPages(HeatmapComparison):
    """The overlay's state with the answers behind it."""

    _pixels: Tensor
    _places: Places
    _subjects: list[Subject]
    _albums: list[Album]
    """What each model says of the images."""

    def _subject(self, question: Question) -> Subject:
        """The model that a question is asked of."""
        return self._subjects[self._known[question.method].model]

    def _said(self, question: Question) -> tuple[str, list[int], list[float]] | None:
        """What the model that is asked says of the image: see `Album.said`."""
        number = self._known[question.method].model
        return self._albums[number].said(question.image) if number < len(self._albums) else None

    # -- for the browser -----------------------------------------------------------------------------------------------

    def _recorded(self, images: Sequence[int] | None = None, room: float = math.inf) -> list[Packet]:
        shown = [self._question(), *self._shown()]
        shown += [question for image in images or () if image != self.image for question in self._shown(image)]
        question = shown[0]
        if images is not None:
            # A page of one image holds what stands beside it as well.
            images = [*images, *(entry.image for entry in self._shown())]
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
        said = {name: text for name in ("refused", "explains") if (text := getattr(answer, name))}
        return maps_packet(
            {**question.plain(), "request": request, "notes": answer.notes, "unit": answer.unit, **said},
            answer.maps,
            final=answer.final,
            shared=self._shared(question.method),
        )

    def _notes(self, question: Question, answer: Answer) -> list[list[str]]:
        """Lines under the picture: what was explained, and what the result itself has to say."""
        lines = []
        subject = self._subject(question)
        if subject.model is not None and self._known[question.method].classes:
            line, answer.unit = subject.explained(question.image, question.target, question.against)
            lines += [line, *subject.borrowed]
        elif answer.explains and answer.explains != UNTOLD:
            lines.append(["class explained", answer.explains])
        cautions = [[CAUTION, said] for said in cautions_of(answer.result, answer.maps)]
        notes = notes_of(answer.result)
        account = getattr(answer.result, "conservation", None)
        if account is not None and (count := len(answer.result.heatmap)) > 1:
            # A finished result keeps one account of all its images.
            together = f"all {count} images together"
            notes = [[f"{label}, {together}", said] for label, said in notes]
            cautions = [[CAUTION, f"{said} ({together})"] for _, said in cautions]
        return lines + cautions + notes

    def _told_by(self, question: Question, method: Method, result: Any) -> str:
        """What a finished result explains, as it says itself: not what its model predicts; "" for maps that explain no class."""
        asks = any("{class}" in text for view in method.views for text in (view["high"], view["low"]))
        if not method.finished or not asks:
            return ""
        return self._subject(question).told_by(result, question.image)

    def _explained(self, question: Question) -> str:
        """What was explained, in words, as the answer says it; nothing for methods that explain no class."""
        answer = self._answers.get(question)
        told = answer is not None and (self._known[question.method].classes or answer.explains)
        notes = answer.notes if answer is not None and told else []
        return notes[0][1] if notes and notes[0][0] in ("class explained", "explained") else ""

    def _refuse(self, question: Question, error: Exception, request: int | None = None) -> None:
        """Say in the picture's own place why there is none: the others beside it go on."""
        answer = Answer(None, 0, {}, True, refused=str(error) or type(error).__name__)
        self._answers[question] = answer
        self._post(self._packet(question, answer, request))

    def _introduce(self, image: int) -> Iterator[None]:
        """What the other models say of the image, before what all widgets tell of it."""
        shown = {self._known[self.method].model}
        shown |= {self._known[question.method].model for question in self._shown() if question.image == image}
        for number in sorted(shown & set(range(1, len(self._albums)))):
            if self._tell(self._albums[number].prediction(image)):
                yield
        yield from super()._introduce(image)
        # Beside each other, images have a word each; in a gallery small pictures' words do.
        for question in self._shown() if self._comparing else ():
            if self._tell(self._albums[self._known[question.method].model].prediction(question.image)):
                yield
        for number in sorted(shown & set(range(1, len(self._albums)))):
            for page in self._albums[number].pages():
                if self._tell(page):
                    yield

    def _known_images(self) -> list[Packet]:
        return [packet for album in self._albums for packet in album.known()]

    def _complete(self, images: Sequence[int]) -> list[Packet]:
        beside = [entry.image for entry in self._shown()]
        images = list(dict.fromkeys([*images, *beside]))
        return [packet for album in self._albums for packet in album.complete(images)]

    def _finish(self, images: Sequence[int]) -> None:
        # What is compared is asked for by the browser, which need not be there.
        super()._finish(images or ((self.image,) if len(self._shown()) > 1 else ()))
        answers = [self._answers.get(question) for question in self._shown()]
        if not any(answer is not None and answer.maps for answer in answers):
            # A file without its map would be a trap: whoever opens it later cannot know.
            refused = next((answer.refused for answer in answers if answer is not None), "")
            why = self.status.get("message") or refused or "it was stopped before the first numbers were there"
            raise RuntimeError(f"nothing was saved: {why}")
