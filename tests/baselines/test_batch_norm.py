"""Gradients through batch norms in evaluation mode, for one image in any order of memory, against float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.baselines import GradientXInput, IntegratedGradients
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel


class Tokens(nn.Module):
    """As XCiT: a batch norm on tokens that were folded back into an image, whose channels are innermost in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = (
            nn.Conv2d(3, 6, 2, stride=2),
            nn.BatchNorm2d(6),
            nn.Conv2d(6, 6, 3, padding=1),
        )
        self.mix, self.head = nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        tokens = self.mix(x.flatten(2).transpose(1, 2)).relu()
        image = tokens.transpose(1, 2).reshape(x.shape)
        return self.head(self.last(self.norm(image)).tanh().mean((2, 3)))


class Line(nn.Module):
    """As axial attention: one row of pixels, and a gradient whose memory is in another order than the picture's."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.head = nn.Conv2d(3, 6, 1), nn.BatchNorm1d(6), nn.Linear(6 * 16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.mean(2, keepdim=True)).squeeze(2)
        return self.head(self.norm(x.transpose(1, 2).contiguous().transpose(1, 2)).tanh().flatten(1))


@pytest.fixture(params=[Tokens, Line])
def module(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    net: nn.Module = request.param()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return net.eval()


def gradient(module: nn.Module, x: Tensor, target: int) -> Tensor:
    """In float64 with the batch norm written out."""
    wide = copy.deepcopy(module).double()
    norm = wide.get_submodule("norm")
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    wide.norm = Affine(norm)
    inputs = x.double().requires_grad_()
    (found,) = torch.autograd.grad(wide(inputs)[:, target].sum(), inputs)
    return found


class Affine(nn.Module):
    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.scale = nn.Parameter((norm.weight / (norm.running_var + norm.eps).sqrt()).detach())
        self.shift = nn.Parameter((norm.bias - norm.running_mean * self.scale).detach())

    def forward(self, x: Tensor) -> Tensor:
        column = (-1, *[1] * (x.ndim - 2))
        return x * self.scale.reshape(column) + self.shift.reshape(column)


@pytest.mark.parametrize("images", [1, 3])
def test_gradients_are_right_for_any_number_of_images(module: nn.Module, images: int) -> None:
    x = torch.randn(images, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    model = ImageModel(module, input_size=16, mean=0.0, std=1.0)
    expected = gradient(module, x, 2) * x
    for explain in (GradientXInput(model), LRP(model, "gradient_x_input")):
        found = explain(x, 2).relevance
        assert torch.allclose(found.double(), expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))
    integrated = IntegratedGradients(model, steps=64)(x, 2)
    before = model.scores(torch.zeros_like(x))[:, 2]
    complete = integrated.heatmap.sum((1, 2))
    assert torch.allclose(complete, model.scores(x)[:, 2] - before, rtol=1e-2, atol=1e-3)
