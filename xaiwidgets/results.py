"""What every explanation has in common: detached numbers, where they came from, and a picture of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Control", "Explainer", "Provenance", "Result", "heatmap_of"]


@dataclass(frozen=True)
class Provenance:
    """How a result was made, enough to make it again."""

    method: str
    """Name of the method, such as ``"RELAX"``."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The method's parameters as plain data."""
    seed: int | None = None
    """Seed of all random numbers, None for methods without any."""
    model: str | None = None
    """Name of the explained model."""

    def asked(self, **call: Any) -> Provenance:
        """The same with what one call asked for (its target and the like) among the parameters, as plain data."""
        return replace(self, parameters={**self.parameters, **{name: _plain(value) for name, value in call.items()}})

    def __str__(self) -> str:
        parameters = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.method}({parameters}) of {self.model or 'a model'}{seed}"


def _plain(value: Any) -> Any:
    """Arrays, and numbers of numpy and torch, as lists and numbers, wherever they stand."""
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.tolist() if hasattr(value, "tolist") else value


@dataclass(frozen=True, eq=False)
class Result:
    """Base of all results: a frozen dataclass of detached tensors and plain data, with no model inside."""

    figure: ClassVar[str] = "explanation"
    """The name of its figure in `xaiwidgets.plots`."""

    provenance: Provenance

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Tensor) and value.requires_grad:
                object.__setattr__(self, entry.name, value.detach())

    @property
    def heatmap(self) -> Tensor:
        """The explanation as one signed map an image, shape (N, H, W): what curves, plots and widgets read."""
        raise AttributeError(f"{type(self).__name__} has no heatmap")

    def plot(self, image: Any = None, **options: Any) -> Figure:
        """A matplotlib figure: `xaiwidgets.plots` looks its name up.

        Args:
            image: pixel values in [0, 1] to lay beneath, (N, C, H, W) or (C, H, W), such as ``model.pixels(x)``.
            options: of the function of that name in `xaiwidgets.plots`.
        """
        # By name, as the public face finds its rooms: figures are drawn of results, results are not made for figures.
        figure: Figure = import_module("xaiwidgets.plots").plot(self, image=image, **options)
        return figure

    def to(self, device: torch.device | str) -> Result:
        """The same result with every tensor on another device."""
        return replace(self, **{entry.name: _moved(getattr(self, entry.name), device) for entry in fields(self)})

    def __repr__(self) -> str:
        parts = [f"{type(self).__name__}: {self.provenance}"]
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Tensor):
                parts.append(f"  {entry.name}: {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}")
        return "\n".join(parts)


def _moved(value: Any, device: torch.device | str) -> Any:
    """A tensor, or tensors by name, on another device; anything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: _moved(entry, device) for name, entry in value.items()}
    return value


class Control(TypedDict):
    """One parameter of an explainer that a person may vary in a widget."""

    name: str
    label: str
    type: Literal["choice", "float", "int", "bool"]
    value: Any
    options: NotRequired[Sequence[str]]
    min: NotRequired[float]
    max: NotRequired[float]
    step: NotRequired[float]
    log: NotRequired[bool]


@runtime_checkable
class Explainer(Protocol):
    """Any callable ``(x, target) -> heatmap or result``: x (N, C, H, W), target None, a class or one class an image."""

    def __call__(self, x: Tensor, target: Any = None) -> Any: ...


def heatmap_of(explanation: Any, x: Tensor, name: str = "the explainer") -> Tensor:
    """The heatmap (N, H, W) of whatever an explainer returned, checked against the images it explains.

    Takes a :class:`Result`, a tensor or array of shape (N, H, W), (N, 1, H, W) or (N, C, H, W) (summed over channels),
    and a single (H, W) map when there is one image.

    Raises:
        TypeError: what came is neither a result nor an array.
        ValueError: another shape than x's, or a value that is not finite.
    """
    heatmap = explanation.heatmap if hasattr(explanation, "heatmap") else explanation
    if not isinstance(heatmap, Tensor):
        try:
            heatmap = torch.as_tensor(heatmap)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"{name} returned {type(explanation).__name__}; return a heatmap (N, H, W) or a result with .heatmap"
            ) from error
    heatmap = heatmap.detach().to(device=x.device, dtype=torch.float32)
    count, _, height, width = x.shape
    if heatmap.ndim == 2 and count == 1:
        heatmap = heatmap[None]
    if heatmap.ndim == 4:
        heatmap = heatmap.sum(1)
    if tuple(heatmap.shape) != (count, height, width):
        raise ValueError(
            f"{name} gave a heatmap of shape {tuple(heatmap.shape)} for {count} images of {height}×{width}; "
            f"return ({count}, {height}, {width})"
        )
    if not torch.isfinite(heatmap).all():
        raise ValueError(f"{name} gave a heatmap with NaN or infinite values; check the method and its input")
    return heatmap
