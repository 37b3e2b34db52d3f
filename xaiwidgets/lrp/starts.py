"""Where relevance begins: the target's logit, one, a contrast of targets, or any tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from xaiwidgets.devices import sent, taken
from xaiwidgets.model import ImageModel
from xaiwidgets.targets import Score, entries, score_of

__all__ = [
    "Begun",
    "Part",
    "Start",
    "at_output",
    "at_targets",
    "class_starts",
    "contrast",
    "given_start",
    "score_starts",
]

Part = slice | Sequence[int]
"""Which of the images: as a slice, or by number."""


class Begun(NamedTuple):
    """Where relevance begins for n images: relevance at the output (K, n, …), the K scores explained (none for a tensor), and what they
    add up to (K,), where relevance begins with that."""

    relevance: Tensor
    scores: tuple[Score, ...] = ()
    explained: Tensor | None = None


Start = Callable[[Tensor, Part], Begun]
"""(output (n, …), which of the images it is of) -> where relevance begins."""


def at_targets(
    model: ImageModel, targets: Sequence[Any], x: Tensor, *, kind: str = "logit", against: Any = None
) -> Start:
    """A row for each of `targets`: None (what the model predicts), a class, any other target, or one for each of the images x.

    Args:
        kind: "logit" or "one". against: another target, or one an image; "rest" for the mean of all other classes.

    Raises:
        ValueError: another number of targets than images; a target that does not fit, once there is an output.
    """
    rows, rivals = [entries(target, len(x)) for target in targets], entries(against, len(x), "against")
    rest = rivals is not None and isinstance(rivals[0], str) and rivals[0] == "rest"

    def start(output: Tensor, part: Part) -> Begun:
        images = x[part] if isinstance(part, slice) else taken(x, part)
        scores = tuple(score_of(model, output, _of(row, part), images) for row in rows)
        if rivals is None:
            explained = torch.stack([score(output).sum() for score in scores]) if kind == "logit" else None
            return Begun(score_starts(output, scores, kind), scores, explained)
        other = None if rest else score_of(model, output, _of(rivals, part), images, "against")
        return Begun(torch.cat([contrast(output, score, other, kind) for score in scores]), scores)

    return start


def _of(row: list[Any] | None, part: Part) -> list[Any] | None:
    if row is None:
        return None
    return row[part] if isinstance(part, slice) else [row[image] for image in part]


def at_output(given: Any, count: int, target: Any = None, against: Any = None) -> Start:
    """One row: what somebody gives as relevance at the output, (N, …). Raises as `given_start`."""
    relevance = given_start(given, count, target, against)

    def start(output: Tensor, part: Part) -> Begun:
        if relevance.shape[1:] != output.shape[1:]:
            sizes = ", ".join(["N", *map(str, output.shape[1:])])
            raise ValueError(f"start has shape {tuple(relevance.shape)}; give ({sizes}), relevance at the output")
        rows = relevance[part] if isinstance(part, slice) else taken(relevance, part)
        return Begun(sent(rows, output.device, output.dtype)[None])

    return start


def class_starts(output: Tensor, targets: Tensor, kind: str = "logit") -> Tensor:
    """Relevance at an output (N, classes) for targets (K, N): (K, N, classes), the target's logit or one, zero elsewhere."""
    start = torch.zeros((targets.shape[0], *output.shape), dtype=output.dtype, device=output.device)
    index = targets.unsqueeze(-1)
    values = output.expand_as(start).gather(2, index) if kind == "logit" else torch.ones_like(start[..., :1])
    return start.scatter_(2, index, values)


def score_starts(output: Tensor, scores: Sequence[Score], kind: Any = "logit") -> Tensor:
    """Relevance at an output (N, …) for K scores of its N images: (K, N, …). Of a class its logit or one, zero elsewhere; of any other
    target output ⊙ ∂s/∂output, or ∂s/∂output for "one"."""
    columns = [score.columns(output) for score in scores]
    plain = [each for each in columns if each is not None]
    if len(plain) == len(scores):
        return class_starts(output, torch.stack(plain), kind)
    return torch.stack([score.start(output, kind) for score in scores])


def contrast(output: Tensor, score: Score, against: Score | None, kind: Any = "logit") -> Tensor:
    """A target against another, or, with None, against the rest, the mean of all other classes: (1, N, …). A target that is no class has
    the other classes at its places against it, unless ∂s/∂output is negative somewhere already."""
    start = score_starts(output, [score], kind)
    if against is not None:
        return start - score_starts(output, [against], kind)
    columns = score.columns(output)
    if columns is None:
        one_sided = (score.gradient(output) >= 0).flatten(1).all(1).reshape(-1, *[1] * (output.ndim - 1))
        rest = score.rest(output) * one_sided
        return start - (output * rest if kind == "logit" else rest)[None]
    rest = output if kind == "logit" else torch.ones_like(output)
    others = torch.ones_like(output).scatter_(1, columns[:, None], 0.0)
    return start - (rest * others / max(1, output.shape[1] - 1))[None]


def given_start(start: Any, count: int, target: Any = None, against: Any = None) -> Tensor:
    """A start that somebody gives, (N, …) of the output's shape, as a tensor.

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
    if given.ndim < 2 or len(given) != count:
        raise ValueError(f"start has shape {tuple(given.shape)}; give relevance at the output, ({count}, classes)")
    if given.is_complex() or not torch.isfinite(given).all():
        raise ValueError("start has NaN, infinite or complex values; give finite relevance at the output")
    return given
