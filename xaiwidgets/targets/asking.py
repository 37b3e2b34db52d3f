"""From what a person gives as a target to the score of some images."""

from __future__ import annotations

import ast
import contextlib
import linecache
from collections.abc import Callable
from typing import Any

from torch import Tensor

from xaiwidgets.errors import whole
from xaiwidgets.targets.kinds import Box, Class, Region, Value
from xaiwidgets.targets.score import Score, TargetError, together
from xaiwidgets.targets.scores import ClassScore
from xaiwidgets.targets.target import Answering, Asked, Fixed, Function, Target

__all__ = ["entries", "is_classes", "said", "score_of", "target_of", "told"]


def is_classes(target: Any) -> bool:
    """Whether a target names classes, or leaves the choice to the model, as None does."""
    if isinstance(target, list | tuple):
        return all(is_classes(entry) for entry in target)
    return not isinstance(target, Target) and not callable(target)


def target_of(target: Any) -> Any:
    """A function as a `Target`; classes and targets as they are."""
    if isinstance(target, Target) or not callable(target):
        return target
    return Function(target, _name(target))


def entries(target: Any, count: int, argument: str = "target") -> list[Any] | None:
    """A target as one entry an image, so that chunks take theirs; None stays.

    Raises:
        ValueError: another number of entries than images.
    """
    if target is None:
        return None
    target = target_of(target)
    if isinstance(target, Target):
        return list(target.each(count, argument))
    found = target.tolist() if hasattr(target, "tolist") else target
    found = [target_of(entry) for entry in found] if isinstance(found, list | tuple) else [found] * count
    if len(found) != count:
        what = "classes" if is_classes(found) else "entries"
        raise ValueError(f"{argument} has {len(found)} {what} for {count} images; give one class, or one an image")
    return found


def score_of(
    model: Answering, output: Tensor, target: Any = None, x: Tensor | None = None, argument: str = "target"
) -> Score:
    """What is explained of some images.

    Args:
        model: which answers, an `ImageModel`. output: (N, …) for the untouched images.
        target: None for what the model predicts; a class, by index or name; a `Target`; a function of the output; a list of these, one
            an image.
        x: the images (N, C, H, W): their size is that of boxes and masks.
        argument: what errors call it.

    Raises:
        TargetError, ValueError: a target that does not fit; says what came and what to give.
    """
    asked = Asked(model, output, x, argument)
    if is_classes(target) and output.ndim == 2 and not (target is None and model.meaning == "values"):
        return ClassScore(model, model.targets(output, target, argument))
    found = entries(target, len(output), argument) or [None] * len(output)
    if all(entry is found[0] for entry in found):
        return _kind(found[0], asked).score(asked)
    if is_classes(found) and output.ndim == 2:
        return ClassScore(model, model.targets(output, found, argument))
    return together([_kind(entry, asked.image(row)).score(asked.image(row)) for row, entry in enumerate(found)])


def told(target: Any, score: Score) -> Any:
    """What an explainer is told of a target that was understood: the classes (N,), else the target as it came; what a model predicted
    is what it stays."""
    if score.classes is not None:
        return score.classes
    return Fixed(score) if is_classes(target) else target


def said(target: Any, score: Score | None = None) -> Any:
    """A target as plain data, for provenance: classes as they came, anything else in words. ``score``: what it turned out to be."""
    if is_classes(target):
        return target if score is None or score.classes is not None or target is not None else score.text
    target = target_of(target)
    return [said(entry) for entry in target] if isinstance(target, list | tuple) else str(target)


def _kind(target: Any, asked: Asked) -> Target:
    """A class, or what the model predicts, as the target that it is of such an output."""
    if isinstance(target, Target):
        return target
    output, model = asked.output, asked.model
    if output.ndim == 2:
        if target is not None or model.meaning != "values":
            return Class(target)
        if output.shape[1] == 1:
            return Value(0, 0.0)
        raise TargetError(
            f"{asked.argument} is missing: {model.name} gives {output.shape[1]} values; say which, such as {asked.argument}=0, or "
            "targets.value(0, against=reference)"
        )
    if output.ndim == 1:
        return Value(0 if target is None else whole(asked.argument, target), 0.0)
    if output.ndim == 3 and (model.detects or model.meaning != "values"):
        return Box(None, target)
    if output.ndim in (3, 4):
        return Region(target, None)
    raise TargetError(
        f"{asked.argument}={target!r} is a class; {asked.came}: give a function of the output (N, …) that gives (N,)"
    )


def _name(function: Callable[..., Any]) -> str:
    """A function in words: its name, or of a lambda its text, where that can be had."""
    name = str(getattr(function, "__name__", type(function).__name__))
    return (_text(function) or "a function of the output") if name == "<lambda>" else name


def _text(function: Any) -> str:
    """The text of a lambda on one line; empty where there is no source, or more of it."""
    code = function.__code__
    line = linecache.getline(code.co_filename, code.co_firstlineno).encode()
    # Columns count bytes. Of several lambdas on a line it is the last that begins before this one's body.
    body = [begin for first, _, begin, end in code.co_positions() if first == code.co_firstlineno and begin and end]
    start = line.rfind(b"lambda", 0, min(body, default=0))
    text = line[start:].decode(errors="replace").strip() if start >= 0 else ""
    for end in range(len(text), 0, -1):
        with contextlib.suppress(SyntaxError, ValueError):
            if isinstance(ast.parse(text[:end], mode="eval").body, ast.Lambda):
                return text[:end].strip()
    return ""
