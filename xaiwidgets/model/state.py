"""What state a module is in: its mode, and whether it is still the one that was exported."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["evaluating", "fingerprint", "with_autograd"]


def with_autograd(module: nn.Module) -> nn.Module:
    """The module; where it was made in inference mode, a copy whose weights autograd and the export can work with."""
    named = (value for part in module.modules() for value in (*part._parameters.values(), *part._buffers.values()))
    made: dict[int, Any] = {}
    for value in named:
        if isinstance(value, Tensor) and value.is_inference():
            own = value.detach().clone()
            made[id(value)] = nn.Parameter(own, value.requires_grad) if isinstance(value, nn.Parameter) else own
    return copy.deepcopy(module, made) if made else module


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for the time of a forward pass; every submodule gets its own mode back."""
    modes = [(part, part.training) for part in module.modules() if part.training]
    try:
        if modes:
            module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training


def fingerprint(module: nn.Module) -> tuple[Any, ...]:
    """What tells that a module is no longer the one that was exported: its parts, and where and what its weights are."""
    weights = [*module.parameters(), *module.buffers()]
    # Steps on ``.data`` leave no trace but in the values: some of each tensor's are looked at.
    looked_at = [
        entry.detach().as_strided((min(8, entry.numel()),), (max(1, entry.numel() // 8),)).double()
        for entry in weights
        if entry.layout == torch.strided and entry.untyped_storage().nbytes() >= entry.numel() * entry.element_size()
    ]
    values = tuple(torch.cat([part.to(looked_at[0].device) for part in looked_at]).tolist()) if looked_at else ()
    # Weights made under inference_mode count no versions.
    places = tuple((id(entry), entry.data_ptr(), 0 if entry.is_inference() else entry._version) for entry in weights)
    return (*(id(part) for part in module.modules()), *places, *values)
