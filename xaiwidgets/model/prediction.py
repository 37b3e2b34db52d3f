"""What a model answers, as people read it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """What a model answers: scores (N, classes), probabilities (N, classes) and the top classes (N, top).

    Where scores are plain values, probabilities are these values; one score that tells two classes apart gives two probabilities.

    Example:
        >>> prediction = model.predict(x)
        >>> isinstance(prediction, xw.Prediction), [names[0] for names in prediction.names]
        (True, ['star', 'heart'])
    """

    scores: Tensor
    probabilities: Tensor
    classes: Tensor
    names: tuple[tuple[str, ...], ...]
    """Names of the top classes, one tuple an image."""
    meaning: str = "softmax"
    """What the scores mean: "softmax", "sigmoid", "probabilities" or "values"."""

    def __str__(self) -> str:
        lines = []
        form = ".4g" if self.meaning == "values" else ".1%"
        for row, names in enumerate(self.names):
            best = ", ".join(
                f"{name} {float(self.probabilities[row, index]):{form}}"
                for name, index in zip(names, self.classes[row].tolist(), strict=True)
            )
            lines.append(f"image {row}: {best}")
        return "\n".join(lines)

    __repr__ = __str__
