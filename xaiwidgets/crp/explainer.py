"""CRP as an explainer: LRP, and what of it flows through chosen concepts. Achtibat et al., arXiv 2206.03208."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.crp.attribution_graph import ConceptGraph
from xaiwidgets.crp.collecting import batches, collect
from xaiwidgets.crp.concepts import Concept, ConceptLayers, check_ids
from xaiwidgets.crp.dictionary import Dictionary, with_dictionaries
from xaiwidgets.crp.focus import Focus
from xaiwidgets.crp.passes import Pass
from xaiwidgets.crp.requests import Request, parse, plain_condition
from xaiwidgets.crp.results import ConceptAttribution, Ranking, RegionConcepts, explained_by, ranked
from xaiwidgets.crp.starts import Begin, given_start, target_start
from xaiwidgets.devices import sent, taken
from xaiwidgets.errors import unknown, whole
from xaiwidgets.graph import Propagator
from xaiwidgets.lrp import LRP, Composite
from xaiwidgets.lrp.explainer import names_of
from xaiwidgets.model import ImageModel
from xaiwidgets.model.outputs import some_numbers
from xaiwidgets.results import Provenance
from xaiwidgets.targets import Score, region_weights, said, together

__all__ = ["CRP"]


class CRP(LRP):
    """Concept relevance propagation: LRP, split by the concepts that relevance flows through.

    Called without concepts it is LRP. See `crp(x, target, layer, concepts)`, `attribute`, `rank`, `region`, `graph`, `focus`.

    Args:
        model, composite, start, batch, precision, parameters: as for `LRP`.
        chunk: conditional heatmaps computed at once; more go in chunks, so memory does not grow with their number.
        concepts: layer -> `Concept` for layers whose concepts are not their channels, features or heads; or a function from the
            shape of the layer's value for one image to a `Concept`; or a `Dictionary`, whose directions are then the concepts.

    Example:
        >>> crp = xw.CRP(model)
        >>> concepts = crp.rank(x, layer="features.conv6").concepts[0, :3].tolist()
        >>> crp(x[:1], None, "features.conv6", concepts).heatmap.shape
        torch.Size([3, 64, 64])
    """

    def __init__(
        self,
        model: ImageModel | nn.Module,
        composite: str | Composite = "epsilon_plus_flat",
        *,
        start: str = "logit",
        batch: int = 16,
        chunk: int = 32,
        precision: str = "float32",
        concepts: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(model, composite, start=start, batch=batch, precision=precision, **parameters)
        if self.composite.name == "abs_lrp":
            raise ValueError(
                "composite='abs_lrp' normalises relevance at every step, so parts of it do not add up to the whole; choose another."
            )
        self.chunk, self.own_concepts = whole("chunk", chunk, 1), dict(concepts or {})
        self._known: tuple[Propagator, ConceptLayers] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_known": None}

    # -- concepts --------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers worth ranking, from input to output: convolutions, hidden features of MLPs, heads, the classifier.

        Every other layer through which relevance passes can be named as well, such as the linear layers in `ImageModel.layers` that
        give tokens.
        """
        return self.known().names

    def units(self, layer: str) -> int:
        """How many concepts a layer has."""
        return self.concept(layer).units

    def concept(self, layer: str) -> Concept:
        """The concepts of a layer. Raises ValueError with the nearest layers where it has none."""
        return self.known()[layer]

    def known(self, x: Tensor | None = None) -> ConceptLayers:
        """The layers with concepts for images of x's size (default: the model's `input_size`); worked out once a size."""
        if x is None:
            x = torch.zeros(1, self.model.channels, *self.model.input_size, device=self.model.device)
        propagator = self.propagator(x)
        known = self._known
        if known is None or known[0] is not propagator:
            directions = {name: each for name, each in self.own_concepts.items() if isinstance(each, Dictionary)}
            own = with_dictionaries(propagator, directions) if directions else propagator
            known = self._known = (propagator, ConceptLayers(own, torch.zeros_like(x[:1]), self.own_concepts))
        return known[1]

    # -- conditions ------------------------------------------------------------------------------------------------------

    def __call__(
        self,
        x: Tensor,
        target: Any = None,
        layer: str | None = None,
        concepts: Any = None,
        *,
        layers: Sequence[str] = (),
        against: Any = None,
        start: Tensor | None = None,
        exclude_parallel: bool = True,
    ) -> Any:
        """What flows through each of some concepts of a layer; without a layer, plain LRP.

        Args:
            x: (N, C, H, W).
            target: None for the predicted class; a class, anything of `xaiwidgets.targets` or a function of the output, or one an image.
            layer, concepts: name of the layer and numbers of its concepts; None for all of them.
            layers: names of layers whose relevance and activations to return as well.
            against: explain the target against this one (or one an image), or against "rest", the mean of all other classes.
            start: relevance at the output instead, of the output's shape.
            exclude_parallel: only what flows through the layer, so that its concepts add up to what passes the layer; False adds
                to every heatmap what flows around the layer over shortcuts.

        Returns:
            `ConceptAttribution` with N·K rows, image by image, concepts in the order asked; `Attribution` without a layer.
        """
        if layer is None:
            if concepts is not None:
                raise ValueError("concepts is given without a layer; name the layer they belong to, layer=…")
            return super().__call__(x, target, layers=layers, against=against, start=start)
        x, layers = self.model.validate(x), names_of(layers)
        known = self.known(x)
        ids = check_ids(layer, range(known[layer].units) if concepts is None else concepts, known[layer].units)
        requests = [Request({layer: known[layer].select([unit])}, None, {layer: [unit]}) for unit in ids]
        begin = self._begin(x, target, against, start=start)
        call = {"target": said(target), "layer": layer, "concepts": None if concepts is None else ids}
        call |= {"exclude_parallel": exclude_parallel, **_given(against=against, start=start)}
        how: dict[str, Any] = {"layers": layers, "exclude_parallel": exclude_parallel}
        return self._collect(x, known, requests, begin, call, **how)

    def attribute(
        self,
        x: Tensor,
        conditions: Sequence[Mapping[str, Any]],
        *,
        layers: Sequence[str] = (),
        start_layer: str | None = None,
        start: Any = None,
        exclude_parallel: bool = True,
    ) -> ConceptAttribution:
        """Relevance under conditions on any layers and classes; rows in the order of the conditions.

        Args:
            x: (N, C, H, W). With one image all conditions are for it; with as many images as conditions, condition i is for image i;
                with one condition it is for each image.
            conditions: [{"y": [3], "layer4.1.conv2": [5, 8], …}, …]. "y" names the classes, or other targets, to start from (their
                logits together), the predicted class where it is missing. At a layer only the relevance of the concepts named goes on; instead of
                their numbers, weights: a tensor (units,), one that broadcasts to the layer's value for one image, or a function
                from ones of that shape to such.
            layers: names of layers whose relevance and activations to return as well.
            start_layer: begin at this layer instead of at the output.
            start: what to begin with: "activation" (the default at a layer), "ones", or a tensor or array, (…) or (N, …) of the layer's or the
                output's shape.
            exclude_parallel: relevance passes only through the layers a condition names, not around them over shortcuts.

        Raises:
            ValueError, TypeError: unknown layer or class, concept out of range, empty condition, shapes that do not fit.
        """
        x, layers = self.model.validate(x), names_of(layers)
        known = self.known(x)
        if start_layer is not None:
            _ = known[start_layer]
        requests = parse(known, conditions, start_layer, exclude_parallel)
        if len(requests) > 1 and len(x) not in (1, len(requests)):
            raise ValueError(
                f"conditions has {len(requests)} entries for {len(x)} images; give one condition, one an image, or one image."
            )
        origin = "output" if start_layer is None else start_layer
        paired = len(x) == len(requests) > 1
        how: dict[str, Any] = {"layers": layers, "exclude_parallel": exclude_parallel, "paired": paired}
        call: dict[str, Any] = {"conditions": [plain_condition(request.given) for request in requests]}
        call |= {"exclude_parallel": exclude_parallel, **_given(start_layer=start_layer, start=start)}
        begin = self._begin(x, origin=origin, start=start)
        return self._collect(x, known, requests, begin, call, origin=origin, **how)

    def _collect(
        self,
        x: Tensor,
        known: ConceptLayers,
        requests: list[Request],
        begin: Begin,
        call: Mapping[str, Any],
        **how: Any,
    ) -> ConceptAttribution:
        options: dict[str, Any] = {"origin": "output", "paired": False, "batch": self.batch, "chunk": self.chunk} | how
        return collect(x, known, requests, begin, provenance=self.provenance.asked(**call), **options)

    def _begin(
        self, x: Tensor, target: Any = None, against: Any = None, *, origin: str = "output", start: Any = None
    ) -> Begin:
        """Where relevance begins for x: at classes, unless a layer or a tensor is given."""
        if origin != "output" or start is not None:
            return given_start(self.model, self.known(x), origin, start, len(x))
        return target_start(self.model, self.start, x, target, against)

    # -- questions of one pass -------------------------------------------------------------------------------------------

    def rank(
        self, x: Tensor, target: Any = None, layer: str | None = None, *, by: str = "relevance", against: Any = None
    ) -> Ranking:
        """The concepts of a layer by their signed share of the class's relevance (or by activation), the largest first.

        Args:
            x, target, against: as for a call. by: "relevance" or "activation".
        """
        if by not in ("relevance", "activation"):
            raise unknown("by", by, ("relevance", "activation"))
        x = self.model.validate(x)
        known = self.known(x)
        if layer is None:
            raise ValueError(f"layer is missing; name one, such as {known.names[-1]!r}.")
        found = [(p.concepts(layer, by), p.record.output, p.score) for p in self._passes(x, target, against, [layer])]
        values, output, scores = zip(*found, strict=True)
        score = together(scores)
        provenance = self.provenance.asked(target=said(target, score), layer=layer, by=by, **_given(against=against))
        return ranked(provenance, layer, by, torch.cat(values), output=torch.cat(output).float(), **explained_by(score))

    def region(
        self, x: Tensor, region: Any, target: Any = None, layers: Sequence[str] | None = None, *, against: Any = None
    ) -> RegionConcepts:
        """What each concept of every layer contributes inside a region: the sum there of its conditional heatmap (of what flows
        through the concept), for all concepts by one pass up.

        Args:
            region: (left, top, right, bottom) in pixels, right and bottom exclusive; or a mask (H, W) or (N, H, W).
            layers: default all that have concepts.
        """
        x = self.model.validate(x)
        known = self.known(x)
        weights = region_weights(region, len(x), x.shape[2], x.shape[3], x.device)
        names = known.names if layers is None else names_of(layers)
        if not names:
            raise ValueError("layers is empty; name at least one, or give None for all that have concepts.")
        found, scores, output = [], [], []
        for number, explained in enumerate(self._passes(x, target, against, names, memory=True)):
            part = slice(number * self.batch, (number + 1) * self.batch)
            found.append(explained.inside(weights if len(weights) == 1 else weights[part], names))
            scores.append(explained.score)
            output.append(explained.record.output)
        relevance = {name: torch.cat([part[name] for part in found]) for name in names}
        box = region if isinstance(region, tuple | list) and len(region) == 4 else None
        score = together(scores)
        call = {
            "target": said(target, score),
            "layers": None if layers is None else list(names),
            **_given(against=against),
        }
        provenance = self.provenance.asked(region="a mask" if box is None else list(box), **call)
        return RegionConcepts(provenance, weights, relevance, output=torch.cat(output).float(), **explained_by(score))

    def focus(self, x: Tensor, target: Any = None, against: Any = None) -> Focus:
        """One image (1, C, H, W) explained once, for many cheap questions."""
        x = self.model.validate(x)
        if len(x) != 1:
            raise ValueError(f"x has {len(x)} images; focus takes one.")
        (explained,) = self._passes(x, target, against, self.known(x).names, memory=True)
        call = {"target": said(target, explained.score), **_given(against=against)}
        return Focus(explained, self.provenance.asked(**call), self.chunk)

    def graph(
        self,
        x: Tensor,
        target: Any = None,
        layer: str | None = None,
        concept: int | None = None,
        width: Sequence[int] = (4, 2),
        *,
        branches: int | None = 4,
        against: Any = None,
    ) -> ConceptGraph:
        """What a concept is made of, for one image: see `Focus.graph`."""
        return self.focus(x, target, against).graph(layer, concept, width, branches)

    @torch.no_grad()
    def without(self, x: Tensor, concepts: Mapping[str, Any]) -> Tensor:
        """The model's output (N, classes) with the activation of some concepts, {layer: ids}, set to zero: what it loses."""
        x = self.model.validate(x)
        known = self.known(x)
        if not isinstance(concepts, Mapping):
            raise TypeError(f"concepts is {type(concepts).__name__}; give {{layer: ids}}, the concepts to remove.")
        if not concepts:
            raise ValueError("concepts is empty; give {layer: ids} to remove.")
        kept = {}
        for layer, ids in concepts.items():
            chosen = check_ids(layer, ids, known[layer].units, f"concepts[{layer!r}]")
            kept[known.propagator.index(layer)] = 1.0 - known[layer].select(chosen)
        found = []
        for images in batches(len(x), self.batch):
            for index, value in known.graph.steps(taken(x, images).clone(), known.graph.output):
                if index in kept:
                    weights = sent(kept[index], value.device, value.dtype)
                    value.mul_(weights if len(weights) == 1 else weights.repeat(len(images), *[1] * (weights.ndim - 1)))
            found.append(value.float())
        return torch.cat(found)

    def _passes(
        self, x: Tensor, target: Any, against: Any, layers: Sequence[str], memory: bool = False
    ) -> Iterator[Pass]:
        """x in batches, each explained once."""
        known = self.known(x)
        for layer in layers:
            _ = known[layer]
        begin = self._begin(x, target, against)
        for images in batches(len(x), self.batch):
            record = known.propagator.record(taken(x, images), keep=layers, memory=memory)
            some_numbers(record.output, self.model.name)
            start, score = begin(record, images, [None] * len(images))
            assert isinstance(score, Score)
            explained = Pass(known, taken(x, images), record, start, score, self.model.meaning)
            explained.at(layers)
            yield explained

    @property
    def provenance(self) -> Provenance:
        return replace(super().provenance, method="CRP")

    def with_parameters(self, **changes: Any) -> Self:
        new = super().with_parameters(**changes)
        new.chunk, new.own_concepts = self.chunk, self.own_concepts
        return new


def _given(**call: Any) -> dict[str, Any]:
    """Those arguments of a call that were given."""
    return {name: said(value) for name, value in call.items() if value is not None}
