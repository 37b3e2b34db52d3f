"""What the flipping viewer tells the browser, and what is kept of it in saved notebooks and pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from torch import Tensor

from xaiwidgets.evaluate import FlippingResult, GaeResult
from xaiwidgets.evaluate.flipping.result import RANDOM
from xaiwidgets.widgets.flipping.comparison import Comparison, Request
from xaiwidgets.widgets.flipping.runs import CURVES, GAE, Runs
from xaiwidgets.widgets.flipping.state import FlippingState
from xaiwidgets.widgets.flipping.wire import curves_packet, gae_packet
from xaiwidgets.widgets.jobs import Job, JobRunner
from xaiwidgets.widgets.wire import SNAPSHOT_LIMIT, Packet, packed, picture_packet
from xaiwidgets.words import choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xaiwidgets.plots import Pane

__all__ = ["FlippingPages"]

_SENT = 2**20
"""Scores in one message, 4 MB: with more, only the image on screen sends its own curves."""
_SAVED_FRAMES = 24_000_000
"""Bytes of frames in a saved page: all steps of small images, fewer methods of large ones."""
_NEAR_ZERO = 0.05
_FRAMES = {"morf": "Most relevant first", "lerf": "Least relevant first", RANDOM: "Random order"}
_SNAPSHOT = 1
"""Lane of the second worker: what somebody looks at comes first."""


class FlippingPages(FlippingState):
    """The viewer's state with the results behind it, as packets for the browser."""

    _work: Comparison
    _runs: Runs
    _looker: JobRunner
    _pixels: Tensor

    @property
    def result(self) -> FlippingResult | None:
        """The curves on screen, growing while they are computed; None before the first are there."""
        return self._work.result(self._request())

    @property
    def gae_result(self) -> GaeResult | None:
        """GAE of the explainers, growing while it is computed; None before."""
        return self._work.gae_result

    def _request(self) -> Request:
        return Request(self.order, self.perturb, self.patch, self.target, self.score)

    def _shown(self) -> tuple[str, ...]:
        return tuple(name for name in self._work.methods if name not in self.hidden)

    # -- what the browser is told --------------------------------------------------------------------------------------

    def _say_methods(self) -> None:
        self.methods = list(self._work.methods)
        self.gae_missing = self._work.gae_missing()

    def _say(self, state: str, request: Request, left: float | None = None) -> None:
        result = self._work.result(request)
        assert result is not None
        said: dict[str, Any] = {
            "state": state,
            "done": result.done,
            "total": result.total,
            "unit": "frames",
            "seconds_left": left,
        }
        self.status = said

    def _say_end(self, state: str, request: Request) -> None:
        """How curves ended; where GAE goes on, that is what the status is about."""
        if GAE in self._runs:
            self._report_gae("running")
        else:
            self._say(state, request)

    def _report_gae(self, state: str) -> None:
        """GAE so far; curves that are computed first say themselves how far they are."""
        result = self._work.gae_result
        if result is not None:
            self._post(gae_packet(result))
        if CURVES in self._runs:
            return
        done = 0 if result is None else len(result.images)
        said: dict[str, Any] = {
            "state": state,
            "done": done,
            "total": self.images // 4,
            "unit": "mosaics",
            "seconds_left": None,
        }
        self.status = said

    def _sends_all(self, result: FlippingResult) -> bool:
        return len(result.lines()) * self.images * len(result.fractions) <= _SENT

    def _post_curves(self, request: Request, *, final: bool) -> None:
        idle = CURVES not in self._runs
        self._post(self._curves_packet(request, final=final, all_images=final or idle))

    def _curves_packet(self, request: Request, *, final: bool, all_images: bool) -> Packet:
        result = self._work.result(request)
        assert result is not None
        every = self.images == 1 or (all_images and self._sends_all(result))
        return curves_packet(
            vars(request),
            result,
            range(self.images) if every else [self.image],
            final=final,
            unfinished=not final and CURVES not in self._runs,
        )

    def _essentials(self, *, all_images: bool = True) -> list[Packet]:
        """What a view needs to begin with: curves, the picture, the maps of the image on screen, GAE."""
        request, image = self._request(), self.image
        picture, *maps = self._pictured(image)
        packets = [picture]
        if self._work.result(request) is not None:
            final = not self._work.missing(request, self._shown())
            packets += [self._curves_packet(request, final=final, all_images=all_images), *maps]
        if self._work.gae_result is not None:
            packets.append(gae_packet(self._work.gae_result))
        return packets

    def _pictured(self, image: int) -> list[Packet]:
        """An image, and its heatmaps and orders of patches as far as they are known."""
        maps = [self._work.map(self._request(), image, name) for name in (*self._work.methods, RANDOM)]
        return [picture_packet(image, self._pixels[image]), *(packet for packet in maps if packet is not None)]

    def _recorded(self, images: Sequence[int] | None = None, room: float = math.inf) -> list[Packet]:
        request, result, packets = self._request(), self.result, self._essentials()
        wanted = [self.image, *(image for image in images or () if image != self.image)]
        for image in wanted[1:]:
            packets += self._pictured(image)
        if result is None:
            return packets
        # A page without a kernel can be scrubbed: the image and method on screen first, then others while there is room.
        room = min(_SAVED_FRAMES, room)
        steps = range(1, result.setup.schedule.steps + 1)
        for name in sorted((*self._work.methods, RANDOM), key=lambda name: name != self.method):
            orders = request.orders if name != RANDOM else request.orders[:1]
            size = self._pixels[0].numel() * len(steps) * len(orders)
            for image in wanted:
                if size <= room:
                    room -= size
                    for frames in self._work.frames(request, image, name, orders, steps):
                        packets += frames
        return packets

    def _keep_snapshot(self) -> None:
        """Bring what a saved notebook keeps up to what is on screen, when there is time."""

        def keep() -> Iterator[None]:
            self.snapshot = self._snapshot()
            yield

        self._looker.submit(Job(start=keep, lane=_SNAPSHOT))

    def _snapshot(self) -> bytes:
        """What a saved notebook keeps: as much as there is room for, the most telling first."""
        request = self._request()
        frames = self._work.frames(request, self.image, self.method, request.orders, [self.step])
        kept: list[Packet] = []
        size = 0
        said = None if self._album is None else self._album.prediction(self.image)
        for packet in [
            *([] if said is None else [said]),
            *self._essentials(all_images=False),
            *(packet for packets in frames for packet in packets),
        ]:
            size += sum(len(part) for part in packet.buffers) + 2000
            if size <= SNAPSHOT_LIMIT:
                kept.append(packet)
        return packed(kept)

    def _figure(self) -> Figure:
        from xaiwidgets import plots

        # At first display a moment is enough for the first curves of a fast model, and nobody notices it.
        if self.result is None:
            self._runner.wait(0.3)
        result = self.result
        if result is None:
            return plots.picture(self._pixels[self.image], title=self._called())
        step = min(self.step, result.setup.schedule.steps)
        return plots.flipping_screen(
            result,
            row=None if self.scope == "mean" else self.image,
            hidden=self.hidden,
            step=step,
            panes=self._panes(step),
            look=plots.Look("", 0.8, self.picture, self.overlay),
            title=self._called(),
            caption=self._caption(result, step),
        )

    def _panes(self, step: int) -> list[Pane]:
        """The pictures on screen: the heatmap of the method that is followed, and what the model sees at the step."""
        from xaiwidgets import plots

        request, image = self._request(), self.image
        shown = [name for name in (*self._work.methods, RANDOM) if name not in self.hidden]
        shown = [RANDOM] if request.order == RANDOM else shown
        name = self.method if self.method in shown else next(iter(shown), RANDOM)
        orders = request.orders if name != RANDOM else request.orders[:1]
        panes = []
        heatmap = self._work.heatmap(request, image, name)
        if name == RANDOM or len(orders) > 1:
            panes.append(plots.Pane("Image", self._pixels[image]))
        if heatmap is not None:
            low, high = float(heatmap.min()), float(heatmap.max())
            # As heatLook in js/src/flipping/views/draw.ts.
            signed = low == high or low < _NEAR_ZERO * max(0.0, high)
            bound = max(abs(low), abs(high)) or 1.0
            span = (-bound, bound) if signed else (low, high)
            panes.append(plots.Pane(f"Heatmap of {name}", self._pixels[image], heatmap, span, signed))
        for order in orders:
            frame = self._work.frame(request, image, name, order, step)
            if frame is not None:
                panes.append(plots.Pane(_FRAMES[RANDOM if name == RANDOM else order], frame.cpu()))
        return panes

    def _caption(self, result: FlippingResult, step: int) -> str:
        """Model, class, what hides, image, step and date: what a figure must say to be read later."""
        names, target = self.class_names, self.target
        if self.scope == "image" and target is None:
            found = int(result.target[self.image])
            target = found if found >= 0 else None
        named = None if target is None else names[target] if target < len(names) else f"class {target}"
        schedule = result.setup.schedule
        grey = schedule.gray_last and step == schedule.steps
        parts = [
            self.model_name,
            f"{result.score} of {named or 'what is predicted'}",
            f"hidden: {choice('perturb', self.perturb)}, patch {self.patch} px",
            f"mean of {self.images} images" if self.scope == "mean" else f"image {self.image + 1} of {self.images}",
            f"step {step} of {schedule.steps}" + (", all grey" if grey else ""),
            *([f"not shown: {', '.join(self.hidden)}"] if self.hidden else []),
            date.today().isoformat(),
        ]
        return " · ".join(part for part in parts if part)

    def _called(self) -> str:
        return self.title or f"Pixel flipping of {self.model_name}"
