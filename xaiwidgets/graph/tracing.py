"""torch.export as every supported version of torch gives it; what differs between them stands here.

`open_sizes()` is the context in which one more step may be asked for the sizes of its result, where those of the images are
not fixed: without it older versions ask kernels that want numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher as open_sizes
from torch._subclasses.fake_tensor import UnsupportedOperatorException

__all__ = ["KeepsTensors", "OneSizeOnly", "Outer", "open_sizes", "trace"]

_INSIDE = "the_module_itself"
_REFUSED = ("assigned during export", "arity mismatch", "Node type mismatch", "Node keys mismatch")


def trace(module: nn.Module, x: Tensor, *, any_batch: bool) -> torch.export.ExportedProgram:
    """The program of a module for images like `x` (N, C, H, W), at any batch size or at that of `x`.

    Raises KeepsTensors where the module is to be traced within an `Outer`, OneSizeOnly where it can be traced at the batch size of
    `x` only, and whatever torch.export raises.
    """
    try:
        program = torch.export.export(module, (x,), dynamic_shapes=_shapes(module, any_batch), strict=False)
    except ValueError as error:
        if isinstance(module, Outer) or not any(reason in str(error) for reason in _REFUSED):
            raise
        raise KeepsTensors from error
    except UnsupportedOperatorException as error:
        if not any_batch:
            raise
        raise OneSizeOnly(f"this version of torch has no open sizes for {error}") from error
    if isinstance(module, Outer):
        for node in program.graph.nodes:
            stack = node.meta.get("nn_module_stack") or {}
            node.meta["nn_module_stack"] = {key: (_within(path), kind) for key, (path, kind) in stack.items()}
    return program


class KeepsTensors(Exception):
    """The module keeps what it computes on itself: older versions of torch refuse that, of the outermost module only."""


class OneSizeOnly(Exception):
    """A step that this version of torch traces at fixed sizes only: older ones know no open sizes of Fourier transforms."""


class Outer(nn.Module):
    """A module around another one, whose layers go by the names that they have in that one, and what it calls `beside` its own."""

    def __init__(self, module: nn.Module, beside: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in beside.items():
            self.add_module(name, part)
        self.add_module(_INSIDE, module)

    def forward(self, x: Tensor) -> Any:
        return self.get_submodule(_INSIDE)(x)


def _within(path: str) -> str:
    return path.removeprefix(_INSIDE).removeprefix(".")


def _shapes(module: nn.Module, any_batch: bool) -> Any:
    """Which axis of the input stays free, in the form that the module's `forward` asks for."""
    if not any_batch:
        return None
    images = {0: torch.export.Dim.DYNAMIC}
    first = next(iter(inspect.signature(module.forward).parameters.values()), None)
    gathers = first is not None and first.kind is inspect.Parameter.VAR_POSITIONAL  # forward(*args)
    return ((images,),) if gathers else (images,)
