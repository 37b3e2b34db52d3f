"""The explanations that a flipping viewer compares, and their curves so far. Knows nothing of widgets and threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from xaiwidgets.baselines.adapter import explainer_of, is_explainer
from xaiwidgets.evaluate import PERTURBATIONS, FlippingResult, GaeResult, stream_gae, stream_pixel_flipping
from xaiwidgets.evaluate.flipping.result import RANDOM
from xaiwidgets.evaluate.gae.measure import classes_missing
from xaiwidgets.evaluate.perturbations import perturbation
from xaiwidgets.model import ImageModel
from xaiwidgets.results import heatmap_of
from xaiwidgets.widgets.choices import NO_IMAGES
from xaiwidgets.widgets.flipping.maps import HeatmapMemory, Method, MethodError, explain, kept_under
from xaiwidgets.widgets.flipping.wire import frame_packet, map_packet
from xaiwidgets.widgets.wire import Packet

_KEPT = 16
"""Requests whose curves are kept, so that going back to one shows it at once."""
_GAE_IMAGES = 8
"""Images of GAE between two looks at whether to go on."""

Wanted = Callable[[], bool]


@dataclass(frozen=True)
class Request:
    """What curves depend on, beside images and methods."""

    order: str
    perturb: str
    patch: int
    target: int | None
    score: str

    @property
    def orders(self) -> tuple[str, ...]:
        """Orders in which a method's frames can be looked at."""
        return {"lerf": ("lerf",), "both": ("morf", "lerf")}.get(self.order, ("morf",))

    def frame_key(self) -> dict[str, Any]:
        """What a frame depends on, of all this."""
        return {"perturb": self.perturb, "patch": self.patch, "target": self.target}


@dataclass
class _Answer:
    """Curves so far."""

    shown: FlippingResult | None = None
    whole: FlippingResult | None = None
    """Of the methods that are done."""
    chance: FlippingResult | None = None
    """The baseline alone, where no method was shown: it has curves of no order, which others could join."""
    begun: tuple[tuple[str, ...], Iterator[FlippingResult]] | None = None
    """Methods under way, and where to go on."""


