"""An ordinary run of a copy of a module on random images: what its graph is held against."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from xaiwidgets.graph.copying import Copier, has_one_mode, unwrapped
from xaiwidgets.graph.hooks import HookWatch, without_global_hooks
from xaiwidgets.graph.operation import GraphError, converted, rewrite
from xaiwidgets.graph.outside import Outside, Stand
from xaiwidgets.graph.reach import Reach

__all__ = ["BATCHES", "Trial", "Widened", "apart"]

SMALL = 2**20  # entries of a tensor outside the module that is kept, in case that a hook adds to it
BATCHES = (2, 1)  # torch.export takes a size of one for a constant, so what it traced is tried with one image as well


class Trial:
    """The answers of `module` in evaluation mode to random images (2, …) like `example`, and to the first of them alone.

    Attributes:
        x: the images. answers: what came back for each size in `BATCHES`; shorter where a run failed.
        failure: the exception of the run that failed, or None. select: what takes the tensor to explain of an answer, or None.
        alone: the answer to one image of a module that fails on two, or None.
        hooks: which of the module's forward hooks take part.
    """

    def __init__(
        self, module: nn.Module, example: Tensor, reach: Reach, select: Callable[[Any], Tensor] | None = None
    ) -> None:
        self.module, self.select, self._reach = module, select, reach
        self._cached = counted(reach)
        self.x = _images(example)
        self.answers: list[Any] = []
        self.failure: Exception | None = None
        self.alone: Any = None
        self._copier = Copier()
        self.outside = Outside(unwrapped(module), reach)
        self.stands: weakref.WeakKeyDictionary[nn.Module, Stand] = weakref.WeakKeyDictionary()
        self.copy = self._private(self._copier)
        self.hooks = HookWatch(self.parts(self.copy))
        twins = Reach(self.copy, self.stands[self.copy].modules)
        tensors = [(value, value.detach().clone()) for value in reach.tensors.values() if self._is_shared_state(value)]
        try:
            self.answers.append(self.ask(self.copy, self.x))
            if isinstance(self.answers[0], Tensor) and not self.answers[0].isfinite().any():
                self.x = self.x.abs()  # a logarithm or a root of negative values tells nothing
                self.answers = [self.ask(self.copy, self.x)]
            self.answers.extend(self.ask(self.copy, self.x[:size]) for size in BATCHES[1:])
        except Exception as error:  # whatever the person's code raises
            self.failure = error
            self.alone = self._alone()
        self._mark(reach, twins)
        self.put_back()
        for value, kept in tensors:
            if not torch.equal(value, kept):
                reach.volatile.add((id(value), None))
                with torch.no_grad():
                    value.copy_(kept)

    def _alone(self) -> Any:
        try:
            return self.ask(self.copy, self.x[:1])
        except Exception:  # as it does on two
            return None

    def refuse_odd_answers(self) -> None:
        """Raise `GraphError` where the answer is no floating-point tensor with one entry for each image."""
        name = type(unwrapped(self.module)).__name__
        answer = self.answers[0] if self.answers else None
        if not isinstance(answer, Tensor):
            return
        if not answer.is_floating_point():
            kind = str(answer.dtype).removeprefix("torch.")
            raise GraphError(
                f"{name} gives numbers of {kind}, through which nothing can be explained: let it return scores of floats, such as "
                "those that argmax or rounding was applied to."
            )
        shape, images = tuple(answer.shape), BATCHES[0]
        if not shape or (shape[0] != images and [tuple(entry.shape) for entry in self.answers[1:]] in ([], [shape])):
            raise GraphError(
                f"{name} gives shape {shape} for {images} images, which is not one answer for each: let the first axis of what it "
                "returns be that of the images, (N, …)."
            )

    def faithful(self, reach: Reach) -> bool:
        """Whether the copy answers as the module does, which is asked only where that leaves no trace: it has no hooks, writes
        nothing down and is in evaluation mode."""
        module = unwrapped(self.module)
        training = self.outside.training or any(part.training for part in module.modules())
        if self.hooks.count or reach.volatile or training:
            return True
        # A module that runs on one image only has no other answer.
        answer, expected = self.ask(module, self.x[: BATCHES[-1]]), self.answers[-1] if self.answers else self.alone
        size = float(expected.abs().nan_to_num(posinf=0.0).max()) if expected.numel() else 0.0
        return answer.shape == expected.shape and torch.allclose(answer, expected, 1e-3, 1e-5 * size, equal_nan=True)

    def answers_one_by_one(self, count: int) -> bool:
        """Whether so many images at once get the answers that each gets alone."""
        x = self.x.repeat(-(-count // len(self.x)), *[1] * (self.x.ndim - 1))[:count]
        module = self.fresh(hooks=True)
        together = self.ask(module, x)
        alone = torch.cat([self.ask(module, image[None]) for image in self.x])
        size = float(alone.abs().nan_to_num(posinf=0.0).max()) if alone.numel() else 0.0
        expected = alone.repeat(-(-count // len(alone)), *[1] * (alone.ndim - 1))[:count]
        return together.shape == expected.shape and torch.allclose(
            together, expected, 1e-3, 1e-5 * size, equal_nan=True
        )

    def fresh(self, *, hooks: bool = False, dtype: torch.dtype | None = None) -> nn.Module:
        """Another copy, in the state in which the module is; with all of its `hooks`, or those that take part."""
        copy = self._private(Copier(dtype))
        if not hooks:
            self.hooks.keep_only_these(self.parts(copy))
        return copy

    def _private(self, copier: Copier) -> nn.Module:
        copy: nn.Module = copier(unwrapped(self.module))
        self.stands[copy] = Stand(self.outside, copier)
        if has_one_mode(copy):
            raise GraphError(
                f"{type(copy).__name__} has no evaluation mode, as what torch.export makes: give the torch.nn.Module it was made from."
            )
        return copy.eval()

    def parts(self, module: nn.Module) -> list[tuple[str, nn.Module]]:
        """All modules that take part in a copy, or in the module itself, by name: its own, and those that its code names."""
        beside = self.stands[module].modules if module in self.stands else self.outside.modules
        found, seen = list(module.named_modules()), set(module.modules())
        for name, part in beside.items():
            found.extend(part.named_modules(memo=seen, prefix=name))
        return found

    @torch.no_grad()
    def ask(self, module: nn.Module, x: Tensor) -> Any:
        """What `select` takes of the module's answer, in memory of its own."""
        with self.stands[module].inside() if module in self.stands else nullcontext():
            answer = module(x.clone())
        answer = answer if self.select is None else self.select(answer)
        return answer.detach().clone() if isinstance(answer, Tensor) else answer

    def _mark(self, reach: Reach, twins: Reach) -> None:
        """Note what the runs wrote: attributes and containers of the copy, which stand for those of the module."""
        written: dict[int, set[Any]] = {}
        for number, key in twins.changed():
            written.setdefault(number, set()).add(key)
        for number, holder in reach.holders.items():
            twin = self._copier.twin(holder.owner)
            if twin is not None and id(twin) in written:
                reach.mark(number, written[id(twin)])
        for number, value in reach.tensors.items():
            twin = self._copier.twin(value)
            if twin is not None and not twin.is_inference() and twin._version:
                reach.volatile.add((number, None))
        reach.volatile.update(self.hooks.looking_on(self.parts(unwrapped(self.module))))

    def put_back(self) -> None:
        """What the copies share with the module is again as it was; a trace leaves tensors without values there."""
        self._reach.put_back(self.shares)
        forget(self._cached)

    def _is_shared_state(self, value: Tensor) -> bool:
        known = isinstance(value, nn.Parameter) or not self.shares(value) or value.numel() > SMALL
        return not known and value.layout == torch.strided and not value.is_inference()

    def shares(self, owner: Any) -> bool:
        """Whether the copies have no such thing of their own: globals, attributes of classes, what could not be copied."""
        return self._copier.twin(owner) is None


