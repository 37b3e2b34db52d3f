"""Everybody else's explainers: what counts as one, and how it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.results import Explainer, heatmap_of
from xaiwidgets.targets import Function, TargetError, entries, is_classes, said

__all__ = ["as_explainer", "call_explainer", "explainer_of", "is_explainer", "takes_target"]


def as_explainer(method: Any, **options: Any) -> Explainer:
    """Anything that explains, as an explainer (x, target) -> heatmap (N, H, W).

    Takes our own explainers (as they are), captum attribution objects (`.attribute(x, target=…)`), pytorch-grad-cam objects
    (called as `cam(input_tensor=x, targets=[…])`), and any callable of (x, target) or (x). `options` are handed on to it.

    Raises `TypeError` for what is none of these.

    Example:
        >>> brightness = xw.as_explainer(lambda x: x.mean(1))
        >>> brightness(x, "star").shape
        torch.Size([2, 64, 64])
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


def is_explainer(entry: Any) -> bool:
    """Whether ``entry`` is to be called for its heatmaps, rather than one already."""
    called = callable(entry) or callable(getattr(entry, "attribute", None))
    return called and not isinstance(entry, Tensor) and not hasattr(entry, "heatmap")


def explainer_of(entry: Any) -> Any:
    """An explainer (x, target) as it is; captum's and pytorch-grad-cam's objects, and functions of x alone, as one."""
    foreign = not callable(entry) or hasattr(entry, "activations_and_grads") or not takes_target(entry)
    return as_explainer(entry) if foreign else entry


def call_explainer(explainer: Any, x: Tensor, target: Any, **more: Any) -> Any:
    """What an explainer gives for x (N, C, H, W). A gradient-based method of somebody else finds its autograd switched on,
    whatever mode the caller is in; ours switch it off themselves."""
    with torch.inference_mode(False), torch.enable_grad():
        return explainer(x, target, **more)


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
    if not is_classes(target):
        raise TargetError(
            f"target={said(target)} is no class, and captum takes classes; explain it with an explainer of xaiwidgets"
        )
    return torch.as_tensor(target).expand(len(x)) if target is not None else None


def _cam_targets(target: Any, x: Tensor) -> list[Callable[[Tensor], Tensor]] | None:
    if target is None:
        return None

    def score_of(entry: Any) -> Callable[[Tensor], Tensor]:
        if isinstance(entry, Function):
            return lambda output: entry.function(output[None])[0]
        return lambda output: output[..., int(entry)]

    found = entries(target, len(x)) or []
    others = [entry for entry in found if not is_classes(entry) and not isinstance(entry, Function)]
    if others:
        raise TargetError(
            f"target={said(others[0])} is neither a class nor a function, which pytorch-grad-cam takes; give a function of the output"
        )
    return [score_of(entry) for entry in found]
