"""Lesson 8: wrong answers are refused, each with a hint of its own."""

from __future__ import annotations

import copy
import re
import sys
from typing import Any

import pytest
import torch
from torch import nn

import xaiwidgets as xw
from tests.lessons.played import cells_of
from xaiwidgets import targets as T
from xaiwidgets.demo import CLASS_NAMES, load_demo
from xaiwidgets.demo.shapes import MEAN, STD
from xaiwidgets.lessons import check

SKIPPED = "Skipped: transformers is not installed. pip install 'xaiwidgets[hf]' brings it."
MODULE, HANS = load_demo("shapes-cnn")[0], load_demo("shapes-hans")[0]


class Changed(nn.Module):
    """The demo network on pictures that something is done to."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.network, self.change = copy.deepcopy(MODULE), change
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(self.change(x))


def model(module: nn.Module = MODULE, **changes: Any) -> xw.ImageModel:
    about: dict[str, Any] = {"class_names": CLASS_NAMES, "mean": MEAN, "std": STD, "input_size": 64}
    return xw.ImageModel(module, **(about | changes))


def with_if(x: torch.Tensor) -> torch.Tensor:
    return x + 0.5 if x.mean() < 0 else x


def whole_batch(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.mean() < 0, x + 0.5, x)


BOX, OTHER = (8, 8, 40, 40), (0, 0, 32, 32)
WRONG: dict[str, list[tuple[Any, str]]] = {
    "8.1": [
        (MODULE, "give an xw.ImageModel"),
        (model(input_size=224), "what is the size"),
        (model(class_names=None), "does not know the names"),
        (model(class_names=CLASS_NAMES[::-1]), "not in its order"),
        (model(mean=None, std=None), "look at mean"),
        (model(std=(0.5, 0.5, 0.5)), "look at std"),
        (model(HANS), "% of the pictures are right"),
        (model(nn.Linear(3, 8).eval()), "raised RuntimeError"),
    ],
    "8.2": [
        (Changed(with_if), "check.. says"),
        (Changed(lambda x: x), "for single pictures"),
        (Changed(lambda x: x[:, :2]), "raised RuntimeError"),
        (Changed(whole_batch), "neighbours"),
        (Changed(with_if).train(), "training mode"),
        (Changed, "an object, not the class"),
    ],
    "8.3": [(1, "another has more"), (4, "from 0 to 3"), (0.46, "from 0 to 3")],
    "8.4": [("the yellow triangle", "on this thing lies"), ("the blue triangle", "one of"), (1, "one of")],
    "8.5": [
        (T.region("crescent", BOX), "rather than what"),
        (T.region("circle", BOX) - T.region("crescent", BOX), "circle rather than crescent"),
        (T.region("crescent", OTHER) - T.region("circle", OTHER), "the same box"),
        (T.similarity(torch.ones(9)), "this one says"),
        ("crescent", "give a target"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("number", "answer", "hint"), [(n, *wrong) for n, many in WRONG.items() for wrong in many])
def test_wrong_answers(number: str, answer: Any, hint: str) -> None:
    verdict = check(number, answer)
    assert not verdict
    assert re.search(hint, verdict.said), verdict.said


def test_without_transformers_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (source,) = [cell.source for cell in cells_of(8) if cell.cell_type == "code" and "ViTConfig" in cell.source]
    monkeypatch.setitem(sys.modules, "transformers", None)
    exec(source, {})
    assert capsys.readouterr().out.splitlines() == [SKIPPED]
