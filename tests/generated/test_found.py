"""What the generated networks found, each as the smallest network that showed it; all laws hold on it now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generated.drawing import Call
from tests.generated.laws import hold
from tests.generated.networks import CLASSES, Network
from xaiwidgets.lrp import AbsLRP
from xaiwidgets.model import ImageModel


def tokens() -> nn.Module:
    return Call(lambda own, x: x.flatten(2).transpose(1, 2))


def vector() -> nn.Module:
    return Call(lambda own, x: x.mean((2, 3)))


def attend(**how: bool) -> nn.Module:
    """Self-attention of tokens of four features, with a mask."""
    extra = bool(how)

    def forward(own: Any, x: Tensor) -> Tensor:
        mask = None if extra else torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        found: Tensor = own.layer(x, x, x, attn_mask=mask, need_weights=True)[0]
        return found

    return Call(forward, layer=nn.MultiheadAttention(4, 2, batch_first=True, **how))


def moved(own: Call, x: Tensor) -> Tensor:
    blank = x.new_empty(x.shape)
    blank[:, :1], blank[:, 1:] = x[:, -1:], x[:, :-1]
    return blank


def unpooled(own: Call, x: Tensor) -> Tensor:
    y, where = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(y, where, [2, 2], output_size=x.shape)


FOUND: dict[str, tuple[Callable[[], list[nn.Module]], bool]] = {
    # An output padding beyond the stride: relevance came with another shape than the input.
    "output padding": (lambda: [nn.ConvTranspose2d(3, 2, 1, dilation=2, output_padding=1)], True),
    # A view of what lies otherwise in memory than when it was traced: no graph.
    "views of a transposed product": (
        lambda: [tokens(), nn.Linear(3, 4), attend(add_bias_kv=True, add_zero_attn=True)],
        False,
    ),
    "what is written into": (lambda: [Call(moved)], True),
    # Logits of minus infinity: gradient × input was not a number.
    "masked attention": (lambda: [tokens(), nn.Linear(3, 4), attend()], False),
    # Derivatives that cancel but for rounding, which absLRP's norms then made large.
    "negative features": (
        lambda: [nn.AdaptiveMaxPool2d((3, None)), tokens(), Call(lambda own, x: x[:, 0]), nn.Linear(3, 4)],
        True,
    ),
    "an rms norm": (lambda: [vector(), nn.Linear(3, 4), nn.RMSNorm(4), nn.Linear(4, 4), nn.Linear(4, 4)], False),
    "a matrix product": (lambda: [tokens(), Call(lambda own, x: x.mT @ x)], False),
    # No second derivative; a deviation of zero.
    "hardsigmoid": (lambda: [nn.Hardsigmoid()], False),
    "norm over neighbours": (lambda: [nn.LocalResponseNorm(2)], False),
    "deviation": (
        lambda: [nn.ZeroPad2d(1), Call(lambda own, x: x / (x.std(1, keepdim=True, correction=0) + 1))],
        False,
    ),
    # Relevance that ends in zeros had no name.
    "unpooled": (lambda: [Call(unpooled)], True),
    "a filled border": (lambda: [nn.ConstantPad2d(1, 1.5)], True),
}


def made(layers: list[nn.Module], linear: bool) -> Network:
    body = nn.Sequential(*layers)
    width = body.eval()(torch.randn(2, 3, 6, 7)).flatten(1).shape[1]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, CLASSES)).eval()
    return Network(net, (3, 6, 7), linear)


@pytest.mark.parametrize("name", FOUND)
def test_all_laws_hold(name: str) -> None:
    torch.manual_seed(0)
    layers, linear = FOUND[name]
    assert hold(made(layers(), linear)) is None


REFUSED: dict[str, tuple[Callable[[], list[nn.Module]], str]] = {
    # Few draws may happen to give the same answer when they are tried.
    "random pools": (lambda: [nn.FractionalMaxPool2d(2, output_ratio=0.6)], "is random in evaluation mode"),
    # The norm of each image undoes what the batch did to it, but relevance would pass between images.
    "statistics of the batch": (
        lambda: [nn.BatchNorm2d(3, track_running_stats=False), nn.InstanceNorm2d(3)],
        "when others are in its batch",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    torch.manual_seed(0)
    layers, words = REFUSED[name]
    assert words in str(hold(made(layers(), False)))


def test_rows_that_are_alike_have_no_contrast() -> None:
    """Through one number, relevance for a class and against it take the same way: their difference is rounding, which is no map."""
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 1, 3), nn.Linear(1, 4)
    first.bias, last.weight = (
        nn.Parameter(torch.tensor([3.0])),
        nn.Parameter(torch.tensor([[1.0], [0.5], [0.7], [0.2]])),
    )
    net = nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Flatten(), last).eval()
    found = AbsLRP(ImageModel(net, input_size=(6, 7), mean=0, std=1))(torch.randn(2, 3, 6, 7), 0)
    assert torch.equal(found.relevance, torch.zeros(2, 3, 6, 7))
