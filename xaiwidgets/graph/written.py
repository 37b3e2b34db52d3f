"""What a person wrote and a library did not, and what a piece of code names."""

from __future__ import annotations

import dis
import functools
import site
import sys
import sysconfig
import types
from collections.abc import Iterator
from typing import Any

__all__ = ["global_names", "is_from_library", "is_own_file", "is_written", "names_in", "slots_of"]

GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
LIBRARIES = tuple(
    {
        *site.getsitepackages(),
        site.getusersitepackages(),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    }
)


def names_in(code: types.CodeType) -> Iterator[str]:
    """All names of a code and of those within it, attributes included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)


@functools.lru_cache(maxsize=4096)
def global_names(code: types.CodeType) -> frozenset[str]:
    """The names that a code looks up among its globals; `co_names` has those of attributes as well."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname in GLOBALS}
    nested = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(found).union(*map(global_names, nested))


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


def is_own_file(module: types.ModuleType) -> bool:
    """Whether a Python module is the person's, as opposed to a library's."""
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__.split(".")[0] not in sys.stdlib_module_names
    return not is_from_library(file)


def is_written(kind: type) -> bool:
    """Whether a person wrote the class, as opposed to a library they installed."""
    functions: Iterator[Any] = (
        function
        for value in vars(kind).values()
        if isinstance(function := getattr(value, "__func__", getattr(value, "fget", value)), types.FunctionType)
    )
    return any(not is_from_library(function.__code__.co_filename) for function in functions)


def is_from_library(file: str) -> bool:
    """Whether a file is of an installed library."""
    return file.startswith(LIBRARIES) or file.startswith("<frozen")
