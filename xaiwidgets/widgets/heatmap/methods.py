"""What a widget must know of a method: which maps its results hold, how to show them, what a person may vary."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines.adapter import call_explainer, explainer_of, is_explainer
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel
from xaiwidgets.relax import MaskingExplainer, RelaxResult
from xaiwidgets.relax.masks import balanced_block
from xaiwidgets.results import Control, Result, heatmap_of
from xaiwidgets.widgets.wire import map_range
from xaiwidgets.words import MAPS, METHODS, SETTINGS, Word, choice, word

Says = tuple[str, str]
"""What a large value says of a pixel, and what a small (or negative) one; {class} is the class explained."""


def _view(
    name: str,
    map_name: str,
    unit: str,
    says: Says,
    *,
    words: str = "",
    filtered: bool = False,
    kind: str = "sequential",
) -> dict[str, Any]:
    """How one map is shown; a filtered view hides what is less sure than the threshold. ``words``: where they are not the name's."""
    known = MAPS[words or name]
    said = {"label": known.label, "help": known.plain(), "high": says[0], "low": says[1]}
    return {"name": name, **said, "map": map_name, "kind": kind, "unit": unit, "filtered": filtered}


_UNSURE = ("the masked pictures that show it disagree", "they agree")
_KEEPS = ("seeing it keeps the representation", "seeing it makes little difference")
_RAISES = ("seeing it keeps the score of {class} high", "seeing it makes little difference")
_SPEAKS = ("speaks for {class}", "speaks against {class}")
_RELAX_VIEWS = (
    _view("importance", "importance", "mean similarity", _KEEPS),
    _view("uncertainty", "uncertainty", "variance", _UNSURE),
    _view("u_relax", "importance", "mean similarity", _KEEPS, filtered=True),
)
_RISE_VIEWS = (
    _view("importance", "importance", "mean score", _RAISES),
    _view("uncertainty", "uncertainty", "variance", _UNSURE),
    _view("u_relax", "importance", "mean score", _RAISES, words="sure_importance", filtered=True),
)
_GIVEN = ("positive values of the given map", "negative values")
_HEATMAP_VIEWS = (_view("relevance", "relevance", "relevance", _SPEAKS, kind="diverging"),)
# Of an array nobody knows what it explains, or whether it saw a model.
_GIVEN_VIEWS = ({**_view("relevance", "relevance", "relevance", _GIVEN, kind="diverging"), "given": True},)


@dataclass
class Method:
    """One explanation in a widget: an explainer to call, or a result that is there already."""

    name: str
    source: Any
    finished: bool = False
    views: tuple[dict[str, Any], ...] = _HEATMAP_VIEWS
    filter: str | None = None
    error: str | None = None
    controls: list[Control] = field(default_factory=list)
    streaming: bool = False
    classes: bool = False
    contrast: bool = False
    """Whether the explainer takes ``against``, the class to contrast the target with."""
    layers: bool = False
    """Whether it can tell the relevance at every layer, on its way from the output to the pixels."""
    foreign: bool = False
    """An explainer that need not know what to do without a class: it is told the predicted one."""
    model: int = 0
    """Of several models, which it explains."""
    model_name: str = ""

    @property
    def word(self) -> Word:
        """The name of the method itself, what it does, and its paper; a person's own function has its own name alone."""
        given = self.source
        own = getattr(given, "method", None) or getattr(getattr(given, "provenance", None), "method", None)
        return word(METHODS, str(own or type(given).__name__), self.name)

    @property
    def kind(self) -> str:
        """Equal for methods whose numbers may share a scale: of arrays whose names say no method, such as "before" and "after", all."""
        given = self.finished and not isinstance(self.source, Result) and self.name not in METHODS
        return "" if given else self.word.label

    def spec(self) -> dict[str, Any]:
        """What the browser is told."""
        plain = ("name", "filter", "error", "streaming", "classes", "contrast", "layers", "model", "model_name")
        said = {"label": self.name, "method": self.kind, "help": self.word.plain(), "views": list(self.views)}
        return {
            **{entry: getattr(self, entry) for entry in plain},
            **said,
            "controls": [in_words(c) for c in self.controls],
        }

    def with_parameters(self, parameters: Mapping[str, Any]) -> Any:
        """The explainer with a person's parameters; those it does not have are passed over."""
        explainer = self.source
        # A choice, such as the composite, may change which other parameters there are: choices come first.
        for choices in (True, False):
            known = {control["name"]: control for control in controls_of(explainer)}
            changed = {
                name: value
                for name, value in parameters.items()
                if name in known and (known[name]["type"] == "choice") == choices and known[name]["value"] != value
            }
            if changed:
                explainer = explainer.with_parameters(**changed)
        return explainer


