"""A graph is held against its module after every export: what differs is found, named, and told from what is random."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xaiwidgets.graph import Graph, GraphError, export
from xaiwidgets.graph.reading import Reader
from xaiwidgets.graph.trial import Trial
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel
from xaiwidgets.relax import RELAX


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def net(*middle: nn.Module, width: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3)
    ).eval()  # fmt: skip


class Does(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("kernel", [2, 4, (4, 3), (2, 5)])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_of_even_kernels(kernel: Any, dilation: int, x: Tensor) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, kernel, padding="same", dilation=dilation), nn.ReLU(), nn.Flatten())
    module.append(nn.Linear(256, 3)).eval()
    graph = export(module, x)
    torch.testing.assert_close(graph.run(x), module(x).detach())
    y = torch.randn_like(graph.run(x, stop="0"))
    (expected,) = torch.autograd.grad(module[0](x.requires_grad_()), x, y)
    found = graph.linear_maps[0].transpose(y[None], tuple(x.shape))[0]
    torch.testing.assert_close(found, expected)


class Off:
    """A function that gives a little more than another."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs) * 1.05


@pytest.mark.parametrize(("stop", "layer"), [("conv2d", "0"), ("adaptive_avg_pool2d", "2"), ("linear", "4")])
def test_a_step_that_computes_something_else_is_named(
    stop: str, layer: str, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reader.read

    def wrong(self: Reader) -> Any:
        operations, output, names = read(self)
        found = [replace(o, function=Off(o.function)) if o.target == stop else o for o in operations]
        return found, output, names

    monkeypatch.setattr(Reader, "read", wrong)
    # A linear step runs on its weights, not as a function.
    monkeypatch.setattr("xaiwidgets.graph.graph.is_linear", lambda operation: False)
    with pytest.raises(
        GraphError, match=rf"first step that differs is '{stop}' \({stop}\) in layer '{layer}', by 0.048"
    ):
        export(net(nn.ReLU()), x)


def test_what_tracing_misses_is_named_by_its_layer(x: Tensor) -> None:
    class Counts(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            # torch.export takes batches for longer than one.
            return x * 2 if x.shape[0] == 1 else x

    traced = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)  # older torch has the latter only

    class ByPrecision(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 3 if traced() else x

    with pytest.raises(GraphError, match=r"traced gives another answer.*in layer '1' \(mul\)"):
        export(net(ByPrecision()), x)
    with pytest.raises(GraphError, match="traced gives another answer than the module"):
        export(net(Counts()), x)


def test_one_image_is_tried_as_well(x: Tensor) -> None:
    class Squeezes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)).squeeze()

    class OneFails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[0] < 2:
                raise ValueError("needs company.")
            return x

    with pytest.raises(
        GraphError, match=r"two images with shape \(2, 4\) and one with \(4,\): the axis of the images must stay"
    ):
        export(nn.Sequential(nn.Conv2d(3, 4, 3), Squeezes()), x)
    with pytest.raises(GraphError, match=r"does not run on 1 image\(s\): ValueError: needs company\."):
        export(net(OneFails()), x)


RANDOM: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": lambda x: F.dropout(x, 0.3, training=True),
    "feature_dropout": lambda x: F.dropout2d(x, 0.3, training=True),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.3, training=True),
    "randn_like": lambda x: x + torch.randn_like(x),
    "rand": lambda x: x + torch.rand(x.shape[0], 4, 1, 1),
    "randn": lambda x: x + torch.randn(4, 1, 1),  # what a constant would be taken for
    "bernoulli": lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "randperm": lambda x: x[:, torch.randperm(4)],
    "normal": lambda x: x + torch.normal(0.0, 1.0, (4, 1, 1)),
    "exponential": lambda x: F.gumbel_softmax(x, dim=1),
}


@pytest.mark.parametrize("name", RANDOM)
def test_models_that_are_random_say_so(name: str, x: Tensor) -> None:
    model = ImageModel(net(Does(RANDOM[name])), input_size=8)
    for call in (model.check, lambda: LRP(model)(x)):
        with pytest.raises(GraphError, match=rf"random in evaluation mode.*\({name}.* in '1'\)"):
            call()
    assert model.scores(x).shape == (2, 3)
    assert RELAX(model, n_masks=8, cells=2)(x).importance.shape == (2, 8, 8)


def test_draws_that_seldom_make_a_difference(x: Tensor) -> None:
    module = net(Does(lambda x: x * (1 + (torch.rand(1) > 0.5))))
    for seed in range(12):
        torch.manual_seed(seed)
        with pytest.raises(GraphError, match=r"random in evaluation mode.*\(rand in '1'\)"):
            export(module, x)
    idle = net(Does(lambda x: F.dropout(x, 0.0)))  # draws, but all the same
    assert export(idle, x).run(x).shape == (2, 3)


def test_dropout_that_stays_on_in_evaluation_mode(x: Tensor) -> None:
    class MonteCarlo(nn.Dropout):
        def train(self, mode: bool = True) -> MonteCarlo:
            return super().train(True)

    with pytest.raises(GraphError, match=r"random in evaluation mode.*dropout in '1'"):
        export(net(MonteCarlo()), x)
    assert export(net(nn.Dropout(), nn.RReLU(), nn.AlphaDropout()), x).run(x).shape == (2, 3)


