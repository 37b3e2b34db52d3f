"""LRP as an explainer: a model, a composite, and `(x, target) -> Attribution`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.errors import check_keywords, unknown, whole
from xaiwidgets.graph import Propagator
from xaiwidgets.lrp.composites import COMPOSITES, Composite, parameter_defaults
from xaiwidgets.lrp.controls import all_parameters, controls_of
from xaiwidgets.lrp.depth import Descent, LayerMaps
from xaiwidgets.lrp.passing import explain
from xaiwidgets.lrp.preparing import composite_for, prepare
from xaiwidgets.lrp.result import Attribution
from xaiwidgets.lrp.starts import Start, at_output, at_targets
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control, Provenance
from xaiwidgets.targets import said

__all__ = ["LRP"]

STARTS = ("logit", "one")


class LRP:
    """Layer-wise relevance propagation.

    Args:
        model: an `ImageModel`, or any module that `ImageModel` takes.
        composite: a name in `COMPOSITES`, or a `Composite`. "abs_lrp" is the method of `AbsLRP`.
        start: what relevance begins with at the target: its "logit", or "one" (as "abs_lrp" always does).
        batch: images explained at once; more go in chunks, so memory does not grow with N.
        precision: "float32" or "bfloat16".
        parameters: of the composite, such as `gamma=0.5` or `zero_bias=True`.

    Raises:
        ValueError, TypeError: unknown composite, start or parameter.
        GraphError: when first called, where the model cannot become a graph or an operation has no rule.

    Example:
        >>> result = xw.LRP(model)(x, target="star", layers=["features.conv6"])
        >>> result.heatmap.shape, result.layers["features.conv6"].shape
        (torch.Size([2, 64, 64]), torch.Size([2, 96, 8, 8]))
    """

    def __init__(
        self,
        model: ImageModel | nn.Module,
        composite: str | Composite = "epsilon_plus_flat",
        *,
        start: str = "logit",
        batch: int = 16,
        precision: str = "float32",
        **parameters: Any,
    ) -> None:
        self.model = model if isinstance(model, ImageModel) else ImageModel(model)
        if start not in STARTS:
            raise unknown("start", start, STARTS)
        if precision not in {"float32", "bfloat16"}:
            raise unknown("precision", precision, ("float32", "bfloat16"))
        self.start, self.batch, self.precision = start, whole("batch", batch, 1), precision
        self.parameters = parameters
        self._given = composite
        self.composite = composite_for(self.model, composite, parameters)
        self._prepared: Propagator | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what was prepared, and without a composite that its name tells: workers of an executor make both for themselves."""
        named = {"composite": None} if isinstance(self._given, str) else {}
        return vars(self) | {"_prepared": None} | named

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self._given, str):
            self.composite = composite_for(self.model, self._given, self.parameters)

    # Some rules take derivatives, which a caller's inference mode has none of.
    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(
        self,
        x: Tensor,
        target: Any = None,
        *,
        layers: Sequence[str] = (),
        against: Any = None,
        start: Tensor | None = None,
    ) -> Attribution:
        """Explain x (N, C, H, W).

        Args:
            target: None for the predicted class; a class, anything of `xaiwidgets.targets` or a function of the output, or one an image.
            layers: names of layers whose relevance and activations to return as well.
            against: explain the target against this one (or one an image), or against "rest", the mean of all other classes.
            start: relevance at the output instead, of the output's shape, a tensor or an array.

        Raises:
            ValueError: images, targets or a start that do not fit. GraphError: a layer that is not there.
        """
        x, layers = self.model.validate(x), names_of(layers)
        begin = self._start(x, [target], against, start)
        propagator = self.propagator(x)
        passed = explain(propagator, x, begin, layers, batch=self.batch, contrast=self._contrasts, name=self.model.name)
        call = {name: given for name, given in (("against", said(against)), ("start", start)) if given is not None}
        return passed.row(0, self.provenance, target, **call)

    @torch.inference_mode(False)
    @torch.no_grad()
    def classes(self, x: Tensor, targets: Sequence[Any], *, layers: Sequence[str] = ()) -> tuple[Attribution, ...]:
        """One result for each class, or any other target, of `targets`, of one forward pass for all.

        Raises:
            ValueError: no target, or one that does not fit.
        """
        x, layers = self.model.validate(x), names_of(layers)
        targets = targets.tolist() if hasattr(targets, "tolist") else targets
        if not isinstance(targets, list | tuple | range) or not len(targets):
            raise ValueError(f"targets={targets!r} must list at least one class, such as [0, 3]")
        begin, propagator = self._start(x, targets), self.propagator(x)
        how: dict[str, Any] = {"batch": self.batch, "chunk": self.batch, "contrast": self._contrasts}
        how["name"] = self.model.name
        passed = explain(propagator, x, begin, layers, **how)
        return tuple(passed.row(k, self.provenance, target) for k, target in enumerate(targets))

    @torch.inference_mode(False)
    @torch.no_grad()
    def depth(self, x: Tensor, target: Any = None, *, against: Any = None, start: Tensor | None = None) -> LayerMaps:
        """Relevance at every layer that has a picture, from the output down to the pixels, of one pass.

        Args and errors as those of a call, for x (N, C, H, W). Memory does not grow with the number of layers: each is summed over
        its channels as relevance passes. Of absLRP every layer is divided by its own largest magnitude, as its heatmap is.
        """
        x = self.model.validate(x)
        begin, propagator = self._start(x, [target], against, start), self.propagator(x)
        descent = Descent.of(propagator, self._contrasts)
        how: dict[str, Any] = {"batch": self.batch, "contrast": self._contrasts, "name": self.model.name}
        passed = explain(propagator, x, begin, descent=descent, **how)
        call = {name: given for name, given in (("against", said(against)), ("start", start)) if given is not None}
        ordinary = passed.row(0, self.provenance, target, **call)
        maps, (began, totals) = descent.maps(), descent.account()
        return LayerMaps(ordinary.provenance, maps, descent.whole(), began, totals, ordinary.target, ordinary.output)

    def propagator(self, x: Tensor) -> Propagator:
        """The composite on the model's graph for images of x's size; prepared once."""
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        graph, prepared = self.composite.view(self.model.graph_for(x, dtype=dtype)), self._prepared
        if prepared is None or prepared.graph is not graph:
            prepared = self._prepared = prepare(self.composite, graph)
        return prepared

    @property
    def _contrasts(self) -> bool:
        """Whether two rows, for and against the target, go down together: absLRP."""
        return self.composite.name == "abs_lrp"

    @property
    def _begins(self) -> str:
        # What absLRP begins with is normalised: a logit would leave nothing but its sign.
        return "one" if self._contrasts else self.start

    def _start(self, x: Tensor, targets: Sequence[Any], against: Any = None, given: Any = None) -> Start:
        if given is not None:
            return at_output(given, len(x), targets[0], against)
        against = "rest" if against is None and self._contrasts else against
        return at_targets(self.model, targets, x, kind=self._begins, against=against)

    # -- for widgets -----------------------------------------------------------------------------------------------------

    @property
    def provenance(self) -> Provenance:
        name = "absLRP" if self._contrasts else "LRP"
        own = {} if isinstance(self._given, str) else {"rules": self.composite.describe()}
        parameters = {"composite": self.composite.name, **own, **self.parameters, "start": self._begins}
        return Provenance(name, parameters, None, self.model.name)

    def with_parameters(self, **changes: Any) -> Self:
        """The same explainer with other values of what `controls` lists. A new composite begins with its own defaults."""
        known = [control["name"] for control in self.controls()] + all_parameters()
        check_keywords("with_parameters", changes, known)
        composite: str | Composite = changes.pop("composite", self._given)
        start = changes.pop("start", self.start)
        if composite == self.composite.name:
            composite = self._given
        kept = dict(self.parameters)
        if composite is not self._given:
            own = parameter_defaults(composite) if isinstance(composite, str) and composite in COMPOSITES else {}
            kept = {name: value for name, value in kept.items() if name in own}
            changes = {name: value for name, value in changes.items() if name in {*own, "zero_bias"}}
        options: dict[str, Any] = {"start": start, "batch": self.batch, "precision": self.precision}
        return type(self)(self.model, composite, **options, **(kept | changes))

    def controls(self) -> list[Control]:
        """What a person may vary in a widget: the composite and its parameters."""
        named = isinstance(self._given, str)
        return controls_of(self.composite.name, self.parameters, named=named, contrast=self._contrasts)


def names_of(layers: Sequence[str] | None) -> tuple[str, ...]:
    """Names of layers as a tuple; None is none. Raises ValueError for a bare name and for what is no name."""
    if isinstance(layers, str):
        raise ValueError(f"layers={layers!r} must be a list of names; give layers=[{layers!r}]")
    names = tuple(layers or ()) if isinstance(layers, Iterable | None) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"layers={layers!r} must be a list of names, such as those in model.layers")
    return names
