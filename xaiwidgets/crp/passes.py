"""Images explained once: one recorded forward pass and one pass down, from which rankings, heatmaps and regions follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xaiwidgets.crp.concepts import ConceptLayers
from xaiwidgets.devices import sent
from xaiwidgets.graph import Propagator, Record
from xaiwidgets.targets import Score

__all__ = ["Pass"]


@dataclass(frozen=True)
class Pass:
    """What was recorded of N images, and the relevance at layers.

    Attributes:
        x: (N, C, H, W). start: (1, N, …) relevance at the output. score: what is explained. meaning: of the model's scores.
        relevance: layer -> (1, N, …); `at` adds layers that were not asked for at first.
    """

    known: ConceptLayers
    x: Tensor
    record: Record
    start: Tensor
    score: Score
    meaning: str
    relevance: dict[str, Tensor] = field(default_factory=dict)

    @property
    def explained(self) -> int | str:
        """What is explained of the first image: a class, or another target in words."""
        return self.score.names[0] if self.score.classes is None else int(self.score.classes[0])

    @property
    def propagator(self) -> Propagator:
        return self.known.propagator

    def at(self, layers: Sequence[str]) -> Mapping[str, Tensor]:
        """Relevance at these layers, (1, N, …) each."""
        missing = [layer for layer in layers if layer not in self.relevance]
        if missing:
            for layer in missing:
                _ = self.known[layer]  # a name that has no concepts fails here, with the nearest that have
            found = self.propagator.down(self.record, {"output": self.start}, missing)
            self.relevance.update({str(name): tensor for name, tensor in found.items()})
        return {layer: self.relevance[layer] for layer in layers}

    def concepts(self, layer: str, by: str = "relevance") -> Tensor:
        """Relevance, or activation, of each concept of a layer, (N, units)."""
        if by == "relevance":
            return self.known[layer].sum(self.at([layer])[layer])[0]
        concept, value = self.known[layer], self.record.values.get(self.propagator.index(layer))
        # Only layers worth ranking were kept on the way up.
        value = self.known.graph.run(self.x, stop=layer) if value is None else value
        return concept.sum(value[None])[0]

    def inside(self, region: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """For region weights (N or 1, H, W): what each concept sends into the region, layer -> (N, units).

        The sum over the region of each concept's conditional heatmap is ⟨v, down(R restricted to the concept)⟩, which by the
        adjoint is up(v) · R summed over the concept: one pass up answers for all concepts of all layers.
        """
        shape = self.record.shapes[0]
        weights = region.to(self.record.output)[None, :, None].expand(1, *shape)
        relevance = self.at(layers)
        up = self.propagator.up(self.record, {"input": weights}, layers)
        return {layer: self.known[layer].sum(up[layer] * relevance[layer])[0] for layer in layers}

    @torch.no_grad()
    def heatmap(self) -> Tensor:
        """The relevance of every pixel, (N, H, W)."""
        found = self.propagator.down(self.record, {"output": self.start}, ["input"])
        return found["input"][0].float().sum(1)

    @torch.no_grad()
    def heatmaps(self, layer: str, ids: Sequence[int], chunk: int) -> Tensor:
        """What flows through each concept of a layer into each pixel, (K, N, H, W)."""
        concept, whole = self.known[layer], self.at([layer])[layer]
        parts, rows = [], self.known.rows(chunk, self.record.batch)
        for first in range(0, len(ids), rows):
            chosen = torch.stack([concept.select([unit]) for unit in ids[first : first + rows]])
            weights = sent(chosen, whole.device, whole.dtype)
            found = self.propagator.down(self.record, {layer: whole * weights}, ["input"])
            parts.append(found["input"].float().sum(2))
        return torch.cat(parts)
