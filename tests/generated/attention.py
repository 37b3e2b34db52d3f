"""Attention as people write it, and as torch has it."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generated.drawing import Call, Draw, piece
from tests.generated.functions import Function, among


def _by_hand(own: Any, x: Tensor) -> Tensor:
    q, k, v = own.qkv(x).chunk(3, -1)
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return own.out(weights @ v)


def _by_einsum(own: Any, x: Tensor) -> Tensor:
    q, k, v = (t.unflatten(-1, (2, -1)) for t in own.qkv(x).chunk(3, -1))
    weights = torch.einsum("nqhd,nkhd->nhqk", q, k).mul(0.5).softmax(-1)
    return own.out(torch.einsum("nhqk,nkhd->nqhd", weights, v).flatten(-2))


def _fused(**how: Any) -> Function:
    def forward(own: Any, x: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in own.qkv(x).chunk(3, -1))
        given = {"attn_mask": getattr(own, how["mask"])} if "mask" in how else {}
        options = {name: value for name, value in how.items() if name != "mask"}
        return own.out(F.scaled_dot_product_attention(q, k, v, **given, **options).transpose(1, 2).flatten(-2))

    return forward


def _linear_attention(own: Any, x: Tensor) -> Tensor:
    q, k, v = own.qkv(x).chunk(3, -1)
    return own.out(q.softmax(-1) @ (k.softmax(-2).mT @ v))


def _grouped(own: Any, x: Tensor) -> Tensor:
    q, k, v = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in own.qkv(x).chunk(3, -1))
    y = F.scaled_dot_product_attention(q, k[:, :1], v[:, :1], enable_gqa=True)
    return own.out(y.transpose(1, 2).flatten(-2))


ATTENTION: dict[str, Function] = {
    "by hand": _by_hand,
    "by einsum": _by_einsum,
    "fused": _fused(),
    "causal": _fused(is_causal=True),
    "scale": _fused(scale=0.3),
    "truth mask": _fused(mask="allowed"),
    "added mask": _fused(mask="added"),
    "grouped queries": _grouped,
    "weights of another": lambda own, x: (x @ x.mT).softmax(-1) @ x,
    "linear attention": _linear_attention,
    "cosine": lambda own, x: (F.normalize(x, dim=-1) @ F.normalize(x, dim=-1).mT * 3).softmax(-1) @ own.one(x),
}


@piece("attention", 2)
def attention(draw: Draw) -> nn.Module | None:
    tokens, width = draw.shape
    if tokens > 64:
        return None
    allowed = torch.ones(tokens, tokens, dtype=torch.bool).tril() | (torch.arange(tokens) == 0)
    uses = {"qkv": nn.Linear(width, 12), "out": nn.Linear(4, width), "one": nn.Linear(width, width)}
    module = among(draw, ATTENTION, **uses)
    module.register_buffer("allowed", allowed)
    module.register_buffer("added", torch.randn(tokens, tokens))
    return module


@piece("nn.MultiheadAttention", 2)
def multihead(draw: Draw) -> nn.Module | None:
    tokens = draw.shape[0]
    if tokens > 64:
        return None
    first = draw("batch_first", True, False)
    options: dict[str, Any] = {
        "bias": draw("bias", True, False),
        "add_bias_kv": draw("add_bias_kv", False, True),
        "add_zero_attn": draw("add_zero_attn", False, True),
        "batch_first": first,
    }
    attend = nn.MultiheadAttention(4, draw("heads", 1, 2), **options)
    asked: dict[str, Any] = {
        "need_weights": draw("need_weights", True, False),
        "average_attn_weights": draw("average_attn_weights", True, False),
    }
    extra = options["add_bias_kv"] or options["add_zero_attn"]
    masked = draw("attn_mask", None, "truth", "added") if not extra else None
    hidden = draw("key_padding_mask", False, True) if masked != "added" else False
    other = draw("keys of", "itself", "another width")
    if other == "another width":
        attend = nn.MultiheadAttention(4, attend.num_heads, **options, kdim=3, vdim=2)

    def forward(own: Any, x: Tensor) -> Tensor:
        x = own.up(x) if first else own.up(x).transpose(0, 1)
        mask = {None: None, "truth": own.hidden, "added": own.added}[masked]
        images = x.shape[0] if first else x.shape[1]
        padded = own.padded.expand(images, -1) if hidden else None
        k, v = (x, x) if other == "itself" else (own.key(x), own.value(x))
        y = own.attend(x, k, v, attn_mask=mask, key_padding_mask=padded, **asked)[0]
        return y if first else y.transpose(0, 1)

    module = Call(forward, attend=attend, up=nn.Linear(draw.shape[1], 4), key=nn.Linear(4, 3), value=nn.Linear(4, 2))
    module.register_buffer("padded", torch.arange(tokens)[None] >= max(1, tokens - 1))
    module.register_buffer("hidden", torch.ones(tokens, tokens, dtype=torch.bool).triu(1))
    module.register_buffer("added", torch.randn(tokens, tokens))
    return module


@piece("nn.TransformerEncoderLayer", 2)
def encoder(draw: Draw) -> nn.Module | None:
    tokens, width = draw.shape
    if tokens > 64:
        return None
    options: dict[str, Any] = {
        "dim_feedforward": 5,
        "batch_first": True,
        "norm_first": draw("norm_first", False, True),
        "activation": draw("activation", "relu", "gelu"),
        "bias": draw("bias", True, False),
    }
    return nn.Sequential(nn.Linear(width, 4), nn.TransformerEncoderLayer(4, 2, **options))


@piece("nn.TransformerDecoderLayer", 2)
def decoder(draw: Draw) -> nn.Module | None:
    tokens, width = draw.shape
    if tokens > 64:
        return None
    layer = nn.TransformerDecoderLayer(
        4, 2, 5, batch_first=True, norm_first=draw("norm_first", False, True), bias=draw("bias", True, False)
    )
    causal = draw("tgt_is_causal", False, True)
    module = Call(
        lambda own, x: own.layer(
            own.up(x), own.up(x.flip(1)), tgt_mask=own.hidden if causal else None, tgt_is_causal=causal
        ),
        layer=layer,
        up=nn.Linear(width, 4),
    )
    module.register_buffer("hidden", torch.ones(tokens, tokens, dtype=torch.bool).triu(1))
    return module
