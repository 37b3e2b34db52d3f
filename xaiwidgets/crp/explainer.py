"""CRP as an explainer: LRP, and what of it flows through chosen concepts. Achtibat et al., arXiv 2206.03208."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.crp.concepts import Concept, ConceptLayers
from xaiwidgets.graph import Propagator
from xaiwidgets.lrp import LRP, Composite
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Provenance

__all__ = ["CRP"]


class CRP(LRP):
    """Concept relevance propagation: LRP, split by the concepts that relevance flows through.

    Called without concepts it is LRP. See `crp(x, target, layer, concepts)`, `attribute`, `rank`, `region`, `graph`, `focus`.

    Args:
        model, composite, start, batch, precision, parameters: as for `LRP`.
        chunk: conditional heatmaps computed at once; more go in chunks, so memory does not grow with their number.
        concepts: layer -> `Concept` for layers whose concepts are not their channels, features or heads; or a function from the
            shape of the layer's value for one image to a `Concept`.
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
        if chunk < 1:
            raise ValueError(f"chunk={chunk} must be at least 1.")
        self.chunk, self.own_concepts = chunk, dict(concepts or {})
        self._known: tuple[Propagator, ConceptLayers] | None = None

    # -- concepts --------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that have concepts, from input to output."""
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
            known = self._known = (propagator, ConceptLayers(propagator, torch.zeros_like(x[:1]), self.own_concepts))
        return known[1]

    @property
    def provenance(self) -> Provenance:
        return replace(super().provenance, method="CRP")

    def with_parameters(self, **changes: Any) -> Self:
        new = super().with_parameters(**changes)
        new.chunk, new.own_concepts = self.chunk, self.own_concepts
        return new
