"""absLRP step by step through autograd, straight from its formula, on three kinds of networks; slow, for float64.

    R_x = N₁( x ⊙ ∂[g(x; w, b) + g(|x|; |w|, |b|)]/∂xᵀ · R_y / (|y| + ε) ),     N₁(r) = r / (Σ|r| + ε) per sample

Each function gives y and the way back, a function from R_y to R_x. Seen to agree with the published code
(davor10105/relative-absolute-magnitude-propagation, commit 130e4e1) row by row on the networks below, with the two addends of its
residual addition detached and with its Identity after the classifier left out: relative error at most 2e-8 (float64, three seeds).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.vision_transformer import Attention, VisionTransformer
from torch import Tensor, nn

__all__ = ["NETS", "chain", "one", "random_values", "slow_rows", "starts", "vgg"]

EPSILON = 1e-9
DROPOUT = nn.Dropout().eval()
Back = Callable[[Tensor], Tensor]
Net = TypeVar("Net", bound=nn.Module)


def one(r: Tensor) -> Tensor:
    """N₁."""
    return r / (r.abs().flatten(1).sum(1).reshape(-1, *[1] * (r.ndim - 1)) + EPSILON)


def step(
    g: Callable[..., Tensor], of_magnitudes: Callable[..., Tensor], *inputs: Tensor, divide: bool = True
) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
    """The rule for y = g(x, …), with g(|x|, …; |w|, |b|) given apart."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = g(*[x.clone() for x in leaves])  # timm's ReLU writes in place
    total = y + of_magnitudes(*[x.abs() for x in leaves])

    def back(r: Tensor) -> list[Tensor]:
        r = r / (y.detach().abs() + EPSILON) if divide else r
        gradients = torch.autograd.grad(total, leaves, r, retain_graph=True)
        return [one(x.detach() * gradient) for x, gradient in zip(leaves, gradients, strict=True)]

    return y.detach(), back


def layer(module: nn.Module, x: Tensor, divide: bool = True) -> tuple[Tensor, Back]:
    """A module of its own, with a copy that has magnitudes for weights."""
    magnitudes = copy.deepcopy(module)
    with torch.no_grad():
        for name in ("weight", "bias"):
            parameter = getattr(magnitudes, name, None)
            if parameter is not None:
                parameter.abs_()
    y, back = step(_held(module), _held(magnitudes), x, divide=divide)
    return y, lambda r: back(r)[0]


def _held(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """A norm with the mean and deviation of what it gets held constant; any other module as it is."""
    if not isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm2d):
        return module

    def norm(x: Tensor) -> Tensor:
        column = (-1, *[1] * (x.ndim - 2))
        if isinstance(module, nn.LayerNorm):
            groups, column = x, (-1,)
        else:
            groups = x.reshape(len(x), getattr(module, "num_groups", x.shape[1]), -1)
        mean, variance = groups.mean(-1, keepdim=True).detach(), groups.var(-1, correction=0, keepdim=True).detach()
        normed = ((groups - mean) / (variance + module.eps).sqrt()).reshape(x.shape)
        return normed * module.weight.reshape(column) + module.bias.reshape(column)

    return norm


def chain(modules: Iterable[nn.Module], x: Tensor, divide_pool: bool = True) -> tuple[Tensor, Back]:
    """Modules one after the other."""
    backs: list[Back] = []
    for module in modules:
        if isinstance(module, nn.Flatten):
            shape, x = x.shape, x.flatten(1)
            backs.append(_reshape(shape))
            continue
        if isinstance(module, nn.Identity):
            continue
        x, back = layer(module, x, divide_pool or not isinstance(module, nn.MaxPool2d))
        backs.append(back)

    def down(r: Tensor) -> Tensor:
        for back in reversed(backs):
            r = back(r)
        return r

    return x, down


def _reshape(shape: torch.Size) -> Back:
    return lambda r: r.reshape(shape)


def added(a: Tensor, b: Tensor) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
    """A residual addition: each addend with its own N₁."""
    return step(torch.add, torch.add, a, b)


def vgg(net: nn.Sequential, x: Tensor) -> tuple[Tensor, Back]:
    """A chain of convolutions: its max-pooling does not divide by |y|."""
    return chain(net, x, divide_pool=False)


def residual_block(block: Any, x: Tensor) -> tuple[Tensor, Back]:
    if isinstance(block, BasicBlock):
        steps = [block.conv1, block.bn1, block.act1, block.conv2, block.bn2]
    else:
        steps = [block.conv1, block.bn1, block.act1, block.conv2, block.bn2, block.act2, block.conv3, block.bn3]
    branch, down_branch = chain(steps, x)
    shortcut, down_shortcut = chain([] if block.downsample is None else block.downsample, x)
    total, parts = added(branch, shortcut)
    y, last = layer(nn.ReLU(), total)

    def down(r: Tensor) -> Tensor:
        r_branch, r_shortcut = parts(last(r))
        return down_branch(r_branch) + down_shortcut(r_shortcut)

    return y, down


def resnet(net: Any, x: Tensor) -> tuple[Tensor, Back]:
    x, stem = chain([net.conv1, net.bn1, net.act1, net.maxpool], x)
    backs = [stem]
    for block in [*net.layer1, *net.layer2, *net.layer3, *net.layer4]:
        x, back = residual_block(block, x)
        backs.append(back)
    x, head = chain([nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.fc], x)

    def down(r: Tensor) -> Tensor:
        for back in reversed([*backs, head]):
            r = back(r)
        return r

    return x, down


