"""Graphs against the modules they came from."""

from __future__ import annotations

import sys
import threading

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.graph import GraphError, export


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=True)
        self.mix = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn(self.conv(x)))
        a, b = self.mix(x).chunk(2, 1)
        x = torch.cat([(a + b).mul_(2), b], 1)
        return self.head(self.act(x).flatten(2).mean(-1))


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    module = Block()
    nn.init.uniform_(module.bn.weight)
    nn.init.normal_(module.bn.bias)
    assert module.bn.running_mean is not None
    module.bn.running_mean.normal_()
    return module.eval()


def test_same_output_at_any_batch_size(block: Block) -> None:
    graph = export(block, torch.randn(1, 3, 8, 6))
    for batch in (1, 2, 5):
        x = torch.randn(batch, 3, 8, 6)
        assert torch.allclose(graph.run(x), block(x), atol=1e-5)
        assert torch.allclose(graph.to(memory_format=torch.channels_last).run(x), block(x), atol=1e-5)
        assert torch.allclose(graph.to(torch.float64).run(x).float(), block(x), atol=1e-5)


def test_batch_norm_is_folded_and_goes_by_both_names(block: Block) -> None:
    graph = export(block, torch.randn(1, 3, 8, 6))
    assert "batch_norm" not in [operation.target for operation in graph.operations]
    x = torch.randn(2, 3, 8, 6)
    expected = block.bn(block.conv(x))
    assert torch.allclose(graph.run(x, stop="conv"), expected, atol=1e-5)
    assert torch.equal(graph.run(x, stop="conv"), graph.run(x, stop="bn"))


class Fused(nn.Module):
    """As RepGhost: a second batch norm reads what the first gave, and is not alone in that."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.BatchNorm2d(6)
        for norm in (self.first, self.second):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.conv(x))
        return (x.tanh() + self.second(x)).mean((2, 3))


def test_a_second_batch_norm_is_folded_only_where_nobody_else_reads() -> None:
    torch.manual_seed(0)
    module, x = Fused().eval(), torch.randn(2, 3, 8, 6)
    assert torch.allclose(export(module, x).run(x), module(x), atol=1e-5)
    chain = nn.Sequential(module.conv, module.first, module.second)
    graph = export(chain, x)
    assert [operation.target for operation in graph.operations] == ["input", "conv2d"]
    assert torch.allclose(graph.run(x), chain(x), atol=1e-5)


def test_layers_and_the_point_before_the_classifier(block: Block) -> None:
    graph = export(block, torch.randn(1, 3, 8, 6))
    assert graph.concept_layers == ("conv", "mix", "head")
    assert {"conv", "bn", "mix", "head"} <= set(graph.layer_names)
    features = graph.run(torch.randn(2, 3, 8, 6), stop="pre_logits")
    assert features.shape == (2, 6)
    with pytest.raises(GraphError, match="does not end in a classifier"):
        export(block.conv, torch.randn(1, 3, 8, 6)).run(torch.randn(1, 3, 8, 6), stop="pre_logits")


def test_the_module_and_its_hooks_are_not_touched(block: Block) -> None:
    block.train()
    called: list[int] = []
    block.conv.register_forward_hook(lambda *_: called.append(1))
    before = {key: value.clone() for key, value in block.state_dict().items()}
    export(block, torch.randn(1, 3, 8, 6))
    assert block.training
    assert block.act.training
    assert all(torch.equal(value, before[key]) for key, value in block.state_dict().items())
    assert all(type(parameter) is nn.Parameter for parameter in block.parameters())


def test_inputs_are_not_written_to(block: Block) -> None:
    net = nn.Sequential(nn.ReLU(inplace=True), block)
    x = torch.randn(2, 3, 8, 6)
    kept = x.clone()
    graph = export(net, x)
    graph.run(x)
    assert torch.equal(x, kept)


class Writes(nn.Module):
    """Writes into part of an activation that is read again as a whole."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        y[:, 0].mul_(3)
        return y.sum((2, 3))


def test_writing_into_a_view_is_made_functional() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(export(Writes(), x).run(x), Writes()(x), atol=1e-6)


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) if x.sum() > 0 else x.amax((2, 3))


class Fixed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, -1)


