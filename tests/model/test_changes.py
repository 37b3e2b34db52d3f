"""Whatever changes what a module computes is noticed, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xaiwidgets.graph import GraphError
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel
from xaiwidgets.model.state import ADVANCE, SHARE, SMALL, Watch

FACTOR = 1.0


def scaled(x: Tensor) -> Tensor:
    return x * FACTOR


class Net(nn.Module):
    gain = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(8)
        self.act: nn.Module = nn.ReLU()
        self.big, self.head = nn.Linear(8 * 64, 300), nn.Linear(300, 4)
        self.register_buffer("offset", torch.zeros(8, 1, 1), persistent=False)
        self.table = torch.ones(8, 1, 1)
        self.array = np.ones((1, 1, 1), np.float32)
        self.options: dict[str, Any] = {"power": 1.0, "order": [0, 1], "part": SimpleNamespace(twice=False)}
        self.flag, self.function = False, torch.tanh

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.bn(self.conv(x)) + self.get_buffer("offset")) * self.table * torch.from_numpy(self.array)
        y = y * self.gain * self.options["power"]
        y = torch.stack([y, y.square()])[self.options["order"]][0]
        if self.flag or self.options["part"].twice:
            y = y * 2
        return self.head(scaled(self.function(self.big(y.flatten(1)))))


def through_numpy(net: Net) -> None:
    net.big.weight.detach().numpy()[3, 5] = 9


def replaced_part(net: Net) -> None:
    net.act = nn.GELU()


def set_global(net: Net) -> None:
    globals()["FACTOR"] = 2.0


def a_hook(net: Net) -> None:
    net.act.register_forward_hook(lambda module, given, output: output * 2)


def a_pre_hook(net: Net) -> None:
    net.act.register_forward_pre_hook(lambda module, given: (given[0] + 1,))


def parametrized(net: Net) -> None:
    nn.utils.parametrizations.orthogonal(net.head)


def pruned(net: Net) -> None:
    from torch.nn.utils import prune

    prune.l1_unstructured(net.head, "weight", 0.5)


def own_forward(net: Net) -> None:
    net.act.forward = lambda x: x.abs()


def other_class(net: Net) -> None:
    net.act.__class__ = nn.Tanh


CHANGES: dict[str, Callable[[Net], Any]] = {
    # values that move no version counter
    "rows of data": lambda net: net.conv.weight.data[:4].zero_(),
    "one entry of data": lambda net: net.big.weight.data[7, 2].add_(5),
    "one entry of a small weight": lambda net: net.conv.weight.data[1, 1, 1, 1].add_(5),
    "data in another order": lambda net: net.big.weight.data.copy_(net.big.weight.data.flip(0).clone()),
    "signs of data": lambda net: net.big.weight.data[5].neg_(),
    "bias": lambda net: net.head.bias.data[1].add_(1),
    "numpy": through_numpy,
    "set": lambda net: setattr(net.conv.weight, "data", net.conv.weight.data.transpose(2, 3)),
    "no gradient": lambda net: net.conv.weight.requires_grad_(False).mul_(2),
    # buffers, tensors, arrays
    "running mean": lambda net: net.bn.get_buffer("running_mean").data.add_(1),
    "running variance": lambda net: net.bn.get_buffer("running_var").mul_(3),
    "buffer out of the state": lambda net: net.get_buffer("offset").add_(1),
    "another buffer": lambda net: net.register_buffer("offset", torch.ones(8, 1, 1)),
    "tensor attribute": lambda net: net.table.mul_(2),
    "another tensor": lambda net: setattr(net, "table", net.table * 2),
    "array": lambda net: net.array.__imul__(2),
    # attributes
    "eps": lambda net: setattr(net.bn, "eps", 1.0),
    "padding mode": lambda net: setattr(net.conv, "padding_mode", "zeros"),
    "flag": lambda net: setattr(net, "flag", True),
    "entry of a dict": lambda net: net.options.update(power=2.0),
    "order of a list": lambda net: net.options["order"].reverse(),
    "attribute of an object": lambda net: setattr(net.options["part"], "twice", True),
    "function": lambda net: setattr(net, "function", F.relu),
    "class attribute": lambda net: setattr(Net, "gain", 2.0),
    "global": set_global,
    # parts and hooks
    "part": replaced_part,
    "own forward": own_forward,
    "class of a part": other_class,
    "hook": a_hook,
    "pre-hook": a_pre_hook,
    "parametrization": parametrized,
    "pruned": pruned,
    "batch statistics given": lambda net: net.bn.load_state_dict(
        {**net.bn.state_dict(), "running_mean": torch.ones(8)}
    ),
}


@pytest.fixture
def net() -> Any:
    torch.manual_seed(0)
    yield Net().eval()
    Net.gain = 1.0
    globals()["FACTOR"] = 1.0


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_noticed(change: str, net: Net, x: Tensor) -> None:
    model = ImageModel(net, input_size=8)
    torch.testing.assert_close(model.scores(x), net(x).detach())
    graph = model.graph
    relevance = LRP(model, "attn_lrp")(x, 1).relevance
    net(x)
    net.train()
    net.eval()
    assert model.graph is graph, "nothing has changed yet"
    with torch.no_grad():
        before = net(x)
        CHANGES[change](net)
        after = net(x)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(model.scores(x), after)
    assert not torch.allclose(LRP(model, "attn_lrp")(x, 1).relevance, relevance)


def test_a_hook_that_is_taken_away(net: Net, x: Tensor) -> None:
    model = ImageModel(net, input_size=8)
    for hook in (lambda module, given, output: output * 2, lambda module, given, output: None):
        handle = net.act.register_forward_hook(hook)
        torch.testing.assert_close(model.scores(x), net(x).detach())
        handle.remove()
        torch.testing.assert_close(model.scores(x), net(x).detach())


def test_hooks_that_only_look_may_come_and_go(net: Net, x: Tensor) -> None:
    seen: list[Tensor] = []
    model = ImageModel(net, input_size=8)
    handle = net.act.register_forward_hook(lambda module, given, output: seen.append(output))
    graph = model.graph
    net(x)
    assert model.graph is graph
    handle.remove()
    assert model.graph is graph
    assert len(seen) == 1


def test_training_and_loading_are_noticed(net: Net, x: Tensor) -> None:
    model = ImageModel(net, input_size=8)
    model.scores(x)
    step = torch.optim.SGD(net.parameters(), lr=0.5)
    net.train()
    F.cross_entropy(net(x), torch.tensor([0, 1])).backward()
    step.step()
    net.eval()
    torch.testing.assert_close(model.scores(x), net(x).detach())
    net.load_state_dict({key: value + 0.1 for key, value in net.state_dict().items()})
    torch.testing.assert_close(model.scores(x), net(x).detach())
    net.double()
    torch.testing.assert_close(model.scores(x), net(x.double()).detach().float())


def test_a_module_without_a_graph_is_not_traced_again_for_what_it_keeps(
    x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.calls, self.log = nn.Linear(192, 3), 0, list[float]()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.last = x
            self.get_buffer("seen").add_(1)
            total = float(x.sum())
            self.log.append(total)
            return self.head((x if total > 0 else -x).flatten(1))

    net = Keeps().eval()
    model = ImageModel(net, input_size=8)
    torch.testing.assert_close(model.scores(x), net(x).detach())
    monkeypatch.setattr("xaiwidgets.model.graphs.export", lambda *arguments: pytest.fail("traced again"))
    for _ in range(3):
        net(x)
        model.scores(x)
        with pytest.raises(GraphError):
            _ = model.graph
    monkeypatch.undo()
    net.head.weight.data.zero_()
    torch.testing.assert_close(model.scores(x), net(x).detach())


def test_large_weights_are_read_whole_as_often_as_it_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once where all of the model is read in no time; else while there is time for it, and always once there was an edit."""
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    weight = nn.Linear(1500, 1500)
    watch = Watch(weight)
    read: list[int] = []
    digest = Watch._digest

    def counted(self: Watch) -> list[Tensor]:
        read.append(1)
        clock[0] += 1.0  # as if it took a second
        return digest(self)

    monkeypatch.setattr(Watch, "_digest", counted)
    watch._took, watch._credit = 1.0, float(ADVANCE)
    for _ in range(3 * ADVANCE):
        assert not watch.changed()
    assert len(read) == ADVANCE
    clock[0] += 1.01 / SHARE
    assert not watch.changed()
    assert len(read) == ADVANCE + 1
    weight.weight.data[700].add_(1)  # so much is seen without reading all
    assert watch.changed()
    assert watch.suspicious
    again = Watch(weight, suspicious=True)
    again._credit = 0.0
    weight.weight.data[3, 3].add_(1)
    assert again.changed()