def controls_of(explainer: Any) -> list[Control]:
    """What a person may vary; nothing for explainers that do not say."""
    return list(explainer.controls()) if hasattr(explainer, "controls") else []


def in_words(control: Control) -> dict[str, Any]:
    """A control as people read it: readable names of its choices, a sentence, the paper."""
    options = [
        {"value": str(option), "label": choice(control["name"], option)} for option in control.get("options", ())
    ]
    said = {"help": word(SETTINGS, control["name"]).plain()}
    return {**control, **said, **({"options": options} if options else {})}


def notes_of(explanation: Any) -> list[list[str]]:
    """What a result has to say beside its picture: where relevance went, where it keeps account of it."""
    account = getattr(explanation, "conservation", None)
    if account is None:
        return []
    moved = max(abs(amount) for amount in (account.start, account.input, *(leak.amount for leak in account.leaks)))
    # A contrast can begin with as much relevance for as against, a score can be nearly zero: shares of nothing say nothing.
    shares = abs(account.start) > _LITTLE * moved
    whole = abs(account.start) if shares else moved
    lost = [leak for leak in account.leaks if abs(leak.amount) >= max(0.005 * whole, _NOTHING)][:_LEAKS]
    if shares:
        line = f"{account.share:.1%} of {account.start:.4g}".replace("-", "−")
        gone = [f"{leak.amount / account.start:+.1%}" for leak in lost]
    else:
        line = f"{account.input:.4g} of {account.start:.4g}".replace("-", "−")
        line += "; the score explained is close to zero: shares of it say nothing"
        gone = [f"{leak.amount:+.4g}" for leak in lost]
    into = [
        [f"into {leak.into} at {leak.layer}", said.replace("-", "−")] for leak, said in zip(lost, gone, strict=True)
    ]
    return [["relevance at the pixels", line], *into]


_NOTHING = 1e-9
_LITTLE = 0.1
"""A score is close to zero where so small a share of what flows on the way, to the pixels or elsewhere."""
_LEAKS = 4
"""Lines under a picture are few: the largest leaks say most."""


def method_of(name: str, source: Any, count: int) -> Method:
    """Describe an explainer, or a finished result for ``count`` images.

    Raises:
        TypeError: neither; says what to give.
    """
    if isinstance(source, Result | Tensor) or _is_array(source):
        masking = isinstance(source, RelaxResult)
        method = Method(name, source, finished=True)
        if not isinstance(source, Result):
            method.views = _GIVEN_VIEWS
        if masking:
            _as_masking(method, rise=source.provenance.method == "RISE")
        return method
    if not is_explainer(source):
        raise TypeError(
            f"explainer {name!r} is {type(source).__name__}; "
            f"give an explainer, a result, or a heatmap for each of the {count} images"
        )
    source = explainer_of(source)
    method = Method(name, source, controls=controls_of(source), streaming=hasattr(source, "stream"), classes=True)
    method.foreign = not isinstance(getattr(source, "model", None), ImageModel)
    method.contrast = _takes(source, "against")
    method.layers = isinstance(source, LRP)
    if isinstance(source, MaskingExplainer):
        _as_masking(method, rise=source.method == "RISE")
        method.classes = source.method == "RISE"
    return method


