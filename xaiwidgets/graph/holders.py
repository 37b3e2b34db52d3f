"""What can hold something that changes: a dictionary, a list, a cell, some names of a namespace."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

__all__ = ["PLAIN", "Holder", "Names", "Slots", "content"]

PLAIN = (type(None), bool, int, float, complex, str, bytes)


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
        return dict(enumerate(content(owner)))
    return dict(enumerate(owner))


def _values(owner: Any) -> Any:
    if isinstance(owner, dict):
        return owner.values()
    if isinstance(owner, Names):
        return map(owner.space.get, owner.names)
    return content(owner) if isinstance(owner, types.CellType) else owner


def content(cell: types.CellType) -> list[Any]:
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


class Slots:
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
