"""The table of hosts says what the tests show, and nothing else."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.browser.servers import ROOT

from .capabilities import CAPABILITIES, Capabilities

TABLE = (ROOT / "notebooks" / "hosts.md").read_text(encoding="utf-8")
_REFERENCE = re.compile(r"`(test_\w+)\.py::(\w+)`")


def rows() -> list[list[str]]:
    """The cells of each host's row: its name, a word for each capability, the test."""
    lines = TABLE.split("| host |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_columns_are_the_capabilities() -> None:
    (head,) = re.findall(r"^\| host \|(.*)\| test \|$", TABLE, re.MULTILINE)
    assert [name.strip().replace(" ", "_") for name in head.split("|")] == list(CAPABILITIES)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
@pytest.mark.filterwarnings("default")
def test_a_cell_is_what_its_test_shows(row: list[str]) -> None:
    host, *words, reference = row
    assert len(words) == len(CAPABILITIES)
    if not reference:
        assert set(words) == {"not tried"}, f"{host}: no test, and yet it says more"
        return
    found = _REFERENCE.fullmatch(reference)
    assert found, reference
    source = (ROOT / "tests" / "browser" / "hosts" / f"{found[1]}.py").read_text(encoding="utf-8")
    missing = [name for name in re.findall(r'importorskip\("(\w+)"', source) if not _installed(name)]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    kind = getattr(import_module(f"tests.browser.hosts.{found[1]}"), found[2])
    assert issubclass(kind, Capabilities)
    for capability, word in zip(CAPABILITIES, words, strict=True):
        assert word in {"yes", "no", "not tried"}, f"{host}: {word}"
        assert (word == "yes") == (capability not in kind.cannot), f"{host}, {capability}"
        # What is said to work is the shared test, not a lesser one of the host's own.
        assert getattr(kind, f"test_{capability}") is getattr(Capabilities, f"test_{capability}")


def test_every_host_that_is_tested_is_in_the_table() -> None:
    tested = set()
    for path in (ROOT / "tests" / "browser" / "hosts").glob("test_*.py"):
        classes = re.findall(r"^class (\w+)\(Capabilities\)", path.read_text(encoding="utf-8"), re.MULTILINE)
        tested |= {f"`{path.name}::{name}`" for name in classes}
    assert tested == {row[-1] for row in rows() if row[-1]}


def _installed(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