def test_images_that_depend_on_their_batch(x: Tensor) -> None:
    mixing = [nn.BatchNorm2d(4, track_running_stats=False), Does(lambda x: x - x.mean(0)), Does(lambda x: x.softmax(0))]
    # A norm of each image apart undoes what the batch did, but not for relevance that passes between.
    mixing.append(nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False), nn.InstanceNorm2d(4)))
    for module in mixing:
        with pytest.raises(GraphError, match="answers differently to an image when others are in its batch"):
            export(net(module), x)
    with pytest.raises(GraphError, match=r"statistics of the batch in '1'.*track_running_stats=True"):
        ImageModel(net(nn.BatchNorm2d(4, track_running_stats=False)), input_size=8).check()


def normed() -> list[nn.Module]:
    """A convolution and a batch norm that is merged into it, so that graph and module round differently."""
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(8)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    norm.get_buffer("running_mean").normal_()
    norm.get_buffer("running_var").uniform_(0.5, 2.0)
    return [nn.Conv2d(4, 8, 1), norm]


class Unmixed(nn.Module):
    """Linear attention as EfficientViT has it, in float32 whatever the rest is in; nearly the same for every image."""

    def forward(self, x: Tensor) -> Tensor:
        kind = x.dtype
        with torch.autocast(x.device.type, enabled=False):
            k = F.pad((x * 1e-4 + 1).float().flatten(2), (0, 0, 0, 1), value=1.0)
            y = (k @ k.mT).float() @ k
            return (y[:, :-1] / (y[:, -1:] + 1e-5)).to(kind).view_as(x)


PRECISE: dict[str, Callable[[], nn.Module]] = {
    "half": lambda: net(nn.BatchNorm2d(4), nn.GELU()).half(),
    "bfloat16": lambda: net(nn.BatchNorm2d(4), nn.GELU()).bfloat16(),
    "double": lambda: net(nn.BatchNorm2d(4), nn.GELU()).double(),
    "steep": lambda: net(Does(lambda x: (1e4 * x).sin())),  # rounding before a steep step is not rounding after it
    "tiny": lambda: net(Does(lambda x: x * 1e-20)),
    "huge": lambda: net(Does(lambda x: x * 1e20)),
    "nan": lambda: net(Does(torch.log)),
    "nearly constant": lambda: net(Does(lambda x: x * 1e-5 + 1)),
    "chosen": lambda: net(Does(lambda x: x.round())),
    "its own float32": lambda: net(Does(lambda x: (x * 1e-4 + 1).float().sqrt().to(x.dtype)), *normed(), width=8),
    "autocast off": lambda: net(Unmixed(), *normed(), width=8),
    "upcast": lambda: net(Does(lambda x: x.to(torch.float64).softmax(1, dtype=torch.float64).to(x.dtype))),
}


@pytest.mark.parametrize("name", PRECISE)
def test_rounding_is_no_difference(name: str, x: Tensor) -> None:
    module = PRECISE[name]()
    x = x.to(next(module.parameters()).dtype)
    graph, answer = export(module, x), module(x).detach()
    tolerance = {"half": 1e-2, "bfloat16": 1e-1, "steep": 1e-1}.get(name, 1e-4)
    torch.testing.assert_close(graph.run(x), answer, atol=tolerance, rtol=tolerance, equal_nan=True)


@pytest.mark.parametrize("share", [1e-2, 1e-3, 1e-4])
def test_small_differences_are_seen(share: float, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of what images differ by, where most of the answer is the same for all."""
    run = Graph.run
    module = net(Does(lambda x: x * 0.01))
    nn.init.constant_(module[-1].get_parameter("bias"), 1.0)
    base = module(torch.zeros_like(x)).detach()

    def wrong(self: Graph, x: Tensor, stop: str | None = None) -> Tensor:
        y = run(self, x, stop)
        return y + share * (y - base.to(y)) if y.shape[-1] == 3 else y

    monkeypatch.setattr(Graph, "run", wrong)
    with pytest.raises(GraphError, match="gives another answer than the module"):
        export(module, x)


def test_the_copy_is_held_against_the_module(x: Tensor) -> None:
    class Registered(nn.Module):
        """Finds its own weight in a table by its identity, which no copy has."""

        table: dict[int, float] = {}  # noqa: RUF012

        def __init__(self) -> None:
            super().__init__()
            Registered.table[id(self)] = 2.0

        def forward(self, x: Tensor) -> Tensor:
            return x * Registered.table.get(id(self), 1.0)

    with pytest.raises(GraphError, match="a copy of it, which is what is traced, gives another answer"):
        export(net(Registered()), x)


def test_it_costs_few_forward_passes(x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    run = Graph.run

    def counted(self: Graph, x: Tensor, stop: str | None = None) -> Tensor:
        calls.append(len(x))
        return run(self, x, stop)

    monkeypatch.setattr(Graph, "run", counted)
    asked: list[int] = []
    ask = Trial.ask

    def asking(self: Trial, module: nn.Module, x: Tensor) -> Any:
        asked.append(len(x))
        return ask(self, module, x)

    monkeypatch.setattr(Trial, "ask", asking)
    export(net(nn.ReLU()), x)
    assert sorted(calls) == [1, 2]
    assert sorted(asked) == [1, 1, 2]


def test_a_module_in_training_mode_is_left_so(x: Tensor) -> None:
    module = net(nn.BatchNorm2d(4), nn.Dropout()).train()
    module[1].eval()
    kept = copy.deepcopy(module.state_dict())
    torch.testing.assert_close(export(module, x).run(x), copy.deepcopy(module).eval()(x).detach())
    assert [part.training for part in module] == [True, False, True, True, True, True]
    assert all(torch.equal(value, kept[key]) for key, value in module.state_dict().items())
