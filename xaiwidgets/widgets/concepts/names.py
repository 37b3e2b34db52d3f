"""Names and notes that people give to concepts, kept in a JSON file that people can read."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from xaiwidgets.storage import write_atomically

FILE = "names.json"
_FORMAT = "xaiwidgets concept names 1"
_LONGEST_NAME, _LONGEST_NOTE = 200, 4000


class Label(NamedTuple):
    """What a person said of a concept."""

    name: str = ""
    note: str = ""


class ConceptNames(MutableMapping[tuple[str, int], str]):
    """(layer, concept) -> name, such as ``names["conv5", 42] = "stripes"``; notes by :meth:`note`.

    Every change is written at once, atomically, and into what is in the file by then: several people, or notebooks, may name
    concepts of one index.

    Args:
        path: the file; None keeps the names in memory only.
        changed: called after every change.

    Raises:
        ValueError: the file is there, but holds something else.
    """

    def __init__(self, path: str | Path | None = None, changed: Callable[[], None] = lambda: None) -> None:
        self.path = None if path is None else Path(path)
        self._changed = changed
        self._lock = threading.Lock()
        self._labels: dict[tuple[str, int], Label] = {}
        self._unsaved: dict[tuple[str, int], Label] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file again: somebody else may have written to it."""
        self._labels = _with(self._in_file(), self._unsaved)

    def label(self, layer: str, concept: int) -> Label:
        """Name and note of a concept; empty where nobody gave any."""
        return self._labels.get((layer, int(concept)), Label())

    def note(self, layer: str, concept: int, text: str | None = None) -> str:
        """The note on a concept, after setting it where ``text`` is given."""
        if text is not None:
            self.set(layer, concept, note=text)
        return self.label(layer, concept).note

    def set(self, layer: str, concept: int, *, name: str | None = None, note: str | None = None) -> None:
        """Give a name, a note or both; empty ones are taken away.

        Raises:
            OSError: the file cannot be written; the names are kept in memory.
        """
        key = (str(layer), int(concept))
        with self._lock:
            before = self._labels.get(key, Label())
            label = Label(
                _text("name", before.name if name is None else name, _LONGEST_NAME),
                _text("note", before.note if note is None else note, _LONGEST_NOTE),
            )
            self._unsaved[key] = label
            self._labels = _with(self._labels, self._unsaved)
            try:
                self._write()
            finally:
                self._changed()

    def search(self, text: str) -> list[tuple[str, int]]:
        """(layer, concept) of all concepts whose name or note contains a text, upper and lower case alike."""
        wanted = text.casefold()
        return [key for key, label in self._labels.items() if any(wanted in part.casefold() for part in label)]

    def plain(self) -> list[dict[str, Any]]:
        """All of them as the browser is told."""
        return [
            {"layer": layer, "concept": concept, **label._asdict()}
            for (layer, concept), label in sorted(self._labels.items())
        ]

    def __getitem__(self, key: tuple[str, int]) -> str:
        layer, concept = key
        name = self.label(layer, concept).name
        if not name:
            raise KeyError(key)
        return name

    def __setitem__(self, key: tuple[str, int], name: str) -> None:
        layer, concept = key
        self.set(layer, concept, name=name)

    def __delitem__(self, key: tuple[str, int]) -> None:
        _ = self[key]
        layer, concept = key
        self.set(layer, concept, name="")

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter([key for key, label in sorted(self._labels.items()) if label.name])

    def __len__(self) -> int:
        return sum(1 for label in self._labels.values() if label.name)

    def __repr__(self) -> str:
        where = "in memory only" if self.path is None else repr(str(self.path))
        return f"ConceptNames({dict(self)!r}, {where})"

    def _in_file(self) -> dict[tuple[str, int], Label]:
        return _read(self.path) if self.path is not None and self.path.is_file() else {}

    def _write(self) -> None:
        if self.path is None:
            return
        # What is in the file by now counts, but for what was changed here.
        self._labels = _with(self._in_file(), self._unsaved)
        layers: dict[str, dict[str, Any]] = {}
        for (layer, concept), label in sorted(self._labels.items()):
            layers.setdefault(layer, {})[str(concept)] = {k: v for k, v in label._asdict().items() if v}
        text = json.dumps({"format": _FORMAT, "names": layers}, ensure_ascii=False, indent=2)
        write_atomically(self.path, (text + "\n").encode())
        self._unsaved.clear()


def _with(labels: dict[tuple[str, int], Label], change: dict[tuple[str, int], Label]) -> dict[tuple[str, int], Label]:
    return {key: label for key, label in (labels | change).items() if any(label)}


def _text(argument: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{argument} is {type(value).__name__}; give text")
    if len(value) > longest:
        raise ValueError(f"{argument} has {len(value)} characters; give at most {longest}")
    # A lone surrogate, half an emoji, cannot be written as UTF-8.
    return value.encode("utf-8", "replace").decode("utf-8").strip()


def _read(path: Path) -> dict[tuple[str, int], Label]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        return {
            (layer, int(concept)): Label(str(entry.get("name", "")), str(entry.get("note", "")))
            for layer, entries in content["names"].items()
            for concept, entry in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} does not hold names of concepts ({error}); mend it, or move it away to begin with none"
        ) from error
