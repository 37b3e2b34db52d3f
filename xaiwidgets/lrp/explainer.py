"""LRP as an explainer: a model, a composite, and `(x, target) -> Attribution`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.errors import check_keywords, unknown, whole
from xaiwidgets.graph import Graph, Propagator
from xaiwidgets.lrp.absolute.contrast import abs_maps, abs_starts, batch_leads, for_and_against
from xaiwidgets.lrp.account import Account
from xaiwidgets.lrp.composites import COMPOSITES, Composite, assign, make_composite, parameter_defaults
from xaiwidgets.lrp.result import Attribution
from xaiwidgets.lrp.starts import class_starts, contrast, given_start
from xaiwidgets.model import ImageModel
from xaiwidgets.model_arguments import per_channel
from xaiwidgets.results import Control, Provenance

__all__ = ["LRP"]

STARTS = ("logit", "one")
BOXED = frozenset({"epsilon_gamma_box", "lrp_tutorial"})  # composites with a z-box, whose bounds the model knows


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
        if isinstance(composite, str) and composite in BOXED:
            bounds = {
                name: per_channel(name, parameters[name], 0.0, self.model.channels)
                if name in parameters
                else self._pixel(pixel)
                for name, pixel in (("low", 0.0), ("high", 1.0))
            }
            self.composite = make_composite(composite, **(parameters | bounds))
        else:
            self.composite = make_composite(composite, **parameters)
        self._prepared: tuple[Graph, Propagator] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what was prepared: workers of an executor export for themselves."""
        return vars(self) | {"_prepared": None}

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
            target: None for the predicted class; a class or one an image.
            layers: names of layers whose relevance and activations to return as well.
            against: explain the target against this class (or one an image), or against "rest", the mean of all others.
            start: relevance at the output instead, (N, classes), a tensor or an array.

        Raises:
            ValueError: images, classes or a start that do not fit. GraphError: a layer that is not there.
        """
        x, layers = self.model.validate(x), names_of(layers)
        start = None if start is None else given_start(start, len(x), target, against)
        propagator = self.propagator(x)
        output, targets, begin = [], [], []
        found: dict[str, list[Tensor]] = {name: [] for name in ("input", *layers)}
        activations: dict[str, list[Tensor]] = {name: [] for name in layers}
        account = Account(propagator)
        chosen = self._entries(target, len(x)), self._entries(against, len(x), "against")
        for part in self._parts(len(x), propagator):
            record = propagator.record(x[part], keep=layers)
            chunk_target = self.model.targets(record.output, chosen[0] and chosen[0][part])
            chunk_start = self._start(record.output, chunk_target, chosen[1] and chosen[1][part], start, part)
            passed = self._pass(propagator, record, chunk_start, [*layers, "input"], account)
            for name, relevance in passed.items():
                found[str(name)].append(relevance)
            for name in layers:
                activations[name].append(record.values[propagator.index(name)])
            output.append(record.output)
            targets.append(chunk_target)
            begin.append(chunk_start.sum())
        relevance = torch.cat(found.pop("input"))
        call = {"against": against, "start": start}
        return Attribution(
            self.provenance.asked(target=target, **{name: v for name, v in call.items() if v is not None}),
            relevance.float(),
            None if start is not None else torch.cat(targets),
            torch.cat(output).float(),
            {name: torch.cat(parts).float() for name, parts in found.items()},
            {name: torch.cat(parts).float() for name, parts in activations.items()},
            None if self._contrasts else account.close(float(sum(begin)), float(relevance.sum())),
        )

    @torch.inference_mode(False)
    @torch.no_grad()
    def classes(self, x: Tensor, targets: Sequence[int], *, layers: Sequence[str] = ()) -> tuple[Attribution, ...]:
        """One result for each class of `targets`, of one forward pass for all.

        Raises:
            ValueError: no class, or one that is not there.
        """
        x, layers = self.model.validate(x), names_of(layers)
        targets = targets.tolist() if hasattr(targets, "tolist") else targets
        if not isinstance(targets, list | tuple | range) or not len(targets):
            raise ValueError(f"targets={targets!r} must list at least one class, such as [0, 3]")
        propagator = self.propagator(x)
        names = [*layers, "input"]
        chosen = [self._entries(target, len(x)) for target in targets]
        rows, output = [], []
        found: dict[str, list[Tensor]] = {name: [] for name in names}
        activations: dict[str, list[Tensor]] = {name: [] for name in layers}
        for part in self._parts(len(x), propagator):
            record = propagator.record(x[part], keep=layers, memory=True)
            classes = torch.stack([self.model.targets(record.output, each and each[part]) for each in chosen])
            begin = self._class_starts(record.output, classes)
            for name, relevance in propagator.down(record, {"output": begin}, names, chunk=self.batch).items():
                found[str(name)].append(abs_maps(relevance, record.batch) if self._contrasts else relevance)
            for name in layers:
                activations[name].append(record.values[propagator.index(name)])
            rows.append(classes)
            output.append(record.output)
        relevances = {name: torch.cat(parts, 1).float() for name, parts in found.items()}
        target_rows, scores = torch.cat(rows, 1), torch.cat(output).float()
        values = {name: torch.cat(parts).float() for name, parts in activations.items()}
        return tuple(
            Attribution(
                self.provenance.asked(target=target),
                relevances["input"][k],
                target_rows[k],
                scores,
                {name: relevances[name][k] for name in layers},
                values,
            )
            for k, target in enumerate(targets)
        )

    # -- parts ---------------------------------------------------------------------------------------------------------

    def propagator(self, x: Tensor) -> Propagator:
        """The composite on the model's graph for images of x's size; prepared once."""
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        graph = self.model.graph_for(x, dtype=dtype)
        shape = graph.operations[graph.output].shape
        if len(shape) != 2:
            sizes = ", ".join("N" if size is None else str(size) for size in shape)
            raise ValueError(
                f"{self.model.name} gives an output of shape ({sizes}); LRP explains scores (N, classes): "
                "wrap the module so that it returns these, say by a mean over space."
            )
        prepared = self._prepared
        if prepared is None or prepared[0] is not graph:
            prepared = self._prepared = (graph, Propagator(graph, assign(self.composite, graph)))
        return prepared[1]

    @property
    def _contrasts(self) -> bool:
        """Whether two rows, for and against the target, go down together: absLRP."""
        return self.composite.name == "abs_lrp"

    @property
    def _begins(self) -> str:
        # What absLRP begins with is normalised: a logit would leave nothing but its sign.
        return "one" if self._contrasts else self.start

    def _parts(self, count: int, propagator: Propagator) -> Iterator[slice]:
        """The images that are explained at once."""
        # The sums over each sample that absLRP takes need the batch outermost.
        size = 1 if self._contrasts and not batch_leads(propagator.graph) else self.batch
        return (slice(first, first + size) for first in range(0, count, size))

    def _class_starts(self, output: Tensor, targets: Tensor) -> Tensor:
        return abs_starts(output, targets) if self._contrasts else class_starts(output, targets, self.start)

    def _start(self, output: Tensor, target: Tensor, against: Any, start: Tensor | None, part: slice) -> Tensor:
        if start is not None:
            if start.shape[1] != output.shape[1]:
                raise ValueError(
                    f"start has shape {tuple(start.shape)}; give (N, {output.shape[1]}), relevance at the output"
                )
            begin = start[part].to(output)[None]
        elif against is None:
            return self._class_starts(output, target[None])
        else:
            other = "rest" if against[0] == "rest" else self.model.targets(output, against, "against")
            begin = contrast(output, target, other, self._begins)
        return for_and_against(begin) if self._contrasts else begin

    def _pass(
        self, propagator: Propagator, record: Any, start: Tensor, to: Sequence[str], account: Account
    ) -> dict[Any, Tensor]:
        if self._contrasts:
            found = propagator.down(record, {"output": start}, to)
            return {name: abs_maps(relevance, record.batch)[0] for name, relevance in found.items()}
        found = propagator.down(record, {"output": start}, to, trace=account)
        return {name: relevance[0] for name, relevance in found.items()}

    @staticmethod
    def _entries(target: Any, count: int, argument: str = "target") -> list[Any] | None:
        """A target as one entry an image, so that chunks take theirs; None stays."""
        if target is None:
            return None
        entries = target.tolist() if hasattr(target, "tolist") else target
        entries = list(entries) if isinstance(entries, (list, tuple)) else [entries] * count
        if len(entries) != count:
            raise ValueError(
                f"{argument} has {len(entries)} classes for {count} images; give one class, or one an image"
            )
        return entries

    def _pixel(self, value: float) -> tuple[float, ...]:
        return tuple((value - mean) / std for mean, std in zip(self.model.mean, self.model.std, strict=True))

    # -- for widgets -----------------------------------------------------------------------------------------------------

    @property
    def provenance(self) -> Provenance:
        name = "absLRP" if self._contrasts else "LRP"
        own = {} if isinstance(self._given, str) else {"rules": self.composite.describe()}
        parameters = {"composite": self.composite.name, **own, **self.parameters, "start": self._begins}
        return Provenance(name, parameters, None, self.model.name)

    def with_parameters(self, **changes: Any) -> Self:
        """The same explainer with other values of what `controls` lists. A new composite begins with its own defaults."""
        check_keywords(
            "with_parameters", changes, [control["name"] for control in self.controls()] + list(_all_parameters())
        )
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
        name = self.composite.name
        controls: list[Control] = []
        if isinstance(self._given, str):
            # absLRP's maps are in a unit of their own: offered to those who began with it.
            options = [entry for entry in COMPOSITES if entry != "abs_lrp" or self._contrasts]
            controls.append(
                {"name": "composite", "label": "Composite", "type": "choice", "value": name, "options": options}
            )
            for parameter, default in parameter_defaults(name).items():
                if parameter in SLIDERS:
                    value = self.parameters.get(parameter, default)
                    slider: Control = {
                        "name": parameter,
                        "label": LABELS[parameter],
                        "type": "float",
                        "value": value or 0.0,
                    }
                    low, high, log = SLIDERS[parameter]
                    controls.append(slider | {"min": low, "max": high, "step": (high - low) / 100, "log": log})
        if not self._contrasts:
            zero_bias = bool(self.parameters.get("zero_bias", False))
            controls.append(
                {"name": "zero_bias", "label": "Keep relevance out of biases", "type": "bool", "value": zero_bias}
            )
        return controls


def names_of(layers: Sequence[str] | None) -> tuple[str, ...]:
    """Names of layers as a tuple; None is none. Raises ValueError for a bare name and for what is no name."""
    if isinstance(layers, str):
        raise ValueError(f"layers={layers!r} must be a list of names; give layers=[{layers!r}]")
    names = tuple(layers or ()) if isinstance(layers, Iterable | None) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"layers={layers!r} must be a list of names, such as those in model.layers")
    return names


LABELS = {
    "gamma": "γ: favour positive contributions",
    "gamma_first": "γ of the first layer",
    "epsilon": "ε: absorb weak contributions",
    "alpha": "α: weight of positive contributions",
}
SLIDERS = {
    "gamma": (0.0, 1.0, False),
    "gamma_first": (0.0, 1.0, False),
    "epsilon": (1e-9, 1.0, True),
    "alpha": (1.0, 3.0, False),
}


def _all_parameters() -> set[str]:
    return {name for composite in COMPOSITES for name in parameter_defaults(composite)} | {
        "composite",
        "start",
        "zero_bias",
    }
