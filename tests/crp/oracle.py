"""Conditional relevance as its definition says, one condition at a time: zennit carries relevance, hooks on tensors mask it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def conditional(
    module: nn.Module,
    x: Tensor,
    conditions: Sequence[Mapping[str, list[int]]],
    *,
    exclude_parallel: bool,
    start_layer: str | None = None,
    start: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Relevance (conditions, C, H, W) of one image x (1, C, H, W) under EpsilonPlusFlat.

    "y" holds classes, whose logits relevance starts from. `start` gives relevance from the value of `start_layer`.
    """
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    module = copy.deepcopy(module)
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    canonizer = ResNetCanonizer() if "ResNet" in type(module).__name__ else VGGCanonizer()
    rows = []
    with EpsilonPlusFlat(canonizers=[canonizer]).context(module) as modified:
        for condition in conditions:
            leaf = x.clone().requires_grad_()
            values: dict[str, Tensor] = {}
            wanted = [name for name in [*condition, start_layer] if name not in ("y", None)]
            handles = [
                module.get_submodule(str(name)).register_forward_hook(keep(values, str(name))) for name in wanted
            ]
            output = modified(leaf)
            for handle in handles:
                handle.remove()
            if start_layer is None:
                value = output
                relevance = torch.zeros_like(output)
                relevance[:, condition["y"]] = output.detach()[:, condition["y"]]
            else:
                value = values[start_layer]
                relevance = (start or torch.clone)(value.detach())
                if start_layer in condition:
                    relevance = masked(relevance, condition[start_layer])
            # Values come in the order of computation; relevance meets them from the last to the first.
            names = [name for name in reversed(values) if name in condition and name != start_layer]
            if exclude_parallel:
                for name in names:
                    (relevance,) = torch.autograd.grad(value, values[name], relevance, retain_graph=True)
                    value, relevance = values[name], masked(relevance, condition[name])
            else:
                for name in names:
                    values[name].register_hook(lambda grad, ids=condition[name]: masked(grad, ids))
            (found,) = torch.autograd.grad(value, leaf, relevance)
            rows.append(found[0])
    return torch.stack(rows)


def keep(values: dict[str, Tensor], name: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        values[name] = output

    return hook


def masked(relevance: Tensor, ids: list[int]) -> Tensor:
    """Only the channels (axis 1) with these numbers."""
    mask = torch.zeros(relevance.shape[1])
    mask[ids] = 1.0
    return relevance * mask.reshape(1, -1, *[1] * (relevance.ndim - 2))