class Widened(TorchDispatchMode):
    """Steps within compute in float64 also where a module's code asks for a type of its own (`.float()`, autocast), as a graph does
    that is in one precision throughout."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def wide(leaf: Any) -> Any:
            return converted(leaf, torch.float64) if isinstance(leaf, torch.dtype) else leaf

        return func(*rewrite(args, wide), **rewrite(kwargs or {}, wide))


def _images(example: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCHES[0], *example.shape[1:], generator=generator, dtype=torch.float64)
    return x.to(example)


@contextmanager
def apart(reach: Reach, device: torch.device) -> Iterator[None]:
    """Runs and traces within leave no trace outside the module: random numbers go on where they were, functions forget what they
    cached meanwhile, and nobody's compiled code or hooks on all modules take part."""
    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002 - what the person's code may draw from
    cached = counted(reach)
    states = [(generator, state_of(generator)) for generator in reach.generators]
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), without_global_hooks(), torch.compiler.set_stance("force_eager"):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)  # noqa: NPY002
            for generator, state in states:
                set_state(generator, state)
            forget(cached)


def state_of(generator: Any) -> Any:
    """Where a generator of random numbers stands: one of torch, of numpy, or of Python."""
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def set_state(generator: Any, state: Any) -> None:
    """Put a generator back to where it stood."""
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def counted(reach: Reach) -> list[tuple[Any, int]]:
    """The functions that cache, and how often they had to compute."""
    return [(function, function.cache_info().misses) for function in reach.caches.values()]


def forget(cached: list[tuple[Any, int]]) -> None:
    """Empty the caches that were added to since they were counted."""
    for function, misses in cached:
        if function.cache_info().misses != misses:
            function.cache_clear()