class Comparison:
    """Explanations of the same images, their curves by request, their heatmaps.

    Args:
        model: whose score is followed. x: images (N, C, H, W), validated.
        explanations: {name: explainer, result, or heatmap (N, H, W)}.
        labels: (N,) for GAE, or None.
        perturb: as :func:`pixel_flipping` takes it. options: further keywords of it.
        asked: from the number of a request's target to what explainers are told.

    Raises:
        TypeError, ValueError: what does not fit, naming the method.
    """

    def __init__(
        self,
        model: ImageModel,
        x: Tensor,
        explanations: Any,
        *,
        labels: Any = None,
        perturb: Any = "inpaint",
        options: Mapping[str, Any],
        asked: Callable[[int | None], Any] = lambda target: target,
    ) -> None:
        self.asked = asked
        self.model, self.x, self.labels = model, x, labels
        self.options = dict(options)
        perturbation(perturb)
        self.perturb = perturb if isinstance(perturb, str) else str(getattr(perturb, "__name__", perturb))
        self.perturbs: dict[str, Any] = {**{name: name for name in PERTURBATIONS}, self.perturb: perturb}
        self.gae_result: GaeResult | None = None
        self._answers: OrderedDict[Request, _Answer] = OrderedDict()
        self._memory = HeatmapMemory()
        self._sources: dict[str, Any] = {}
        self._versions: dict[str, int] = {}
        for name, source in _by_name(explanations).items():
            self.add(name, source)

    # -- methods -------------------------------------------------------------------------------------------------------

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self._sources)

    def add(self, name: str, explanation: Any) -> None:
        """One more method; under a known name, the new one takes the old one's place and all curves begin anew."""
        if name == RANDOM:
            raise ValueError(f"explanations has the name {RANDOM!r}, which the baseline takes; choose another name")
        # Heatmaps are checked now; explainers when they are called.
        called = is_explainer(explanation)
        made = explainer_of(explanation) if called else heatmap_of(explanation, self.x, repr(name)).cpu()
        if name in self._sources:
            self._versions[name] = self._versions.get(name, 0) + 1
            self._answers.clear()
            self.gae_result = None
        self._sources[name] = made

    @property
    def version(self) -> int:
        """How often an explanation has taken another's place."""
        return sum(self._versions.values())

    def _method(self, name: str) -> Method:
        return name, self._versions.get(name, 0)

    def gae_missing(self) -> str:
        """What keeps GAE from being computed; empty when nothing does."""
        if len(self.x) < 4:
            return f"GAE makes mosaics of four images; here {'is' if len(self.x) == 1 else 'are'} {len(self.x)}"
        if missing := self._no_classes:
            return missing
        if not any(is_explainer(source) for source in self._sources.values()):
            return "GAE explains changed images, which finished heatmaps cannot; give explainers"
        return ""

    @cached_property
    def _no_classes(self) -> str:
        return classes_missing(self.model, self.x[:1])

    # -- curves --------------------------------------------------------------------------------------------------------

    def result(self, request: Request) -> FlippingResult | None:
        """The curves so far."""
        answer = self._answers.get(request)
        return None if answer is None else answer.shown

    def missing(self, request: Request, shown: Sequence[str]) -> tuple[str, ...]:
        """Methods that are shown and not computed to their end; the baseline alone where there are none."""
        answer = self._answers.get(request)
        done: set[str] = set()
        if answer is not None and answer.whole is not None:
            done = {*answer.whole.methods, RANDOM}
        elif answer is not None and answer.chance is not None:
            done = {RANDOM}
        wanted = () if request.order == RANDOM else shown
        return tuple(name for name in wanted or (RANDOM,) if name not in done)

    def patches(self, patch: int) -> int:
        """Patches of an image: no run has more steps, but for the last one that is all grey."""
        return -(-self.x.shape[2] // patch) * -(-self.x.shape[3] // patch) + 1

    def check(self, request: Request, shown: Sequence[str]) -> None:
        """Raise what calling :func:`pixel_flipping` would."""
        self._stream(request, None, shown, 0, lambda: True)

    def grow(
        self, request: Request, shown: Callable[[], Sequence[str]], begin: int, wanted: Wanted
    ) -> Iterator[FlippingResult]:
        """The curves growing, until those of all methods in ``shown()`` are there; taken up where an earlier run stopped.

        Raises:
            MethodError: a method failed; after all others are done.
        """
        failed: dict[str, MethodError] = {}
        answer = self._answers.setdefault(request, _Answer())
        self._answers.move_to_end(request)
        while len(self._answers) > _KEPT:
            self._answers.popitem(last=False)
        while missing := tuple(name for name in self.missing(request, shown()) if name not in failed):
            if answer.begun is None or answer.begun[0] != missing:
                answer.begun = missing, self._stream(request, answer.whole, missing, begin, wanted)
            steps = answer.begun[1]
            # What breaks cannot be taken up again.
            answer.begun = None
            try:
                for partial in steps:
                    answer.shown = partial if answer.whole is None else answer.whole.joined(partial)
                    answer.begun = missing, steps
                    yield answer.shown
                    answer.begun = None
            except MethodError as error:
                failed[error.method] = error
                continue
            if missing == (RANDOM,) and request.order != RANDOM:
                answer.chance = answer.shown
            else:
                answer.whole = answer.shown
        if failed:
            raise next(iter(failed.values()))

    def _stream(
        self, request: Request, whole: FlippingResult | None, names: Sequence[str], begin: int, wanted: Wanted
    ) -> Iterator[FlippingResult]:
        given = {}
        for name in names:
            if name != RANDOM:
                source = self._sources[name]
                finished = isinstance(source, Tensor)
                given[name] = (
                    source if finished else self._memory.explainer(self._method(name), source, wanted, request.target)
                )
        options = self.options if whole is None else {**self.options, "random": 0}
        return stream_pixel_flipping(
            self.model,
            self.x,
            given,
            target=self.asked(request.target),
            order=request.order if given else RANDOM,
            perturb=self.perturbs[request.perturb],
            patch=request.patch,
            score=request.score,
            begin=begin,
            **options,
        )

    def gae(self, shown: Sequence[str], wanted: Wanted) -> Iterator[GaeResult]:
        """GAE of the explainers among ``shown``, growing."""
        explainers = {
            name: lambda x, target, source=self._sources[name]: explain(source, x, target, wanted)
            for name in shown
            if is_explainer(self._sources[name])
        }
        if not explainers:
            raise ValueError("GAE explains changed images: show at least one method that is an explainer")
        data = self.x if self.labels is None else (self.x, self.labels)
        for partial in stream_gae(self.model, data, explainers, seed=self.options["seed"], batch_size=_GAE_IMAGES):
            self.gae_result = partial
            yield partial

    # -- frames --------------------------------------------------------------------------------------------------------

    def map(self, request: Request, image: int, name: str) -> Packet | None:
        """An image's heatmap and order of patches by a method, when they are known."""
        result = self.result(request)
        ranks = None if result is None else _ranks(result, name, image)
        if result is None or ranks is None:
            return None
        heatmap = self.heatmap(request, image, name)
        asked = {"patch": request.patch, "target": request.target}
        return map_packet(asked, image=image, method=name, ranks=ranks, heatmap=heatmap)

    def heatmap(self, request: Request, image: int, name: str) -> Tensor | None:
        """An image's heatmap (H, W) by a method, when it is known; None for the baseline."""
        result, source = self.result(request), self._sources.get(name)
        if isinstance(source, Tensor):
            return source[image]
        if result is None or source is None:
            return None
        return self._memory.find(self._method(name), self.x[image], kept_under(result.target[image], request.target))

    def frame(self, request: Request, image: int, name: str, order: str, step: int) -> Tensor | None:
        """The image (C, H, W) as the model sees it after a step, in [0, 1]; None while the order of its patches is not known."""
        result = self.result(request)
        if result is None or _ranks(result, name, image) is None:
            return None
        return result.images(name, step, rows=[image], order=order)[0]

    def frames(
        self, request: Request, image: int, name: str, orders: Sequence[str], steps: Sequence[int]
    ) -> Iterator[list[Packet]]:
        """Frames step by step, those of all orders together; none while the order of the patches is not known."""
        result = self.result(request)
        if result is None or _ranks(result, name, image) is None:
            return
        wanted = [step for step in steps if 0 <= step <= result.setup.schedule.steps]
        made = [result.frames(name, wanted, image, order=order) for order in orders]
        for frames in zip(*made, strict=True):
            yield [
                frame_packet(request.frame_key(), image=image, method=name, order=order, step=step, frame=frame)
                for order, (step, frame) in zip(orders, frames, strict=True)
            ]

    def clear(self) -> None:
        """Free everything."""
        self._sources.clear()
        self._answers.clear()
        self._memory.clear()
        self.gae_result = self.labels = None
        self.x = NO_IMAGES


def _ranks(result: FlippingResult, name: str, image: int) -> Tensor | None:
    """The order of an image's patches by a method, where it is known by now."""
    if name == RANDOM:
        ranks = None if result.random_ranks is None or not len(result.random_ranks) else result.random_ranks[0, image]
    else:
        ranks = result.ranks[name][image] if name in result.ranks else None
    return None if ranks is None or bool((ranks < 0).any()) else ranks


def _by_name(explanations: Any) -> dict[str, Any]:
    if isinstance(explanations, Mapping):
        return {str(name): source for name, source in explanations.items()}
    if explanations is None:
        return {}
    if isinstance(explanations, list | tuple):
        raise TypeError(
            f"explanations is {type(explanations).__name__}; give them by name, as {{'LRP': …}}, or one alone"
        )
    method = getattr(explanations, "method", None) or getattr(getattr(explanations, "provenance", None), "method", None)
    return {str(method or getattr(explanations, "__name__", type(explanations).__name__)): explanations}
