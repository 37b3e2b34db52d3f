"""What a model answers, as people read it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """What a model answers: scores (N, classes), probabilities (N, classes) and the top classes (N, top)."""

    scores: Tensor
    probabilities: Tensor
    classes: Tensor
    names: tuple[tuple[str, ...], ...]
    """Names of the top classes, one tuple an image."""

    def __str__(self) -> str:
        lines = []
        for row, names in enumerate(self.names):
            best = ", ".join(
                f"{name} {self.probabilities[row, index]:.1%}"
                for name, index in zip(names, self.classes[row].tolist(), strict=True)
            )
            lines.append(f"image {row}: {best}")
        return "\n".join(lines)

    __repr__ = __str__
