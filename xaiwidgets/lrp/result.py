"""What LRP returns, and its account of where relevance went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from xaiwidgets.results import Result

__all__ = ["Attribution", "Conservation", "Leak"]


@dataclass(frozen=True, slots=True)
class Leak:
    """Relevance that ended at a step instead of reaching the steps below. Negative: the step added some."""

    layer: str
    into: str
    amount: float


@dataclass(frozen=True)
class Conservation:
    """Sums of relevance over all images of a result.

    Attributes:
        start: at the output. input: at the pixels. layers: at every layer, from output to input.
        leaks: what got lost on the way, largest first, and into what.
        score: what was explained, s; relevance begins with output ⊙ ∂s/∂output, which sums to it wherever s is linear. None where
            relevance began with something else, such as ones or a contrast.
        note: what to know of where relevance began.
    """

    start: float
    input: float
    layers: Mapping[str, float]
    leaks: tuple[Leak, ...]
    score: float | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """The share of the start that reached the pixels."""
        return self.input / self.start if self.start else float("nan")

    def __str__(self) -> str:
        lines = [f"{self.share:.1%} of the relevance reached the pixels ({self.input:.4g} of {self.start:.4g})."]
        if self.score is not None and abs(self.score - self.start) > 1e-3 * max(abs(self.score), abs(self.start)):
            lines.append(f"Relevance began with {self.start:.4g}; the score explained is {self.score:.4g}.")
        if self.note:
            lines.append(self.note)
        lines += [f"  {leak.amount:+.4g} into {leak.into} at {leak.layer}" for leak in self.leaks[:8] if leak.amount]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Result):
    """Relevance of every input entry, and of layers where asked for.

    Attributes:
        relevance: (N, C, H, W), in units of the start (a logit by default).
        target: (N,) the class explained; None where it was another target, which the provenance names, or a tensor given as start.
        output: (N, …) the model's output.
        layers: name -> (N, …) relevance at that layer. activations: name -> (N, …) its values.
        conservation: where relevance went; None where it is not an account of sums (absLRP).
    """

    relevance: Tensor
    target: Tensor | None
    output: Tensor
    layers: Mapping[str, Tensor]
    activations: Mapping[str, Tensor]
    conservation: Conservation | None = None

    @property
    def heatmap(self) -> Tensor:
        """Relevance summed over channels, (N, H, W)."""
        return self.relevance.sum(1)
