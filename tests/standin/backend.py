"""A device that keeps its numbers on the CPU and behaves like an accelerator, for machines without one.

Tensors on it are plain tensors of another device: what mixes them with the CPU's, or draws on them from the CPU's generator, is
refused as CUDA refuses it, and whatever CUDA would make the program wait for is recorded with the line of ours that asked. Every
step is worked out by the CPU's kernels on the same memory, so that answers can be compared to the bit; `rounded` gives products the
inputs that TF32 would have.

`install` changes torch for the whole process: use a process of its own. Needs a torch with a Python backend for PrivateUse1.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey, DispatchKeySet
from torch.utils import backend_registration
from torch.utils._pytree import tree_iter, tree_map

NAME = "standin"
OURS = str(Path(__file__).parents[2] / "xaiwidgets")
_CPU, _EXTENSION = 1, 12
"""DLPack's numbers of the two devices."""

_READS = {"_local_scalar_dense", "equal"}
"""Steps whose answer is a number of Python's."""
_SIZES = {"nonzero", "masked_select", "_unique", "_unique2", "unique_dim", "unique_consecutive", "bincount"}
"""Steps whose answer's shape depends on values."""
_CHECKED = {"linalg_inv_ex", "linalg_cholesky_ex", "linalg_lu_factor_ex", "_linalg_svd", "_linalg_eigh", "linalg_lstsq"}
"""Decompositions of matrices: a library on the CPU, or a code of error that is looked at."""
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
CONVOLUTIONS = {"convolution": 0, "convolution_backward": 0}
PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}
"""Products that TF32 rounds the factors of, and how many arguments come before these."""
_DROPPED = 13
"""Of the 23 bits behind the point of a float32, those that TF32 leaves out."""
_keep: list[Any] = []
_rounded: dict[str, int] = {}


@dataclass(frozen=True)
class Wait:
    """One time that the program waits for the device: ``down`` (values come back), ``up`` (values go there, blocking) or ``size``
    (a shape depends on values); torch's operation; and the innermost lines of ours, innermost first."""

    kind: str
    operation: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.operation} {' < '.join(self.lines[:3])}"


_logs: list[list[Wait]] = []
_lock = threading.Lock()


@contextmanager
def waits() -> Iterator[list[Wait]]:
    """What waits for the device meanwhile, in any thread."""
    log: list[Wait] = []
    with _lock:
        _logs.append(log)
    try:
        yield log
    finally:
        with _lock:
            _logs[:] = [each for each in _logs if each is not log]


@contextmanager
def rounded(operations: Mapping[str, int]) -> Iterator[None]:
    """The factors of these operations are rounded to TF32; what they give is added up in float32, as tensor cores do."""
    _rounded.update(operations)
    try:
        yield
    finally:
        _rounded.clear()


