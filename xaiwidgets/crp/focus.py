"""One image and one class, explained once and then questioned cheaply: what the concept browser asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp.attribution_graph import ConceptGraph, decompose, feeders
from xaiwidgets.crp.concepts import check_ids
from xaiwidgets.crp.passes import Pass
from xaiwidgets.crp.results import Ranking, explained_by, ranked
from xaiwidgets.errors import unknown, whole
from xaiwidgets.results import Provenance
from xaiwidgets.targets import region_weights

__all__ = ["Focus"]


class Focus:
    """Made by `CRP.focus`: one recorded forward pass and one pass down, kept for as long as this object lives.

    Every answer is about what flows *through* the concepts of a layer, not around them over shortcuts: the concepts of a layer
    share the layer's relevance without remainder, and a region's answer is the sum of its heatmaps there.

    Attributes:
        target: the class, or another target in words. output: (1, …). score: of the target.
        probability: of the class; None where it is none, or the model gives plain values.
        relevance: layer -> (units,) relevance of each concept, for every layer in `layers`, in units of the start; `rank` has that of
            any other layer.
    """

    def __init__(self, explained: Pass, provenance: Provenance, chunk: int) -> None:
        self._pass, self.provenance, self._chunk = explained, provenance, chunk
        self.target = explained.explained
        self.output = explained.record.output.float()
        self.score = float(explained.score(self.output))
        known = explained.score.classes is not None and explained.meaning != "values"
        self.probability = float(explained.score.probability(self.output)) if known else None
        self.relevance = {layer: explained.concepts(layer)[0] for layer in self.layers}

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers with concepts, from input to output."""
        return self._pass.known.names

    @cached_property
    def heatmap(self) -> Tensor:
        """(H, W): the relevance of every pixel, through whatever concepts."""
        return self._pass.heatmap()[0]

    def activation(self, layer: str) -> Tensor:
        """(units,) summed activation of each concept of a layer."""
        return self._pass.concepts(layer, "activation")[0]

    def rank(self, layer: str, by: str = "relevance") -> Ranking:
        """The concepts of a layer, the largest share first. `by`: "relevance" or "activation"."""
        if by not in ("relevance", "activation"):
            raise unknown("by", by, ("relevance", "activation"))
        _ = self._pass.known[layer]
        values = self._pass.concepts(layer, by)
        provenance = self.provenance.asked(layer=layer, by=by)
        return ranked(provenance, layer, by, values, output=self.output, **explained_by(self._pass.score))

    def heatmaps(self, layer: str, ids: Sequence[int]) -> Tensor:
        """(K, H, W): for each concept, the relevance of every pixel through it."""
        concept = self._pass.known[layer]
        return self._pass.heatmaps(layer, check_ids(layer, ids, concept.units), self._chunk)[:, 0]

    def region(self, region: Any, layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        """layer -> (units,): what each concept contributes inside a region.

        Args:
            region: (left, top, right, bottom) in pixels, right and bottom exclusive, or a mask (H, W).
            layers: default all.
        """
        _, _, height, width = self._pass.record.shapes[0]
        weights = region_weights(region, 1, height, width, self.output.device)
        found = self._pass.inside(weights, self.layers if layers is None else tuple(layers))
        return {layer: relevance[0] for layer, relevance in found.items()}

    def feeders(self, layer: str) -> tuple[str, ...]:
        """The layers with concepts that feed a layer directly, from output to input; "output" asks for the model's end."""
        return feeders(self._pass.known, self._named(layer))

    @torch.no_grad()
    def graph(
        self,
        layer: str | None = None,
        concept: int | None = None,
        width: Sequence[int] = (4, 2),
        branches: int | None = 4,
    ) -> ConceptGraph:
        """What a concept is made of.

        Args:
            layer, concept: where to begin; without them, at the class.
            width: how many concepts of each feeding layer to follow, one number a step down.
            branches: of the feeding layers, only this many that take most; None for all (transformers have many).
        """
        if (layer is None) != (concept is None):
            raise ValueError(f"layer={layer!r} with concept={concept!r}: give both, or neither to begin at the class.")
        try:
            steps = tuple(whole("width", n, 1) for n in (width if isinstance(width, Sequence) else (width,)))
        except ValueError:
            steps = ()
        if not steps:
            raise ValueError(f"width={width!r}; give how many concepts to follow at each step down, such as (4, 2).")
        branches = None if branches is None else whole("branches", branches, 1, also=", or None for all feeding layers")
        if layer is not None and concept is not None:
            check_ids(layer, [concept], self._pass.known[layer].units)
        start = "output" if layer is None else layer
        provenance = self.provenance.asked(layer=layer, concept=concept, width=list(steps), branches=branches)
        return decompose(self._pass, start, concept, steps, branches=branches, provenance=provenance, chunk=self._chunk)

    def _named(self, layer: str) -> str:
        if layer != "output":
            _ = self._pass.known[layer]
        return layer
