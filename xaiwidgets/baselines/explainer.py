"""What the baselines share: their result, checks, chunks, and the gradient through a frozen view of the module."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.errors import check_keywords, whole
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control, Provenance, Result

__all__ = ["Baseline", "BaselineExplainer", "finite"]


@dataclass(frozen=True, eq=False, repr=False)
class Baseline(Result):
    """relevance (N, C, H, W) or (N, 1, H, W); target (N,) the class explained; output (N, classes)."""

    relevance: Tensor
    target: Tensor
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
        """Explain x (N, C, H, W) for the predicted class, a class, or one an image.

        Raises:
            TypeError, ValueError: images, classes or parameters that do not fit.
        """
        x = self.model.validate(x)
        self._check(x)
        output = self.model.scores(x)
        chosen = self.model.targets(output, target)
        parts = [
            self._relevance(x[i : i + self.batch], chosen[i : i + self.batch]) for i in range(0, len(x), self.batch)
        ]
        seed = self.parameters.get("seed")
        plain = {name: f"given, {tuple(v.shape)}" if hasattr(v, "shape") else v for name, v in self.parameters.items()}
        provenance = Provenance(type(self).__name__, plain, seed, self.model.name)
        return Baseline(provenance.asked(target=target), torch.cat(parts), chosen, output)

    def _check(self, x: Tensor) -> None:  # noqa: B027 - most have nothing to check
        """Raise ValueError where parameters do not fit the images."""

    @abstractmethod
    def _relevance(self, x: Tensor, target: Tensor) -> Tensor:
        """(n, C or 1, H, W) for one chunk."""

    def _gradient(self, x: Tensor, target: Tensor) -> Tensor:
        """The gradient of each image's target logit by its pixels."""
        graph = self.model.graph_for(x)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            *_, (_, output) = graph.steps(x, graph.output, attached=True)
            (gradient,) = torch.autograd.grad(output.gather(1, target[:, None]).sum(), x)
        return gradient

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
