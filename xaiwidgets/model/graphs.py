"""The graphs of one module: exported once for each image size and precision, anew when the module has changed."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.graph import Graph, GraphError, export
from xaiwidgets.model.state import fingerprint, with_autograd

__all__ = ["Graphs"]


class Graphs:
    """The graphs of a module, and what kept others from being made. Threads may share it.

    Args:
        module: which is read, never changed. name: of the model, for messages. channels: of its images.
        lock: one for everything that reads the module. select: the one tensor to explain of what the module returns.
    """

    def __init__(
        self, module: nn.Module, name: str, channels: int, lock: threading.RLock, select: Callable[[Any], Tensor]
    ) -> None:
        self._module, self._name, self._channels, self._lock = module, name, channels, lock
        self._select = select
        self._graphs: dict[Any, Graph] = {}
        self._failures: dict[tuple[int, int], str] = {}
        self._of: tuple[Any, ...] = ()

    def find(self, x: Tensor, device: torch.device, dtype: torch.dtype) -> Graph:
        """The graph for images of x's height and width.

        Raises:
            GraphError: the module cannot become one; says why.
        """
        # Weights converted in a caller's inference mode would serve no gradient afterwards.
        with self._lock, torch.inference_mode(False):
            present = fingerprint(self._module)
            if present != self._of:
                self._graphs, self._failures, self._of = {}, {}, present
            size = (x.shape[-2], x.shape[-1])
            if size in self._failures:
                raise GraphError(self._failures[size])
            if size not in self._graphs:
                if self._module.training:
                    warnings.warn(
                        f"{self._name} is in training mode; it is explained in evaluation mode "
                        "(the module itself stays as it is). "
                        "Call module.eval() to silence this.",
                        UserWarning,
                        stacklevel=4,
                    )
                floats = (p.dtype for p in self._module.parameters() if p.is_floating_point())
                kind = next(floats, torch.float32)  # traced in its own precision, run in the one asked for
                example = torch.zeros(2, self._channels, *size, device=device, dtype=kind)
                try:
                    # In the layout that runs, so that the precision it has needs no second copy of the weights.
                    self._graphs[size] = export(with_autograd(self._module), example, self._select).to(
                        memory_format=torch.channels_last
                    )
                except GraphError as error:
                    # Tracing takes seconds; what failed once fails again until the module changes.
                    self._failures[size] = str(error)
                    raise
            key = (*size, dtype)
            if key not in self._graphs:
                self._graphs[key] = self._graphs[size].to(dtype=dtype, memory_format=torch.channels_last)
            return self._graphs[key]

    @property
    def first(self) -> Graph | None:
        """Any graph there is; None before the first was made."""
        return next(iter(self._graphs.values()), None)

    def failure(self, height: int, width: int) -> str:
        """What kept the module from becoming a graph for images of this size; empty where nothing did."""
        return self._failures.get((height, width), "")
