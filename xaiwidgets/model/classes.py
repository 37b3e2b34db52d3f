"""Classes as people name them: an index, a name, one for all images or one an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xaiwidgets.errors import unknown, whole

__all__ = ["class_index", "class_indices"]


def class_index(entry: Any, count: int, names: Sequence[str] | None, model: str, argument: str = "target") -> int:
    """The index of one class.

    Args:
        entry: an index, of any kind of whole number, or a name. count: of classes. names: of the classes, where they have any.
        model: its name. argument: what errors call it.

    Raises:
        ValueError: neither, or no class of the model.
    """
    if isinstance(entry, str):
        if names is None:
            raise ValueError(
                f"{argument}={entry!r} is a name, but {model} has no class names; give an index or class_names=, or, where "
                f"the model knows text, targets.similarity(model.text({entry!r}))"
            )
        if entry not in names:
            raise unknown(argument, entry, names)
        index = names.index(entry)
    else:
        try:
            index = whole(argument, entry)
        except ValueError:
            index = -1
    if not 0 <= index < count:
        raise ValueError(
            f"{argument}={entry!r} is not a class of {model}; give 0 to {count - 1}, a class name, or None"
        )
    return index


def class_indices(
    target: Any, rows: int, count: int, names: Sequence[str] | None, *, model: str, argument: str = "target"
) -> list[int]:
    """One class for each of so many images, from one for all or one each. Raises as `class_index`, and for another number of them."""
    entries = target.tolist() if hasattr(target, "tolist") else target
    entries = list(entries) if isinstance(entries, list | tuple) else [entries] * rows
    if len(entries) != rows:
        raise ValueError(f"{argument} has {len(entries)} classes for {rows} images; give one class, or one an image")
    return [class_index(entry, count, names, model, argument) for entry in entries]
