"""Depth: relevance at every layer, from the output down to the pixels. Asked once a question; the browser draws all the way."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.errors import unknown
from xaiwidgets.lrp import LayerMaps
from xaiwidgets.widgets.choices import CLOSED, StateError, check_known
from xaiwidgets.widgets.heatmap.answers import Question
from xaiwidgets.widgets.heatmap.asking import HeatmapAsking
from xaiwidgets.widgets.heatmap.comparison import GALLERY
from xaiwidgets.widgets.heatmap.methods import span_of
from xaiwidgets.widgets.jobs import Job
from xaiwidgets.widgets.wire import Packet, encoded

if TYPE_CHECKING:
    from xaiwidgets.plots import Pane

__all__ = ["HeatmapDepth", "layers_packet", "upsampled"]

_LANE = 4
"""After what is on screen, before pages."""
_KEPT = 8
"""Questions whose layers are kept."""
_QUESTION = ("depth", "show", "image", "method", "target", "against", "parameters")
PIXELS = "input"


def upsampled(values: Tensor, size: Sequence[int]) -> Tensor:
    """A map of a layer (h, w) on the pixels (H, W), bilinear between the middles of its cells; js/src/heatmap/state/depth.ts does the
    same."""
    grown: Tensor = F.interpolate(values[None, None].float(), size=tuple(size), mode="bilinear", align_corners=False)
    return grown[0, 0]


def layers_packet(question: Question, found: LayerMaps) -> Packet:
    """The layers of one image as a message: a map each but for the pixels, which are the ordinary map, and what share is where."""
    headers, buffers = encoded({name: values[0] for name, values in found.maps.items() if name != PIXELS})
    content = {
        "type": "layers",
        **question.plain(),
        "layers": headers,
        "pixels": list(found.heatmap.shape[1:]),
        "whole": list(found.whole),
        "shares": _plain(found.shares),
        "pictured": _plain(found.pictured),
    }
    return Packet(content, buffers)


def _plain(shares: Tensor | None) -> list[float] | None:
    """Shares (1, layers) as numbers; None where there is no account, or relevance began with nothing."""
    numbers = [] if shares is None else shares[0].tolist()
    return numbers if numbers and all(math.isfinite(number) for number in numbers) else None


class HeatmapDepth(HeatmapAsking):
    """The overlay's answers with the layers behind them."""

    _found: OrderedDict[Question, LayerMaps]
    _paged = 0
    """The images of the largest page asked for: their layers are kept together."""
    _descending: Question | None
    _working: Question | None

    @traitlets.validate("depth")
    def _valid_depth(self, proposal: Any) -> str | None:
        name: str | None = proposal["value"]
        if name not in (None, PIXELS) and not any(method.layers for method in self._known.values()):
            why = "none of the methods goes down layer by layer, as LRP does" if self._known else CLOSED
            raise StateError(f"depth={name!r} cannot be shown: {why}")
        layers = self.layer_maps
        if name is not None and layers is not None:
            check_known("depth", name, layers.names)
        return None if name == PIXELS else name

    @property
    def layer_maps(self) -> LayerMaps | None:
        """Relevance at every layer for what is on screen; None until ``depth`` or a person asked for it."""
        found = vars(self).get("_found")
        return found.get(self._question()) if found and self._known else None

    def _watch_depth(self) -> None:
        """From now on, what ``depth`` shows is computed for whatever is asked."""
        self._found, self._descending = OrderedDict(), None
        self.observe(self._ask_layers, names=list(_QUESTION))
        self._ask_layers()

    def _ask_layers(self, _: Any = None) -> None:
        if self.depth is not None and self._known:
            try:
                question = self._question()
                if self._goes_down(question):
                    self._descend(question)
            except ValueError as error:
                self._show_error(error)

    def _on_depth(self, content: dict[str, Any]) -> None:
        question = self._read(content)
        if self._goes_down(question):
            self._descend(question, again=True)

    def _goes_down(self, question: Question) -> bool:
        """Whether layers of it can be shown: of a method that knows them, where one is shown; what is compared is compared at the
        pixels, as models need not have a layer in common."""
        return self._known[question.method].layers and not self._comparing and self.show != GALLERY

    def _descend(self, question: Question, *, again: bool = False) -> None:
        """Compute the layers of a question, in the background, unless they are there. ``again``: a browser has not got them."""
        found = self._found.get(question)
        if found is not None:
            self._check_depth(question, found)
            if again:
                self._post(layers_packet(question, found))
        elif question != self._descending:
            self._descending = question
            self.status = {**self.status, "state": "running"}
            self._runner.submit(
                Job(
                    start=lambda: self._layers(question),
                    on_stop=lambda: self._descended(question, "stopped"),
                    on_error=lambda error: self._failed(question, error),
                    lane=_LANE,
                )
            )

    def _layers(self, question: Question) -> Iterator[None]:
        """One step: the pass of all layers is one call."""
        method = self._known[question.method]
        explainer = method.with_parameters(dict(question.parameters))
        subject = self._subject(question)
        asked = {} if question.against is None else {"against": subject.own(question.against)}
        found = explainer.depth(subject.x[question.image, None], subject.own(question.target), **asked)
        if self._known:
            self._found[question] = found
            while len(self._found) > max(_KEPT, self._paged):
                self._found.popitem(last=False)
            self._post(layers_packet(question, found))
            self._descended(question, "done")
            self._check_depth(question, found)
        yield

    def _check_depth(self, question: Question, found: LayerMaps) -> None:
        """A layer that was named before anybody knew the layers; one that another model or composite has, and this one has not, is left
        for the pixels."""
        if self.depth is not None and question == self._question() and self.depth not in found.maps:
            error = unknown("depth", self.depth, found.names)
            elsewhere = any(self.depth in known.maps for known in self._found.values())
            self.depth = None
            if not elsewhere:
                raise error

    def _missing_layers(self, image: int) -> Iterator[None]:
        """What a page of the image is to show, and is not there yet, where layers are on screen."""
        question = self._question(image=image)
        if self.depth is not None and self._goes_down(question) and question not in self._found:
            yield from self._layers(question)

    def _descended(self, question: Question, state: str) -> None:
        if question == self._descending:
            self._descending = None
            if self._working is None:
                self.status = {**self.status, "state": state}

    def _failed(self, question: Question, error: Exception) -> None:
        if question == self._descending:
            self._descending = None
        self._show_error(error)

    # -- pages and figures ---------------------------------------------------------------------------------------------

    def _recorded(self, images: Sequence[int] | None = None, room: float = math.inf) -> list[Packet]:
        known = []
        for question, found in list(vars(self).get("_found", {}).items()):
            if images is not None and question.image not in images:
                continue
            packet = layers_packet(question, found)
            if self.depth is None or question != self._question(image=question.image):
                # What is not on screen is there where there is room for it.
                room -= packet.size
                if room < 0:
                    break
            known.append(packet)
        return [*super()._recorded(images, room), *known]

    def _panes(self) -> list[Pane]:
        panes = super()._panes()
        found, depth = self.layer_maps, self.depth
        if found is None or depth is None or not self._goes_down(self._question()):
            return panes
        values = found.maps[depth][0]
        entry = self._on_screen()[0]
        drawn = []
        for pane in panes:
            if pane.values is None:
                # The picture as it is, beside its map.
                drawn.append(pane)
                continue
            span = span_of(values, self.clip, signed=True)
            if self.depth_scale == "total" and found.start is not None:
                # Equal colours are equal relevance an area: a cell holds that of all its pixels.
                cell = pane.values.numel() / values.numel()
                low, high = self._span(entry, [entry])
                span = (low * cell, high * cell)
            title = f"{pane.title} at {self._where(found, depth)}"
            drawn.append(replace(pane, values=upsampled(values, pane.values.shape), span=span, title=title))
        return drawn

    def _where(self, found: LayerMaps, name: str) -> str:
        """The layer on screen, its grid, and the share of the relevance that is in its picture."""
        height, width = found.maps[name].shape[1:]
        shares = _plain(found.pictured)
        share = "" if shares is None else f" · {shares[found.names.index(name)]:.1%}"
        return f"{name}\n{height} × {width}{share}"

    def close(self) -> None:
        super().close()
        self._found = OrderedDict()