def test_small_models_are_always_read_whole() -> None:
    linear = nn.Linear(1000, 1000)
    assert linear.weight.numel() > SMALL
    watch = Watch(linear)
    for _ in range(3 * ADVANCE):
        assert not watch.changed()
    linear.weight.data[10, 10].add_(1)
    assert watch.changed()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_kind_are_read(dtype: torch.dtype) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("whole", torch.arange(20_000))
            self.register_buffer("truth", torch.zeros(30, dtype=torch.bool))
            self.register_buffer("spread", torch.zeros(1, 5).expand(4, 5))
            self.register_buffer("complex", torch.zeros(5, dtype=torch.complex64))
            self.register_buffer("sparse", torch.eye(3).to_sparse())
            self.register_buffer("none", torch.zeros(0))
            self.register_buffer("nan", torch.full((3,), float("nan")))
            self.weight = nn.Parameter(torch.randn(200, 200).to(dtype))
            last = torch.randn(4, 8, 70, 70).to(dtype).contiguous(memory_format=torch.channels_last)
            self.last = nn.Parameter(last)

    module = Odd()
    edits: list[Callable[[], Any]] = [
        lambda: module.get_buffer("whole").data[15_000].add_(1),
        lambda: module.get_buffer("truth").data[3].fill_(True),
        lambda: module.get_buffer("spread").data[0, 2].fill_(1),
        lambda: module.get_buffer("complex").data[2].fill_(1j),
        lambda: module.get_buffer("nan").data[2].fill_(0),
        lambda: module.weight.data[100, 100].add_(1),
        lambda: module.last.data[2, 3, 60, 60].add_(1),
    ]
    for edit in edits:
        watch = Watch(module)
        assert not watch.changed()
        edit()
        assert watch.changed()
