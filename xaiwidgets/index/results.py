"""What questions to a reference index give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from xaiwidgets.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ClassUse", "References"]


@dataclass(frozen=True, eq=False, repr=False)
class References(Result):
    """The samples that show a concept best, best first.

    Attributes:
        layer, concept, by, pool: what was asked.
        target: the class the samples were chosen from, None for all.
        samples: (n,) indices into the data set. scores: (n,) relevance or activation. targets: (n,) the class explained.
        positions: (n, 2) row and column, in the layer, of the neuron with the largest value; (0, token) for tokens, (0, 0) where
            the layer has no space.
        fingerprint: of the index. request: what the index is of, as its own.
    """

    layer: str
    concept: int
    by: str
    pool: str
    target: int | None
    samples: Tensor
    scores: Tensor
    positions: Tensor
    targets: Tensor
    fingerprint: str
    request: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.samples)

    def plot(self, image: Any = None, **options: Any) -> Figure:
        """Raises TypeError: these are numbers of samples; their pictures need the data set."""
        raise TypeError(
            "References are numbers of samples, not their pictures; draw xaiwidgets.references(crp, dataset, found).plot()"
        )


class ClassUse(NamedTuple):
    """How much a class uses a concept.

    Attributes:
        target, name: the class.
        mean: the mean score over its best explanations; where `exact` is False, what that mean is at most, as the index had no room
            for all of them.
        explained: how many of the class were explained at all.
    """

    target: int
    name: str
    mean: float
    explained: int
    exact: bool = True
