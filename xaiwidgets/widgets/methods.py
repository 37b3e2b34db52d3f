"""What a widget must know of a method: which maps its results hold, how to show them, what a person may vary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.relax import MaskingExplainer, RelaxResult
from xaiwidgets.results import Control, Result, heatmap_of

_RELAX_VIEWS = (
    {
        "name": "importance",
        "label": "Importance",
        "map": "importance",
        "kind": "sequential",
        "unit": "mean similarity",
        "filtered": True,
    },
    {
        "name": "uncertainty",
        "label": "Uncertainty",
        "map": "uncertainty",
        "kind": "sequential",
        "unit": "variance",
        "filtered": False,
    },
    {
        "name": "u_relax",
        "label": "U-RELAX",
        "map": "importance",
        "kind": "sequential",
        "unit": "mean similarity",
        "filtered": True,
    },
)
_RISE_VIEWS = tuple(
    {**view, "unit": unit, "label": label}
    for view, unit, label in zip(
        _RELAX_VIEWS,
        ("mean score", "variance", "mean score"),
        ("Importance", "Uncertainty", "Sure importance"),
        strict=True,
    )
)
_HEATMAP_VIEWS = (
    {
        "name": "relevance",
        "label": "Relevance",
        "map": "relevance",
        "kind": "diverging",
        "unit": "relevance",
        "filtered": False,
    },
)


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

    def spec(self) -> dict[str, Any]:
        """What the browser is told."""
        plain = ("name", "filter", "error", "controls", "streaming", "classes", "contrast")
        return {**{entry: getattr(self, entry) for entry in plain}, "label": self.name, "views": list(self.views)}

    def with_parameters(self, parameters: Mapping[str, Any]) -> Any:
        """The explainer with a person's parameters."""
        known = {control["name"]: control["value"] for control in self.controls}
        changed = {name: value for name, value in parameters.items() if name in known and known[name] != value}
        return self.source.with_parameters(**changed) if changed else self.source


def method_of(name: str, source: Any, count: int) -> Method:
    """Describe an explainer, or a finished result for ``count`` images.

    Raises:
        TypeError: neither; says what to give.
    """
    if isinstance(source, Result | Tensor) or _is_array(source):
        masking = isinstance(source, RelaxResult)
        method = Method(name, source, finished=True)
        if masking:
            _as_masking(method, rise=source.provenance.method == "RISE")
        return method
    if not callable(source):
        raise TypeError(
            f"explainer {name!r} is {type(source).__name__}; "
            f"give an explainer, a result, or a heatmap for each of the {count} images"
        )
    controls = source.controls() if hasattr(source, "controls") else []
    method = Method(name, source, controls=controls, streaming=hasattr(source, "stream"), classes=True)
    method.contrast = bool(getattr(source, "contrastive", False))
    if isinstance(source, MaskingExplainer):
        _as_masking(method, rise=source.method == "RISE")
        method.classes = source.method == "RISE"
    return method


def _as_masking(method: Method, *, rise: bool) -> None:
    method.views = _RISE_VIEWS if rise else _RELAX_VIEWS
    method.filter = "uncertainty"
    method.error = "standard_error"


def _is_array(source: Any) -> bool:
    return hasattr(source, "__array__") and not callable(source)


def maps_of(explanation: Any, x: Tensor, row: int, name: str) -> dict[str, Tensor]:
    """The maps (H, W) by name that a result holds for image ``row`` of those it explains.

    Raises:
        TypeError, ValueError: see :func:`heatmap_of`.
    """
    if isinstance(explanation, RelaxResult):
        return {entry: getattr(explanation, entry)[row] for entry in ("importance", "uncertainty", "standard_error")}
    return {"relevance": heatmap_of(explanation, x, name)[row]}


def steps_of(explainer: Any, x: Tensor, **question: Any) -> Iterator[Any]:
    """Partial results one after the other; an explainer that does not stream gives one."""
    if hasattr(explainer, "stream"):
        yield from explainer.stream(x, **question)
    else:
        # A gradient-based method of somebody else needs its autograd; ours switch it off themselves.
        with torch.enable_grad():
            explanation = explainer(x, **question)
        yield explanation
