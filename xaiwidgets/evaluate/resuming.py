"""Curves that survive a kill: what is finished of them lies in a folder, and the next call goes on from there.

Parts are computed from the request alone, whoever does it and whenever, so what is read again is what would be computed again, to the
bit. Every tensor of a part has the images on its first axis: neighbouring parts merge by putting them one after the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.model import ImageModel
from xaiwidgets.model.fingerprint import described, text_hash
from xaiwidgets.storage import Folder, Reader, compact, gaps, lock, merge_shards, packed

__all__ = ["Kept", "NotKept", "Table", "kept", "method_text", "read_words", "words_table"]

FORMAT = 1
Table = dict[str, Tensor]
_IMAGES, _SECONDS = 64, 10.0
"""What a kill loses at most, whichever comes first."""


class NotKept:
    """Without a folder: nothing is there before, and nothing is kept."""

    def parts(self) -> Iterator[tuple[int, int, Table]]:
        return iter(())

    def left(self, jobs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        return list(jobs)

    def add(self, start: int, stop: int, table: Callable[[], Table]) -> None:
        pass


class Kept(NotKept):
    """The finished parts of a request in a folder that this process holds. Made by :func:`kept`."""

    def __init__(self, folder: Folder, length: int) -> None:
        self._folder, self._length = folder, length
        self._waiting: list[tuple[int, int, Table]] = []
        self._written = time.monotonic()

    def parts(self) -> Iterator[tuple[int, int, Table]]:
        """What was finished before: first image, last one (exclusive), tensors."""
        for shard in list(self._folder.shards):
            yield shard.start, shard.stop, _table(self._folder.read(shard))

    def left(self, jobs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of the jobs, ranges of images, that are not finished."""
        open_ = gaps(self._folder, self._length)
        return [job for job in jobs if any(start <= job[0] < stop for start, stop in open_)]

    def add(self, start: int, stop: int, table: Callable[[], Table]) -> None:
        """A part is finished; it is written with its neighbours, soon."""
        if self._waiting and self._waiting[-1][1] != start:
            self.flush()
        self._waiting.append((start, stop, table()))
        count = stop - self._waiting[0][0]
        if count >= _IMAGES or time.monotonic() - self._written > _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            tables = [table for _, _, table in self._waiting]
            data = packed({name: torch.cat([table[name] for table in tables]) for name in tables[0]})
            self._folder.add(self._waiting[0][0], self._waiting[-1][1], data)
            self._waiting.clear()
            compact(self._folder, _merged)
        self._written = time.monotonic()

    def finish(self) -> None:
        """One file of all."""
        self.flush()
        merge_shards(self._folder, self._folder.shards, _merged)


@contextlib.contextmanager
def kept(path: Any, kind: str, request: Callable[[], Mapping[str, Any]], length: int) -> Iterator[NotKept]:
    """Hold a folder while its curves are computed; what is finished is written when the work ends, however it ends.

    Args:
        path: of the folder; None for none.
        kind: of the curves, in one word: the name of the manifest.
        request: makes all that shapes the curves, as plain data. length: images in all.

    Raises:
        TypeError: no path. ValueError: the folder holds curves of another request. RuntimeError: somebody else is writing there.
        OSError: disk full or read-only folder; what was there is kept.
    """
    if path is None:
        yield NotKept()
        return
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"folder is {type(path).__name__}; give the path of a folder for unfinished curves, or None")
    asked = json.loads(json.dumps({"format": FORMAT, "dataset": {"length": length}, **request()}))
    with lock(path):
        folder = Folder(path, kind)
        if folder.request and folder.shards and (found := _difference(folder.request, asked)):
            raise ValueError(f"{path} holds {kind} of {found}; give another folder, or delete that one first")
        folder.begin(asked)
        work = Kept(folder, length)
        try:
            yield work
            work.finish()
        except BaseException:
            # Whatever ended it is what the caller should hear of.
            with contextlib.suppress(OSError):
                work.flush()
            raise


def _difference(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """In words, what keeps a request from going on with what was begun for another."""
    names = {"dataset": "other images", "weights": "another model or other weights", "device": "another kind of device"}
    differ = [key for key in asked if begun.get(key) != asked[key]]
    said = [names.get(key) or _said(key, begun.get(key), asked[key]) for key in differ]
    return ", ".join(said) or None


def _said(key: str, begun: Any, asked: Any) -> str:
    if isinstance(asked, dict) and isinstance(begun, dict):
        names = sorted(name for name in {*begun, *asked} if begun.get(name) != asked.get(name))
        return f"other {key} ({', '.join(names)})"
    short = all(isinstance(value, int | float | bool | None) or len(str(value)) < 40 for value in (begun, asked))
    return f"{key}={begun!r} (asked: {asked!r})" if short else f"another {key}"


def method_text(explainer: Any) -> str:
    """What a folder knows an explainer by: its kind and settings. Of a foreign object its plain attributes and modules only: what it
    computed last may be among the others."""
    kind = type(explainer)
    if not hasattr(explainer, "__qualname__") and not kind.__module__.startswith("xaiwidgets"):
        plain = (str, int, float, bool, torch.nn.Module)
        state: Any = {
            key: value for key, value in getattr(explainer, "__dict__", {}).items() if isinstance(value, plain)
        }
    elif hasattr(explainer, "__qualname__") or hasattr(explainer, "_call"):
        # A function, or one in our own clothes.
        return f"{getattr(explainer, '__name__', '')} {_code(getattr(explainer, '_call', explainer))}"
    else:
        state = explainer.__getstate__()
    return text_hash(f"{kind.__module__}.{kind.__qualname__} {described(state)}")


def _code(function: Any) -> str:
    """The instructions of a function and the constants in them: a changed body is another method."""
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    constants = [value for value in code.co_consts if isinstance(value, str | int | float | bool | None)]
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    plain = [value for value in held if isinstance(value, str | int | float | bool | ImageModel | torch.nn.Module)]
    return text_hash(f"{code.co_code.hex()} {constants!r} {code.co_names!r} {described(plain)}")


# -- tables -----------------------------------------------------------------------------------------------------------------


def words_table(entries: Sequence[Any]) -> Tensor:
    """Plain data of each image as bytes, a line each, so that tables of neighbours can be put together."""
    return torch.tensor(list("".join(json.dumps(entry) + "\n" for entry in entries).encode()), dtype=torch.uint8)


def read_words(table: Tensor) -> list[Any]:
    """What :func:`words_table` was given."""
    return [json.loads(line) for line in bytes(table.tolist()).decode().splitlines()]


def _table(read: Reader) -> Table:
    return {name: read(name, slice(None)) for name in read.names}


def _merged(parts: Sequence[Reader]) -> bytes:
    tables = [_table(part) for part in parts]
    return packed({name: torch.cat([table[name] for table in tables]) for name in tables[0]})
