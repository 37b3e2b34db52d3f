"""The graphs of one module: exported once for each image size and precision, anew when the module has changed."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph import Graph, GraphError, export, own_bytes, sharing
from xaiwidgets.graph.copying import has_one_mode
from xaiwidgets.graph.exporting import refuse_without_values
from xaiwidgets.graph.outside import Outside
from xaiwidgets.model.state import Watch

__all__ = ["Graphs"]

Size = tuple[int, int]
MOST = 32  # image sizes of which graphs are kept
OWN = 2**28  # bytes of what the graphs of different sizes do not share; those used last stay


class Graphs:
    """The graphs of a module, and what kept others from being made. Threads may share it.

    Graphs of all sizes share weights. Where they get too many, or too large, the least recently used go.

    Args:
        module: which is read, never changed. name: of the model, for messages. channels: of its images.
        lock: one for everything that reads the module. select: the one tensor to explain of what the module returns.
    """

    def __init__(
        self, module: nn.Module, name: str, channels: int, lock: threading.RLock, select: Callable[[Any], Tensor]
    ) -> None:
        self._module, self._name, self._channels, self._lock = module, name, channels, lock
        self._select = select
        # size -> the graph in the module's own precision, and those made of it.
        self._graphs: OrderedDict[Size, dict[torch.dtype | None, Graph]] = OrderedDict()
        self._failures: dict[Size, str] = {}
        self._watch: Watch | None = None

    def find(self, x: Tensor, device: torch.device, dtype: torch.dtype) -> Graph:
        """The graph for images of x's height and width.

        Raises:
            GraphError: the module cannot become one; says why.
        """
        # Weights converted in a caller's inference mode would serve no gradient afterwards.
        with self._lock, torch.inference_mode(False):
            watch, size = self._current(), (x.shape[-2], x.shape[-1])
            if size in self._failures:
                raise GraphError(self._failures[size])
            if size not in self._graphs:
                self._graphs[size] = {None: self._export(watch, size, device)}
                self._let_go()
            self._graphs.move_to_end(size)
            graphs = self._graphs[size]
            if dtype not in graphs:
                made = graphs[None].to(dtype=dtype)
                graphs[dtype] = made if made is graphs[None] else sharing(made, self._all(dtype))
            return graphs[dtype]

    @property
    def first(self) -> Graph | None:
        """Any graph there is; None before the first was made."""
        return next((graphs[None] for graphs in self._graphs.values()), None)

    def failure(self, height: int, width: int) -> str:
        """What kept the module from becoming a graph for images of this size; empty where nothing did."""
        return self._failures.get((height, width), "")

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the module itself runs: what its forward pass writes is no change of it."""
        with self._lock, nullcontext() if self._watch is None else self._watch.running():
            yield

    def _current(self) -> Watch:
        """What watches the module; without any graphs where it has changed."""
        if self._watch is None or self._watch.changed():
            self._graphs.clear()
            self._failures.clear()
            self._watch, suspicious = None, self._watch is not None and self._watch.suspicious
            refuse_without_values(self._module)
            self._watch = Watch(self._module, suspicious=suspicious)
        return self._watch

    def _export(self, watch: Watch, size: Size, device: torch.device) -> Graph:
        training = self._module.training and not has_one_mode(self._module)
        beside = [] if training else Outside(self._module, watch.reach).training
        if training or beside:
            named = "".join(f": {name}, which its code names," for name in beside[:1])
            warnings.warn(
                f"{self._name}{named} is in training mode; it is explained in evaluation mode "
                "(the module itself stays as it is). "
                f"Call {beside[0] if beside else 'module'}.eval() to silence this.",
                UserWarning,
                stacklevel=5,
            )
        floats = (p.dtype for p in self._module.parameters() if p.is_floating_point())
        kind = next(floats, torch.float32)  # traced in its own precision, run in the one asked for
        example = torch.zeros(2, self._channels, *size, device=device, dtype=kind)
        try:
            # In the layout that runs, so that the precision it has needs no second copy of the weights.
            return export(
                self._module,
                example,
                reach=watch.reach,
                select=self._select,
                memory_format=torch.channels_last,
                like=list(self._all(None)),
            )
        except GraphError as error:
            # Tracing takes seconds; what failed once fails again until the module changes.
            self._failures[size] = str(error)
            raise
        finally:
            watch.settle()

    def _all(self, dtype: torch.dtype | None) -> Iterator[Graph]:
        return (graphs[dtype] for graphs in self._graphs.values() if dtype in graphs)

    def _let_go(self) -> None:
        while len(self._graphs) > 1:
            oldest, *others = self._graphs.values()
            own = sum(own_bytes(graphs[None], [others[-1][None]]) for graphs in [oldest, *others[:-1]])
            if len(self._graphs) <= MOST and own <= OWN:
                return
            self._graphs.popitem(last=False)
