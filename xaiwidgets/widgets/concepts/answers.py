"""What the concept browser's Python side computes: for everything that can be asked, the packets that answer it."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp import CRP, Concept, Focus
from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.errors import unknown
from xaiwidgets.index.reference_index import ReferenceIndex
from xaiwidgets.targets import region_weights
from xaiwidgets.widgets.cautions import spent
from xaiwidgets.widgets.choices import CLOSED, NO_IMAGES, Classes, StateError, check_image
from xaiwidgets.widgets.concepts.gallery import SIDE, Gallery, Place, Question, shown_count
from xaiwidgets.widgets.wire import Packet, encoded, picture_packet

LANES = {"region": 0, "focus": 1, "ranking": 2, "heatmap": 3, "references": 4, "graph": 5, "tiles": 7}
"""Kinds of questions, the most urgent first: a box that is dragged, then the heatmap of a concept before its references."""
_KEPT = {"focus": 32, "ranking": 200, "heatmap": 200, "region": 50, "graph": 100, "references": 60}
"""Answers kept of each kind, so that going back shows them at once."""
_FOCUSES = 3
"""Images and classes of which the recorded passes are kept: they hold the activations of the whole model."""
_PLACES = 8
"""Reference images on screen."""
_BRANCHES = 2
_WAYS = (5, 2)
"""Concepts drawn below the one on screen, and below each of those."""
_CLASSES = 6
"""Classes listed for a concept."""


Want = Mapping[str, Any]
"""One thing asked, as the browser says it: see ``Want`` in js/src/concepts/types.ts."""


def key_of(want: Want) -> str:
    """Equal for equal wants, whatever the order of their entries."""
    return json.dumps(want, sort_keys=True)


class Answers:
    """Computes answers, and keeps the newest.

    Args:
        crp: the explainer. x: (N, C, H, W). pixels: the same as people see them, in [0, 1].
        classes: what may be asked about, by index. index, dataset: where reference images come from; None for none.
        progress: told (done, total, unit) now and then.
    """

    def __init__(
        self,
        crp: CRP,
        x: Tensor,
        pixels: Tensor,
        *,
        classes: Classes,
        index: ReferenceIndex | None,
        dataset: Any,
        progress: Callable[[int, int, str], None],
    ) -> None:
        self.crp, self.x, self.pixels, self.index, self.classes = crp, x, pixels, index, classes
        self.gallery = Gallery(crp, index, dataset, self._own_heatmaps)
        self._progress = progress
        self._focuses: OrderedDict[Question, Focus] = OrderedDict()
        self._most = 0
        self._kept: dict[str, OrderedDict[str, list[Packet]]] = {kind: OrderedDict() for kind in _KEPT}

    # -- the parts that everything is made of ---------------------------------------------------------------------------

    def focus(self, question: Question) -> Focus:
        """The image and class of a question, explained; kept for the next questions."""
        # A message's handler must not wait for the pictures that are being made.
        known = self._focuses.get(question)
        if known is not None:
            return known
        check_image(question.image, len(self.x))
        with self.crp.model.lock:
            if question not in self._focuses:
                x = self.x[question.image, None]
                asked = self.classes.asked(question.target), self.classes.asked(question.against)
                self._focuses[question] = self.crp.focus(x, *asked)
            while len(self._focuses) > _FOCUSES:
                self._focuses.popitem(last=False)
            return self._focuses[question]

    def check(self, want: Want) -> None:
        """Raise ValueError for what cannot be asked: a saved page of another widget, or a script, may ask anything."""
        if want.get("kind") not in LANES:
            raise unknown("kind", want.get("kind"), LANES)
        if "image" in want:
            check_image(want["image"], len(self.x))
        if "layer" in want and "concept" in want:
            self.check_concept(want["layer"], want["concept"])

    def layer(self, name: str) -> Concept:
        """The concepts of any layer through which relevance passes. Raises StateError where there are none, and when closed."""
        try:
            return self.layers[name]
        except ValueError as error:
            raise StateError(str(error)) from None

    @property
    def layers(self) -> ConceptLayers:
        """The layers for images of x's size."""
        if not len(self.x):
            raise StateError(CLOSED)
        return self.crp.known(self.x[:1])

    def check_concept(self, layer: str, concept: int) -> int:
        """The number of a concept. Raises StateError where the layer does not have it."""
        units = self.layer(layer).units
        if not 0 <= concept < units:
            raise StateError(f"concept={concept} is not in {layer}, which has {units}; give 0 to {units - 1}")
        return concept

    def check_box(self, box: list[int]) -> list[int]:
        """A box on the images. Raises StateError where it is empty, or reaches outside."""
        check_image(0, len(self.x))
        height, width = self.x.shape[2:]
        try:
            region_weights(tuple(box), 1, height, width, torch.device("cpu"))
        except ValueError as error:
            raise StateError(str(error).replace("region=", "box=")) from None
        return box

    def _own_heatmaps(self, question: Question, layer: str, concepts: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The image of a question, (C, H, W), and the heatmaps (K, H, W) of concepts on it."""
        focus = self.focus(question)
        return self.pixels[question.image], focus.heatmaps(layer, concepts)

    def keep(self, images: int) -> None:
        """Keep answers of so many images: a page of them begins with all of these."""
        self._most = max(self._most, images)

    # -- answers ---------------------------------------------------------------------------------------------------------

    def known(self, want: Want) -> list[Packet] | None:
        """The whole answer, where it was computed before."""
        answers = self._kept.get(want["kind"])
        return None if answers is None else answers.get(key_of(want))

    def so_far(self, want: Want) -> list[Packet]:
        """As much of an answer as there is."""
        if want["kind"] == "tiles":
            return [self._tile_packet(want, part) for part in self.gallery.known_tiles(*self._wanted_tiles(want))]
        return self.known(want) or []

    def has_focus(self, question: Question) -> bool:
        """Whether the image and class were explained: questions about them are cheap then."""
        return question in self._focuses

    def kept(self, images: Sequence[int] | None = None) -> Iterator[Packet]:
        """The answers there are, the newest of each kind first; those of some images alone, where only they are wanted."""
        for answers in self._kept.values():
            for packets in reversed(list(answers.values())):
                of = packets[0].content["want"].get("image") if packets else None
                if images is None or of is None or of in images:
                    yield from packets

    def steps(self, want: Want) -> Iterator[Packet]:
        """The answer piece by piece, each under the model's lock."""
        kind = want["kind"]
        packets: list[Packet] = []
        pieces = getattr(self, f"_{kind}")(want)
        while True:
            with self.crp.model.lock:
                packet = next(pieces, None)
            if packet is None:
                break
            packets.append(packet)
            yield packet
            # The lock is not fair: whoever waits for it, such as a cell, gets a turn.
            time.sleep(0.001)
        if kind in self._kept:
            self._kept[kind][key_of(want)] = packets
            while len(self._kept[kind]) > max(_KEPT[kind], 2 * self._most):
                self._kept[kind].popitem(last=False)

    def forget(self) -> None:
        """Free everything."""
        self._focuses.clear()
        self.gallery.clear()
        for answers in self._kept.values():
            answers.clear()
        self.x = self.pixels = NO_IMAGES
        self.index = None
        self.classes = Classes(None, self.x)

    def _focus(self, want: Want) -> Iterator[Packet]:
        question = question_of(want)
        focus = self.focus(question)
        heatmap = focus.heatmap
        picture = picture_packet(question.image, self.pixels[question.image])
        [header], buffers = encoded({"relevance": heatmap})
        whole = focus.target if isinstance(focus.target, int) and question.against is None else None
        content = {
            "cautions": [] if whole is None else spent(float(heatmap.sum()), focus.score),
            "shape": picture.content["shape"],
            "map": header,
            "target": question.target if self.classes.is_named(question.target) else focus.target,
            "score": focus.score,
            "probability": focus.probability,
        }
        yield answer(want, content, *picture.buffers, *buffers)

    def _ranking(self, want: Want) -> Iterator[Packet]:
        focus, layer = self.focus(question_of(want)), want["layer"]
        relevance, activation = relevance_of(focus, layer), focus.activation(layer)
        yield answer(want, {"units": len(relevance)}, _floats(relevance), _floats(activation))

    def _heatmap(self, want: Want) -> Iterator[Packet]:
        focus = self.focus(question_of(want))
        heatmap = focus.heatmaps(want["layer"], [want["concept"]])[0]
        [header], buffers = encoded({"relevance": heatmap})
        yield answer(want, {"map": header}, *buffers)

    @torch.no_grad()
    def _region(self, want: Want) -> Iterator[Packet]:
        focus, layer = self.focus(question_of(want)), want["layer"]
        inside = focus.region(tuple(want["box"]), [layer])[layer]
        yield answer(want, {"units": len(inside)}, _floats(inside))

    def _graph(self, want: Want) -> Iterator[Packet]:
        focus = self.focus(question_of(want))
        graph = focus.graph(want["layer"], want["concept"], branches=_BRANCHES)
        # Where many layers feed one, over shortcuts, only the strongest ways are drawn.
        numbers, edges = [0], []
        for number in numbers:
            for edge in graph.below(number)[: _WAYS[min(graph.nodes[number].depth, len(_WAYS) - 1)]]:
                if edge.target not in numbers:
                    numbers.append(edge.target)
                edges.append(edge)
        nodes = [
            {"layer": n.layer, "concept": n.concept, "relevance": n.relevance, "share": n.share}
            for n in (graph.nodes[number] for number in numbers)
        ]
        said = [
            {"source": numbers.index(e.source), "target": numbers.index(e.target), "relevance": e.relevance}
            for e in edges
        ]
        yield answer(want, {"nodes": nodes, "edges": said})

    def _references(self, want: Want) -> Iterator[Packet]:
        layer, concept, by, pool = want["layer"], want["concept"], want["by"], want["pool"]
        if self.index is None:
            raise ValueError("there is no reference index; build one with ReferenceIndex.build(crp, dataset, folder)")
        found = self.index.top(layer, concept, n=_PLACES, by=by, target=want["of"], pool=pool)
        uses = self.index.classes(layer, concept, by=by, pool=pool)[:_CLASSES]
        classes = [{"target": use.target, "score": use.mean, "count": use.explained} for use in uses if use.mean != 0]
        said = {"total": shown_count(found), "classes": classes}
        yield answer(want, {**said, "items": []})
        for places, pictures in self.gallery.references(found):
            items: list[dict[str, Any]] = [
                {
                    "place": place,
                    "sample": int(found.samples[place]),
                    "score": float(found.scores[place]),
                    "target": int(found.targets[place]),
                }
                for place in places
            ]
            buffers: list[bytes] = []
            for item, shown in zip(items, pictures, strict=False):
                picture = picture_packet(0, shown.pixels)
                [header], heat = encoded({"relevance": shown.heatmap})
                item |= {"shape": picture.content["shape"], "map": header, "box": list(shown.box)}
                buffers += [*picture.buffers, *heat]
            yield answer(want, {**said, "items": items}, *buffers)

    def _tiles(self, want: Want) -> Iterator[Packet]:
        wanted, question, by, pool = self._wanted_tiles(want)
        done: set[tuple[str, int]] = set()
        for part in self.gallery.tiles(wanted, question, by, pool):
            done |= {place[:2] for place in part}
            self._progress(len(done), len(wanted), "concepts pictured")
            yield self._tile_packet(want, part)

    @staticmethod
    def _wanted_tiles(want: Want) -> tuple[list[tuple[str, int]], Question, str, str]:
        places = [(str(layer), int(concept)) for layer, concept in want["concepts"]]
        return places, question_of(want), want["by"], want["pool"]

    @staticmethod
    def _tile_packet(want: Want, part: Mapping[Place, bytes | None]) -> Packet:
        there = [tile for tile in part.values() if tile is not None]
        said = [[*place, tile is not None] for place, tile in part.items()]
        return answer(want, {"side": SIDE, "places": said}, b"".join(there))


def relevance_of(focus: Focus, layer: str) -> Tensor:
    """(units,) relevance of each concept of a layer, by number."""
    if layer in focus.relevance:
        return focus.relevance[layer]
    ranking = focus.rank(layer)
    return ranking.relevance[0][ranking.concepts[0].argsort()]


def question_of(want: Want) -> Question:
    """The part of a want that relevance depends on."""
    return Question(int(want["image"]), want["target"], want["against"])


def answer(want: Want, content: Mapping[str, Any], *buffers: bytes) -> Packet:
    """A packet that repeats what it answers."""
    return Packet({"type": want["kind"], "want": dict(want), "request": None, **content}, buffers)


def _floats(values: Tensor) -> bytes:
    return values.detach().cpu().numpy().astype("<f4").tobytes()