class Counted(nn.Module):
    """Its batch size is in its code: it runs on any, but torch.export finds one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x).relu())
        return torch.cat([self.head(x[i].amax((1, 2)))[None] for i in range(len(x))])


def test_shapes_are_changed_after_a_program_was_made_functional() -> None:
    class Tokens(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            whole = x.clone()
            part = whole[:, 1:]
            whole[:, 0] = 2 * part[:, 0]
            rows = part.permute(0, 2, 3, 1).reshape(-1, 2)  # a copy, of whose memory nothing is known afterwards
            return torch.cat([rows.reshape(x.shape[0], -1), whole.transpose(1, 3).reshape(x.shape[0], -1)], 1)

    x = torch.randn(2, 3, 4, 5)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        graph = export(Tokens(), x, memory_format=memory_format)
        assert torch.equal(graph.run(x), Tokens()(x))


def test_a_model_of_one_batch_size_goes_image_by_image() -> None:
    torch.manual_seed(0)
    module, x = Counted().eval(), torch.randn(3, 3, 8, 6)
    graph = export(module, x)
    assert graph.single
    for images in (x, x[:1]):
        assert torch.allclose(graph.run(images), module(images), atol=1e-5)
        assert torch.allclose(graph.run(images, stop="conv"), module.conv(images), atol=1e-5)
    wide = graph.to(torch.float64)
    assert wide.single
    assert torch.allclose(wide.run(x).float(), module(x), atol=1e-5)


class Gathers(nn.Module):
    """As modules behind a decorator are."""

    def __init__(self, more: bool) -> None:
        super().__init__()
        self.net = Block()
        if more:
            setattr(self, "forward", lambda x, *rest, **options: self.net(x))  # noqa: B010 - as decorators do

    def forward(self, *args: Tensor, **options: bool) -> Tensor:
        return self.net(*args)


@pytest.mark.parametrize("more", [False, True])
def test_a_forward_of_any_arguments(more: bool) -> None:
    module, x = Gathers(more).eval(), torch.randn(3, 3, 8, 6)
    assert torch.allclose(export(module, x).run(x), module(x), atol=1e-5)


def test_a_failed_export_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    stream = sys.stderr
    for module in (Branches(), nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(4))):
        with pytest.raises(GraphError):
            export(module, torch.randn(1, 3, 4, 4))
    assert capfd.readouterr() == ("", "")
    assert sys.stderr is stream


def test_other_sizes_and_precisions_than_a_module_takes() -> None:
    class Sized(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[-1] == 8, "Input width doesn't match"
            return x.flatten(1)

    with pytest.raises(GraphError, match=r"x of shape \(N, 3, 8, 9\).*AssertionError: Input width"):
        export(Sized(), torch.randn(1, 3, 8, 9))
    with pytest.raises(GraphError, match=r"torch.float32 on cpu.*dtype"):
        export(nn.Conv2d(3, 2, 3).double(), torch.randn(1, 3, 8, 8))


def test_export_errors_are_explained() -> None:
    with pytest.raises(GraphError, match="control flow depends on values"):
        export(Branches(), torch.randn(1, 3, 4, 4))
    with pytest.raises(GraphError, match="batch size"):
        export(Fixed(), torch.randn(1, 3, 4, 4))
    with pytest.raises(GraphError, match=r"x of shape \(N, 3, 8, 8\).*does not run through Conv2d.*[Gg]ive images"):
        export(nn.Conv2d(4, 2, 3), torch.randn(1, 3, 8, 8))
    with pytest.raises(GraphError, match="is a str"):
        export("resnet", torch.randn(1, 3, 8, 8))  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="exported for"):
        export(nn.Conv2d(3, 2, 3), torch.randn(1, 3, 8, 8)).run(torch.randn(1, 3, 9, 9))


def test_two_threads_export_at_once(block: Block) -> None:
    x = torch.randn(2, 3, 8, 6)
    results: list[Tensor] = []
    threads = [threading.Thread(target=lambda: results.append(export(block, x).run(x))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(torch.equal(results[0], result) for result in results)


def test_models_may_share_modules(block: Block) -> None:
    first, second = nn.Sequential(block), nn.Sequential(nn.Identity(), block)
    x = torch.randn(2, 3, 8, 6)
    assert torch.allclose(export(first, x).run(x), export(second, x).run(x))
