"""What tells one model from another, and one setting from another: hashes and texts that are the same in any process."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaiwidgets.graph import Graph, Reach, Value
from xaiwidgets.graph.operation import rewrite
from xaiwidgets.model.image_model import ImageModel

__all__ = ["described", "module_text", "state_hash", "steps_of", "tensor_bytes", "text_hash", "weights_hash"]


def module_text(module: nn.Module) -> str:
    """A module as it shows itself, without addresses: functions among its parts are shown with theirs, which differ between processes."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(module))


def state_hash(module: nn.Module) -> str:
    """Of the state dict alone."""
    return _state(module).hexdigest()


def _state(module: nn.Module) -> Any:
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor_bytes(tensor))
    return digest


def steps_of(graph: Graph) -> str:
    """What the graph does but for its weights: a change of an attribute, or of a hook that takes part, shows here."""

    def plain(leaf: Any) -> str:
        return f"%{leaf.index}" if isinstance(leaf, Value) else str(getattr(leaf, "shape", leaf))

    steps = [f"{o.target}{rewrite((o.args, o.kwargs), plain)}" for o in graph.operations]
    return re.sub(r"device\([^)]*\)", "device", "\n".join(steps))


def weights_hash(module: nn.Module, graph: Graph) -> str:
    """Of the state dict, and of all else that the graph computes with: buffers that are not saved, attributes, what closures hold."""
    digest = _state(module)
    saved = {tensor.data_ptr() for tensor in module.state_dict().values() if isinstance(tensor, Tensor)}
    others = [
        tensor for tensor in Reach(module).tensors.values() if _is_plain(tensor) and tensor.data_ptr() not in saved
    ]
    # Not by the graph's own constants: what is computed of weights may differ in its last bit from machine to machine.
    for found in sorted(described(tensor) for tensor in others if _is_used(tensor, graph.constants)):
        digest.update(found.encode())
    return digest.hexdigest()


def _is_plain(tensor: Tensor) -> bool:
    strided = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex()
    return strided and tensor.device.type != "meta" and tensor.numel() > 0


def _is_used(tensor: Tensor, constants: Sequence[Tensor]) -> bool:
    """Whether a constant has the values of a tensor, in any order: it may be transposed there."""
    alike = (each for each in constants if each.numel() == tensor.numel() and not each.is_complex())
    return any(torch.equal(_sorted(tensor.to(each)), _sorted(each)) for each in alike)


def _sorted(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1).sort().values


def tensor_bytes(tensor: Tensor) -> Any:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def described(value: Any) -> str:  # noqa: PLR0911 - one line a kind
    """A text that is the same for equal values, in any process: no addresses, no order of sets."""
    if isinstance(value, ImageModel):
        return (
            f"{value.name} {text_hash(module_text(value.module))} {state_hash(value.module)} {value.mean} {value.std}"
        )
    if isinstance(value, nn.Module):
        return f"{text_hash(module_text(value))} {state_hash(value)}"
    if is_dataclass(value) and not isinstance(value, type):
        parts = ", ".join(f"{entry.name}={described(getattr(value, entry.name))}" for entry in fields(value))
        return f"{type(value).__qualname__}({parts})"
    if isinstance(value, Tensor | np.ndarray):
        tensor = torch.as_tensor(value)
        return f"{tuple(tensor.shape)} {tensor.dtype} {hashlib.sha256(tensor_bytes(tensor)).hexdigest()}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {described(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(described, value)) + "]"
    if value is None or isinstance(value, str | int | float | bool):
        return repr(value)
    if isinstance(value, functools.partial):
        return f"partial({described([value.func, value.args, value.keywords])})"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}{described(_captured(value))}"
    return f"{type(value).__qualname__}{described(vars(value)) if hasattr(value, '__dict__') else ''}"


def _captured(function: Any) -> list[Any]:
    return [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
