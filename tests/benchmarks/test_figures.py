"""Every figure of speed, memory or quality that the README and the comparison state comes from a benchmark that is there.

A sentence with a figure, or what stands above a table of them, ends in the benchmark's name where no reader sees it:
``takes 1.04 times as long.<!-- from: relax -->``. The README's table says what each benchmark prints.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import known, main
from tests.benchmarks.relax import replacing

ROOT = Path(__file__).parents[2]
README, COMPARISON = ROOT / "README.md", ROOT / "notebooks" / "comparison.md"
SOURCE = re.compile(r"<!-- from: (?P<names>[\w, ]+) -->")
SILENT = re.compile(
    r"^```.*?^```|`[^`\n]+`|\]\([^)]*\)|<!--.*?-->"
    # Versions, papers and sizes are looked up, not measured.
    r"|\b(?:arXiv|Python|ipykernel|captum|pytorch-grad-cam|zennit|zennit-crp|LXT|quantus|autoLRP|measured:)\s\d[\d.]*"
    r"|\b\d[\d.]*,?\s(?:and|or)\s(?:newer|later)|\b\d+×\d+\b",
    re.DOTALL | re.MULTILINE,
)
FIGURE = re.compile(
    r"(?<![\w./-])(?:\d[\d.]*|\.\d+)\s?(?:×|times\b|%|ms\b|s\b|[MG]i?B\b|images/s)|(?<![\w./-])\d*\.\d+(?![\w.])"
)


def units(text: str) -> list[str]:
    """The sentences of a text, each with its mark; a table goes with what stands above it, where that ends in a colon."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
        plain = SOURCE.sub("", found[-1]).rstrip() if found else ""
        if block.lstrip().startswith("|") and plain.endswith(":"):
            found[-1] += "\n" + block
        else:
            found += [
                part
                for part in re.split(r"(?<=[.!?])\s+(?=[A-Z*`])|(?<=-->)\s+|^- ", block, flags=re.MULTILINE)
                if part
            ]
    return found


def sources(text: str) -> set[str]:
    """The benchmarks that a text names in its marks."""
    return {name.strip() for found in SOURCE.finditer(text) for name in found["names"].split(",")}


def unsourced(text: str) -> list[str]:
    """The sentences that state a figure and name no benchmark."""
    return [unit for unit in units(text) if FIGURE.search(SILENT.sub(" ", unit)) and not SOURCE.search(unit)]


def rows() -> set[str]:
    """The benchmarks that the README's table names."""
    table = README.read_text(encoding="utf-8").split("| `python -m tests.benchmarks …` |")[1].split("\n\n")[0]
    return {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("page", [README, COMPARISON], ids=lambda page: page.name)
def test_no_figure_without_its_command(page: Path) -> None:
    assert unsourced(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", [README, COMPARISON], ids=lambda page: page.name)
def test_a_figures_command_is_in_the_readmes_table(page: Path) -> None:
    named = sources(page.read_text(encoding="utf-8"))
    assert named
    assert named <= rows()


def test_the_readmes_table_names_benchmarks_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(rows()) >= 10
    assert rows() <= set(known())
    assert main(["none_such"]) == 2
    assert "no benchmark 'none_such'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It takes 1.04 times as long.", 1),
        ("It takes 1.04 times as long.<!-- from: relax -->", 0),
        ("It is 21× faster.<!-- from: relax --> And 3 times as fast here.", 1),
        ("Equal:<!-- from: lrp -->\n\n| a | 0.9 |\n|---|---|\n| b | 1.1 |\n\nAll of it takes 74 ms.", 1),
        ("Numbers of no origin:\n\n| a | 0.9 |\n|---|---|", 1),
        (
            "Python 3.11 or newer, 2.6 and later, `x = 0.5`, arXiv 2112.10161, 224×224, [here](https://a.example/1.5).",
            0,
        ),
        ("- one: 82 %\n- other: .96<!-- from: truth -->", 1),
        ("some 5 GB", 1),
    ],
)
def test_figures_without_a_command_are_found(text: str, found: int) -> None:
    assert len(unsourced(text)) == found


def test_how_many_masks_replace_independent_ones_is_read_between_those_tried() -> None:
    errors = [(128, 0.4), (512, 0.2), (2048, 0.1)]
    assert replacing(errors, 0.2) == "About 512"
    assert replacing(errors, 0.1414) == "About 1024"
    assert replacing(errors, 0.5) == "At most 128"
    assert replacing(errors, 0.05) == "More than 2048"
