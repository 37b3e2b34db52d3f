"""Where relevance begins: the target's logit, one, a contrast of classes, or any tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.model import ImageModel

__all__ = ["Start", "at_classes", "at_output", "class_starts", "contrast", "entries", "given_start"]

Start = Callable[[Tensor, slice], tuple[Tensor, Tensor | None]]
"""(output (n, classes), which of the images it is of) -> relevance there (K, n, classes), and the classes (K, n), None for a tensor."""


def at_classes(
    model: ImageModel, targets: Sequence[Any], count: int, *, kind: str = "logit", against: Any = None
) -> Start:
    """A row for each of `targets`: None (the predicted class), a class, or one for each of the `count` images.

    Args:
        kind: "logit" or "one". against: another class, or one an image; "rest" for the mean of all others.

    Raises:
        ValueError: another number of classes than images; a class that is not there, once there is an output.
    """
    rows, rivals = [entries(target, count) for target in targets], entries(against, count, "against")

    def start(output: Tensor, part: slice) -> tuple[Tensor, Tensor]:
        chosen = torch.stack([model.targets(output, row and row[part]) for row in rows])
        if rivals is None:
            return class_starts(output, chosen, kind), chosen
        other = "rest" if rivals[0] == "rest" else model.targets(output, rivals[part], "against")
        return torch.cat([contrast(output, target, other, kind) for target in chosen]), chosen

    return start


def at_output(given: Any, count: int, target: Any = None, against: Any = None) -> Start:
    """One row: what somebody gives as relevance at the output, (N, classes). Raises as `given_start`."""
    relevance = given_start(given, count, target, against)

    def start(output: Tensor, part: slice) -> tuple[Tensor, None]:
        if relevance.shape[1] != output.shape[1]:
            raise ValueError(
                f"start has shape {tuple(relevance.shape)}; give (N, {output.shape[1]}), relevance at the output"
            )
        return relevance[part].to(output)[None], None

    return start


def entries(target: Any, count: int, argument: str = "target") -> list[Any] | None:
    """A target as one entry an image, so that chunks take theirs; None stays."""
    if target is None:
        return None
    found = target.tolist() if hasattr(target, "tolist") else target
    found = list(found) if isinstance(found, list | tuple) else [found] * count
    if len(found) != count:
        raise ValueError(f"{argument} has {len(found)} classes for {count} images; give one class, or one an image")
    return found


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
