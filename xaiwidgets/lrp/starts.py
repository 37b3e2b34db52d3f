"""Where relevance begins: the target's logit, one, a contrast of classes, or any tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["class_starts", "contrast", "given_start"]


def class_starts(output: Tensor, targets: Tensor, kind: str = "logit") -> Tensor:
    """Relevance at an output (N, classes) for targets (K, N): (K, N, classes), the target's logit or one, zero elsewhere."""
    start = torch.zeros((targets.shape[0], *output.shape), dtype=output.dtype, device=output.device)
    index = targets.unsqueeze(-1)
    values = output.expand_as(start).gather(2, index) if kind == "logit" else torch.ones_like(start[..., :1])
    return start.scatter_(2, index, values)


def contrast(output: Tensor, target: Tensor, against: Any, kind: str = "logit") -> Tensor:
    """The target against another class (N,) or against "rest", the mean of all others: (1, N, classes)."""
    start = class_starts(output, target[None], kind)
    if isinstance(against, Tensor):
        return start - class_starts(output, against[None], kind)
    rest = output if kind == "logit" else torch.ones_like(output)
    others = torch.ones_like(output).scatter_(1, target[:, None], 0.0)
    return start - (rest * others / max(1, output.shape[1] - 1))[None]


def given_start(start: Any, count: int, target: Any = None, against: Any = None) -> Tensor:
    """A start that somebody gives, (N, classes), as a tensor.

    Raises:
        TypeError: neither a tensor nor an array.
        ValueError: another number of rows than images, values that are not finite, or a class given beside it.
    """
    for argument, value in (("target", target), ("against", against)):
        if value is not None:
            raise ValueError(f"{argument}={value!r} and start both say where relevance begins; give one of them")
    try:
        given = torch.as_tensor(start)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"start is {type(start).__name__}; give relevance at the output, (N, classes)") from error
    if given.ndim != 2 or len(given) != count:
        raise ValueError(f"start has shape {tuple(given.shape)}; give relevance at the output, ({count}, classes)")
    if given.is_complex() or not torch.isfinite(given).all():
        raise ValueError("start has NaN, infinite or complex values; give finite relevance at the output")
    return given
