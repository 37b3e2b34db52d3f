"""Nothing of the person's sees an export: not hooks, not what they keep, not the module's caches, not random numbers."""

from __future__ import annotations

import functools
import random
import threading
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from xaiwidgets.graph import GraphError, export
from xaiwidgets.lrp import LRP, check
from xaiwidgets.model import ImageModel

SEEN: dict[str, Any] = {}
COUNT = 0
TOTAL = torch.zeros(())
HISTOGRAM = np.zeros(4)


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()  # fmt: skip


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def into_a_global(module: nn.Module, given: Any, output: Tensor) -> None:
    SEEN["out"] = output


def onto_globals(module: nn.Module, given: Any, output: Tensor) -> None:
    global COUNT  # noqa: PLW0603 - what a person's hook may do
    COUNT += 1
    TOTAL.add_(output.detach().sum())
    HISTOGRAM[:] += 1


class Recorder:
    def __init__(self) -> None:
        self.calls, self.kept, self.arrays = 0, list[Tensor](), deque[Any](maxlen=3)

    def hook(self, module: nn.Module, given: Any, output: Tensor) -> Tensor:
        self.calls += 1
        self.kept.append(output)
        self.arrays.append(output.detach().numpy().copy())  # what no traced tensor gives
        return output


def test_hooks_see_and_keep_nothing(x: Tensor) -> None:
    net, recorder, kept, counts = small(), Recorder(), list[Any](), defaultdict[str, int](int)
    net[0].register_forward_hook(into_a_global)
    net[1].register_forward_hook(onto_globals)
    net[0].register_forward_hook(recorder.hook)
    net[4].register_forward_pre_hook(lambda module, given: kept.append(given))
    calls = 0

    def counting(module: nn.Module, given: Any, named: Any, output: Any) -> None:
        nonlocal calls
        calls += 1
        counts[type(module).__name__] += 1

    net[2].register_forward_hook(counting, with_kwargs=True)
    expected = net(x)
    before = (SEEN["out"], COUNT, float(TOTAL), HISTOGRAM.copy(), recorder.calls, len(recorder.kept), calls, len(kept))
    model = ImageModel(net, input_size=8)
    torch.testing.assert_close(model.scores(x), expected.detach())
    assert check(model).ok
    LRP(model)(x)
    after = (SEEN["out"], COUNT, float(TOTAL), HISTOGRAM.copy(), recorder.calls, len(recorder.kept), calls, len(kept))
    assert before[0] is after[0]
    assert before[1:3] == after[1:3]
    assert (before[3] == after[3]).all()
    assert before[4:] == after[4:]
    assert dict(counts) == {"AdaptiveAvgPool2d": 1}
    assert float(SEEN["out"].detach().mean()) == float(recorder.kept[0].detach().mean())
    assert len(net[0]._forward_hooks) == 2


def halve(module: nn.Module, given: Any, output: Tensor) -> Tensor:
    return output / 2


def in_place(module: nn.Module, given: Any, output: Tensor) -> None:
    with torch.no_grad():
        output[:, 1] = 0


def shift(module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
    return (given[0] + 1,)


@pytest.mark.parametrize(
    "kind", ["output", "in place", "input", "weight norm", "parametrized", "spectral", "elsewhere"]
)
def test_hooks_that_compute_take_part(kind: str, x: Tensor) -> None:
    net = small()
    if kind == "output":
        net[1].register_forward_hook(halve)
    elif kind == "in place":
        net[1].register_forward_hook(in_place)
    elif kind == "input":
        net[1].register_forward_pre_hook(shift)
    elif kind == "weight norm":
        with pytest.warns(FutureWarning):
            torch.nn.utils.weight_norm(net[0])
    elif kind == "parametrized":
        torch.nn.utils.parametrizations.weight_norm(net[0])
    elif kind == "spectral":
        torch.nn.utils.spectral_norm(net[0])
    else:  # a hook that writes where another part reads
        net[0].register_forward_hook(lambda module, given, output: setattr(net[1], "factor", 3.0))
        net[1].register_forward_hook(lambda module, given, output: output * getattr(module, "factor", 1.0))
    watched: list[Tensor] = []
    net[3].register_forward_hook(lambda module, given, output: watched.append(output))
    expected = net(x).detach()
    for _ in range(2):
        torch.testing.assert_close(ImageModel(net, input_size=8).scores(x), expected)
    assert len(watched) == 1
    assert not isinstance(watched[0], FakeTensor)


def test_what_leaves_no_trace_is_named(x: Tensor) -> None:
    net = small()
    net[1].register_forward_hook(lambda module, given, output: output.data.mul_(2))
    # Older torch cuts the trace there, and the rest hangs on nothing.
    with pytest.raises(
        GraphError, match=r"uses `\.data` of an activation.*use the tensor itself|does not depend on its input"
    ):
        export(net, x)


class Caching(nn.Module):
    """Keeps what it computed, as efficient transformers do: in a dict, a list, an attribute, on its class."""

    shared: dict[Any, Tensor] = {}  # noqa: RUF012 - this is what is tried

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(4))
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        self.by_device: dict[Any, Tensor] = {}
        self.kept: list[Tensor] = []
        self.ordered: OrderedDict[str, tuple[Tensor, ...]] = OrderedDict()
        self.last: Tensor | None = None
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if x.device not in self.by_device:
            self.by_device[x.device] = self.bias * 2
        if not self.kept:
            self.kept.append(self.bias + 1)
        if "grid" not in self.ordered:
            self.ordered["grid"] = (torch.linspace(0, 1, x.shape[-1]), self.bias.exp())
        key = x.shape[-2:]
        if key not in Caching.shared:
            Caching.shared[key] = self.bias.detach().abs()
        y = self.conv(x) + (self.by_device[x.device] + self.kept[0] + self.ordered["grid"][1])[:, None, None]
        self.last = y.mean((2, 3)) + Caching.shared[key] + steps(4)
        return self.head(self.last)

    def holds(self) -> tuple[Any, ...]:
        """What it keeps, by the very objects."""
        kept = {**self.by_device, **self.ordered, **Caching.shared}
        return {key: id(value) for key, value in kept.items()}, list(map(id, self.kept)), id(self.last), self.calls


