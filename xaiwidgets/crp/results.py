"""What concept relevance propagation returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from xaiwidgets.lrp import Attribution
from xaiwidgets.results import Provenance, Result
from xaiwidgets.targets import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ConceptAttribution", "Ranking", "RegionConcepts", "Row", "explained_by", "ranked", "shares"]


class Row(NamedTuple):
    """What one row of a result answers: the image's number, the class, the condition.

    target: where relevance did not start at one class, a tuple of classes, another target in words, or None.
    """

    image: int
    target: Any
    condition: Mapping[str, Any]


def shares(relevance: Tensor) -> Tensor:
    """Signed shares: divided by the sum of magnitudes over the layer's concepts, the last axis."""
    return relevance / relevance.abs().sum(-1, keepdim=True).clamp(min=torch.finfo(relevance.dtype).tiny)


@dataclass(frozen=True, eq=False, repr=False)
class ConceptAttribution(Attribution):
    """Relevance under conditions, one row a condition in the order asked; with N images and K concepts rows go image by image.

    Attributes:
        relevance: (rows, C, H, W). heatmap: (rows, H, W).
        target: (rows,) the class explained; None where relevance did not start at classes.
        output: (N, classes) of the images.
        layers: name -> (rows, …) relevance at that layer. activations: name -> (N, …) its values.
        rows: for each row its image, class and condition.
    """

    figure = "concept_rows"

    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(Result):
    """The concepts of a layer, those with the largest part in the class first; one line an image.

    Attributes:
        layer: name of the layer. by: "relevance" or "activation" (or "relevance in the region").
        concepts: (N, K) numbers of the concepts. share: (N, K) signed, column k belongs to `concepts[:, k]`; magnitudes add up to one.
        relevance: (N, K) in units of the start, or summed activation with `by="activation"`.
        target: (N,) the class explained; None where it is another target. output: (N, …).
        names: what is explained of each image, in words, where it is no class.
    """

    figure = "ranking"

    layer: str
    by: str
    concepts: Tensor
    share: Tensor
    relevance: Tensor
    target: Tensor | None
    output: Tensor
    names: tuple[str, ...] = ()

    def explained(self, image: int = 0) -> int | str:
        """What is explained of an image: a class, or another target in words."""
        return self.names[image] if self.target is None else int(self.target[image])

    def table(self, n: int = 10, image: int = 0) -> str:
        """The first `n` concepts of an image as text."""
        what = self.explained(image)
        what = f"class {what}" if isinstance(what, int) else what
        lines = [f"{self.layer}, {what}, by {self.by}", "concept    share  " + self.by]
        for k in range(min(n, self.concepts.shape[1])):
            lines.append(
                f"{int(self.concepts[image, k]):7d}  {float(self.share[image, k]):+6.1%}  {float(self.relevance[image, k]):+.4g}"
            )
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class RegionConcepts(Result):
    """What each concept contributes inside a region of the image: the sum over the region of its conditional heatmap.

    Attributes:
        region: (N or 1, H, W) weights, one inside. target: (N,), None where no class is explained. output: (N, …). names: as `Ranking`.
        relevance: layer -> (N, units). share: layer -> (N, units), signed, divided by the sum of magnitudes over the layer.
    """

    region: Tensor
    relevance: Mapping[str, Tensor]
    target: Tensor | None
    output: Tensor
    names: tuple[str, ...] = ()

    @property
    def share(self) -> dict[str, Tensor]:
        return {layer: shares(relevance) for layer, relevance in self.relevance.items()}

    def rank(self, layer: str) -> Ranking:
        """The concepts of a layer by their part in the region, the largest first."""
        from xaiwidgets.errors import unknown

        if layer not in self.relevance:
            raise unknown("layer", layer, self.relevance)
        return ranked(
            self.provenance,
            layer,
            "relevance in the region",
            self.relevance[layer],
            target=self.target,
            output=self.output,
            names=self.names,
        )

    def top(self, layer: str, n: int = 10) -> Tensor:
        """(N, n) concepts of a layer with the largest share in the region, first the largest."""
        return self.rank(layer).concepts[:, :n]

    def plot(self, image: Any = None, *, layer: str | None = None, **options: Any) -> Figure:
        """Bars of the first concepts of a layer, by default the last with more concepts than classes. ``image``: its number."""
        widest = [name for name, values in self.relevance.items() if values.shape[1] > self.output.shape[1]]
        return self.rank(layer or (widest or list(self.relevance))[-1]).plot(image, **options)


def explained_by(score: Score) -> dict[str, Any]:
    """What a score is of, as results keep it: the classes, or names in words."""
    return {"target": score.classes, "names": score.names if score.classes is None else ()}


def ranked(
    provenance: Provenance,
    layer: str,
    by: str,
    values: Tensor,
    *,
    target: Tensor | None,
    output: Tensor,
    names: tuple[str, ...] = (),
) -> Ranking:
    """Values (N, units) of a layer's concepts in order of magnitude."""
    order = values.abs().argsort(dim=-1, descending=True, stable=True)
    share = shares(values).gather(-1, order)
    return Ranking(provenance, layer, by, order, share, values.gather(-1, order), target, output, names)
