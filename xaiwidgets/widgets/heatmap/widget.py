"""The heatmap overlay: an image under its explanation, live, with a slider for how sure it must be."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import traitlets
from torch import Tensor

from xaiwidgets.errors import whole_or_none
from xaiwidgets.model import ImageModel
from xaiwidgets.targets import TargetError
from xaiwidgets.widgets.album import Album, labels_of
from xaiwidgets.widgets.choices import NO_IMAGES, Classes, check_image, check_known
from xaiwidgets.widgets.heatmap.answers import Answer, Clock, Question, counted, is_sure, masks_of, settled
from xaiwidgets.widgets.heatmap.comparison import GALLERY, TARGETS
from xaiwidgets.widgets.heatmap.depth import HeatmapDepth
from xaiwidgets.widgets.heatmap.inputs import by_name, pixels_of
from xaiwidgets.widgets.heatmap.methods import (
    Method,
    controls_of,
    goes_on,
    maps_of,
    masks_taken,
    method_of,
    steps_of,
)
from xaiwidgets.widgets.heatmap.places import Place, Places
from xaiwidgets.widgets.heatmap.subjects import names_of_others, subjects_of
from xaiwidgets.widgets.jobs import Job
from xaiwidgets.widgets.wire import picture_packet, snapshot

_KEPT_ANSWERS = 64
"""Explanations kept, so that going back to one shows it at once."""
_KEPT_SUMS = 8
"""Explanations of which "more" can go on where they stopped; older ones begin anew."""
_ENDLESS = 2**40
_AFTER = 8
"""The lane of what is said of an image that could not be explained."""
_QUESTION = ("image", "method", "target", "against", "parameters")


class HeatmapOverlay(HeatmapDepth):
    """An image under its explanation. What is drawn lives in the browser; Python computes the numbers.

    Args:
        explainers: an explainer (``RELAX``, ``LRP``, any callable ``(x, target) -> heatmap``), a finished result or
            heatmap (N, H, W), or several of these by name.
            Explainers may be of different models: classes are then one and the same where their names are.
        x: images (N, C, H, W), as :meth:`ImageModel.prepare` of the first model makes, which other models get over their pixels where
            they take them otherwise; or those of each explainer, by its name.
        target: the class to explain, for methods that explain a class; None for the predicted one; any other target, or several by
            name, which then stand after the classes.
        model: an :class:`ImageModel`, for pixels and class names; default: the explainers' own.
        pixels: what to show beneath, (N, C, H, W) in [0, 1]; default: x as people see it.
        labels: the true class of each image, an index or a name, or None; what the model says is then marked as right or wrong.
        n_masks: the most masks to stream, in whole blocks as the explainer takes them; default: what it says. Fewer do where the
            standard errors are small (``enough``, 0.03 of the map's range; 0 for all masks).
        view: any trait of the view, such as ``show="u_relax"``, ``threshold=0.5``, ``colormap="magma"``, ``opacity=0.6``.

    What stands beside each other, as ``show``: ``"side_by_side"`` the maps of a method, ``"compare"`` methods (``beside_methods``),
    ``"targets"`` classes (``beside``, or ``targets=["star", "heart"]`` in this call), ``"images"`` images (``beside_images``),
    ``"models"`` one method of each model, up to six; ``"gallery"`` all images on one scale. ``difference=(0, 1)`` adds what the first
    of those compared has more than the second. ``scale="own"`` keeps each on a scale of its own.

    Every part of the view is a trait that can be read and set in Python, such as ``w.threshold``; ``w.result`` is the
    result on screen.

    Raises:
        TypeError, ValueError: explainers or images that do not fit, or an unknown keyword.

    Example:
        >>> w = xw.HeatmapOverlay({"LRP": xw.LRP(model)}, x, opacity=0.6)
        >>> w.wait(), w.result.heatmap.shape
        (True, torch.Size([1, 64, 64]))
    """

    def __init__(
        self,
        explainers: Any,
        x: Tensor | Mapping[str, Tensor],
        *,
        target: Any = None,
        model: ImageModel | None = None,
        pixels: Tensor | None = None,
        labels: Sequence[int | str | None] | None = None,
        n_masks: int | None = None,
        **view: Any,
    ) -> None:
        if (several := view.pop("targets", None)) is not None:
            # Classes and targets beside each other, as they are; or by name.
            view = {"show": TARGETS, **({} if isinstance(several, Mapping) else {"beside": several}), **view}
            target = several if isinstance(several, Mapping) and target is None else target
        sources = by_name(explainers)
        if model is not None and not isinstance(model, ImageModel):
            raise TypeError(
                f"model is {type(model).__name__}; give an ImageModel, such as xaiwidgets.ImageModel(module)"
            )
        self._subjects, explained = subjects_of(sources, x, model)
        self._model, x = self._subjects[0].model, self._subjects[0].x
        known = {name: method_of(name, source, len(x)) for name, source in sources.items()}
        for name, method in known.items():
            method.model, method.model_name = explained[name], self._subjects[explained[name]].name
            if method.finished:
                maps_of(method.source, x, 0, name)
        first = check_known("method", view.get("method", next(iter(known))), known)
        self._x = x
        self._pixels = pixels_of(x, self._model, pixels)
        self._known = known
        self._n_masks = whole_or_none("n_masks", n_masks, 1)
        self._classes = Classes(self._model, x, *names_of_others(self._subjects))
        for number, subject in enumerate(self._subjects):
            subject.know(self._classes, any(method.classes and method.model == number for method in known.values()))
        of_first = any(method.classes and method.model == 0 for method in known.values())
        self._places = Places(self._model if of_first else None, x)
        self._asked: dict[int, dict[str, Place]] = {}
        target = self._classes.index("target", target)
        known_labels = labels_of(labels, self._classes, len(x))
        self._answers: OrderedDict[Question, Answer] = OrderedDict()
        self._working: Question | None = None
        self._heard = False
        self._kept = _KEPT_ANSWERS
        view = {"show": known[first].views[0]["name"], **view, "method": first}
        super().__init__(**view)
        self._albums = [self._album_of(number, known_labels) for number in range(len(self._subjects))]
        self._album = self._albums[0]
        self.model_name = "" if self._model is None else self._model.name
        self.images = len(x)
        self.methods = [method.spec() for method in known.values()]
        self.class_names = list(self._classes.names)
        self._list_targets()
        self.target = target
        self.observe(self._list_targets, names=["class_names", "target", "against", "beside"])
        self.observe(self._ask_again, names=list(_QUESTION))
        self.compute()
        self._watch_depth()

    def _album_of(self, number: int, labels: Sequence[int | None]) -> Album:
        """What a model says of the images: what an encoder gives are no scores of classes, and nothing is said about them."""
        subject = self._subjects[number]
        model = subject.model
        asked = any(method.classes for method in self._known.values() if method.model == number)
        says = model if model is not None and (model.class_names or asked) else None
        return Album(says, subject.x, self._pixels, labels, number=number, among=subject.among)

    @traitlets.validate("image")
    def _valid_image(self, proposal: Any) -> int:
        return check_image(proposal["value"], len(self._x))

    @traitlets.validate("method")
    def _valid_method(self, proposal: Any) -> str:
        return check_known("method", proposal["value"], self._known)

    # -- what Python users call ----------------------------------------------------------------------------------------

    @property
    def result(self) -> Any:
        """The result on screen, growing while it is computed; None before the first batch is done."""
        answer = self._answers.get(self._question()) if self._known else None
        return None if answer is None else answer.result

    @property
    def results(self) -> dict[str, Any]:
        """The results for the image on screen, by method, as far as they were computed."""
        image = self.image
        there = [(question.method, answer) for question, answer in self._answers.items() if question.image == image]
        return {method: answer.result for method, answer in there if answer.maps}

    def compute(self) -> None:
        """Compute what the widget's state asks for, in the background, unless it is there already."""
        self._compute(self._question(), None)

    def more(self) -> None:
        """The rest of the masks where fewer were good enough, else as many again, for methods that stream."""
        question = self._question()
        answer = self._answers.get(question)
        if answer is not None and answer.maps and self._known[question.method].streaming:
            # What was good enough goes on to all masks, those to as many again.
            seen = 0 if answer.early else answer.result.n_masks
            self._start(question, None, self._wanted(question) + seen, settle=False)

    # -- messages ------------------------------------------------------------------------------------------------------

    def _on_ready(self, content: dict[str, Any]) -> None:
        self._heard = True
        for packet in [*self._recorded(), *self._known_images()]:
            self._post(packet)
        if self.status.get("state") in ("idle", "done"):
            self.compute()

    def _on_compute(self, content: dict[str, Any]) -> None:
        question = self._read(content)
        self._post(picture_packet(question.image, self._pixels[question.image]))
        self._compute(question, content.get("id"))

    def _on_more(self, content: dict[str, Any]) -> None:
        self.more()

    # -- work ------------------------------------------------------------------------------------------------------------

    def _ask_again(self, change: Any) -> None:
        """The state asks for something else; a request of the browser for the same finds the work under way."""
        try:
            self.compute()
        except ValueError as error:
            self._show_error(error)

    def _compute(self, question: Question, request: int | None) -> None:
        answer = self._answers.get(question)
        if answer is not None and answer.final and (answer.maps or len(self._shown()) > 1):
            self._post(self._packet(question, answer, request))
            if self._working is None:
                self._say("done", answer)
            return
        if question == self._working and self._runner.busy:
            return
        self._start(question, request, self._wanted(question))

    def _wanted(self, question: Question) -> int:
        """How many masks to stream."""
        source = self._known[question.method].source
        settings = getattr(source, "settings", None)
        return self._n_masks if self._n_masks is not None else int(getattr(settings, "n_masks", 0))

    def _start(self, question: Question, request: int | None, wanted: int, *, settle: bool = True) -> None:
        self._working = question
        begun: dict[str, Any] = {"state": "running", "done": 0, "total": None, "unit": "", "request": request}
        self.status = begun
        self._runner.submit(
            Job(
                start=lambda: self._steps(question, request, wanted, settle=settle),
                on_stop=lambda: self._end("stopped", question),
                on_error=lambda error: self._fail(error, question),
            )
        )

    def _steps(self, question: Question, request: int | None, wanted: int, *, settle: bool = True) -> Iterator[None]:
        """One explanation, step by step; runs in the worker. ``settle``: whether fewer masks do where they are enough."""
        method = self._known[question.method]
        clock = Clock()
        explainer = None if method.finished else method.with_parameters(dict(question.parameters))
        wanted = masks_taken(explainer, wanted)
        told, x = self._introduce(question.image), self._subject(question).x
        for result, row, steps in self._partial_results(method, explainer, question, wanted):
            enough = not method.streaming or result.n_masks >= wanted or result.final
            maps = maps_of(result, x if method.finished else x[question.image, None], row, method.name)
            early = not enough and settle and goes_on(explainer) and is_sure(result, maps, self.enough)
            enough |= early
            shown = settled(result) if enough and not method.finished else result
            answer = Answer(shown, row, maps, enough, steps, early)
            answer.explains = self._told_by(question, method, result)
            self._keep(question, answer)
            if enough or clock.due():
                # While a cell keeps the kernel busy, a new view's question for the picture waits; this thread does not.
                if not self._heard and clock.due("picture", 1.0):
                    self._post(picture_packet(question.image, self._pixels[question.image]))
                self._post(self._packet(question, answer, request))
                self._say("running", answer, clock.left(answer, wanted), wanted, request)
                next(told, None)
            if enough:
                # At once: the next question may be here already, and would end this job before the answer has its notes and its unit.
                break
            yield
        self._end("done", question)
        yield from told

    def _partial_results(
        self, method: Method, explainer: Any, question: Question, wanted: int
    ) -> Iterator[tuple[Any, int, Iterator[Any] | None]]:
        """(result so far, the image's row in it, where to go on)."""
        if method.finished:
            yield method.source, question.image, None
            return
        subject = self._subject(question)
        before = self._answers.get(question)
        if before is not None and before.steps is not None and (goes_on(explainer) or not before.final):
            steps = before.steps
        else:
            asked: dict[str, Any] = {}
            if method.contrast and question.against is not None:
                asked["against"] = subject.own(question.against)
            if method.streaming:
                # Where it can, the widget itself says when it is enough, so that "more" goes on where it stopped.
                asked["n_masks"] = _ENDLESS if goes_on(explainer) else wanted
            # Other people's explainers need not know what to do without a class.
            predicted = question.target is None and method.foreign
            target = subject.predicted(question.image) if predicted else subject.own(question.target)
            steps = steps_of(explainer, subject.x[question.image, None], target, **asked)
            self._offer(method, explainer)
        try:
            for result in steps:
                yield counted(result, wanted), 0, steps
        except Exception:
            # What broke cannot be taken up again; what came before it stays.
            if question in self._answers:
                self._answers[question].steps = None
            raise

    def _offer(self, method: Method, explainer: Any) -> None:
        """Offer the parameters of the explainer as it is now: another composite has others."""
        controls = controls_of(explainer)
        if [entry["name"] for entry in controls] != [entry["name"] for entry in method.controls]:
            method.controls = controls
            self.methods = [known.spec() for known in self._known.values()]

    def _keep(self, question: Question, answer: Answer) -> None:
        if not self._known:
            # Closed while this step was under way.
            return
        self._answers[question] = answer
        self._answers.move_to_end(question)
        # A gallery needs all of them at once.
        while len(self._answers) > max(self._kept, 2 * len(self._x) if self.show == GALLERY else 0):
            self._answers.popitem(last=False)
        # Sums to go on from are heavier than maps.
        for older in list(self._answers.values())[:-_KEPT_SUMS]:
            older.steps = None

    def _end(self, state: str, question: Question) -> None:
        if self._working == question:
            self._working = None
        answer = self._answers.get(question)
        if answer is None:
            self.status = {"state": state}
            return
        answer.notes = self._notes(question, answer)
        self._post(self._packet(question, answer, None))
        self._say(state, answer)
        if self.snapshot and question != self._question():
            # What fills a gallery is not what a saved notebook is to show first.
            return
        kept = {**question.plain(), "notes": answer.notes}
        number = self._known[question.method].model
        if number == 0 and self._albums and (brief := self._albums[0].brief(question.image)) is not None:
            kept["prediction"] = brief
        self.snapshot = snapshot(self._pixels[question.image].cpu(), kept, answer.maps)

    def _missing(self, images: Sequence[int]) -> Iterator[None]:
        wanted = dict.fromkeys(question for image in images for question in self._shown(image))
        self._kept, self._paged = max(_KEPT_ANSWERS, 2 * len(wanted)), max(self._paged, len(images))
        for question in wanted:
            answer = self._answers.get(question)
            if answer is None or not answer.final:
                self._working = question
                try:
                    yield from self._steps(question, None, self._wanted(question))
                except Exception as error:
                    # Of several pictures the others are worth having.
                    if len(self._shown(question.image)) < 2:
                        raise
                    self._working = None
                    self._refuse(question, error)
        for image in dict.fromkeys([*images, *(question.image for question in wanted)]):
            yield from self._missing_layers(image)
            yield from self._introduce(image)

    def _fail(self, error: Exception, question: Question) -> None:
        self._working = None
        refused = len(shown := self._shown()) > 1 and question in shown
        if refused:
            self._refuse(question, error)
        if refused and isinstance(error, TargetError):
            # Nothing is broken: what is asked is not there, and its place says so.
            self.status = {"state": "done"}
        else:
            self._show_error(error)
        # What is known without the explanation is shown all the same.
        self._post(picture_packet(question.image, self._pixels[question.image]))
        self._runner.submit(Job(start=lambda: self._introduce(question.image), on_error=lambda _: None, lane=_AFTER))

    # -- what the browser is told --------------------------------------------------------------------------------------

    def _say(
        self,
        state: str,
        answer: Answer,
        left: float | None = None,
        total: int | None = None,
        request: int | None = None,
    ) -> None:
        said: dict[str, Any] = {"state": state, "request": request, "seconds_left": left}
        self.status = said | masks_of(answer, total)

    def close(self) -> None:
        """Stop, free everything, and remove the widget from the page."""
        super().close()
        # Out[] keeps the widget itself for as long as the kernel lives.
        self._known = {}
        self._answers, self._subjects, self._albums = OrderedDict(), [], []
        self._x = self._pixels = NO_IMAGES
        self._classes = Classes(None, self._x)
        self._places = Places(None, self._x)
