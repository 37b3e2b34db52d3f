"""What the concept browser shows: the questions that its state amounts to, their answers for the browser, saved pages and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from xaiwidgets.index.reference_index import ReferenceIndex
from xaiwidgets.index.results import References
from xaiwidgets.widgets.concepts.answers import Answers, Want, relevance_of
from xaiwidgets.widgets.concepts.gallery import Question, cut_out
from xaiwidgets.widgets.concepts.names import ConceptNames
from xaiwidgets.widgets.concepts.result import BrowserResult
from xaiwidgets.widgets.concepts.state import ConceptState
from xaiwidgets.widgets.wire import Packet, picture_packet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ConceptPages"]

_PAGE = 2**24
"""Bytes of answers in a saved page, beside those on screen."""
_FIRST_ROWS = 20
"""Concepts in the list at first, as in js/src/concepts/state/store.ts."""


class ConceptPages(ConceptState):
    """The browser's state with the answers behind it."""

    _answers: Answers
    _index: ReferenceIndex | None
    _names: ConceptNames

    @property
    def result(self) -> BrowserResult:
        """The numbers on screen, computed where they are not there yet."""
        focus, layer, concept = self._focus(), self.layer, self._concept()
        with self._answers.crp.model.lock:
            region = None if self.box is None else focus.region(tuple(self.box), [layer])[layer]
            references = None
            if self._index is not None and layer in self._index.layers:
                how: dict[str, Any] = {"by": self.reference_by, "pool": self.pool, "target": self.reference_class}
                references = self._index.top(layer, concept, **how)
            heatmap = focus.heatmaps(layer, [concept])[0]
            return BrowserResult(
                focus.provenance.asked(layer=layer, concept=concept),
                layer,
                concept,
                focus.target,
                focus.rank(layer),
                focus.heatmap,
                heatmap,
                region,
                references,
            )

    def _wants(self, image: int | None = None) -> Iterator[Want]:
        """What the browser asks for in the present state, or would of another image; the concept is known by then."""
        image = self.image if image is None else image
        question = {"image": image, "target": self.target, "against": self.against}
        yield {"kind": "focus", **question}
        layer = self.layer
        yield {"kind": "ranking", **question, "layer": layer}
        if self.box is not None:
            yield {"kind": "region", **question, "layer": layer, "box": list(self.box)}
        place = {"layer": layer, "concept": self._concept(image)}
        yield {"kind": "heatmap", **question, **place}
        if self._index is not None and layer in self._index.layers:
            how = {"by": self.reference_by, "pool": self.pool, "of": self.reference_class}
            yield {"kind": "references", **place, **how}
        yield {"kind": "graph", **question, **place}
        concepts = [[layer, concept] for concept in self._focus(image).rank(layer).concepts[0, :_FIRST_ROWS].tolist()]
        for packet in self._answers.so_far({"kind": "graph", **question, **place}):
            concepts += [[node["layer"], node["concept"]] for node in packet.content["nodes"]]
        concepts += [list(step) for step in self.trail]
        yield {"kind": "tiles", **question, "concepts": concepts, "by": self.reference_by, "pool": self.pool}

    def _present(self, image: int | None = None) -> list[Packet]:
        """Answers to what is on screen, or would be with another image, as far as they are there."""
        packets: list[Packet] = []
        if not self._answers.has_focus(self._question(image)):
            return packets
        for want in self._wants(image):
            packets += self._answers.so_far(want)
        return packets

    def _plain_picture(self) -> Packet:
        """The image alone, before it is explained, and where it cannot be."""
        return picture_packet(self.image, self._answers.pixels[self.image])

    def _question(self, image: int | None = None) -> Question:
        return Question(self.image if image is None else image, self.target, self.against)

    def _focus(self, image: int | None = None) -> Any:
        return self._answers.focus(self._question(image))

    def _concept(self, image: int | None = None) -> int:
        """The concept on screen, or with another image: the one chosen, else the strongest."""
        if self.concept is not None:
            return int(self.concept)
        return int(relevance_of(self._focus(image), self.layer).abs().argmax())

    def _missing(self, images: Sequence[int]) -> Iterator[None]:
        self._answers.keep(len(images))
        for image in images:
            for want in self._wants(image):
                if self._answers.known(want) is None:
                    for _ in self._answers.steps(want):
                        yield
            yield from self._introduce(image)

    def _recorded(self, images: Sequence[int] | None = None, room: float = math.inf) -> list[Packet]:
        wanted = [self.image, *(image for image in images or () if image != self.image)]
        packets = [] if self._answers.has_focus(self._question()) else [self._plain_picture()]
        pictured: set[tuple[Any, ...]] = set()
        for image in wanted:
            packets += (left for packet in self._present(image) if (left := _unseen(packet, pictured)) is not None)
        # Other answers of these images come along while there is room.
        there, size = {id(packet) for packet in packets}, 0
        for packet in self._answers.kept(images):
            size += packet.size
            if size < min(_PAGE, room) and id(packet) not in there:
                packets.append(packet)
        return packets

    def _figure(self) -> Figure:
        from xaiwidgets import plots

        # At first display a moment is enough for a first picture of a fast model, and nobody notices it.
        self._runner.wait(0.3)
        pixels = self._answers.pixels[self.image]
        look = plots.Look(self.colormap, self.opacity, self.picture, self.overlay)
        if not self._answers.has_focus(self._question()):
            return plots.concepts(self._called(), pixels, [], [], [], look=look)
        shown = self.result
        layer, concept = shown.layer, shown.concept
        explained = shown.target
        name = explained if isinstance(explained, str) else self._answers.crp.model.class_name(explained)
        panels = [(name, shown.class_heatmap), (f"{layer} · {self._name(layer, concept)}", shown.concept_heatmap)]
        ids, share = shown.ranking.concepts[0].tolist(), shown.ranking.share[0].tolist()
        ranking = [(self._name(layer, unit), part) for unit, part in zip(ids, share, strict=True)]
        return plots.concepts(self._called(), pixels, panels, ranking, self._pictures(shown.references), look=look)

    def _called(self) -> str:
        return self.title or f"Concepts of {self.model_name}"

    def _pictures(self, references: References | None) -> list[tuple[str, Tensor]]:
        """The reference images that are there, with their classes, for a still picture."""
        if references is None:
            return []
        shown = self._answers.gallery.known_references(references)
        name = self._answers.crp.model.class_name
        return [(name(int(target)), cut_out(each)) for each, target in zip(shown, references.targets, strict=False)]

    def _name(self, layer: str, concept: int) -> str:
        return self._names.label(layer, concept).name or str(concept)


def _unseen(packet: Packet, pictured: set[tuple[Any, ...]]) -> Packet | None:
    """A packet of small pictures without those that came before: images share the concepts that they show. Others as they are."""
    if packet.content["type"] != "tiles":
        return packet
    want, side = packet.content["want"], packet.content["side"]
    source = tuple(sorted((name, str(value)) for name, value in want.items() if name != "concepts"))
    places, tiles, start = [], [], 0
    for place in packet.content["places"]:
        layer, concept, slot, there = place
        size = side * side * 3 if there else 0
        key = (source, layer, concept, slot)
        if key not in pictured:
            pictured.add(key)
            places.append(place)
            tiles.append(packet.buffers[0][start : start + size])
        start += size
    return replace(packet, content={**packet.content, "places": places}, buffers=(b"".join(tiles),)) if places else None
