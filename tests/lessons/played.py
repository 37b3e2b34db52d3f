"""A lesson played as by a student who gets everything right: its cells in order, the folded answers in place of the dots.

Three things stand in a lesson's text for this. A number that the text states is followed by what it must equal, in an HTML comment that
no reader sees: ``**98 %**<!-- = share -->``, where ``share`` is any expression of the names that the cells above made. A share may be
stated in per cent. It must be right to its last digit, or within what ``<!-- = masks ± 50 -->`` allows. A sentence without a number that
says what is on the screen is followed by an expression that must be true: ``nearly without blue<!-- holds: blue < 0.02 -->``. And an
exercise's folded answer
(``<details>``) has a Python block that makes ``answer``, which the numbers around it may name; the cell after it has the line
``answer = ...`` and ends in ``check("1.2", answer)``.
"""

from __future__ import annotations

import ast
import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import torch
from ipywidgets import Widget
from torch import Tensor

from xaiwidgets.lessons import Verdict

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = {int(path.name[len("lesson")]): path for path in sorted(NOTEBOOKS.glob("lesson[1-8]_*.ipynb"))}
"""Number of a lesson -> its notebook."""

NUMBER = r"(?P<number>[+−-]?\d+(?:\.(?P<digits>\d+))?)(?P<percent>\s?%)?"
MARK = re.compile(r"<!--\s*=")
STATED = re.compile(NUMBER + r"[*_`$)]*\s?<!--\s*=\s*(?P<expression>.+?)\s*(?:±\s*(?P<slack>[\d.]+)\s*)?-->", re.DOTALL)
HOLDS = re.compile(r"<!--\s*holds:\s*(?P<expression>.+?)\s*-->", re.DOTALL)
SILENT = re.compile(
    r"^(?P<fence>```|~~~).*?^(?P=fence)|\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`|\[[^]]*\]\([^)]*\)|<!--.*?-->"
    r"|(?:^#+|[Ee]xercises?|[Ss]ections?) [1-8]\.[1-9]\b",
    re.DOTALL | re.MULTILINE,
)
"""What states no measured number: code, formulas, links, comments, numbers of sections and exercises."""
MEASURED = re.compile(r"\d+\.\d+|\d+\s?%")
FOLDED = re.compile(r"<details>.*?```python\n(?P<code>.*?)```.*?</details>", re.DOTALL)
DOTS = "answer = ..."


@dataclass(frozen=True)
class Stated:
    """A number of the text, and what it should be."""

    text: str
    expression: str
    stated: float
    actual: float
    slack: float

    @property
    def right(self) -> bool:
        return abs(self.stated - self.actual) <= self.slack


@dataclass(frozen=True)
class Held:
    """A sentence of the text, the expression that must be true for it, and what came of it."""

    text: str
    expression: str
    value: Any

    @property
    def right(self) -> bool:
        return self.value is True


@dataclass
class Played:
    """What came of a lesson: its stated numbers and sentences; and by exercise the folded answer and the verdict on it."""

    numbers: list[Stated] = field(default_factory=list)
    sentences: list[Held] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)


def cells_of(lesson: int) -> list[Any]:
    return list(nbformat.read(LESSONS[lesson], as_version=4).cells)


def unmarked(text: str) -> list[str]:
    """Decimals and percentages of a text that nothing is said to check."""
    plain = SILENT.sub(" ", STATED.sub(" ", text))
    return [found[0] for found in MEASURED.finditer(plain)]


def stated_numbers(text: str, names: dict[str, Any]) -> list[Stated]:
    """The numbers that a text states, each beside the value of its expression.

    Raises:
        AssertionError: a mark that follows no number.
    """
    found = list(STATED.finditer(text))
    assert len(found) == len(MARK.findall(text)), f"a mark follows no number in: {text}"
    numbers = []
    for match in found:
        scale = 100 if match["percent"] else 1
        actual = scale * float(eval(match["expression"], names))
        slack = float(match["slack"] or 0.6 * 10 ** -len(match["digits"] or ""))
        stated = float(match["number"].replace("−", "-"))
        numbers.append(
            Stated(text[max(0, match.start() - 60) : match.end()], match["expression"], stated, actual, slack)
        )
    return numbers


def held_sentences(text: str, names: dict[str, Any]) -> list[Held]:
    """The sentences of a text that an expression stands for, each with its value.

    Raises:
        AssertionError: an expression that is neither true nor false, or that names nothing that the lesson made.
    """
    found = []
    for match in HOLDS.finditer(text):
        expression = match["expression"]
        value = eval(f"({expression})", names)  # of several lines, too
        if isinstance(value, Tensor) and value.dtype == torch.bool and value.numel() == 1:
            value = bool(value)
        assert isinstance(value, bool), f"{expression} is {value!r}, neither true nor false"
        used = {node.id for node in ast.walk(ast.parse(f"({expression})", mode="eval")) if isinstance(node, ast.Name)}
        assert used & (set(names) - {"__builtins__"}), f"{expression} is not about the lesson"
        found.append(Held(text[max(0, match.start() - 60) : match.start()], expression, value))
    return found


def play(lesson: int, folder: Path) -> Played:
    """Run a lesson's cells in one namespace, as a notebook does; ``folder`` takes what it writes."""
    played = Played()
    names: dict[str, Any] = {"__name__": "lesson"}
    with contextlib.chdir(folder):
        try:
            for place, cell in enumerate(cells_of(lesson)):
                where = f"lesson {lesson}, cell {place}"
                if cell.cell_type == "markdown":
                    folded = FOLDED.search(cell.source)
                    if folded:
                        run(folded["code"], names, f"{where}, the answer")
                    played.numbers += stated_numbers(cell.source, names)
                    played.sentences += held_sentences(cell.source, names)
                    continue
                if DOTS in cell.source.splitlines():
                    assert "answer" in names, f"{where} asks, and no answer is folded above it"
                    verdict = run(cell.source.replace(DOTS, ""), names, where)
                    assert isinstance(verdict, Verdict), f"{where} must end in check(…)"
                    played.verdicts[verdict.number], played.answers[verdict.number] = verdict, names.pop("answer")
                    continue
                value = run(cell.source, names, where)
                if isinstance(value, Widget) and not any(value is kept for kept in names.values()):
                    value.close()
        finally:
            for value in names.values():
                if isinstance(value, Widget):
                    value.close()
    return played


def run(source: str, names: dict[str, Any], where: str) -> Any:
    """Run code and give the value of its last expression, as a cell shows it."""
    tree = ast.parse(source, where)
    shown = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    if not isinstance(shown, ast.Expr):
        return None
    return eval(compile(ast.Expression(shown.value), where, "eval"), names)
