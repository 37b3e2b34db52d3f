"""A model as it was before its batch norms were folded: the second view of an export, made when a method first asks for it."""

from __future__ import annotations

import threading

from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.sharing import sharing

__all__ = ["unfolded"]

_lock = threading.Lock()


def unfolded(graph: Graph) -> Graph:
    """The same model with every batch norm a step of its own; `graph` itself where none was folded. Made once for a graph.

    It shares with `graph`, and with what was made of other sizes, whatever is alike: weights that folding left alone, and what the
    CPU's kernels prepared of them.
    """
    before = graph.before
    if before is None:
        return graph
    with _lock:
        if graph not in before.made:
            plain = before.graph.to(graph.dtype, graph.memory_format)
            layout = (graph.dtype, graph.memory_format)
            like = [other for other in before.made.values() if (other.dtype, other.memory_format) == layout]
            before.made[graph] = sharing(plain, [graph, *like])
        return before.made[graph]
