"""A copy of a module to trace and to run, so that nothing of the person's sees either: parts of its own, weights shared."""

from __future__ import annotations

import functools
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from copy import copy
from enum import Enum
from typing import Any

import numpy as np
import torch
import torch.fx
from torch import Tensor, nn

from xaiwidgets.graph.operation import GraphError
from xaiwidgets.graph.written import slots_of

__all__ = ["Copier", "has_one_mode", "unwrapped"]

ATOMS = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type,
    types.ModuleType,
    types.BuiltinFunctionType,
    Enum,
    range,
)
# What torch keeps of its own is not the module's, and stays as it is.
FOREIGN = ("torch", "logging", "threading", "re", "weakref", "abc")
MANY = 10_000  # entries of a list or dict, above which it is data that hangs on the module, and is shared


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside `torch.compile`, `DataParallel` and `DistributedDataParallel`.

    Raises `GraphError` for a module that torch.jit made: its Python code, which is what can be traced, is gone.
    """
    while True:
        inner = _inner(module)
        if inner is None:
            return module
        module = inner


def has_one_mode(module: nn.Module) -> bool:
    """Whether this is a program that torch.export made: its `eval` and `train` are its own, and refuse."""
    return isinstance(module, torch.fx.GraphModule) and "eval" in vars(module)


def _inner(module: nn.Module) -> nn.Module | None:
    if isinstance(module, torch.jit.ScriptModule):
        name = getattr(module, "original_name", type(module).__name__)
        raise GraphError(
            f"{name} is a {type(module).__name__} that torch.jit made: its Python code is gone, so it cannot become a graph. "
            "Give the torch.nn.Module it was made from."
        )
    name = type(module).__name__
    if name == "OptimizedModule":
        return getattr(module, "_orig_mod", None)
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return module.module
    return None


class Copier:
    """Copies modules with all that hangs on them: parts, containers, functions that close over them, objects of any class.

    Parameters are shared, all other tensors are the copy's own, so that what a forward pass writes stays with the copy.
    Compiled and data-parallel parts are copied as what they wrap. `twin` gives the copy of anything that was copied. With `dtype`
    every floating-point tensor, parameters too, is a copy of that type.
    """

    def __init__(self, dtype: torch.dtype | None = None) -> None:
        self._dtype = dtype
        self._known: dict[int, Any] = {}
        self._alive: list[Any] = []  # an id stands for its object only while that lives

    def twin(self, value: Any) -> Any:
        """The copy of `value`; None where it was not met, or is shared."""
        found = self._known.get(id(value))
        return None if found is value else found

    def __call__(self, value: Any) -> Any:
        if isinstance(value, ATOMS):
            return value
        if id(value) in self._known:
            return self._known[id(value)]
        self._alive.append(value)
        for kind, way in self._ways():
            if isinstance(value, kind):
                return way(value)
        return self._object(value)

    def _ways(self) -> tuple[tuple[Any, Callable[[Any], Any]], ...]:
        return (
            (nn.Module, self._module),
            (Tensor, self._tensor),
            (np.ndarray, lambda value: self._keep(value, value.copy())),
            (dict, lambda value: self._keep(value, value) if len(value) > MANY else self._mapping(value)),
            (list | deque, lambda value: self._keep(value, value) if len(value) > MANY else self._sequence(value)),
            (tuple, self._tuple),
            (set, lambda value: self._keep(value, value.copy())),
            (types.FunctionType, self._function),
            (types.MethodType, lambda value: self._keep(value, types.MethodType(value.__func__, self(value.__self__)))),
            (functools.partial, self._partial),
            (weakref.ref, self._reference),
            (torch.Generator, lambda value: self._keep(value, value.clone_state())),
        )

    def _keep(self, value: Any, twin: Any) -> Any:
        self._known[id(value)] = twin
        return twin

    def _module(self, value: nn.Module) -> nn.Module:
        inner = _inner(value)
        if inner is not None:
            twin = self._keep(value, self(inner))
            twin.__dict__.setdefault("module", twin)  # where code reaches through the wrapper
            return twin
        # Not by the class: that of torch.fx makes another class, without `forward`.
        twin = self._keep(value, object.__new__(value.__class__))
        self._keep(vars(value), twin.__dict__)
        for name, entry in vars(value).items():
            # What `module.compile()` left calls the module it was made from.
            twin.__dict__[name] = None if name == "_compiled_call_impl" else self(entry)
        return twin

    def _tensor(self, value: Tensor) -> Tensor:
        if self._dtype is not None and type(value) in (Tensor, nn.Parameter) and value.is_floating_point():
            own = value.detach().to(self._dtype, copy=True)
            return self._keep(value, nn.Parameter(own, requires_grad=False) if isinstance(value, nn.Parameter) else own)
        if type(value) is Tensor:
            return self._keep(value, value.detach().clone())
        if type(value) is nn.Parameter and value.is_inference():  # weights made in inference mode serve no export
            return self._keep(value, nn.Parameter(value.detach().clone(), value.requires_grad))
        return self._keep(value, value)

    def _mapping(self, value: Any) -> Any:
        if type(value) is dict or type(value) is OrderedDict:
            twin = self._keep(value, type(value)())
        elif type(value) is defaultdict:
            twin = self._keep(value, defaultdict(value.default_factory))
        else:
            twin = self._keep(value, _shallow(value))
            if twin is value:
                return value
        entries = [(self(key), self(entry)) for key, entry in value.items()]
        for key, entry in entries:
            twin[key] = entry
        if hasattr(value, "__dict__"):
            vars(twin).update({name: self(entry) for name, entry in vars(value).items()})
        return twin

    def _sequence(self, value: Any) -> Any:
        twin = self._keep(value, _shallow(value))
        if twin is not value:
            for number, entry in enumerate(value):
                twin[number] = self(entry)
        return twin

    def _tuple(self, value: Any) -> Any:
        entries = [self(entry) for entry in value]
        if all(entry is old for entry, old in zip(entries, value, strict=True)):
            return self._keep(value, value)
        if type(value) is tuple:
            return self._keep(value, tuple(entries))
        made = getattr(type(value), "_make", None)
        return self._keep(value, made(entries) if made is not None else value)

    def _function(self, value: types.FunctionType) -> Any:
        cells = value.__closure__ or ()
        try:
            inside = [cell.cell_contents for cell in cells]
        except ValueError:  # a cell that nothing has been put into yet
            return self._keep(value, value)
        self._keep(value, value)  # a function may close over itself
        twins = [self(entry) for entry in inside]
        defaults, named = self(value.__defaults__), self(value.__kwdefaults__)
        same = all(entry is named[name] for name, entry in (value.__kwdefaults__ or {}).items())
        if (
            same
            and defaults is value.__defaults__
            and all(twin is entry for twin, entry in zip(twins, inside, strict=True))
        ):
            return value
        own_cells = tuple(self._keep(cell, types.CellType(twin)) for cell, twin in zip(cells, twins, strict=True))
        own = types.FunctionType(value.__code__, value.__globals__, value.__name__, defaults, own_cells)
        own.__kwdefaults__, own.__qualname__ = named, value.__qualname__
        own.__dict__.update(value.__dict__)
        return self._keep(value, own)

    def _partial(self, value: Any) -> Any:
        arguments = [self(entry) for entry in value.args]
        named = {name: self(entry) for name, entry in value.keywords.items()}
        return self._keep(value, functools.partial(self(value.func), *arguments, **named))

    def _reference(self, value: Any) -> Any:
        target = value()
        return self._keep(
            value, value if target is None or type(value) is not weakref.ref else weakref.ref(self(target))
        )

    def _object(self, value: Any) -> Any:
        """An object of any other class: its attributes copied; itself where it cannot be copied or is the libraries'."""
        if type(value).__module__.split(".")[0] in FOREIGN or not (hasattr(value, "__dict__") or slots_of(value)):
            return self._keep(value, value)
        twin = self._keep(value, _shallow(value))
        if twin is not value and hasattr(twin, "__dict__"):
            self._keep(vars(value), twin.__dict__)
            for name, entry in vars(value).items():
                twin.__dict__[name] = self(entry)
        for name in slots_of(twin) if twin is not value else ():
            entry = getattr(value, name)
            if (own := self(entry)) is not entry:
                object.__setattr__(twin, name, own)  # frozen dataclasses have slots too
        return twin


def _shallow(value: Any) -> Any:
    try:
        return copy(value)
    except Exception:  # locks, files, connections: whatever they say, they are shared
        return value
