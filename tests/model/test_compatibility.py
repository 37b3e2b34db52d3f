"""A few rows of the book's compatibility page are what they say; the whole is `python -m tests.benchmarks compatibility`."""

from __future__ import annotations

import re

import pytest

from tests.benchmarks.compatibility import METHODS, PAGE, WORKS, mark, page, row
from tests.model.zoo import MODELS

pytest.importorskip("transformers")
ROWS = ("ViT", "DINOv2 with registers", "ConvNeXt V2", "CLIP vision", "SegFormer", "YOLOS", "smp Unet")


def written() -> dict[str, list[str]]:
    """The page's table: a mark a method, by model."""
    lines = [
        line.strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    return {cells[0].strip(): [cell.strip() for cell in cells[3:]] for cells in lines[2:]}


def test_the_page_has_every_model_and_method() -> None:
    found = written()
    assert set(found) == set(MODELS)
    assert len(found) >= 30
    head = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| model"))
    assert all(f" {method} " in head for method in METHODS)
    assert all(re.fullmatch(r"✓|– \[\d+\]", cell) for cells in found.values() for cell in cells)
    # What is refused is said once each, with its line.
    notes = re.findall(r"^(\d+)\. (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    used = {cell[3:-1] for cells in found.values() for cell in cells if cell != "✓"}
    assert {number for number, _ in notes} == used


def test_a_refusal_is_a_note() -> None:
    rows = {"ViT": dict.fromkeys(METHODS, WORKS), "DETR": dict.fromkeys(METHODS, WORKS)}
    rows["DETR"]["CRP"] = "ValueError: no layers"
    text = page(rows)
    assert "1 of 2 models take everything" in text
    assert "| DETR | `DetrForObjectDetection` | detector | ✓ | ✓ | ✓ | ✓ | – [1] | ✓ | ✓ |" in text
    assert "1. ValueError: no layers" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_rows_hold(name: str) -> None:
    notes: dict[str, int] = {}
    found = row(name)
    assert [mark(found[method], notes) == "✓" for method in METHODS] == [cell == "✓" for cell in written()[name]], found