def install() -> torch.device:
    """The device, ready."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())
    fallback = torch.library.Library("_", "IMPL")
    fallback.fallback(_run, "PrivateUse1")
    aten = torch.library.Library("aten", "IMPL")
    # These have a kernel for all devices that looks for another one by the device's name.
    for name in ("convolution", "convolution_backward"):
        aten.impl(name, _bound(getattr(torch.ops.aten, name).default), "PrivateUse1")
    _keep.extend([fallback, aten])
    _clone_storages()
    return torch.device(NAME, 0)


def _bound(operation: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: _run(operation, *args, **kwargs)


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


# -- one step ----------------------------------------------------------------------------------------------------------


def _run(operation: Any, *args: Any, **kwargs: Any) -> Any:
    schema = operation._schema
    name = schema.name.removeprefix("aten::")
    tensors = [each for each in tree_iter((args, kwargs)) if isinstance(each, Tensor)]
    if name == "_copy_from":
        return _copy(*args, **kwargs)
    _refuse(name, tensors, args, kwargs)
    if name == "set_" or any(each.alias_info is not None and not each.alias_info.is_write for each in schema.returns):
        # A view, or another storage: of the tensor itself.
        return operation.redispatch(DispatchKeySet(DispatchKey.CPU), *args, **kwargs)
    _note(name, args)
    lowered: list[tuple[Tensor, Tensor]] = []

    def lower(each: Any) -> Any:
        if isinstance(each, torch.device):
            return torch.device("cpu")
        if not isinstance(each, Tensor) or each.device.type != NAME:
            return each
        # A tensor without entries may be there to be resized, which the memory of another cannot be.
        beneath = on_cpu(each) if each.numel() else torch.empty_strided(each.shape, each.stride(), dtype=each.dtype)
        lowered.append((beneath, each))
        return beneath

    given, named = tree_map(lower, (args, kwargs))
    if name in _rounded:
        first = _rounded[name]
        given = (*given[:first], *tree_map(_tf32, given[first:]))
    found = operation(*given, **named)
    for beneath, own in lowered:
        if beneath.shape != own.shape:
            _set(own, _moved(beneath, _EXTENSION))

    def lift(each: Any) -> Any:
        if not isinstance(each, Tensor) or each.device.type != "cpu":
            return each
        for beneath, own in lowered:
            if each is beneath:
                return own
        return _moved(each, _EXTENSION)

    return tree_map(lift, found)


def _set(tensor: Tensor, other: Tensor) -> None:
    storage, offset = other.untyped_storage(), other.storage_offset()
    setting = torch.ops.aten.set_.source_Storage_storage_offset
    setting.redispatch(DispatchKeySet(DispatchKey.CPU), tensor, storage, offset, other.shape, other.stride())


def _tf32(value: Any) -> Any:
    """To the nearest number with ten bits behind the point, ties to even."""
    if not isinstance(value, Tensor) or value.dtype != torch.float32:
        return value
    bits = value.view(torch.int32)
    odd = (bits >> _DROPPED) & 1
    kept = (bits + (1 << (_DROPPED - 1)) - 1 + odd) & -(1 << _DROPPED)
    return kept.view(torch.float32)


def _clone_storages() -> None:
    """Copies of modules copy storages, of which this device makes none by itself."""
    plain = torch.UntypedStorage.clone

    def clone(self: torch.UntypedStorage) -> torch.UntypedStorage:
        if self.device.type != NAME:
            return plain(self)
        made = _moved(torch.empty(self.nbytes(), dtype=torch.uint8), _EXTENSION)
        ctypes.memmove(made.data_ptr(), self.data_ptr(), self.nbytes())
        return made.untyped_storage()

    torch.UntypedStorage.clone = clone  # type: ignore[method-assign, assignment]


def on_cpu(tensor: Tensor) -> Tensor:
    """The same memory as a tensor of the CPU's, without a wait that counts."""
    return _moved(tensor, _CPU)


def _copy(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    kind = {("cpu", NAME): "up", (NAME, "cpu"): "down"}.get((source.device.type, target.device.type))
    if kind is not None and not (non_blocking and kind == "up"):
        _log(kind, "copy")
    here, there = (each if each.device.type == "cpu" else on_cpu(each) for each in (source, target))
    there.copy_(here)
    return target


def _note(name: str, args: tuple[Any, ...]) -> None:
    if name in _READS or name in _CHECKED:
        _log("down", name)
    elif name in _SIZES or (name == "repeat_interleave" and len(args) == 1):
        _log("size", name)
    elif name in _INDEXING:
        indices = [each for each in args[1] if isinstance(each, Tensor)]
        if any(each.dtype in (torch.bool, torch.uint8) for each in indices):
            _log("size", name)
        if any(each.device.type == "cpu" for each in indices):
            _log("up", name)


def _refuse(name: str, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """What CUDA refuses: tensors of two devices, but for single numbers, and the CPU's generator."""
    free = {id(each) for each in args[1] if isinstance(each, Tensor)} if name in _INDEXING else set()
    for each in tensors:
        if each.device.type != NAME and each.ndim and id(each) not in free:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, {NAME}:0 and {each.device}! ({name})"
            )
    for each in tree_iter((args, kwargs)):
        if isinstance(each, torch.Generator):
            raise RuntimeError(f"Expected a '{NAME}' device type for generator but found '{each.device}' ({name})")


def _log(kind: str, operation: str) -> None:
    if not _logs:
        return
    wait = Wait(kind, operation, tuple(_lines()))
    with _lock:
        for log in _logs:
            log.append(wait)


def _lines() -> Iterator[str]:
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(OURS):
            yield f"{frame.f_code.co_filename.removeprefix(OURS + '/')}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]


# -- memory ------------------------------------------------------------------------------------------------------------

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _moved(tensor: Tensor, device: int) -> Tensor:
    """The same memory on the other device, over a DLPack capsule whose device is written anew."""
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    capsule = torch._C._to_dlpack(tensor.detach())
    # DLTensor begins with a pointer to the data; the device's kind and number follow.
    ctypes.c_int32.from_address(_pointer(capsule, b"dltensor") + 8).value = device
    ctypes.c_int32.from_address(_pointer(capsule, b"dltensor") + 12).value = 0
    return torch._C._from_dlpack(capsule)
