"""Last-block attention and rollout against the weights that the modules themselves compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.baselines.test_cam import tokens, upsampled
from xaiwidgets import ImageModel
from xaiwidgets.baselines import AttentionRollout, LastAttention


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 16, 12, generator=torch.Generator().manual_seed(1))


def weights_of(module: Any, x: Tensor) -> list[Tensor]:
    """The attention of each block, (N, heads, T, T), in float64, from queries and keys."""
    found: list[Tensor] = []

    def keep(block: Any, inputs: tuple[Tensor]) -> None:
        q, k, _ = block.qkv(block.norm(inputs[0])).unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        found.append((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1))

    module = module.double()
    for block in module.blocks:
        block.register_forward_pre_hook(keep)
    with torch.no_grad():
        module(x.double())
    return found


@pytest.mark.parametrize(("before", "after", "read"), [(1, 0, "first"), (3, 2, "first"), (0, 4, "mean")])
@pytest.mark.parametrize("heads", ["mean", "max", "min"])
def test_by_hand(images: Tensor, before: int, after: int, read: str, heads: str) -> None:
    options: dict[str, Any] = {"before": before, "after": after, "read": read}
    fuse = {"mean": lambda w: w.mean(1), "max": lambda w: w.amax(1), "min": lambda w: w.amin(1)}[heads]
    weights = [fuse(w) for w in weights_of(tokens(**options).module, images)]
    rows = [0] if read == "first" else list(range(12 + before + after))

    def patches(joined: Tensor) -> Tensor:
        return joined[:, rows].mean(1)[:, before : before + 12].unflatten(1, (4, 3))

    model = tokens(**options)
    last = LastAttention(model, heads)(images)
    torch.testing.assert_close(last.heatmap, upsampled(patches(weights[-1]), images))
    assert last.provenance.parameters["layers"] == "blocks.1"
    joined = torch.eye(weights[0].shape[1], dtype=torch.float64)
    for one in weights:
        mixed = one + torch.eye(one.shape[1], dtype=torch.float64)
        joined = (mixed / mixed.sum(2, keepdim=True)) @ joined
    rolled = AttentionRollout(model, heads)(images)
    torch.testing.assert_close(rolled.heatmap, upsampled(patches(joined), images))
    assert rolled.provenance.parameters["layers"] == "blocks.0 to blocks.1"
    assert rolled.provenance.parameters["read from"] == ("token 0" if read == "first" else "all tokens")


class Pooling(nn.Module):
    """torch's multi-head attention as pooling by a query of its own, its heads in the batch axis, after one plain block."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.query = nn.Conv2d(3, 16, 4, 4), nn.Parameter(torch.randn(1, 1, 16))
        self.mix = nn.MultiheadAttention(16, 2, batch_first=True)
        self.pool = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = tokens + self.mix(tokens, tokens, tokens)[0]
        return self.head(self.pool(self.query.expand(x.shape[0], -1, -1), tokens, tokens)[0][:, 0])


def test_attention_pooling_asks_with_its_own_query(images: Tensor) -> None:
    torch.manual_seed(0)
    module = Pooling().eval()
    model = ImageModel(module, input_size=(16, 12))
    with torch.no_grad():
        tokens = module.patch(images).flatten(2).transpose(1, 2)
        mixed, first = module.mix(tokens, tokens, tokens)
        _, second = module.pool(module.query.expand(3, -1, -1), tokens + mixed, tokens + mixed)
    last = second[:, 0].unflatten(1, (4, 3))
    torch.testing.assert_close(LastAttention(model)(images).heatmap, upsampled(last, images))
    rolled = (second @ (first + torch.eye(12)) / 2)[:, 0].unflatten(1, (4, 3))
    torch.testing.assert_close(AttentionRollout(model)(images).heatmap, upsampled(rolled, images))


def test_one_map_for_all_classes(vit: ImageModel, x: Tensor) -> None:
    for explain in (LastAttention(vit), AttentionRollout(vit)):
        assert torch.equal(explain(x, 0).heatmap, explain(x, 5).heatmap)


def test_what_has_no_attention_over_the_image(cnn: ImageModel, x: Tensor, images: Tensor) -> None:
    with pytest.raises(ValueError, match="has no attention; LastAttention is for vision transformers, try GradCAM"):
        LastAttention(cnn)(x)
    with pytest.raises(ValueError, match="heads='median' is not known"):
        AttentionRollout(cnn, heads="median")


class Windows(nn.Module):
    """Attention within halves of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        halves = tokens.reshape(-1, 2, 1, 6, 8).flatten(0, 1)
        mixed = functional.scaled_dot_product_attention(halves, halves, halves)
        return self.head(mixed.reshape(-1, 12, 8).mean(1))


def test_windows_are_refused(images: Tensor) -> None:
    model = ImageModel(Windows().eval(), input_size=(16, 12))
    with pytest.raises(ValueError, match="attends within windows, not over the image; try GradCAM instead"):
        AttentionRollout(model)(images)
