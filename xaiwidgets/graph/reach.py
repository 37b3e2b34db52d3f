"""What the forward pass of a module can read, so that a change of it is noticed, and what it writes can be put back.

A module computes with more than its weights: attributes (`stride`, `eps`, a flag), containers and objects that hang on it, hooks,
and, where a person wrote its code, the globals, closures and class attributes that this code names. `Reach` walks these once and
keeps what every place held.
"""

from __future__ import annotations

import dis
import functools
import random
import site
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Names", "Place", "Reach", "is_written"]

Place = tuple[int, Any]
"""One entry of a holder: the holder's id, and a key, an index or None for the whole."""

PLAIN = (type(None), bool, int, float, complex, str, bytes)
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
GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
LIBRARIES = tuple(
    {
        *site.getsitepackages(),
        site.getusersitepackages(),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    }
)


class Holder:
    """Something with entries that can change: how to list them, and how to put them back."""

    __slots__ = ("ids", "kept", "keys", "owner", "skipped")

    def __init__(self, owner: Any, skipped: frozenset[Any] = frozenset()) -> None:
        self.owner, self.skipped = owner, skipped
        self.keep()

    def keep(self) -> None:
        entries = _entries(self.owner)
        self.keys, self.kept = tuple(entries), tuple(entries.values())
        self.ids = tuple(map(id, self.kept))

    def same(self) -> bool:
        """Whether every entry is still the very object it was."""
        return tuple(map(id, _values(self.owner))) == self.ids

    def changed(self) -> Iterator[Any]:
        """Keys of the entries that are others now."""
        now, before = _entries(self.owner), dict(zip(self.keys, self.kept, strict=True))
        for key in {**before, **now}:
            if key not in self.skipped and not (key in now and key in before and _alike(now[key], before[key])):
                yield key

    def put_back(self) -> None:
        _fill(self.owner, dict(zip(self.keys, self.kept, strict=True)))


def _entries(owner: Any) -> dict[Any, Any]:
    if isinstance(owner, dict):
        return dict(owner)
    if isinstance(owner, Names):
        return {name: owner.space.get(name) for name in owner.names}
    if isinstance(owner, types.CellType):
        return dict(enumerate(_content(owner)))
    return dict(enumerate(owner))


def _values(owner: Any) -> Any:
    if isinstance(owner, dict):
        return owner.values()
    if isinstance(owner, Names):
        return map(owner.space.get, owner.names)
    return _content(owner) if isinstance(owner, types.CellType) else owner


def _content(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def _fill(owner: Any, entries: dict[Any, Any]) -> None:
    if isinstance(owner, Names):
        owner.put_back(entries)
    elif isinstance(owner, types.CellType):
        if entries:
            owner.cell_contents = entries[0]
    elif isinstance(owner, dict | set):
        owner.clear()
        owner.update(entries if isinstance(owner, dict) else entries.values())
    else:
        owner.clear()
        owner.extend(entries.values())


class Names:
    """Some names of a namespace: those of a function's globals that it uses, a class's own attributes, an object's slots."""

    def __init__(self, space: Any, names: tuple[str, ...], owner: Any = None) -> None:
        self.space, self.names, self.owner = space, names, owner

    def put_back(self, entries: dict[str, Any]) -> None:
        for name, value in entries.items():
            if self.space.get(name) is value:
                continue
            if self.owner is not None:
                setattr(self.owner, name, value)
            else:
                self.space[name] = value


class _Slots:
    """The namespace of an object that keeps its attributes in `__slots__`."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def get(self, name: str) -> Any:
        return getattr(self.owner, name, None)


def _alike(now: Any, before: Any) -> bool:
    return now is before or (type(now) is type(before) and isinstance(now, (*PLAIN, tuple)) and _equal(now, before))


def _equal(now: Any, before: Any) -> bool:
    if isinstance(now, tuple):
        return len(now) == len(before) and all(map(_alike, now, before))
    return bool(now == before) or repr(now) == repr(before)  # NaN stays NaN


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
                self._names(Names(_Slots(value), slots_of(value), value), deep - 1)
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
        if _is_from_library(value.__code__.co_filename):
            return
        used = tuple(sorted(name for name in _global_names(value.__code__) if name in value.__globals__))
        self._names(Names(value.__globals__, used), deep)
        files = [value.__globals__[name] for name in used]
        files += [entry for cell in value.__closure__ or () for entry in _content(cell)]
        for file in files:
            if isinstance(file, types.ModuleType) and _is_own_file(file):
                named = tuple(sorted({name for name in _names_in(value.__code__) if name in vars(file)}))
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


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


@functools.lru_cache(maxsize=4096)
def _global_names(code: types.CodeType) -> frozenset[str]:
    """The names that a code looks up among its globals; `co_names` has those of attributes as well."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname in GLOBALS}
    nested = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(found).union(*map(_global_names, nested))


def slots_of(value: Any) -> tuple[str, ...]:
    """The names of an object's `__slots__` that hold something."""
    found: list[str] = []
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            own = name if not name.startswith("__") or name.endswith("__") else f"_{kind.__name__.lstrip('_')}{name}"
            if own not in ("__dict__", "__weakref__") and hasattr(value, own):
                found.append(own)
    return tuple(found)


def _is_own_file(module: types.ModuleType) -> bool:
    """Whether a Python module is the person's, as opposed to a library's."""
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__.split(".")[0] not in sys.stdlib_module_names
    return not _is_from_library(file)


def is_written(kind: type) -> bool:
    """Whether a person wrote the class, as opposed to a library they installed."""
    functions: Iterator[Any] = (
        function
        for value in vars(kind).values()
        if isinstance(function := getattr(value, "__func__", getattr(value, "fget", value)), types.FunctionType)
    )
    return any(not _is_from_library(function.__code__.co_filename) for function in functions)


def _is_from_library(file: str) -> bool:
    return file.startswith(LIBRARIES) or file.startswith("<frozen")