@functools.lru_cache(maxsize=8)
def steps(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float32)


@pytest.mark.parametrize("called", [False, True])
def test_caches_are_neither_filled_nor_in_the_way(called: bool, x: Tensor) -> None:
    torch.manual_seed(0)
    Caching.shared.clear()
    steps.cache_clear()
    net = Caching().eval()
    if called:
        net(x)
    before = net.holds()
    model = ImageModel(net, input_size=8)
    scores = model.scores(x)
    LRP(model)(x)
    assert net.holds() == before
    assert not isinstance(steps(4), FakeTensor)
    torch.testing.assert_close(scores, net(x).detach())
    net(x).sum().backward()  # and it can be trained as if nothing had been
    assert net.bias.grad is not None
    graph = model.graph
    net(x)
    assert model.graph is graph, "what a forward pass writes is no change of the module"


def test_what_hangs_on_a_module_may_be_anything(x: Tensor) -> None:
    net = small()
    net.lock = threading.Lock()  # type: ignore[assignment]
    net.generator = torch.Generator()  # type: ignore[assignment]
    net.parent = weakref.ref(net)  # type: ignore[assignment]
    net.made = net[0].weight * 2  # type: ignore # no leaf: it has a history
    net.call = lambda x: net[1](x) + 1  # type: ignore[assignment]
    net.method = net[0].forward  # type: ignore[assignment]
    net.data = list(range(100_000))  # type: ignore[assignment]
    net.slots = Slots()  # type: ignore[assignment]
    torch.testing.assert_close(export(net, x).run(x), net(x).detach())


class Slots:
    __slots__ = ("value",)


class Reaches(nn.Module):
    """Computes with a function that closes over the module, and with a part reached through a weak reference."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        self.act: Callable[[Tensor], Tensor] = lambda x: self.remember(x.relu() * self.head.weight.sum())
        self.link = weakref.ref(self.head)
        self.seen: list[Tensor] = []

    def remember(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        head = self.link()
        assert head is not None
        return head(self.act(self.conv(x)).mean((2, 3)))


def test_functions_that_close_over_the_module(x: Tensor) -> None:
    net = Reaches().eval()
    torch.testing.assert_close(export(net, x).run(x), net(x).detach())
    assert len(net.seen) == 1


def test_random_numbers_go_on_where_they_were(x: Tensor) -> None:
    def drawn() -> tuple[float, float, float]:
        return float(torch.rand(1)), random.random(), float(np.random.rand())  # noqa: NPY002

    for seed in (0, 1):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        if seed == 0:
            first = drawn()
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    ImageModel(small_without_seed(), input_size=8).scores(x)
    assert drawn() != first  # making the network draws
    net = small_without_seed()
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    ImageModel(net, input_size=8).scores(x)
    assert drawn() == first


def small_without_seed() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()


class Keeps(nn.Module):
    """Cannot become a graph, and keeps what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 3)
        self.kept: Tensor | None = None
        self.given: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = self.head.weight.sum() + x.mean() * 0
            self.given = x
        return self.head((x if float(x.detach().sum()) > 1e9 else -x).flatten(1)) + self.kept


def test_the_module_runs_without_gradients_but_not_in_inference_mode(x: Tensor) -> None:
    for inference in (False, True):
        net = Keeps().eval()
        model = ImageModel(net, input_size=8)
        with torch.inference_mode(inference):
            model.predict(x)
        kept, given = net.kept, net.given
        assert kept is not None
        assert given is not None
        assert not kept.is_inference()
        assert not given.is_inference()
        (net(x.clone().requires_grad_()) * net.head.bias * kept * given.mean()).sum().backward()


def test_hooks_on_all_modules_see_nothing(x: Tensor) -> None:
    called: list[str] = []
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, *_: called.append(type(module).__name__)
    )
    try:
        export(small(), x)
        assert called == []
        small()(x)
        assert len(called) == 6
    finally:
        handle.remove()


def test_hooks_on_all_modules_that_change_answers_are_refused(x: Tensor) -> None:
    model, kept = ImageModel(small(), input_size=8), list[Any]()
    scores = model.scores(x)

    def double(module: nn.Module, given: Any, output: Tensor) -> Tensor:
        kept.append(output)
        TOTAL.add_(1)
        return output * 2

    total = float(TOTAL)
    handle = torch.nn.modules.module.register_module_forward_hook(double)  # type: ignore[arg-type]
    try:
        with pytest.raises(GraphError, match=r"answers otherwise with the hooks on all modules \(.*double\)"):
            model.check()
        assert kept == []
        assert float(TOTAL) == total
    finally:
        handle.remove()
    assert torch.equal(model.scores(x), scores)
    assert model.check().ok
