"""Forward hooks on a copy of a module: which of them take part in what it computes, and which only look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["GLOBAL", "HookWatch", "without_global_hooks"]

FORWARD = ("_forward_pre_hooks", "_forward_hooks")
GLOBAL = ("_global_forward_pre_hooks", "_global_forward_hooks")
Hook = tuple[str, str, int]
"""A hook by the name of its module, its kind, and torch's number for it."""


Parts = Iterable[tuple[str, nn.Module]]
"""Modules by name, as `named_modules` gives them."""


def _hooks(parts: Parts) -> list[tuple[Hook, dict[int, Any]]]:
    return [
        ((name, kind, key), vars(part)[kind])
        for name, part in parts
        for kind in FORWARD
        for key in vars(part).get(kind) or {}
    ]


class HookWatch:
    """Wraps the forward hooks of modules, which must be copies, to find those that change something while they run.

    A hook takes part when it returns something of its own, writes into what it is given, or gives its module other attributes or
    weights (as weight norm does).
    """

    def __init__(self, parts: Parts) -> None:
        self.count = 0
        self.taking_part: set[Hook] = set()
        for hook, hooks in _hooks(parts):
            hooks[hook[2]] = self._watched(hooks[hook[2]], hook)
            self.count += 1

    def looking_on(self, parts: Parts) -> list[tuple[int, int]]:
        """The hooks of the modules themselves that take no part: each by the id of what holds it, and its key there."""
        return [(id(hooks), hook[2]) for hook, hooks in _hooks(parts) if hook not in self.taking_part]

    def keep_only_these(self, parts: Parts) -> None:
        """Take all hooks but those that take part from another copy."""
        for hook, hooks in _hooks(parts):
            if hook not in self.taking_part:
                del hooks[hook[2]]

    def _watched(self, function: Callable[..., Any], hook: Hook) -> Callable[..., Any]:
        def run(module: nn.Module, *given: Any, **named: Any) -> Any:
            before, state = [(leaf, _copy(leaf)) for leaf in _leaves((given, named))], _state(module)
            result = function(module, *given, **named)
            after = list(_leaves((given, named)))
            own = result is not None and not _hands_back(result, given)
            same = len(after) == len(before) and all(
                now is leaf and _unchanged(leaf, was) for now, (leaf, was) in zip(after, before, strict=True)
            )
            if own or not same or _state(module) != state:
                self.taking_part.add(hook)
            return result

        return run


def _hands_back(result: Any, given: Any) -> bool:
    """Whether a hook returned just what it was given."""
    returned, came = list(_leaves(result)), [list(_leaves(entry)) for entry in (*given, given)]
    return any(len(returned) == len(leaves) and all(map(_is, returned, leaves)) for leaves in came)


def _is(first: Any, second: Any) -> bool:
    return first is second


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple | list):
        for entry in tree:
            yield from _leaves(entry)
    elif isinstance(tree, dict):
        yield from _leaves(list(tree.values()))
    else:
        yield tree


def _copy(leaf: Any) -> Any:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf


def _unchanged(leaf: Any, was: Any) -> bool:
    if not isinstance(leaf, Tensor):
        return True
    return leaf.shape == was.shape and torch.allclose(leaf, was, rtol=0, atol=0, equal_nan=True)


def _state(module: nn.Module) -> list[int]:
    own = vars(module)
    return [
        id(value) for space in (own, own["_parameters"], own["_buffers"], own["_modules"]) for value in space.values()
    ]


@contextmanager
def without_global_hooks() -> Iterator[None]:
    """Hooks on all modules there are do not see ours."""
    spaces = [getattr(torch.nn.modules.module, name, {}) for name in GLOBAL]
    kept = [dict(space) for space in spaces]
    try:
        for space in spaces:
            space.clear()
        yield
    finally:
        for space, hooks in zip(spaces, kept, strict=True):
            space.update(hooks)
