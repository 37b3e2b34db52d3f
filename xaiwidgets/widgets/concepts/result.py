"""What a concept browser shows, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from xaiwidgets.crp import Ranking
from xaiwidgets.index.results import References
from xaiwidgets.results import Result

__all__ = ["BrowserResult"]


@dataclass(frozen=True, eq=False, repr=False)
class BrowserResult(Result):
    """What a concept browser shows, as numbers.

    Attributes:
        layer, concept, target: what is selected, and the class explained, or another target in words.
        ranking: the layer's concepts for the whole image.
        class_heatmap: (H, W) of the class. heatmap: (H, W) of the concept. Sums of either are in units of the class's score.
        region: (units,) relevance of each concept inside the box; None without a box.
        references: of the selected concept; None without an index of its layer.
    """

    layer: str
    concept: int
    target: int | str
    ranking: Ranking
    class_heatmap: Tensor
    concept_heatmap: Tensor
    region: Tensor | None
    references: References | None

    @property
    def heatmap(self) -> Tensor:
        return self.concept_heatmap[None]
