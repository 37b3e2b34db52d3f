"""What the baselines share: their result, checks, chunks, and the gradient through a frozen view of the module."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.errors import check_keywords, whole
from xaiwidgets.graph import Graph
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control, Provenance, Result
from xaiwidgets.targets import Score, TargetError, said, score_of

__all__ = ["Baseline", "BaselineExplainer", "finite"]


@dataclass(frozen=True, eq=False, repr=False)
class Baseline(Result):
    """relevance (N, C, H, W) or (N, 1, H, W); target (N,) the class explained, None where it is another target, which the provenance
    names; output (N, …)."""

    relevance: Tensor
    target: Tensor | None
    output: Tensor

    @property
    def heatmap(self) -> Tensor:
        """(N, H, W): relevance summed over channels."""
        return self.relevance.sum(1)


class BaselineExplainer(ABC):
    """What the baselines share: checks, chunks, parameters, provenance."""

    def __init__(self, model: ImageModel | nn.Module, batch: int, **parameters: Any) -> None:
        self.model = model if isinstance(model, ImageModel) else ImageModel(model)
        self.batch, self.parameters = whole("batch", batch, 1), parameters

    # Inference mode, which a caller may be in, has no autograd, not even where it is asked for.
    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(self, x: Tensor, target: Any = None) -> Baseline:
        """Explain x (N, C, H, W).

        Args:
            target: None for the predicted class; a class, anything of `xaiwidgets.targets` or a function of the output, or one an image.

        Raises:
            TypeError, ValueError: images, targets or parameters that do not fit.
        """
        x = self.model.validate(x)
        self._check(x)
        output = self.model.output(x)
        score = score_of(self.model, output, target, x)
        chunks = (slice(i, i + self.batch) for i in range(0, len(x), self.batch))
        parts = [self._relevance(x[part], score.of(part)) for part in chunks]
        seed = self.parameters.get("seed")
        given = self.parameters | self._found(x)
        plain = {name: f"given, {tuple(v.shape)}" if hasattr(v, "shape") else v for name, v in given.items()}
        provenance = Provenance(type(self).__name__, plain, seed, self.model.name)
        return Baseline(provenance.asked(target=said(target, score)), torch.cat(parts), score.classes, output)

    def _check(self, x: Tensor) -> None:  # noqa: B027 - most have nothing to check
        """Raise ValueError where parameters do not fit the images."""

    def _found(self, x: Tensor) -> dict[str, Any]:
        """What the method found out for itself, for the provenance."""
        return {}

    @abstractmethod
    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        """(n, C or 1, H, W) for one chunk."""

    def _gradient(self, x: Tensor, score: Score, graph: Graph | None = None) -> Tensor:
        """The gradient of each image's score by its pixels. ``graph``: the model's, for those that ask many times."""
        graph = self.model.graph_for(x) if graph is None else graph
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            *_, (_, output) = graph.steps(x, graph.output, attached=True)
            gradient = self._slope(score, output, x)
        if gradient is None:
            raise TargetError(f"the target, {score.names[0]}, does not depend on the images: its gradient is nothing")
        return gradient

    def _slope(self, score: Score, output: Tensor, place: Tensor) -> Tensor | None:
        """The gradient of each image's score, of an output, by a tensor on the way to it; None where there is no way.

        Raises:
            TargetError: the score's own gradient is not finite. ValueError: what the model makes of it is not.
        """
        slope = score.slope(output).sum()
        above, gradient = torch.autograd.grad(slope, (output, place), allow_unused=True)
        # Looked at together: a look waits for the device.
        found = [each for each in (above, gradient) if each is not None]
        if not found or bool(torch.stack([torch.isfinite(each).all() for each in found]).all()):
            return gradient
        if above is not None and not torch.isfinite(above).all():
            raise TargetError(f"the target, {score.names[0]}, has a gradient that is NaN or infinite at this output")
        raise ValueError(
            f"the gradient of {score.names[0]} in {self.model.name} is NaN or infinite: one of its steps has no finite slope at "
            "these images, such as a square root of 0; LRP, RISE and Occlusion take no gradients of the model"
        )

    def with_parameters(self, **changes: Any) -> Self:
        check_keywords("with_parameters", changes, list(self.parameters))
        return type(self)(self.model, batch=self.batch, **(self.parameters | changes))

    def controls(self) -> list[Control]:
        return []


def finite(argument: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{argument}={value!r} must be a finite number")
    return number
