"""Forward hooks on all modules there are: those that change what a module answers cannot be part of its graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph.copying import Copier
from xaiwidgets.graph.hooks import GLOBAL
from xaiwidgets.graph.operation import GraphError
from xaiwidgets.graph.reach import Reach
from xaiwidgets.graph.trial import Trial

__all__ = ["Everywhere", "everywhere", "refuse_changed_answers"]

SMALL = 2**20  # entries of a tensor that is put back
Everywhere = tuple[dict[int, Any], ...]
"""The hooks of each kind in `GLOBAL`, by torch's numbers for them."""


def everywhere() -> Everywhere:
    """The hooks that are registered now."""
    return tuple(dict(getattr(nn.modules.module, name, {})) for name in GLOBAL)


def refuse_changed_answers(trial: Trial, hooks: Everywhere) -> None:
    """Raise `GraphError` where `hooks` change the answers; copies of them are tried, on a copy of the module.

    To be called where no such hooks are registered.
    """
    functions = [function for kind in hooks for function in kind.values()]
    if not functions or trial.failure is not None:
        return
    expected = _ask(trial, tuple({} for _ in hooks))
    reach, copier = Reach(*functions), Copier()
    tensors = [
        (value, value.detach().clone())
        for value in reach.tensors.values()
        if value.numel() <= SMALL and not value.is_meta
    ]
    try:
        found = _ask(trial, tuple({key: copier(function) for key, function in kind.items()} for kind in hooks))
    finally:
        reach.put_back(lambda owner: copier.twin(owner) is None)
        with torch.no_grad():
            for value, kept in tensors:
                if not torch.equal(value, kept):
                    value.copy_(kept)
    if not (isinstance(found, Tensor) and found.shape == expected.shape and torch.equal(found, expected)):
        names = ", ".join(getattr(function, "__qualname__", type(function).__name__) for function in functions)
        raise GraphError(
            f"{type(trial.module).__name__} answers otherwise with the hooks on all modules ({names}), which are no part of its graph: "
            "register them on the module's own parts, or remove them."
        )


def _ask(trial: Trial, hooks: Everywhere) -> Any:
    module = trial.fresh(hooks=True)
    spaces = [getattr(nn.modules.module, name) for name in GLOBAL]
    with torch.random.fork_rng([trial.x.device] if trial.x.is_cuda else []):
        torch.manual_seed(0)
        try:
            for space, kind in zip(spaces, hooks, strict=True):
                space.update(kind)
            return trial.ask(module, trial.x)
        finally:
            for space in spaces:
                space.clear()
