"""Formulas as MathML, made when the site is built: browsers draw it themselves, without a script."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

__all__ = ["mathml", "setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mathml(formula: str, display: str = "inline") -> str:
    """A formula of TeX as MathML.

    Raises:
        ExtensionError: what is not understood, which would stand on the page as it was written.
    """
    # The same table to the converter, which knows it by the name that TeX gives it outside of a formula.
    made: str = convert(formula.replace("{aligned}", "{align*}"), display=display)
    if "<mi>&</mi>" in made or "<mi>\\" in made:
        raise ExtensionError(f"not understood as a formula: {formula}")
    return made


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="xw-formula">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode
