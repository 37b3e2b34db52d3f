"""Modules that a person's code reaches by a global name or an attribute of a class: copies stand there while a copy runs."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from xaiwidgets.graph.copying import Copier
from xaiwidgets.graph.holders import Names
from xaiwidgets.graph.reach import Reach
from xaiwidgets.graph.written import is_written

__all__ = ["Outside", "Stand"]

DEEP = 3  # containers within containers that are looked into
LONG = 1000  # entries of a container, above which it is data


class Outside:
    """What the code of a module reaches by name, and that is or holds a module, where a copy of the module does not hold it."""

    def __init__(self, module: nn.Module, reach: Reach) -> None:
        self.named: list[tuple[Names, str, Any]] = []
        self.modules: dict[str, nn.Module] = {}
        own = {id(part) for part in module.modules()}
        taken = {name for name, _ in module.named_modules()}
        for holder in reach.holders.values():
            if not isinstance(holder.owner, Names):
                continue
            for name, value in zip(holder.keys, holder.kept, strict=True):
                found = list(_modules(value))
                if not found:
                    continue
                self.named.append((holder.owner, name, value))
                for part in found:
                    parts = {id(entry) for entry in part.modules()}
                    if id(part) in own or id(module) in parts:
                        continue
                    own |= parts
                    label = name.replace(".", "_")
                    while label in taken or hasattr(nn.Module, label):
                        label += "_"
                    taken.add(label)
                    self.modules[label] = part

    @property
    def training(self) -> list[str]:
        """Names of those in training mode."""
        return [name for name, part in self.modules.items() if any(entry.training for entry in part.modules())]


class Stand:
    """Copies of what stands outside, for one copy of a module, made by the `copier` that made that.

    Attributes:
        modules: the copies by name, in evaluation mode.
    """

    def __init__(self, outside: Outside, copier: Copier) -> None:
        self._twins = [(names, name, copier(value)) for names, name, value in outside.named]
        self.modules = {name: copier(part).eval() for name, part in outside.modules.items()}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """For the time of a run or a trace the copies go by the names."""
        kept = [(names, name, names.space.get(name)) for names, name, _ in self._twins]
        try:
            for names, name, twin in self._twins:
                names.put_back({name: twin})
            yield
        finally:
            for names, name, value in kept:
                names.put_back({name: value})


def _modules(value: Any, deep: int = DEEP) -> Iterator[nn.Module]:
    if isinstance(value, nn.Module):
        yield value
    elif deep:
        for entry in _entries(value):
            yield from _modules(entry, deep - 1)


def _entries(value: Any) -> list[Any]:
    if isinstance(value, dict | list | tuple | set | deque):
        entries = value.values() if isinstance(value, dict) else value
        return list(entries) if len(value) <= LONG else []
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    own = isinstance(value, types.SimpleNamespace) or (not isinstance(value, type) and is_written(type(value)))
    return list(vars(value).values()) if own and hasattr(value, "__dict__") else []


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
