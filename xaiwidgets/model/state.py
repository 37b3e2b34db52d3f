"""What state a module is in: its mode, and whether it still computes what was exported."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from xaiwidgets.graph.copying import has_one_mode
from xaiwidgets.graph.everywhere import everywhere
from xaiwidgets.graph.reach import Place, Reach

__all__ = ["Watch", "evaluating"]

SMALL = 2**14  # entries of a tensor up to which all of them are compared at every look
SAMPLED = 509  # of a larger one, every so manieth is (a prime, so that no column of a matrix is left out)
BLOCK = 1024  # entries that a digest sums up, each with a weight of its own
EASY = 2**21  # entries of all larger tensors together that are read in no time
SHARE = 0.02  # of all time that may go into reading large weights
ADVANCE = 8  # readings that are paid for by the export


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for the time of a forward pass; every submodule gets its own mode back."""
    modes = [(part, part.training) for part in module.modules() if part.training and not has_one_mode(module)]
    try:
        if modes:
            module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training


class Watch:
    """Remembers what a module computes with, to tell whether it has changed since.

    Parts, attributes, hooks, containers, globals and places and versions of all tensors are compared at every look, and so are the
    values of small tensors and samples of large ones, since edits through `.data` or numpy leave no other trace. Reading every
    weight takes as long as memory does (102 MB of ResNet-50: about 7 % of a forward pass of one image), so large ones are read
    whole as often as that takes `SHARE` of the time, and at every look once such an edit was seen (`suspicious`).
    """

    def __init__(self, module: nn.Module, suspicious: bool = False) -> None:
        self.reach = Reach(module)
        self.suspicious = suspicious
        self._took = 0.0
        self._weights: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        self.settle()
        self._credit, self._seen = ADVANCE * self._took, time.perf_counter()

    def settle(self) -> None:
        """Look at all tensors anew, but for those that a forward pass was seen to write."""
        volatile = self.reach.volatile
        self._tensors = [value for number, value in self.reach.tensors.items() if (number, None) not in volatile]
        flat = [(value, _flat(value)) for value in self._tensors]
        self._odd = [(value, value.detach().clone()) for value, view in flat if view is None and _has_values(value)]
        views = [view for _, view in flat if view is not None]
        self._large = [view for view in views if view.numel() > SMALL]
        small = [view for view in views if view.numel() <= SMALL]
        self._exact = _grouped([*small, *[view[::SAMPLED] for view in self._large]])
        self._easy = sum(view.numel() for view in self._large) <= EASY
        self._places, self._values, self._everywhere = self._where(), self._read(), _numbers()
        begin = time.perf_counter()
        self._digests = self._digest()
        # Compared with themselves, as at every look, which waits for the device.
        _same(zip(self._digests, self._digests, strict=True))
        self._took = time.perf_counter() - begin

    def changed(self) -> bool:
        """Whether the module computes, or may compute, something else than when this was made."""
        now = time.perf_counter()
        self._credit = min(self._credit + SHARE * (now - self._seen), ADVANCE * self._took)
        self._seen = now
        if not self.reach.same():
            if self.reach.changed():
                return True
            self.reach.keep()  # only what forward passes write
        if self._where() != self._places or self._everywhere != _numbers():
            return True
        begin = time.perf_counter()
        pairs = [*zip(self._read(), self._values, strict=True), *self._odd]
        whole = bool(self._large) and (self._easy or self.suspicious or self._credit >= self._took)
        if whole:
            pairs += zip(self._digest(), self._digests, strict=True)
        same = _same(pairs)
        if whole:
            self._took = time.perf_counter() - begin
            self._credit -= self._took
        self.suspicious = self.suspicious or not same
        return not same

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the module itself runs: what its forward pass writes is no change."""
        before, places = self._differences(), self._where()
        try:
            yield
        finally:
            written = {
                (id(value), None)
                for value, old, new in zip(self._tensors, places, self._where(), strict=True)
                if old != new
            }
            self.reach.volatile |= (self._differences() - before) | written
            if written:
                self.settle()

    def _differences(self) -> set[Place]:
        return set() if self.reach.same() else self.reach.changed()

    def _where(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """Where each tensor's values lie, and how often they were written to; weights made in inference mode count no versions."""
        return [
            (value.data_ptr(), 0 if value.is_inference() else value._version, value.stride())
            if value.layout == torch.strided
            else (0, 0 if value.is_inference() else value._version, ())
            for value in self._tensors
        ]

    def _read(self) -> list[Tensor]:
        with torch.no_grad():
            return [torch.cat(group) for group in self._exact]

    def _digest(self) -> list[Tensor]:
        """Sums over blocks of every large tensor."""
        with torch.no_grad():
            return [torch.cat(group) for group in _grouped([self._sums(view) for view in self._large])]

    def _sums(self, view: Tensor) -> Tensor:
        if not view.is_floating_point():
            return view.clone()
        whole = view.numel() // BLOCK * BLOCK
        wide = view if view.dtype in (torch.float32, torch.float64) else view.float()
        key = (wide.dtype, wide.device)
        if key not in self._weights:
            generator = torch.Generator().manual_seed(0)
            self._weights[key] = torch.rand(BLOCK, generator=generator).add_(0.5).to(wide)
        return torch.cat([wide[:whole].view(-1, BLOCK) @ self._weights[key], wide[whole:]])


def _numbers() -> list[int]:
    """Torch's numbers for the hooks on all modules."""
    return [number for kind in everywhere() for number in kind]


def _has_values(value: Tensor) -> bool:
    return value.layout == torch.strided and value.device.type != "meta" and not value.is_quantized


def _flat(value: Tensor) -> Tensor | None:
    """All values of a tensor in one dimension, in the memory in which they are; None where they do not lie side by side."""
    if not _has_values(value) or value.is_complex():
        return None
    expected = 1
    for size, stride in sorted(zip(value.shape, value.stride(), strict=True), key=lambda pair: pair[1]):
        if size != 1 and stride != expected:
            return None
        expected *= size
    return value.detach().as_strided((value.numel(),), (1,))


def _grouped(views: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for view in views:
        groups.setdefault((view.dtype, view.device), []).append(view)
    return list(groups.values())


def _same(pairs: Iterable[tuple[Tensor, Tensor]]) -> bool:
    """Whether the tensors of each pair are the same to the bit. One answer a device: each by itself would wait for it."""
    differ: dict[torch.device, list[Tensor]] = {}
    for now, before in pairs:
        if now.shape != before.shape:
            return False
        a, b = _bits(now), _bits(before)
        if a.device.type != "cpu":
            differ.setdefault(a.device, []).append((a != b).any())
        elif not torch.equal(a, b):
            return False
    return not any(bool(torch.stack(flags).any()) for flags in differ.values())


def _bits(value: Tensor) -> Tensor:
    """The same memory as whole numbers."""
    if value.is_complex():
        value = torch.view_as_real(value)
    if not value.is_floating_point():
        return value
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}.get(value.element_size(), torch.uint8)
    return value.contiguous().view(kind)
