"""What people write in `forward`: views, slices, writes in place, choices, products, attention, regions, caches, reuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.generated.drawing import Call, Draw, piece

Function = Callable[[Any, Tensor], Tensor]


def among(draw: Draw, ways: dict[str, Function], option: str = "which", /, **uses: Any) -> nn.Module:
    return Call(ways[draw(option, *ways)], **uses)


# -- views and slices --------------------------------------------------------------------------------------------------

VIEWS: dict[str, Function] = {
    "reshape": lambda own, x: x.reshape(x.shape[0], -1, *x.shape[2:]),
    "view back": lambda own, x: x.flatten(1).view(x.shape),
    "permute": lambda own, x: x.permute(0, *reversed(range(1, x.ndim))).contiguous(),
    "transpose": lambda own, x: x.transpose(1, -1),
    "movedim": lambda own, x: x.movedim(1, -1),
    "moveaxis and swapaxes": lambda own, x: x.moveaxis(1, -1).swapaxes(1, -1),
    "mT": lambda own, x: x.mT if x.ndim > 2 else x,
    "unsqueeze and squeeze": lambda own, x: x.unsqueeze(1).squeeze(1),
    "expand and sum": lambda own, x: x.unsqueeze(1).expand(-1, 3, *x.shape[1:]).sum(1),
    "repeat": lambda own, x: x.repeat(1, 2, *[1] * (x.ndim - 2)),
    "repeat_interleave": lambda own, x: x.repeat_interleave(2, 1),
    "tile": lambda own, x: x.tile((1, 2, *[1] * (x.ndim - 2))),
    "flip": lambda own, x: x.flip(1, -1),
    "roll": lambda own, x: x.roll((1, -1), (1, x.ndim - 1)),
    "rot90": lambda own, x: x.rot90(1, (-2, -1)) if x.ndim > 2 else x,
    "chunk and cat": lambda own, x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "split and cat": lambda own, x: torch.cat(x.split(1, 1), 1),
    "tensor_split": lambda own, x: torch.cat(x.tensor_split(2, 1), 1),
    "unbind and stack": lambda own, x: torch.stack(x.unbind(1)[::-1], 1),
    "stack": lambda own, x: torch.stack([x, -x], 2).flatten(1, 2),
    "diagonal": lambda own, x: x.diagonal(dim1=1, dim2=-1) if x.ndim > 2 else x,
    "unflatten": lambda own, x: x.unflatten(1, (1, -1)).flatten(1, 2),
    "unfold": lambda own, x: x.unfold(1, 2, 1).sum(-1) if x.shape[1] > 1 else x,
    "as steps": lambda own, x: x[:, ::2],
    "from behind": lambda own, x: x[:, -1:],
    "ellipsis": lambda own, x: x[..., :-1] if x.shape[-1] > 1 else x,
    "none": lambda own, x: x[:, None].sum(1),
    "narrow": lambda own, x: x.narrow(1, 0, 1),
    "select": lambda own, x: x.select(1, 0).unsqueeze(1),
    "by list": lambda own, x: x[:, [0, -1, 0]],
    "by tensor": lambda own, x: x[:, torch.tensor([0, 0])],
    "two indices": lambda own, x: x[:, torch.tensor([0, 0]), ..., torch.tensor([0, -1])] if x.ndim > 2 else x,
    "by truth": lambda own, x: x[:, torch.arange(x.shape[1]) % 2 == 0],
    "index_select": lambda own, x: x.index_select(1, torch.tensor([0, 0])),
    "take_along_dim": lambda own, x: x.take_along_dim(torch.zeros_like(x[:1, :1], dtype=torch.long), 1),
    "gather": lambda own, x: x.gather(1, torch.zeros_like(x[:, :1], dtype=torch.long)),
    "triangle": lambda own, x: x.tril() if x.ndim > 2 else x,
    "pad": lambda own, x: F.pad(x, (1, 0), value=0.5),
    "cat with a constant": lambda own, x: torch.cat([x, torch.ones_like(x[:, :1])], 1),
    "cat with a token": lambda own, x: torch.cat([own.token.expand(x.shape[0], 1, *x.shape[2:]), x], 1),
    "clone": lambda own, x: x.clone().contiguous(),
}


@piece("view", linear=True)
def view(draw: Draw) -> nn.Module:
    token = torch.randn(1, 1, *draw.shape[1:])
    return among(draw, VIEWS, token=nn.Parameter(token))


# -- writing in place --------------------------------------------------------------------------------------------------


def _written(write: Callable[[Any, Tensor], Any]) -> Function:
    def forward(own: Any, x: Tensor) -> Tensor:
        y = x * 1.5
        found = write(own, y)
        return found if isinstance(found, Tensor) else y

    return forward


def _set(y: Tensor, place: Any, value: Any) -> None:
    y[place] = value


def _add(y: Tensor, place: Any, value: Any) -> None:
    y[place] += value


WRITES: dict[str, Function] = {
    name: _written(write)
    for name, write in {
        "zero a slice": lambda own, y: _set(y, (slice(None), 0), 0),
        "a number into a slice": lambda own, y: _set(y, (slice(None), slice(0, 1)), 0.7),
        "one part into another": lambda own, y: _set(y, (slice(None), 0), y[:, -1].clone()),
        "a step": lambda own, y: _set(y, (slice(None), slice(None, None, 2)), 0.1),
        "ellipsis": lambda own, y: _set(y, (..., 0), 0),
        "by list": lambda own, y: _set(y, (slice(None), [0, -1]), 0.0),
        "by truth": lambda own, y: _set(y, (slice(None), torch.arange(y.shape[1]) == 0), 0.0),
        "by a mask of the values": lambda own, y: _set(y, y < -1, 0.0),
        "add to a slice": lambda own, y: _add(y, (slice(None), slice(0, 1)), 1.0),
        "multiply a view": lambda own, y: y[:, :1].mul_(3),
        "multiply a view of a view": lambda own, y: y.transpose(1, -1)[..., :1].mul_(2),
        "mul_": lambda own, y: y.mul_(2),
        "add_": lambda own, y: y.add_(y, alpha=2),
        "sub_": lambda own, y: y.sub_(y.flip(1) * 0.3),
        "div_": lambda own, y: y.div_(2),
        "neg_": lambda own, y: y.neg_(),
        "relu_": lambda own, y: y.relu_(),
        "masked_fill_": lambda own, y: y.masked_fill_(torch.arange(y.shape[1]).view(-1, *[1] * (y.ndim - 2)) == 0, 0.3),
        "index_fill_": lambda own, y: y.index_fill_(1, torch.tensor([0]), 0.2),
        "index_add_": lambda own, y: y.index_add_(1, torch.tensor([0]), y[:, -1:].clone()),
        "index_copy_": lambda own, y: y.index_copy_(1, torch.tensor([0]), y[:, -1:].clone()),
        "scatter_": lambda own, y: y.scatter_(1, torch.zeros_like(y[:, :1], dtype=torch.long), 0.0),
        "copy_": lambda own, y: y[:, :1].copy_(y[:, -1:].clone()),
        "fill_": lambda own, y: y[:, :1].fill_(0.3),
        "zero_": lambda own, y: y[:, :1].zero_(),
        "read before": lambda own, y: _kept(y, y[:, :1].clone()),
        "view read after": lambda own, y: _kept(y, y[:, :1]),
        "into zeros": lambda own, y: _into(torch.zeros_like(y), y),
        "into empty": lambda own, y: _into(y.new_empty(y.shape), y),
    }.items()
}


def _kept(y: Tensor, kept: Tensor) -> Tensor:
    y.mul_(2)
    return y + kept


def _into(blank: Tensor, y: Tensor) -> Tensor:
    blank[:, :1] = y[:, -1:]
    blank[:, 1:] = y[:, :-1]
    return blank


@piece("write in place", linear=True)
def write(draw: Draw) -> nn.Module:
    return among(draw, WRITES)


# -- choices and masks -------------------------------------------------------------------------------------------------


def _checked(x: Tensor) -> Tensor:
    """A mask of two kinds over the entries of an image."""
    return (torch.arange(x[0].numel()) % 3 == 0).view(x.shape[1:])


CHOICES: dict[str, Function] = {
    "where, two values": lambda own, x: torch.where(_checked(x), x * 2, -x.flip(1)),
    "where, a number": lambda own, x: torch.where(_checked(x), x, 0.4),
    "where, a number first": lambda own, x: torch.where(_checked(x), 0.0, x),
    "where, a parameter": lambda own, x: torch.where(_checked(x), x, own.weight),
    "where, of the values": lambda own, x: torch.where(x > 0, x, 0.1 * x),
    "where, between": lambda own, x: torch.where((x > -0.5) & (x < 0.5), x * 2, x),
    "times a mask": lambda own, x: x * _checked(x),
    "times truth of the values": lambda own, x: x * (x > 0.2).float(),
    "masked_fill": lambda own, x: x.masked_fill(_checked(x), 0.5),
    "masked_fill of the values": lambda own, x: x.masked_fill(x < 0, 0.0),
    "two parts by a mask": lambda own, x: _checked(x) * x + ~_checked(x) * x.roll(1, 1),
    "maximum": lambda own, x: torch.maximum(x, x.roll(1, -1)),
    "minimum": lambda own, x: torch.minimum(x, 0.5 * x),
    "max of two": lambda own, x: torch.max(x, -x),
    "max": lambda own, x: x.max(1, keepdim=True)[0],
    "min": lambda own, x: x.min(1, keepdim=True).values,
    "amax": lambda own, x: x.amax(1, keepdim=True),
    "topk": lambda own, x: x.topk(1, 1)[0],
    "sort": lambda own, x: x.sort(1).values,
    "median": lambda own, x: x.median(1, keepdim=True)[0],
    "by argmax": lambda own, x: x.gather(1, x.argmax(1, keepdim=True)),
    "abs": lambda own, x: x.abs(),
    "sign": lambda own, x: x * x.sign(),
    "relu of both": lambda own, x: x.clamp(min=0) - (-x).clamp(min=0) * 0.3,
    "clamp_min": lambda own, x: x.clamp_min(0),
}


@piece("choice", linear=True)
def choice(draw: Draw) -> nn.Module:
    return among(draw, CHOICES, weight=nn.Parameter(torch.randn(draw.shape)))


# -- sums, products, powers --------------------------------------------------------------------------------------------

SUMS: dict[str, Function] = {
    "residual": lambda own, x: x + 0.5 * x.flip(1),
    "less its mean": lambda own, x: x - x.mean(1, keepdim=True) * 0.5,
    "sum": lambda own, x: x.sum(-1, keepdim=True),
    "mean of all axes": lambda own, x: x + x.mean(tuple(range(1, x.ndim)), keepdim=True),
    "cumsum": lambda own, x: x.cumsum(1),
    "add, alpha": lambda own, x: torch.add(x, x.roll(1, 1), alpha=0.5),
    "rsub": lambda own, x: 1.0 - x,
    "add a parameter": lambda own, x: x + own.bias,
    "add a buffer": lambda own, x: x + own.table,
    "add a number": lambda own, x: x + 0.3,
    "times a parameter": lambda own, x: x * own.bias,
    "over a parameter": lambda own, x: x / (own.bias.abs() + 1),
    "lerp": lambda own, x: torch.lerp(x, x.flip(1), 0.3),
    "addcmul": lambda own, x: torch.addcmul(own.bias, x, own.table),
    "dim of the batch as a number": lambda own, x: x * (x.shape[1] / 2),
    "in a loop": lambda own, x: sum((x[:, i : i + 1] * (i + 1) for i in range(x.shape[1])), x * 0),
    "sum of a list": lambda own, x: torch.stack([x, x.roll(1, 1), x * 2]).sum(0),
}


@piece("sum", linear=True)
def sums(draw: Draw) -> nn.Module:
    shape = draw.shape
    module = among(draw, SUMS, bias=nn.Parameter(torch.randn(shape)))
    module.register_buffer("table", torch.randn(shape), persistent=False)
    return module


PRODUCTS: dict[str, Function] = {
    "gate": lambda own, x: x * x.sigmoid(),
    "squeeze and excite": lambda own, x: (
        x * x.mean(tuple(range(2, x.ndim)), keepdim=True).sigmoid() if x.ndim > 2 else x
    ),
    "square": lambda own, x: x * x,
    "pow": lambda own, x: x.pow(2),
    "power": lambda own, x: x**3,
    "sqrt": lambda own, x: (x.abs() + 0.1).sqrt(),
    "exp": lambda own, x: (x * 0.3).exp(),
    "log": lambda own, x: (x.abs() + 1).log(),
    "log1p": lambda own, x: x.relu().log1p(),
    "sin": lambda own, x: torch.sin(x),
    "tanh": lambda own, x: x.tanh(),
    "erf": lambda own, x: torch.erf(x),
    "over its norm": lambda own, x: F.normalize(x, dim=1),
    "over its deviation": lambda own, x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, correction=0) + 1),
    "rsqrt of its mean square": lambda own, x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 0.1),
    "over another": lambda own, x: x / (1 + x.flip(1).abs()),
    "clamp": lambda own, x: x.clamp(-0.5, 0.5),
    "prod": lambda own, x: x[:, :2].prod(1, keepdim=True),
    "logsumexp": lambda own, x: x.logsumexp(1, keepdim=True),
    "softmax": lambda own, x: F.softmax(x, dim=1),
    "gumbel by hand": lambda own, x: (x / 0.5).softmax(1) * x,
    "round": lambda own, x: x + (x * 4).round() / 4 * 0.1,
}


@piece("product")
def products(draw: Draw) -> nn.Module:
    return among(draw, PRODUCTS)


# -- products of matrices ----------------------------------------------------------------------------------------------

MATRICES: dict[str, Function] = {
    "x @ W": lambda own, x: x @ own.right,
    "matmul": lambda own, x: torch.matmul(x, own.right),
    "F.linear": lambda own, x: F.linear(x, own.right.T),
    "einsum": lambda own, x: torch.einsum("...i,ij->...j", x, own.right),
    "einsum from the left": lambda own, x: torch.einsum("ki,ni...->nk...", own.left, x),
    "tensordot": lambda own, x: torch.tensordot(x, own.right, dims=([x.ndim - 1], [0])),
    "W @ x": lambda own, x: own.left @ x if x.ndim == 3 else x,
    "bmm": lambda own, x: torch.bmm(own.left.expand(x.shape[0], -1, -1), x) if x.ndim == 3 else x,
    "baddbmm": lambda own, x: torch.baddbmm(own.add, own.left.expand(x.shape[0], -1, -1), x) if x.ndim == 3 else x,
    "mm": lambda own, x: torch.mm(x, own.right) if x.ndim == 2 else x @ own.right,
    "addmm": lambda own, x: torch.addmm(own.row, x, own.right) if x.ndim == 2 else x @ own.right + own.row,
    "inner": lambda own, x: torch.inner(x, own.right.T),
    "mv": lambda own, x: (x @ own.right[:, 0]).unsqueeze(-1),
    "conv by hand": lambda own, x: F.conv1d(x, own.left[..., None]) if x.ndim == 3 else x,
}


@piece("matrix", 1, 2, 3, linear=True)
def matrix(draw: Draw) -> nn.Module:
    first, last = draw.shape[0], draw.shape[-1]
    parameters = {"right": (last, 3), "left": (3, first), "row": (3,), "add": (1, 3, last)}
    return among(draw, MATRICES, **{name: nn.Parameter(torch.randn(shape)) for name, shape in parameters.items()})


# -- regions, caches, reuse --------------------------------------------------------------------------------------------


class Cached(nn.Module):
    """Keeps tensors that it computed, in several ways."""

    def __init__(self, shape: tuple[int, ...], way: str) -> None:
        super().__init__()
        self.weight, self.way = nn.Parameter(torch.randn(shape)), way
        self.table: dict[Any, Tensor] = {}
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "dict":
            if x.device not in self.table:
                self.table[x.device] = self.weight * 2
            return x + self.table[x.device]
        if self.kept is None:
            self.kept = self.weight.softmax(0) if self.way == "attribute" else torch.linspace(0, 1, x.shape[-1])
        return x * self.kept


@piece("cache", linear=True)
def cache(draw: Draw) -> nn.Module:
    module = Cached(draw.shape, draw("way", "dict", "attribute", "positions"))
    if draw("called before", False, True):
        module(torch.randn(2, *draw.shape))
    return module


def _under(context: Any, own: Any, x: Tensor) -> Tensor:
    with context:
        return own.layer(x)


def _nested(own: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        y = own.layer(x)
        with torch.autocast("cpu", enabled=False):
            return (y.to(x.dtype) * 2).sin() * 0 + y.to(x.dtype)


REGIONS: dict[str, Function] = {
    "no_grad": lambda own, x: _under(torch.no_grad(), own, x),
    "inference_mode": lambda own, x: _under(torch.inference_mode(), own, x),
    "detach": lambda own, x: own.layer(x.clone().detach()),
    "enable_grad": lambda own, x: _under(torch.enable_grad(), own, x),
    "autocast bfloat16": lambda own, x: _under(torch.autocast("cpu", torch.bfloat16), own, x).to(x.dtype),
    "autocast off": lambda own, x: _under(torch.autocast("cpu", enabled=False), own, x),
    "autocast within": _nested,
    "checkpoint": lambda own, x: checkpoint(own.layer, x, use_reentrant=False),
    "other precision": lambda own, x: own.layer(x.double().to(x.dtype)),
}


def _layer(draw: Draw) -> nn.Module:
    return nn.Conv2d(draw.channels, 4, 1) if len(draw.shape) == 3 else nn.Linear(draw.shape[-1], 4)


@piece("region", 1, 2, 3)
def region(draw: Draw) -> nn.Module:
    return among(draw, REGIONS, layer=_layer(draw))


REUSE: dict[str, Function] = {
    "twice": lambda own, x: own.layer(own.layer(x)),
    "two inputs": lambda own, x: own.layer(x) + own.layer(x.flip(1)),
    "shared weight": lambda own, x: own.layer(x) + F.linear(x, own.tied, own.layer.bias),
    "in a loop": lambda own, x: [x := own.layer(x) for _ in range(3)][-1],
    "two names": lambda own, x: own.again(own.layer(x)),
    "norm twice": lambda own, x: own.norm(own.layer(x)) + own.norm(x),
    "branch both read": lambda own, x: own.norm(y := own.layer(x)) + y,
}


@piece("reuse", 1, linear=True)
def reuse(draw: Draw) -> nn.Module:
    layer, norm = nn.Linear(draw.channels, draw.channels), nn.BatchNorm1d(draw.channels)
    assert norm.running_mean is not None
    norm.running_mean.normal_()
    return among(draw, REUSE, layer=layer, again=layer, norm=norm, tied=layer.weight)
