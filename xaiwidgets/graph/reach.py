"""What the forward pass of a module can read, so that a change of it is noticed, and what it writes can be put back.

A module computes with more than its weights: attributes (`stride`, `eps`, a flag), containers and objects that hang on it, hooks,
and, where a person wrote its code, the globals, closures and class attributes that this code names. `Reach` walks these once and
keeps what every place held.
"""

from __future__ import annotations

import functools
import random
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaiwidgets.graph.holders import PLAIN, Holder, Names, Slots, content
from xaiwidgets.graph.written import (
    global_names,
    is_from_library,
    is_own_file,
    is_written,
    names_in,
    slots_of,
)

__all__ = ["Place", "Reach"]

Place = tuple[int, Any]
"""One entry of a holder: the holder's id, and a key, an index or None for the whole."""

# Of a module's own dictionary: what says nothing of what it computes in evaluation mode.
SILENT = frozenset(
    [
        "training", "_backward_hooks", "_backward_pre_hooks", "_non_persistent_buffers_set", "_is_full_backward_hook",
        "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
    ]
)  # fmt: skip
MOST = 20_000  # places of one walk
LARGE = 2**22  # bytes of an array, above which it is data
LONG = 4096  # entries of a container whose entries are followed
# Objects of these packages have state of their own, which no forward pass reads.
APART = frozenset(
    ["torch", "numpy", "lightning", "pytorch_lightning", "logging", "threading", "tqdm", "PIL", "matplotlib"]
)
CALLS = (types.FunctionType, types.MethodType, functools.partial)
GENERATORS = (torch.Generator, np.random.RandomState, np.random.Generator, random.Random)


