"""Occlusion: how much the score drops when a square is covered."""

from __future__ import annotations

from torch import Tensor, nn

from xaiwidgets.baselines.explainer import BaselineExplainer, finite
from xaiwidgets.errors import whole_or_none
from xaiwidgets.model import ImageModel
from xaiwidgets.model.outputs import some_numbers
from xaiwidgets.targets import Score

__all__ = ["Occlusion"]


class Occlusion(BaselineExplainer):
    """How much the target's logit, or any other score, drops when a square is covered, spread over the square (Zeiler & Fergus 2014).

    Args:
        size, stride: of the square in pixels; by default an eighth of the image and half of that. value: what covers it.

    Raises:
        ValueError: no square, one that is no whole number of pixels, or a stride that leaves pixels between the squares.

    Example:
        >>> xw.Occlusion(model, size=16)(x, target="star").heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(
        self,
        model: ImageModel | nn.Module,
        size: int | None = None,
        stride: int | None = None,
        value: float = 0.0,
        batch: int = 32,
    ) -> None:
        size, stride = (whole_or_none(argument, given, 1) for argument, given in (("size", size), ("stride", stride)))
        super().__init__(model, batch, size=size, stride=stride, value=finite("value", value))

    def _check(self, x: Tensor) -> None:
        size, stride = self._square(x)
        if stride > size:
            raise ValueError(
                f"stride={stride} is more than size={size}: pixels between the squares stay uncovered; take less"
            )

    def _square(self, x: Tensor) -> tuple[int, int]:
        """(size, stride) in pixels."""
        size = self.parameters["size"] or max(1, min(x.shape[2:]) // 8)
        return size, self.parameters["stride"] or max(1, size // 2)

    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        height, width = x.shape[2:]
        size, stride = self._square(x)
        before = score(self.model.output(x))
        drop, seen = x.new_zeros(len(x), height, width), x.new_zeros(height, width)
        corners = [(i, j) for i in _corners(height, size, stride) for j in _corners(width, size, stride)]
        per_pass, forward = max(1, self.batch // len(x)), self.model.forward_function(x)
        for start in range(0, len(corners), per_pass):
            group = corners[start : start + per_pass]
            covered = x.repeat(len(group), 1, 1, 1)
            for place, (i, j) in enumerate(group):
                covered[place * len(x) : (place + 1) * len(x), :, i : i + size, j : j + size] = self.parameters["value"]
            answers = some_numbers(forward(covered), self.model.name)
            scores = score.of(list(range(len(x))) * len(group))(answers)
            for (i, j), after in zip(group, scores.split(len(x)), strict=True):
                drop[:, i : i + size, j : j + size] += (before - after)[:, None, None]
                seen[i : i + size, j : j + size] += 1
        return (drop / seen)[:, None]


def _corners(length: int, size: int, stride: int) -> list[int]:
    """Upper left corners that cover the whole length."""
    last = max(0, length - size)
    return [*range(0, last, stride), last]
