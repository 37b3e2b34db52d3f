"""The reference from docstrings: one directive lists all that a room offers, so that no public name is forgotten."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["ELSEWHERE", "Room", "setup"]

ELSEWHERE = {
    "Tensor": "https://docs.pytorch.org/docs/stable/tensors.html",
    "torch.Tensor": "https://docs.pytorch.org/docs/stable/tensors.html",
    "nn.Module": "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html",
    "torch.nn.Module": "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html",
    "torch.nn.modules.module.Module": "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html",
    "torch.device": "https://docs.pytorch.org/docs/stable/tensor_attributes.html",
    "torch.dtype": "https://docs.pytorch.org/docs/stable/tensor_attributes.html",
    "Executor": "https://docs.python.org/3/library/concurrent.futures.html#executor-objects",
    "concurrent.futures.Executor": "https://docs.python.org/3/library/concurrent.futures.html#executor-objects",
    "Path": "https://docs.python.org/3/library/pathlib.html",
    "Figure": "https://matplotlib.org/stable/api/figure_api.html",
}
"""Names of other libraries, and where they are explained: plain links, so that a site is built without asking them."""


_MEMBERS = ("   :members:", "   :special-members: __call__", "   :exclude-members: set")
"""What is told of a class; `set` is what matplotlib adds to every artist."""


class Room(SphinxDirective):
    """``.. room:: xaiwidgets.lrp``: every public name of a module; of a room without those that stand at the front."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Lines for autodoc."""
        import xaiwidgets

        name = self.arguments[0]
        module = import_module(name)
        front = {id(getattr(xaiwidgets, entry)) for entry in xaiwidgets.__all__} if name != "xaiwidgets" else set()
        lines: list[str] = []
        for entry in module.__all__:
            value = getattr(module, entry)
            if id(value) in front:
                continue
            if inspect.isclass(value):
                lines += [f".. autoclass:: {name}.{entry}", *_MEMBERS, ""]
            elif callable(value):
                lines += [f".. autofunction:: {name}.{entry}", ""]
            else:
                # A table of names, or one value.
                held = (
                    ", ".join(f"``{key}``" for key in value) if isinstance(value, Mapping | tuple) else f"``{value!r}``"
                )
                lines += [f".. py:data:: {name}.{entry}", "", f"   {held}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("room", Room)
    app.connect("autodoc-process-docstring", _readable, priority=100)
    app.connect("missing-reference", _elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _readable(app: Sphinx, what: str, *about: Any) -> None:
    """Docstrings are plain text with formulas in it: bars and stars in them are themselves, single backticks code."""
    lines: list[str] = about[-1]
    text = "\n".join(lines)
    text = re.sub(r"(?<![`:\w])`([^`\n]+)`(?!`)", r"``\1``", text)
    parts = re.split(r"(``[^`]+``|^ *>>> .*$)", text, flags=re.MULTILINE)
    parts[::2] = [re.sub(r"([|*])", r"\\\1", part) for part in parts[::2]]
    # Of what has no arguments Napoleon takes "by name: …" for a type.
    lead = [""] if what in ("property", "attribute", "data") else []
    lines[:] = [*lead, *"".join(parts).split("\n")]


def _elsewhere(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.reference | None:
    address = ELSEWHERE.get(node.get("reftarget", ""))
    if address is None:
        return None
    link = nodes.reference("", "", internal=False, refuri=address)
    link += contnode
    return link