def _as_masking(method: Method, *, rise: bool) -> None:
    method.views = _RISE_VIEWS if rise else _RELAX_VIEWS
    method.filter = "uncertainty"
    method.error = "standard_error"


def _takes(explainer: Any, keyword: str) -> bool:
    try:
        return keyword in inspect.signature(explainer).parameters
    except (TypeError, ValueError):
        return False


def _is_array(source: Any) -> bool:
    return hasattr(source, "__array__") and not callable(source)


def maps_of(explanation: Any, x: Tensor, row: int, name: str) -> dict[str, Tensor]:
    """The maps (H, W) by name that a result holds for image ``row`` of those it explains.

    Raises:
        TypeError, ValueError: see :func:`heatmap_of`.
    """
    if isinstance(explanation, RelaxResult):
        if explanation.importance.shape != (len(x), *x.shape[2:]):
            count, (height, width) = len(x), x.shape[2:]
            raise ValueError(
                f"{name} has maps of shape {tuple(explanation.importance.shape)} for {count} images of {height}×{width}; "
                f"give a result of these images, ({count}, {height}, {width})"
            )
        return {entry: getattr(explanation, entry)[row] for entry in ("importance", "uncertainty", "standard_error")}
    return {"relevance": heatmap_of(explanation, x, name)[row]}


def hidden_by(uncertainty: Tensor, threshold: float) -> Tensor:
    """Which pixels (H, W) a threshold hides: those beyond the surest share of them."""
    rank = math.ceil(threshold * uncertainty.numel() - 1e-6)
    if rank == 0:
        return torch.ones_like(uncertainty, dtype=torch.bool)
    return uncertainty > uncertainty.flatten().kthvalue(rank).values


def span_of(values: Tensor, clip: float, *, signed: bool, given: Sequence[float] | None = None) -> tuple[float, float]:
    """The values at the ends of the colours of a map (H, W).

    Args:
        clip: the percentile that the ends are at; the same share is cut off below. given: the ends, before they are made even.
        signed: whether zero is to be in the middle.
    """
    low, high = map_range(values) if given is None else given
    if clip < 100 and given is None:
        flat = values.flatten().float()
        cut = [flat.kthvalue(max(1, math.ceil(q * flat.numel() - 1e-6))).values for q in (1 - clip / 100, clip / 100)]
        below, above = float(cut[0]), float(cut[1])
        # Of sparse maps all percentiles may be zero: clipping them away would show nothing.
        if not (below == above == 0 if signed else below == above):
            low, high = below, above
    bound = max(abs(low), abs(high)) or 1.0
    return (-bound, bound) if signed else (low, high)


def masks_taken(explainer: Any, wanted: int) -> int:
    """How many masks an explainer takes where so many are wanted: whole blocks of balanced ones, all of a person's own."""
    masks = explainer.settings.masks if isinstance(explainer, MaskingExplainer) else None
    if isinstance(masks, Tensor):
        return len(masks)
    if goes_on(explainer) and masks is not None:
        block = balanced_block(explainer.settings.cells)
        return -(-wanted // block) * block
    return wanted


def goes_on(explainer: Any) -> bool:
    """Whether the first masks are the same however many are asked for, so that more of them can follow."""
    return not isinstance(explainer, MaskingExplainer) or (
        isinstance(explainer.settings.masks, str) and explainer.settings.masks == "balanced"
    )


def steps_of(explainer: Any, x: Tensor, target: Any, **more: Any) -> Iterator[Any]:
    """Partial results one after the other; an explainer that does not stream gives one."""
    if hasattr(explainer, "stream"):
        yield from explainer.stream(x, target, **more)
    else:
        yield call_explainer(explainer, x, target, **more)
