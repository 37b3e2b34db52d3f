"""Examples in docstrings run, and every public name has one.

They begin where the reference says that they do: with ``xw``, ``torch``, ``model`` (the demo CNN), ``x`` (two images), and a ``folder``.
"""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

import xaiwidgets as xw
from xaiwidgets.demo import examples
from xaiwidgets.widgets.base import Widget

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = Path(__file__).parents[1] / "notebooks" / "api"


def example_of(value: Any, name: str) -> doctest.DocTest:
    """The example in a docstring, with nothing to begin with."""
    text = inspect.getdoc(value) or ""
    return doctest.DocTestParser().get_doctest(text, {}, name, None, 0)


def run(test: doctest.DocTest) -> str:
    """Run an example; what failed, in doctest's words."""
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    return "".join(said)


@pytest.mark.parametrize("name", xw.__all__)
def test_the_example_of_a_public_name_runs(name: str, cnn: xw.ImageModel, tmp_path: Path) -> None:
    test = example_of(getattr(xw, name), name)
    assert test.examples, f"{name} has no example in its docstring"
    assert any(f"xw.{name}" in example.source for example in test.examples), f"the example of {name} does not use it"
    x = cnn.prepare([sample.image for sample in examples(2)])
    test.globs.update(xw=xw, torch=torch, model=cnn, x=x, folder=tmp_path / "index")
    try:
        said = run(test)
    finally:
        for value in test.globs.values():
            if isinstance(value, Widget):
                value.close()
    assert not said, said


def test_an_example_that_is_wrong_is_noticed() -> None:
    def wrong() -> None:
        """Adds up.

        Example:
            >>> 1 + 1
            3
        """

    assert "Expected:\n    3" in run(example_of(wrong, "wrong"))
    assert not example_of(run, "run").examples


def test_the_reference_says_what_examples_begin_with() -> None:
    said = (PAGES / "index.md").read_text(encoding="utf-8")
    for line in ("import xaiwidgets as xw", 'model = xw.load("demo:shapes-cnn")', "x = model.prepare("):
        assert line in said
