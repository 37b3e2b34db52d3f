"""The script of the lowest versions notices what it is there to notice."""

from __future__ import annotations

import re
import subprocess
import venv
from pathlib import Path

import pytest

from tests import floor

pytestmark = pytest.mark.sources


def test_the_bounds_are_those_of_the_project() -> None:
    bounds = floor.lower_bounds()
    assert {"torch", "torchvision", "timm", "numpy", "ipywidgets", "anywidget", "matplotlib"} <= set(bounds)
    text = (floor.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"torch>={bounds["torch"]}"' in text


def test_whatever_was_there_is_asked_for_again() -> None:
    before = {"numpy": "2.4.6", "nvidia-nccl-cu12": "2.21.5", "torch": "2.6.0+cu124"}
    assert floor.unlike(before, {**before, "timm": "1.0.31"}) == []
    # The same release in another build may not find the machine's accelerator.
    now = {"numpy": "2.4.7", "torch": "2.6.0"}
    assert floor.unlike(before, now) == [
        "numpy was 2.4.6 and is 2.4.7",
        "nvidia-nccl-cu12 was 2.21.5 and is gone",
        "torch was 2.6.0+cu124 and is 2.6.0",
    ]


def test_a_pin_is_a_release_and_not_a_build() -> None:
    now = {"torch": "2.6.0+cpu", "pillow": "10.1.0", "timm": "1.0.21"}
    assert floor.unpinned(["torch==2.6", "pillow==10.1"], now) == []
    assert floor.unpinned(["torch==2.6", "timm==1.0.20", "tqdm==4.66"], now) == [
        "timm is 1.0.21, not 1.0.20",
        "tqdm is missing, not 4.66",
    ]


def test_what_is_installed_here_is_seen() -> None:
    found = floor.versions()
    import torch

    # The registry's own builds do not say in their names which they are.
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert "xaiwidgets" not in found
    assert re.search(rf"torch {re.escape(found['torch'])}, ", floor.installed())


def test_an_environment_for_other_pins_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(floor, "HOME", tmp_path)
    monkeypatch.setattr(floor, "PINS", tmp_path / "lowest.txt")
    monkeypatch.setattr(venv, "create", lambda home, **how: made.append((home, how["clear"])))
    for pins in ("torch==2.6\n", "torch==2.6\n", "torch==2.7\n"):
        assert floor.environment(pins).parent.parent == tmp_path
    assert made == [(tmp_path, True), (tmp_path, True)]


@pytest.mark.parametrize("failing", ["--unchanged", "browser", "nothing"])
def test_what_fails_is_the_status(failing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run: list[list[str]] = []

    def step(command: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        run.append(command[1:])
        return subprocess.CompletedProcess(command, 3 if failing in command else 0)

    monkeypatch.setattr(floor, "environment", lambda pins: tmp_path / "python")
    monkeypatch.setattr(subprocess, "run", step)
    assert floor.main(["-k", "relax"]) == (failing != "nothing")
    if failing == "--unchanged":
        assert [command[1] for command in run] == ["pip", "tests.floor", "pip", "tests.floor"]
        return
    # A test that fails in a browser keeps none of the others from being run; what a person adds is for the last of them only.
    assert [command[-2:] == ["-k", "relax"] for command in run] == [False] * (len(run) - 1) + [True]