def _with_transposed(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.mT


def _first(tokens: Tensor) -> Tensor:
    return tokens[:, 0]


def attention(block: Any, x: Tensor) -> tuple[Tensor, Back]:
    batch, tokens, width = x.shape
    qkv, down_qkv = layer(block.qkv, x)
    q, k, v = qkv.reshape(batch, tokens, 3, block.num_heads, block.head_dim).permute(2, 0, 3, 1, 4)
    logits, down_product = step(_with_transposed, _with_transposed, q * block.scale, k)

    def softmax(z: Tensor) -> Tensor:
        powers = (z - z.amax(-1, keepdim=True).detach()).exp()
        return powers / powers.sum(-1, keepdim=True).detach()

    weights, down_softmax = step(softmax, softmax, logits)
    o, down_o = step(torch.matmul, torch.matmul, weights, v)
    y, down_projection = chain([block.proj, DROPOUT], o.transpose(1, 2).reshape(x.shape))

    def down(r: Tensor) -> Tensor:
        r = down_projection(r).reshape(batch, tokens, block.num_heads, -1).transpose(1, 2)
        r_weights, r_v = down_o(r)
        r_q, r_k = down_product(down_softmax(r_weights)[0])
        return down_qkv(torch.stack([r_q, r_k, r_v]).permute(1, 3, 0, 2, 4).reshape(batch, tokens, 3 * width))

    return y, down


def transformer_block(block: Any, x: Tensor) -> tuple[Tensor, Back]:
    n, down_norm1 = layer(block.norm1, x)
    a, down_attention = attention(block.attn, n)
    h, parts_attention = added(a, x)
    mlp = [block.norm2, block.mlp.fc1, block.mlp.act, DROPOUT, block.mlp.fc2, DROPOUT]
    m, down_mlp = chain(mlp, h)
    y, parts_mlp = added(m, h)

    def down(r: Tensor) -> Tensor:
        r_mlp, r = parts_mlp(r)
        r_attention, r = parts_attention(r + down_mlp(r_mlp))
        return r + down_norm1(down_attention(r_attention))

    return y, down


def vit(net: Any, x: Tensor) -> tuple[Tensor, Back]:
    """No dropout after the position embedding; selecting the class token and the dropout before the head are layers."""
    patches, down_patches = layer(net.patch_embed.proj, x)
    grid = patches.shape
    tokens = torch.cat([net.cls_token.expand(len(x), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
    x, parts_position = added(tokens, net.pos_embed.expand(len(x), -1, -1))
    backs: list[Back] = []
    for block in net.blocks:
        x, back = transformer_block(block, x)
        backs.append(back)
    x, back = layer(net.norm, x)
    backs.append(back)
    x, down_select = step(_first, _first, x)
    y, down_head = chain([DROPOUT, net.head], x)

    def down(r: Tensor) -> Tensor:
        r = down_select(down_head(r))[0]
        for back in reversed(backs):
            r = back(r)
        return down_patches(parts_position(r)[0][:, 1:].transpose(1, 2).reshape(grid))

    return y, down


def random_values(net: Net, seed: int = 0) -> Net:
    """Evaluation mode, float64, with statistics, gains and biases of either sign that are far from their first values."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.get_buffer("running_mean").normal_(0, 0.3)
                part.get_buffer("running_var").uniform_(0.3, 2.5)
            norm = isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm2d)
            for name, parameter in part.named_parameters(recurse=False):
                if name == "bias":
                    parameter.normal_(0, 0.3)
                elif name in {"cls_token", "pos_embed"}:
                    parameter.normal_(0, 0.5)
                elif norm:
                    parameter.normal_(0.8, 0.5)
    return net.double().eval()


def vgg_bn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 16, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 4),
    )  # fmt: skip


def small_resnet(block: Any) -> ResNet:
    return ResNet(block, (1, 2, 1, 1), channels=(4, 6, 6, 8), num_classes=4, stem_width=5)


def small_vit(fused: bool) -> VisionTransformer:
    net = VisionTransformer(img_size=16, patch_size=4, num_classes=4, embed_dim=24, depth=2, num_heads=3)
    for part in net.modules():
        if isinstance(part, Attention):
            part.fused_attn = fused  # type: ignore[misc]
    return net


NETS: dict[str, tuple[Callable[[], Any], Callable[..., tuple[Tensor, Back]]]] = {
    "vgg_bn": (vgg_bn, vgg),
    "resnet": (lambda: small_resnet(BasicBlock), resnet),
    "resnet_bottleneck": (lambda: small_resnet(Bottleneck), resnet),
    "vit": (lambda: small_vit(False), vit),
    "vit_fused": (lambda: small_vit(True), vit),
}


def starts(output: Tensor) -> Tensor:
    """The two rows absLRP begins with, (2, N, classes): the predicted class, and all others in equal parts."""
    row = F.one_hot(output.argmax(1), output.shape[1]).to(output)
    return torch.stack([row, (1 - row) / (output.shape[1] - 1)])


def slow_rows(name: str, net: nn.Module, x: Tensor, start: Tensor) -> Tensor:
    """Both rows of the input's relevance, (2, N, C, H, W)."""
    _, down = NETS[name][1](net, x)
    return torch.stack([down(one(row)) for row in start])
