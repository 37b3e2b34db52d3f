"""Small networks of the three architectures that the transformer and absLRP papers treat, in float64."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TinyViT(nn.Module):
    """Patches, class token, position embedding, one block, head. `fused` chooses how attention is written."""

    def __init__(self, fused: bool, width: int = 24, heads: int = 2) -> None:
        super().__init__()
        self.fused, self.heads = fused, heads
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.norm1, self.norm2, self.norm = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.below = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(width, 4)
        for norm in (self.norm1, self.norm2, self.norm):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        q, k, v = self.split(self.qkv(self.norm1(x)))
        y = F.scaled_dot_product_attention(q, k, v) if self.fused else self.attend(q, k) @ v
        x = x + self.project(self.join(y))
        x = x + self.below(self.drop(F.gelu(self.up(self.norm2(x)))))
        return self.head(self.norm(x)[:, 0])

    def attend(self, q: Tensor, k: Tensor) -> Tensor:
        return ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(-1)

    def split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, tokens, width = qkv.shape
        q, k, v = qkv.reshape(batch, tokens, 3, self.heads, width // 3 // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def join(self, y: Tensor) -> Tensor:
        return y.transpose(1, 2).reshape(y.shape[0], y.shape[2], -1)


def tiny_vgg() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 4),
    )  # fmt: skip


class TinyResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.pool = nn.Conv2d(3, 6, 3, padding=1), nn.MaxPool2d(3, 2, 1)
        self.conv2, self.conv3 = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = F.relu(x + self.conv3(F.relu(self.conv2(x))))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
