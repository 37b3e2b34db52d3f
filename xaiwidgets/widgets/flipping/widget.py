"""The flipping viewer: curves of several explanations, and what the model saw at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import traitlets

from xaiwidgets.evaluate.flipping.result import RANDOM
from xaiwidgets.evaluate.sources import gathered
from xaiwidgets.model import ImageModel
from xaiwidgets.widgets.album import Album, labels_of
from xaiwidgets.widgets.choices import NO_IMAGES, Classes, StateError, check_image, check_known
from xaiwidgets.widgets.flipping.comparison import Comparison, Request
from xaiwidgets.widgets.flipping.maps import UnwantedError
from xaiwidgets.widgets.flipping.pages import FlippingPages
from xaiwidgets.widgets.flipping.runs import CURVES, GAE, Run, Runs
from xaiwidgets.widgets.jobs import Job, JobRunner
from xaiwidgets.widgets.pace import Pace
from xaiwidgets.widgets.wire import Packet, picture_packet
from xaiwidgets.words import METHODS, choice

_ALBUM = 2
"""Lane of the second worker, after frames and what a notebook keeps."""
_ASKED = ("order", "perturb", "patch", "target", "score")


class FlippingViewer(FlippingPages):
    """Pixel flipping of several explanations, live: curves, the image as the model sees it at each step, a ranking.

    Args:
        model: whose score is followed.
        x: images (N, C, H, W), as :meth:`ImageModel.prepare` makes; (images, labels (N,)), labels for GAE; or a data set of (C, H, W)
            tensors or (tensor, label), which is read into memory.
        explanations: {name: explainer (x, target) -> heatmap, result, or heatmap (N, H, W)}.
        target: class whose score is followed, by index or name; None for each image's predicted class; any other target, or several by
            name, which then stand after the classes.
        perturb: a name ("inpaint", "mean", …), a number in the model's input space, or a function, as :func:`pixel_flipping` takes.
        schedule, steps, random, seed, confidence, resamples, batch_size, limit: as :func:`pixel_flipping` takes them.
        view: any trait of the view, such as ``order="morf"``, ``patch=4``, ``step=5``, ``scope="mean"``, ``hidden=["RELAX"]``.

    Every part of the view is a trait that can be read and set in Python, such as ``w.step``; ``w.result`` is the
    :class:`FlippingResult` on screen, the same as :func:`pixel_flipping` gives. Methods in ``hidden`` are computed when shown.

    Raises:
        TypeError, ValueError: explanations or images that do not fit, naming the method, or an unknown keyword.

    Example:
        >>> w = xw.FlippingViewer(model, x, {"LRP": xw.LRP(model)}, order="morf", step=3)
        >>> w.wait(), w.result.methods
        (True, ('LRP',))
    """

    def __init__(
        self,
        model: ImageModel,
        x: Any,
        explanations: Any,
        *,
        target: Any = None,
        perturb: Any = "inpaint",
        schedule: Any = "squares",
        steps: int | None = None,
        random: int = 3,
        seed: int = 0,
        confidence: float = 0.95,
        resamples: int = 2000,
        batch_size: int | None = None,
        limit: int | None = None,
        **view: Any,
    ) -> None:
        if not isinstance(model, ImageModel):
            raise TypeError(
                f"model is {type(model).__name__}; give an ImageModel, such as xaiwidgets.ImageModel(module)"
            )
        x, labels = gathered(model, x, limit)
        options = {
            "schedule": schedule,
            "steps": steps,
            "random": random,
            "seed": seed,
            "confidence": confidence,
            "resamples": resamples,
            "batch_size": batch_size,
        }
        self._classes = Classes(model, x)
        self._work = Comparison(
            model, x, explanations, labels=labels, perturb=perturb, options=options, asked=self._classes.asked
        )
        if not self._work.methods and view.get("order") != "random":
            raise ValueError("explanations is empty; give {'name': heatmap or explainer}, or order='random'")
        self._pixels = model.pixels(x).cpu()
        target = self._classes.index("target", target)
        first = next(iter(self._work.methods), RANDOM)
        super().__init__(**{"method": first, **view, "perturb": self._work.perturb})
        self._runs = Runs(self._runner)
        self._looker = JobRunner(f"{type(self).__name__} frames")
        self.images = len(x)
        self.class_names = list(self._classes.names)
        offered = [name for name in self._work.perturbs if name != "telea" or find_spec("cv2")]
        self.perturbations = [{"value": name, "label": choice("perturb", name)} for name in offered]
        self._album = Album(model, x, self._pixels, _labelled(labels, self._classes, len(x)))
        self.model_name = model.name
        about = METHODS["pixel flipping"]
        self.about = {"label": about.label, **about.plain()}
        self.target = target
        self._say_methods()
        # What cannot be computed at all is said here, where it was asked for, before any work is done.
        self._work.check(self._request(), self._shown())
        most = self._work.patches(self.patch)
        if self.step > most:
            raise StateError(f"step={self.step} is not there; there are {most} patches of {self.patch} px")
        self.observe(self._ask_again, names=[*_ASKED, "hidden", "image"])
        self.compute()

    # -- what Python users call ----------------------------------------------------------------------------------------

    def add(self, name: str, explanation: Any) -> None:
        """One more method, or another explanation under a known name: its curve joins the others.

        Raises:
            TypeError, ValueError: an explanation that does not fit.
        """
        with self._runs.turn:
            known = str(name) in self._work.methods
            self._work.add(str(name), explanation)
            if known:
                # What is under way is of the old one, and so is what the browser keeps.
                self._runs.drop(CURVES)
                self._runs.drop(GAE)
                self._post(Packet({"type": "forget"}))
            self._say_methods()
            self.compute()

    def compute(self) -> None:
        """Compute what the widget's state asks for, in the background; what is there already is not computed again."""
        with self._runs.turn:
            request = self._request()
            run = self._runs.of(CURVES)
            if run is not None and run.request == request and run.wanted():
                return
            if self._work.result(request) is None or self._work.missing(request, self._shown()):
                self._submit(request, lambda run: self._curves(request, run))
                return
            self._runs.drop(CURVES)
            self._post_curves(request, final=True)
            self._say_end("done", request)
            self._keep_snapshot()

    def compute_gae(self) -> None:
        """Compute Global Attribution Evaluation of the explainers that are shown, in the background.

        Raises:
            ValueError: it cannot be computed; says why.
        """
        if self.gae_missing:
            raise ValueError(self.gae_missing)
        self._submit(None, self._gae)

    # -- messages ------------------------------------------------------------------------------------------------------

    def _on_ready(self, content: dict[str, Any]) -> None:
        with self._runs.turn:
            for packet in [*self._essentials(), *self._known_images()]:
                self._post(packet)
        if self.status.get("state") in ("idle", "done"):
            self.compute()

    def _on_compute(self, content: dict[str, Any]) -> None:
        self.compute()

    def _on_gae(self, content: dict[str, Any]) -> None:
        self.compute_gae()

    def _on_look(self, content: dict[str, Any]) -> None:
        """Frames, and what stands beside them: made by a worker of their own, so that scrubbing waits for no curve."""
        image = int(content["image"])
        if not 0 <= image < len(self._pixels):
            raise ValueError(f"image={image} is not there; give 0 to {len(self._pixels) - 1}")
        request = Request(**{name: content.get(name) for name in _ASKED})  # type: ignore[arg-type]
        self._looker.submit(Job(start=lambda: self._look(request, image, content), on_error=self._show_error))

    # -- requests ------------------------------------------------------------------------------------------------------

    def _ask_again(self, change: Any) -> None:
        with self._runs.turn:
            if change["name"] != "image":
                self.compute()
                return
            self._meet()
            if CURVES not in self._runs and self.result is not None:
                if not self._sends_all(self.result):
                    # The curves are there; those of a large set travel image by image.
                    self._post_curves(self._request(), final=not self._work.missing(self._request(), self._shown()))
                self._keep_snapshot()

    @traitlets.validate("image")
    def _valid_image(self, proposal: Any) -> int:
        return check_image(proposal["value"], len(self._pixels))

    @traitlets.validate("perturb", "method")
    def _valid_name(self, proposal: Any) -> str:
        name = proposal["trait"].name
        known = self._work.perturbs if name == "perturb" else (*self._work.methods, RANDOM)
        return check_known(name, proposal["value"], known)

    @traitlets.validate("hidden")
    def _valid_hidden(self, proposal: Any) -> list[str]:
        return [check_known("hidden", name, (*self._work.methods, RANDOM)) for name in proposal["value"]]

    @traitlets.validate("step")
    def _valid_step(self, proposal: Any) -> int:
        step: int = proposal["value"]
        result = None if self._hears else self.result
        # In the browser the curves on screen may be of another size of patches, and a step too far is the last.
        if result is not None and step > result.setup.schedule.steps:
            raise StateError(f"step={step} is not there; give 0 to {result.setup.schedule.steps}")
        return step

    # -- work ----------------------------------------------------------------------------------------------------------

    def _submit(self, request: Request | None, steps: Callable[[Run], Iterator[None]]) -> None:
        with self._runs.turn:
            if request is not None or CURVES not in self._runs:
                begun: dict[str, Any] = {"state": "running", "done": 0, "total": None, "unit": ""}
                self.status = begun
            self._runs.begin(request, steps, ended=self._end, failed=self._failed)

    def _curves(self, request: Request, run: Run) -> Iterator[None]:
        """The curves of a request; runs in the worker."""
        pace, met = Pace(), False
        for partial in self._work.grow(request, self._shown, self.image, lambda: self._wanted(request)):
            if pace.due():
                self._report(run, request, pace.left(partial.done, partial.total))
                pace.shown()
                if not met:
                    # After the first curves: nobody waits longer for them because of what else there is to say.
                    met = True
                    self._meet()
            yield
        self._end(run, "done")

    def _meet(self) -> None:
        """Say what the model says of the image on screen, and then of all."""
        image = self.image
        self._looker.submit(Job(start=lambda: self._introduce(image), lane=_ALBUM))

    def _missing(self, images: Sequence[int]) -> Iterator[None]:
        for image in images:
            yield from self._introduce(image)

    def _wanted(self, request: Request) -> bool:
        """Whether the run under way is of this request: a stream that is taken up again outlives its first run."""
        run = self._runs.of(CURVES)
        return run is not None and run.request == request and run.wanted()

    def _gae(self, run: Run) -> Iterator[None]:
        """GAE, mosaics by mosaics; runs in the worker."""
        self._runs.tell(run, lambda: self._report_gae("running"))
        yield
        for _ in self._work.gae(self._shown(), run.wanted):
            self._runs.tell(run, lambda: self._report_gae("running"))
            yield
        self._end(run, "done")

    def _report(self, run: Run, request: Request, left: float | None) -> None:
        """The curves so far."""
        if self._work.result(request) is None:
            return
        # Made before its turn: intervals take a while, and who asks for something else shall not wait for them.
        packet = self._curves_packet(request, final=False, all_images=False)

        def report() -> None:
            self._post(packet)
            self._say("running", request, left)

        self._runs.tell(run, report)

    def _end(self, run: Run, state: str) -> None:
        def settle() -> None:
            self._settle(run.request, state)
            self.snapshot = self._snapshot()

        self._runs.end(run, settle)

    def _settle(self, request: Request | None, state: str) -> None:
        """Say how a run ended, and what it gave."""
        if request is None:
            self._report_gae(state)
        elif self._work.result(request) is None:
            self.status = {"state": state}
        else:
            self._post_curves(request, final=state == "done")
            self._say_end(state, request)
            if state == "done" and self._work.missing(request, self._shown()):
                # A method was shown at the last moment.
                self.compute()

    def _failed(self, run: Run, error: Exception) -> None:
        if isinstance(error, UnwantedError):
            self._end(run, "stopped")
            return

        def show() -> None:
            if run.request is not None and self._work.result(run.request) is not None:
                # What the others gave stays, and what is missing can be tried again.
                self._post_curves(run.request, final=False)
                self._say("stopped", run.request)
            self._show_error(error)

        self._runs.end(run, show)
        # What is known without the curves is shown all the same.
        self._meet()

    def _look(self, request: Request, image: int, content: dict[str, Any]) -> Iterator[None]:
        """What a view wants to see of an image; runs in the second worker."""
        version = self._work.version

        def show(packet: Packet) -> None:
            with self._runs.turn:
                # What was made of an explanation that has been replaced since is not its successor's.
                if self._work.version == version:
                    self._post(packet)

        if content.get("picture"):
            show(picture_packet(image, self._pixels[image]))
        for name in content.get("maps", ()):
            found = self._work.map(request, image, name)
            if found is not None:
                show(found)
        yield
        orders = [order for order in content.get("orders", ()) if order in ("morf", "lerf")]
        steps = [int(step) for step in content.get("steps", ())]
        for packets in self._work.frames(request, image, content.get("method", ""), orders, steps):
            for packet in packets:
                show(packet)
            yield

    def close(self) -> None:
        """Stop, free everything, and remove the widget from the page."""
        looker = vars(self).get("_looker")
        if looker is not None:
            looker.close()
        super().close()
        if looker is not None:
            # Out[] keeps the widget itself for as long as the kernel lives.
            self._runs.clear()
            self._work.clear()
            self._pixels = NO_IMAGES
            self._classes = Classes(None, self._pixels)


def _labelled(labels: Any, classes: Classes, count: int) -> list[int | None]:
    """The labels of images as far as they are classes of the model; others are of use to GAE's mosaics alone, which checks them."""
    try:
        return labels_of(labels, classes, count)
    except ValueError:
        return [None] * count
