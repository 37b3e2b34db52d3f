"""Names and notes of concepts: kept in a file, by several writers, whatever they contain and whatever happens."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from xaiwidgets.widgets.concepts import names as concepts_names
from xaiwidgets.widgets.concepts.names import ConceptNames

ODD = ["<script>alert(1)</script>", "🦓 stripes", "a\u0000b", 'quotes " and \\', "\ud83e", "علامة"]


def test_a_mapping_that_is_written_at_once(tmp_path: Path) -> None:
    told: list[int] = []
    names = ConceptNames(tmp_path / "names.json", lambda: told.append(1))
    names["conv5", 42] = "stripes"
    names.set("conv5", 42, note="on zebras\nand crossings")
    names["conv5", 7] = "wheel"
    assert dict(names) == {("conv5", 7): "wheel", ("conv5", 42): "stripes"}
    assert names.note("conv5", 42) == "on zebras\nand crossings"
    assert len(told) == 3
    again = ConceptNames(tmp_path / "names.json")
    assert again.plain() == names.plain()
    del names["conv5", 7]
    assert len(names) == 1
    with pytest.raises(KeyError):
        _ = names["conv5", 7]
    with pytest.raises(KeyError):
        del names["conv5", 7]
    content = json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))
    assert content["names"] == {"conv5": {"42": {"name": "stripes", "note": "on zebras\nand crossings"}}}


def test_a_note_alone_is_kept_too(tmp_path: Path) -> None:
    names = ConceptNames(tmp_path / "names.json")
    names.note("conv5", 1, "what is this?")
    assert len(names) == 0
    assert ConceptNames(tmp_path / "names.json").note("conv5", 1) == "what is this?"
    names.note("conv5", 1, "")
    assert names.plain() == []


@pytest.mark.parametrize("text", ODD)
def test_any_text_comes_back(tmp_path: Path, text: str) -> None:
    names = ConceptNames(tmp_path / "names.json")
    names["conv5", 3] = text
    kept = ConceptNames(tmp_path / "names.json")["conv5", 3]
    assert kept == names["conv5", 3]
    assert kept == text.encode("utf-8", "replace").decode("utf-8")


def test_search_in_names_and_notes_of_all_layers() -> None:
    names = ConceptNames()
    names["conv5", 3] = "Zebra stripes"
    names.note("conv2", 8, "like a zebra")
    names["conv1", 1] = "edge"
    assert sorted(names.search("ZEBRA")) == [("conv2", 8), ("conv5", 3)]
    assert names.search("nothing") == []


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    first, second = ConceptNames(path), ConceptNames(path)
    first["conv5", 1] = "one"
    second["conv5", 2] = "two"
    first["conv5", 3] = "three"
    assert set(ConceptNames(path).values()) == {"one", "two", "three"}
    second.set("conv5", 1, name="")
    first.reload()
    assert ("conv5", 1) not in first, "what another took away is gone"
    threads = [threading.Thread(target=lambda n=n: first.set("conv4", n, name=str(n))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([key for key in ConceptNames(path) if key[0] == "conv4"]) == 20


def test_a_file_that_cannot_be_written_keeps_names_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ConceptNames(tmp_path / "names.json")
    names["conv5", 1] = "before"
    written = vars(concepts_names)["write_atomically"]

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, f"{path} could not be written: No space left on device")

    monkeypatch.setattr(concepts_names, "write_atomically", full)
    with pytest.raises(OSError, match="could not be written"):
        names["conv5", 2] = "kept"
    assert names["conv5", 2] == "kept"
    assert dict(ConceptNames(tmp_path / "names.json")) == {("conv5", 1): "before"}
    monkeypatch.setattr(concepts_names, "write_atomically", written)
    names["conv5", 3] = "later"
    assert set(ConceptNames(tmp_path / "names.json").values()) == {"before", "kept", "later"}


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    names = ConceptNames(tmp_path / "file" / "names.json")
    with pytest.raises(OSError, match="what was there is kept"):
        names["conv5", 1] = "one"
    assert names["conv5", 1] == "one"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "something else"}', '{"names": {}}'])
def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path, content: str) -> None:
    path = tmp_path / "names.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="does not hold names of concepts"):
        ConceptNames(path)
    assert path.read_text() == content


def test_what_is_no_name() -> None:
    names = ConceptNames()
    with pytest.raises(TypeError, match="name is int; give text"):
        names["conv5", 1] = 5  # type: ignore[assignment]
    with pytest.raises(ValueError, match="name has 201 characters"):
        names["conv5", 1] = "x" * 201
    assert len(names) == 0
