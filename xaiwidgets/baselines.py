"""Explainers that curves compare with: gradient × input, integrated gradients, SmoothGrad, occlusion; and `as_explainer`.

All are callables (x, target=None) -> `Baseline`, through autograd on a frozen view of the module: parameters stay as they are.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from xaiwidgets.errors import check_keywords, whole, whole_or_none
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control, Explainer, Provenance, Result, heatmap_of

__all__ = ["Baseline", "GradientXInput", "IntegratedGradients", "Occlusion", "SmoothGrad", "as_explainer"]


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


class _Explainer(ABC):
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


class GradientXInput(_Explainer):
    """x ⊙ ∂ logit / ∂x."""

    def __init__(self, model: ImageModel | nn.Module, batch: int = 16) -> None:
        super().__init__(model, batch)

    def _relevance(self, x: Tensor, target: Tensor) -> Tensor:
        return self._gradient(x, target) * x


class IntegratedGradients(_Explainer):
    """(x − x₀) ⊙ the mean gradient on the straight way from x₀ to x, by the midpoint rule (Sundararajan et al. 2017).

    Args:
        steps: points on the way. baseline: x₀ as a number or a tensor (C, H, W) or (1, C, H, W), in the model's normalisation.

    Raises:
        ValueError: a parameter that does not fit; the baseline's shape when called.
    """

    def __init__(
        self, model: ImageModel | nn.Module, steps: int = 32, baseline: float | Tensor = 0.0, batch: int = 16
    ) -> None:
        super().__init__(model, batch, steps=whole("steps", steps, 1), baseline=baseline)

    def _check(self, x: Tensor) -> None:
        self._origin(x[:1])

    def _origin(self, x: Tensor) -> Tensor:
        """x₀, shaped like x (n, C, H, W)."""
        base = self.parameters["baseline"]
        try:
            given = torch.as_tensor(base, dtype=x.dtype, device=x.device)
            if given.ndim not in {0, 3, 4}:
                raise ValueError("axes")
            origin = (given[0] if given.ndim == 4 and len(given) == 1 else given).expand(x.shape[1:]).expand_as(x)
        except (TypeError, ValueError, RuntimeError) as error:
            came = f"has shape {tuple(base.shape)}" if hasattr(base, "shape") else f"is {base!r}"
            raise ValueError(f"baseline {came}; give a number, or a tensor {tuple(x.shape[1:])}") from error
        if not torch.isfinite(given).all():
            raise ValueError("baseline has NaN or infinite values; give finite ones, in the model's normalisation")
        return origin

    def _relevance(self, x: Tensor, target: Tensor) -> Tensor:
        steps, origin = self.parameters["steps"], self._origin(x)
        total = torch.zeros_like(x)
        for step in range(steps):
            total += self._gradient(origin + (x - origin) * ((step + 0.5) / steps), target)
        return (x - origin) * total / steps

    def controls(self) -> list[Control]:
        steps = self.parameters["steps"]
        return [{"name": "steps", "label": "Steps", "type": "int", "value": steps, "min": 4, "max": 128, "step": 4}]


class SmoothGrad(_Explainer):
    """The mean gradient over noisy copies of x, times x (Smilkov et al. 2017).

    Args:
        samples: noisy copies an image. noise: standard deviation as a share of the image's own range.
    """

    def __init__(
        self, model: ImageModel | nn.Module, samples: int = 24, noise: float = 0.15, seed: int = 0, batch: int = 16
    ) -> None:
        noise = _finite("noise", noise)
        if noise < 0:
            raise ValueError(f"noise={noise} must be at least 0")
        samples, seed = whole("samples", samples, 1), whole("seed", seed)
        super().__init__(model, batch, samples=samples, noise=noise, seed=seed)

    def _relevance(self, x: Tensor, target: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(
            self.parameters["seed"]
        )  # all images share the draws: row i is image i alone
        scale = (x.amax((1, 2, 3)) - x.amin((1, 2, 3))).reshape(-1, 1, 1, 1) * self.parameters["noise"]
        total = torch.zeros_like(x)
        for _ in range(self.parameters["samples"]):
            noise = torch.randn(x.shape[1:], generator=generator).to(x)
            total += self._gradient(x + scale * noise, target)
        return total / self.parameters["samples"] * x


class Occlusion(_Explainer):
    """How much the target's logit drops when a square is covered, spread over the square (Zeiler & Fergus 2014).

    Args:
        size, stride: of the square in pixels; by default an eighth of the image and half of that. value: what covers it.

    Raises:
        ValueError: no square, one that is no whole number of pixels, or a stride that leaves pixels between the squares.
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
        super().__init__(model, batch, size=size, stride=stride, value=_finite("value", value))

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

    def _relevance(self, x: Tensor, target: Tensor) -> Tensor:
        height, width = x.shape[2:]
        size, stride = self._square(x)
        before = self.model.scores(x).gather(1, target[:, None])[:, 0]
        drop, seen = x.new_zeros(len(x), height, width), x.new_zeros(height, width)
        corners = [(i, j) for i in _corners(height, size, stride) for j in _corners(width, size, stride)]
        per_pass = max(1, self.batch // len(x))
        for start in range(0, len(corners), per_pass):
            group = corners[start : start + per_pass]
            covered = x.repeat(len(group), 1, 1, 1)
            for place, (i, j) in enumerate(group):
                covered[place * len(x) : (place + 1) * len(x), :, i : i + size, j : j + size] = self.parameters["value"]
            scores = self.model.scores(covered).gather(1, target.repeat(len(group))[:, None])[:, 0]
            for (i, j), after in zip(group, scores.split(len(x)), strict=True):
                drop[:, i : i + size, j : j + size] += (before - after)[:, None, None]
                seen[i : i + size, j : j + size] += 1
        return (drop / seen)[:, None]


def _finite(argument: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{argument}={value!r} must be a finite number")
    return number


def _corners(length: int, size: int, stride: int) -> list[int]:
    """Upper left corners that cover the whole length."""
    last = max(0, length - size)
    return [*range(0, last, stride), last]


def as_explainer(method: Any, **options: Any) -> Explainer:
    """Anything that explains, as an explainer (x, target) -> heatmap (N, H, W).

    Takes our own explainers (as they are), captum attribution objects (`.attribute(x, target=…)`), pytorch-grad-cam objects
    (called as `cam(input_tensor=x, targets=[…])`), and any callable of (x, target) or (x). `options` are handed on to it.

    Raises `TypeError` for what is none of these.
    """
    if hasattr(method, "attribute") and callable(method.attribute):
        call = lambda x, target: method.attribute(x, target=_classes(target, x), **options)  # noqa: E731
    elif not callable(method):
        raise TypeError(
            f"method is {type(method).__name__}; give a callable (x, target), a captum or a pytorch-grad-cam object"
        )
    elif hasattr(method, "activations_and_grads"):
        call = lambda x, target: method(input_tensor=x, targets=_cam_targets(target, x), **options)  # noqa: E731
    elif hasattr(method, "controls") and not options:
        return method
    elif takes_target(method):
        call = lambda x, target: method(x, target, **options)  # noqa: E731
    else:
        call = lambda x, target: method(x, **options)  # noqa: E731
    return _Adapter(call, getattr(method, "__name__", type(method).__name__))


class _Adapter:
    def __init__(self, call: Callable[[Tensor, Any], Any], name: str) -> None:
        self._call, self.__name__ = call, name

    def __call__(self, x: Tensor, target: Any = None) -> Tensor:
        return heatmap_of(self._call(x, target), x, self.__name__)


def takes_target(method: Callable[..., Any]) -> bool:
    """Whether a function can be called as (x, target)."""
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _classes(target: Any, x: Tensor) -> Any:
    return torch.as_tensor(target).expand(len(x)) if target is not None else None


def _cam_targets(target: Any, x: Tensor) -> list[Callable[[Tensor], Tensor]] | None:
    if target is None:
        return None

    def score_of(index: int) -> Callable[[Tensor], Tensor]:
        return lambda output: output[..., index]

    return [score_of(int(index)) for index in torch.as_tensor(target).expand(len(x))]
