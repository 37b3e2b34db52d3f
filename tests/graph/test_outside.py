"""What a person's code reaches by a name is copied for the trace, and watched: modules in globals, settings, generators."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from tests.versions import OLDER_TORCH
from xaiwidgets.graph import GraphError, export
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel

body = nn.Sequential()  # as in a notebook
PARTS: dict[str, nn.Module] = {}
unrelated = nn.Linear(2, 2)
settings = ModuleType("settings")
noise = torch.Generator()
dice = random.Random(0)
arrays = np.random.default_rng(0)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _body() -> Iterator[None]:
    global body  # noqa: PLW0603 - a cell that is run again
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    body.eval()
    PARTS["net"] = body
    yield
    PARTS.clear()


class Wrapped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return body(x)


class InDict(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return PARTS["net"](x)


class Unrelated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unrelated = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.unrelated(x).mean((2, 3))


@pytest.mark.parametrize("kind", [Wrapped, InDict])
def test_a_module_in_a_global(kind: type[nn.Module], x: Tensor) -> None:
    seen: list[Any] = []
    body[2].register_forward_hook(lambda module, given, output: seen.append(output))
    wrapper, own = kind().eval(), body
    model, lrp = ImageModel(wrapper, input_size=8), LRP(ImageModel(body, input_size=8))
    torch.testing.assert_close(model.scores(x), body(x).detach())
    assert [name.split(".")[-1] for name in model.layers] == ["0", "5"]
    torch.testing.assert_close(LRP(model)(x, target=0).relevance, lrp(x, target=0).relevance)
    with torch.no_grad():
        body[0].weight.neg_()  # type: ignore[operator]
    torch.testing.assert_close(model.scores(x), body(x).detach())
    torch.testing.assert_close(LRP(model)(x, target=0).relevance, lrp(x, target=0).relevance)
    assert len(seen) == 2  # the two calls above
    assert not any(isinstance(entry, FakeTensor) for entry in seen)
    assert body is own
    assert PARTS["net"] is own


def test_a_module_in_a_global_that_trains_keeps_its_statistics(x: Tensor) -> None:
    body.train()
    mean = body[1].get_buffer("running_mean").clone()
    with pytest.warns(UserWarning, match="Wrapped: body, which its code names, is in training mode"):
        ImageModel(Wrapped().eval(), input_size=8).check()
    assert torch.equal(body[1].get_buffer("running_mean"), mean)
    assert body.training
    body.eval()


def test_hooks_of_a_module_in_a_global_take_part(x: Tensor) -> None:
    body[2].register_forward_hook(lambda module, given, output: output * 3)
    torch.testing.assert_close(ImageModel(Wrapped().eval(), input_size=8).scores(x), body(x).detach())


def test_a_global_of_the_name_of_an_attribute_is_not_reached() -> None:
    model = ImageModel(Unrelated().eval(), input_size=8)
    graph = model.graph
    with torch.no_grad():
        unrelated.weight.neg_()
    assert model.graph is graph


class Calls(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(x).mean((2, 3)))


class Slope:
    __slots__ = ("net", "value")

    def __init__(self, net: nn.Module, value: float) -> None:
        self.net, self.value = net, value

    def __call__(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.net(x), self.value)


class OnClass:
    net: nn.Module = nn.Identity()

    @classmethod
    def run(cls, x: Tensor) -> Tensor:
        return cls.net(x)


def held(kind: str, net: nn.Conv2d) -> tuple[Callable[[Tensor], Tensor], Callable[[], Any]]:
    """A function that holds something in one way, and an edit of that."""

    def negate() -> Any:
        return net.weight.data.neg_()

    slope, leaky = Slope(net, 0.1), functools.partial(F.leaky_relu, negative_slope=0.1)
    config = SimpleNamespace(model=SimpleNamespace(act=SimpleNamespace(slope=0.1)))
    OnClass.net, vars(settings)["SLOPE"] = net, 0.1
    ways: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[], Any]]] = {
        "partial": (functools.partial(lambda part, x: part(x), net), negate),
        "keyword default": (lambda x, *, part=net: part(x), negate),  # type: ignore[misc]
        "classmethod": (OnClass.run, negate),
        "slots": (slope, lambda: setattr(slope, "value", 0.9)),
        "slots, module": (slope, negate),
        "partial keywords": (lambda x: leaky(net(x)), lambda: leaky.keywords.__setitem__("negative_slope", 0.9)),
        "deep": (
            lambda x: F.leaky_relu(net(x), config.model.act.slope),
            lambda: setattr(config.model.act, "slope", 0.9),
        ),
        "python module": (
            lambda x: F.leaky_relu(net(x), settings.SLOPE),
            lambda: setattr(settings, "SLOPE", 0.9),
        ),
    }
    return ways[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "partial",
        "keyword default",
        "classmethod",
        "slots",
        "slots, module",
        "partial keywords",
        "deep",
        "python module",
    ],
)
def test_what_code_holds_in_any_way(kind: str, x: Tensor) -> None:
    net, seen = nn.Conv2d(3, 4, 3).eval(), list[Any]()
    net.register_forward_hook(lambda module, given, output: seen.append(output))
    function, edit = held(kind, net)
    module = Calls(function).eval()
    model = ImageModel(module, input_size=8)
    before = model.scores(x)
    assert seen == []
    edit()
    expected = module(x).detach()
    assert (expected - before).abs().max() > 1e-3
    torch.testing.assert_close(model.scores(x), expected)
    assert len(seen) == 1


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        shift = torch.rand(1, generator=noise) + dice.random() + arrays.random()
        return (x + 0 * shift).mean((2, 3))


def test_generators_go_on_where_they_were(x: Tensor) -> None:
    states = noise.get_state(), dice.getstate(), arrays.bit_generator.state
    # Older versions of torch trace no call with a generator.
    with pytest.raises(GraphError, match="Generator") if OLDER_TORCH else nullcontext():
        export(Noisy().eval(), x)
    assert torch.equal(noise.get_state(), states[0])
    assert dice.getstate() == states[1]
    assert arrays.bit_generator.state == states[2]
