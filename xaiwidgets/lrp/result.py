"""What LRP returns, and its account of where relevance went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from xaiwidgets.results import Result

__all__ = ["Attribution", "Conservation", "Leak"]


LITTLE = 0.1
"""Below this share of the start at the pixels, a map is not worth its colours."""


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

    @property
    def sentence(self) -> str:
        """In one sentence: how much of what relevance began with reached the pixels, or that it is little."""
        return self.warning or f"{self.share:.1%} of the relevance reached the pixels."

    @property
    def warning(self) -> str:
        """Where next to nothing reached the pixels, what a map of so little is worth, and what to try; else empty."""
        if not self.start or abs(self.share) >= LITTLE:
            return ""
        most = max(self.leaks, key=lambda leak: leak.amount / self.start, default=None)
        lost = most is not None and most.amount / self.start >= LITTLE
        into = most.into if most is not None and lost else ""
        where = f", most of the rest went into {into} at {most.layer}" if most is not None and lost else ""
        advice = "composite='epsilon_gamma_box'"
        if "bias" in into or "shift" in into or not into:
            advice = f"zero_bias=True, or {advice}"
        elif "softmax" in into or "constant" in into:
            advice = "composite='cp_lrp'"
        return (
            f"Only {abs(self.share):.1%} of the score reached the pixels{where}: the map shows little of what the model used. "
            f"Try {advice}."
        )

    def __str__(self) -> str:
        lines = [f"{self.share:.1%} of the relevance reached the pixels ({self.input:.4g} of {self.start:.4g})."]
        lines += [self.warning] if self.warning else []
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

    @property
    def caution(self) -> str:
        """Why the maps are not worth their colours: next to nothing reached the pixels, or nothing at all; else empty."""
        if self.conservation is not None and self.conservation.warning:
            return self.conservation.warning
        empty = ~self.relevance.flatten(1).any(1)
        if not empty.any():
            return ""
        which = "The map is" if len(empty) == 1 else f"The maps of {int(empty.sum())} of {len(empty)} images are"
        return (
            f"{which} zero everywhere: nothing reached the pixels, and nothing shows of what the model used. Try another composite, "
            "such as 'epsilon_gamma_box', or RISE."
        )

    def __repr__(self) -> str:
        said = self.caution or ("" if self.conservation is None else self.conservation.sentence)
        return super().__repr__() + (f"\n  {said}" if said else "")