class Reach:
    """All that hangs on some roots (modules, functions), as holders of entries. Raises nothing.

    Attributes:
        holders: by id of the container, namespace or cell.
        tensors: all that was met, parameters and buffers included. arrays: with what they held.
        modules: with their classes. classes: of the modules, with their `forward`. caches: functions under `functools.lru_cache`.
        generators: of random numbers.
        volatile: places that a forward pass itself writes; they are not compared.
    """

    def __init__(self, *roots: Any, deep: int = 4) -> None:
        self.holders: dict[int, Holder] = {}
        self.tensors: dict[int, Tensor] = {}
        self.arrays: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.classes: dict[type, Any] = {}
        self.modules: list[tuple[nn.Module, type]] = []
        self.caches: dict[int, Any] = {}
        self.generators: list[Any] = []
        self.volatile: set[Place] = set()
        self._namespaces: set[int] = set()  # holders that are the attributes of an object
        self._seen: dict[int, Any] = {}
        self._waiting: deque[tuple[Any, int]] = deque((root, deep) for root in roots)
        while self._waiting and len(self._seen) < MOST:
            self._visit(*self._waiting.popleft())
        self._empty: list[Any] = []  # containers without entries, which are most
        self._filled: list[Holder] = []
        self._sort()

    def _sort(self) -> None:
        self._empty = [holder.owner for holder in self.holders.values() if _may_be_empty(holder)]
        self._filled = [holder for holder in self.holders.values() if not _may_be_empty(holder)]

    def same(self) -> bool:
        """Whether nothing changed, at a glance. False may be a mere look-alike: `changed` tells."""
        return (
            not any(self._empty)
            and all(holder.same() for holder in self._filled)
            and all(getattr(kind, "forward", None) is forward for kind, forward in self.classes.items())
            and all(type(module) is kind for module, kind in self.modules)
            and all(map(_same_bytes, self.arrays.values()))
        )

    def changed(self) -> set[Place]:
        """The places that hold something else than when this was made, but for volatile ones."""
        found: set[Place] = {
            (id(kind), "forward")
            for kind, forward in self.classes.items()
            if getattr(kind, "forward", None) is not forward
        }
        found.update((id(module), "class") for module, kind in self.modules if type(module) is not kind)
        for number, holder in self.holders.items():
            if not holder.same():
                found.update((number, key) for key in holder.changed())
        found.update((number, None) for number, pair in self.arrays.items() if not _same_bytes(pair))
        return {place for place in found if place not in self.volatile and (place[0], None) not in self.volatile}

    def keep(self) -> None:
        """Take everything as it is now for unchanged."""
        for holder in self.holders.values():
            holder.keep()
        self._sort()
        self.arrays = {number: (value, value.copy()) for number, (value, _) in self.arrays.items()}

    def mark(self, number: int, keys: set[Any]) -> None:
        """Take entries of a holder for written by the forward pass: those of a namespace by name, a container as a whole."""
        by_name = isinstance(self.holders[number].owner, Names) or number in self._namespaces
        self.volatile.update({(number, key) for key in keys} if by_name or not keys else {(number, None)})

    def put_back(self, shared: Callable[[Any], bool]) -> None:
        """Give what is `shared` with a copy what it held, and mark it."""
        for number, holder in self.holders.items():
            if shared(holder.owner) and not holder.same():
                self.mark(number, set(holder.changed()))
                holder.put_back()
        for number, (value, kept) in self.arrays.items():
            if shared(value) and not _same_bytes((value, kept)):
                self.volatile.add((number, None))
                value[...] = kept

    # -- the walk ------------------------------------------------------------------------------------------------------

    def _visit(self, value: Any, deep: int) -> None:
        if isinstance(value, PLAIN) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, nn.Module):
            self._module(value, deep)
        elif isinstance(value, Tensor):
            self.tensors[id(value)] = value
        elif isinstance(value, np.ndarray):
            if value.nbytes <= LARGE and not value.dtype.hasobject:
                self.arrays[id(value)] = value, value.copy()
        elif isinstance(value, dict | list | set | deque):
            self._hold(value, deep)
        elif isinstance(value, tuple | frozenset):
            self._follow(value, deep)
        elif isinstance(value, CALLS):
            self._call(value, deep)
        elif isinstance(value, GENERATORS):
            self.generators.append(value)
        elif isinstance(value, type):
            self._class(value, deep)
        elif hasattr(value, "cache_clear") and hasattr(value, "__wrapped__"):
            self.caches[id(value)] = value
            self._visit(value.__wrapped__, deep)
        elif not isinstance(value, types.ModuleType) and (hasattr(value, "__dict__") or slots_of(value)):
            self._object(value, deep)

    def _call(self, value: Any, deep: int) -> None:
        if isinstance(value, types.FunctionType):
            self._function(value, deep)
        elif isinstance(value, types.MethodType):
            self._follow((value.__func__, value.__self__), deep)
        else:
            self._hold(value.keywords, deep)
            self._follow((value.func, *value.args), deep)

    def _follow(self, values: Any, deep: int) -> None:
        self._waiting.extend((value, deep) for value in values)

    def _hold(self, owner: Any, deep: int, skipped: frozenset[Any] = frozenset()) -> None:
        self.holders[id(owner)] = Holder(owner, skipped)
        self._seen[id(owner)] = owner
        if len(self.holders[id(owner)].kept) <= LONG:
            self._follow(
                (
                    value
                    for key, value in zip(self.holders[id(owner)].keys, self.holders[id(owner)].kept, strict=True)
                    if key not in skipped
                ),
                deep,
            )

    def _module(self, value: nn.Module, deep: int) -> None:
        self._hold(vars(value), deep, SILENT)
        self._namespaces.add(id(vars(value)))
        kind = type(value)
        self.modules.append((value, kind))
        if kind not in self.classes:
            self.classes[kind] = getattr(kind, "forward", None)
            self._follow((base for base in kind.__mro__ if is_written(base)), deep)

    def _object(self, value: Any, deep: int) -> None:
        if deep > 0 and type(value).__module__.split(".")[0] not in APART:
            if hasattr(value, "__dict__"):
                self._hold(vars(value), deep - 1)
                self._namespaces.add(id(vars(value)))
            if slots_of(value):
                self._names(Names(Slots(value), slots_of(value), value), deep - 1)
            if is_written(type(value)):
                self._follow([type(value)], deep - 1)

    def _class(self, value: type, deep: int) -> None:
        """A class that the person wrote: its attributes, and what its methods name."""
        if not is_written(value):
            return
        names = tuple(name for name in vars(value) if not (name.startswith("__") and name != "__call__"))
        self._names(Names(vars(value), names, value), deep)

    def _function(self, value: types.FunctionType, deep: int) -> None:
        for cell in value.__closure__ or ():
            self._hold(cell, deep)
        self._follow(value.__defaults__ or (), deep)
        if value.__kwdefaults__:
            self._hold(value.__kwdefaults__, deep)
        if is_from_library(value.__code__.co_filename):
            return
        used = tuple(sorted(name for name in global_names(value.__code__) if name in value.__globals__))
        self._names(Names(value.__globals__, used), deep)
        files = [value.__globals__[name] for name in used]
        files += [entry for cell in value.__closure__ or () for entry in content(cell)]
        for file in files:
            if isinstance(file, types.ModuleType) and is_own_file(file):
                named = tuple(sorted({name for name in names_in(value.__code__) if name in vars(file)}))
                self._names(Names(vars(file), named), deep)

    def _names(self, names: Names, deep: int) -> None:
        self._seen[id(names)] = names
        self.holders[id(names)] = Holder(names)
        for value in self.holders[id(names)].kept:
            function = getattr(value, "__func__", getattr(value, "fget", value))  # static and class methods, properties
            self._waiting.append((function, deep))


def _same_bytes(pair: tuple[np.ndarray, np.ndarray]) -> bool:
    return pair[0].tobytes() == pair[1].tobytes()


def _may_be_empty(holder: Holder) -> bool:
    return not holder.kept and not isinstance(holder.owner, Names | types.CellType)
