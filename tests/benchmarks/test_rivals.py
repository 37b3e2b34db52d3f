"""The table of rivals in its small setting, so that it cannot rot: who is installed runs, and gives what we give."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from tests.benchmarks import rivals
from tests.benchmarks.harness import Comparison, Timing
from tests.benchmarks.rivalry import OURS, PLAIN, Contestant


def test_the_small_table(capsys: pytest.CaptureFixture[str]) -> None:
    rivals.main(small=True)
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " × " in line and "---" not in line]
    rows = {(row[0].removeprefix("| "), row[1], row[2]): row for row in lines if len(row) == 8}
    for method, model in (("LRP", "resnet18 × 2"), ("LRP", "tiny_vgg × 2"), ("gradient × input", "vit_tiny × 2")):
        for who in (OURS, PLAIN):
            assert float(rows[method, model, who][3]) > 0
    assert float(rows["LRP", "resnet18 × 2", "zennit"][7].removesuffix(" |")) < 5e-3
    if find_spec("captum"):  # a peer that the tests do not install
        assert float(rows["gradient × input", "vit_tiny × 2", "captum"][7].removesuffix(" |")) < 1e-3
    assert float(rows["Grad-CAM", "tiny_vgg × 2", "grad-cam"][7].removesuffix(" |")) < 2e-2
    assert {row[0] for row in rows} >= {"AttnLRP", "CRP", "RELAX", "RISE", "flipping"}


def test_a_rival_that_gives_something_else_is_not_timed() -> None:
    ours, near = torch.ones(2, 3), 1e-3
    assert rivals.difference(Contestant("same", lambda: ours * 1.0001, near), ours) == "1e-04"
    with pytest.raises(AssertionError, match=r"other differs by 1.0e-01 from ours; 1e-03 counts as equal"):
        rivals.difference(Contestant("other", lambda: ours * 1.1, near), ours)
    with pytest.raises(AssertionError, match=r"gives \(3,\), ours \(2, 3\)"):
        rivals.difference(Contestant("other", lambda: torch.ones(3), near), ours)
    assert rivals.difference(Contestant("random", lambda: None), ours) == "not the same numbers"


def test_a_row_says_rate_ratio_and_cost() -> None:
    timings = {
        name: Timing(name, seconds) for name, seconds in ((OURS, (1.0, 2.0)), ("a", (3.0, 8.0)), (PLAIN, (2.0, 2.0)))
    }
    found = rivals.line(Comparison("LRP | net × 4", timings), "a", 4, 0.5, "1e-05")
    assert found == "| LRP | net × 4 | a | 0.727 | 3.50 (3.00 to 4.00) | 2.75 | 0.50 | 1e-05 |"
