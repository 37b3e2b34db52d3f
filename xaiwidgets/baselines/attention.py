"""Attention as an explanation: where the last block looks, and attention rollout through all blocks. Both know no classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaiwidgets.baselines.explainer import BaselineExplainer
from xaiwidgets.errors import unknown
from xaiwidgets.graph import Attention, Graph, attentions, grids, mixture, noise
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control
from xaiwidgets.targets import Score

__all__ = ["AttentionRollout", "LastAttention"]

HEADS = ("mean", "max", "min")


class _ByAttention(BaselineExplainer):
    """What both share: the model's attention, and which tokens its answer is read from."""

    def __init__(self, model: ImageModel | nn.Module, heads: str, batch: int) -> None:
        if heads not in HEADS:
            raise unknown("heads", heads, HEADS)
        super().__init__(model, batch, heads=heads)
        self._known: tuple[Graph, tuple[Attention, ...], tuple[int, ...]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_known": None}

    def _check(self, x: Tensor) -> None:
        self._parts(x)

    def _found(self, x: Tensor) -> dict[str, Any]:
        steps, tokens = self._parts(x)
        layers = [step.layer for step in self._used(steps)]
        read = "all tokens" if len(tokens) > 8 else f"token {', '.join(map(str, tokens))}"
        return {"layers": layers[0] if len(layers) == 1 else f"{layers[0]} to {layers[-1]}", "read from": read}

    def _parts(self, x: Tensor) -> tuple[tuple[Attention, ...], tuple[int, ...]]:
        """The attention steps, and the tokens of the last that the answer is read from.

        Raises:
            ValueError: no attention in the model, or in windows only.
        """
        graph, known = self.model.graph_for(x), self._known
        if known is None or known[0] is not graph:
            steps = tuple(attentions(graph))
            if not steps:
                raise ValueError(
                    f"{self.model.name} has no attention; {type(self).__name__} is for vision transformers, try GradCAM"
                )
            known = self._known = (graph, steps, _read_from(graph, steps[-1], x.device))
        return known[1], known[2]

    def _used(self, steps: Sequence[Attention]) -> Sequence[Attention]:
        """Those of the steps that the method looks at."""
        return steps

    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        (steps, tokens), graph = self._parts(x), self.model.graph_for(x)
        used = self._used(steps)
        wanted, values, weights = {i for step in used for i in step.reads}, {}, []
        for index, value in graph.steps(x, used[-1].index):
            if index in wanted:
                values[index] = value
            for step in used:
                if step.index == index:
                    weights.append(self._fused(step.weigh(values, len(x)), len(x), step.layer))
        found = self._map(weights)[:, list(tokens)].mean(1)
        layout = grids(graph).get(found.shape[1])
        if layout is None:
            raise ValueError(
                f"{self.model.name} attends to {found.shape[1]} tokens, which are no grid of patches; try GradCAM"
            )
        offset, (height, width) = layout
        patches = found[:, offset : offset + height * width].unflatten(1, (1, height, width))
        return functional.interpolate(patches, x.shape[2:], mode="bilinear", align_corners=False)

    def _fused(self, weights: Tensor, images: int, layer: str) -> Tensor:
        """Weights of all heads as one, (N, queries, keys)."""
        if weights.ndim != 4 or len(weights) != images:
            raise ValueError(
                f"{layer!r} of {self.model.name} attends within windows, not over the image; try GradCAM instead"
            )
        if self.parameters["heads"] == "mean":
            return weights.mean(1)
        return weights.amax(1) if self.parameters["heads"] == "max" else weights.amin(1)

    @abstractmethod
    def _map(self, weights: list[Tensor]) -> Tensor:
        """(n, queries, keys): how much each token of the image is looked at."""

    def controls(self) -> list[Control]:
        heads = self.parameters["heads"]
        return [{"name": "heads", "label": "Heads", "type": "choice", "value": heads, "options": HEADS}]


class LastAttention(_ByAttention):
    """Where the token that the answer is read from looks in the last block: its attention to the patches (as in Caron et al., ICCV 2021).

    A model with a class token is read from that; one that averages tokens from all of them. One map for all classes.

    Args:
        heads: how the heads become one map: "mean", "max" or "min".

    Raises:
        ValueError: unknown heads; when called: a model without attention over the whole image.

    Example:
        >>> xw.LastAttention(xw.load("demo:shapes-vit"))(x).heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(self, model: ImageModel | nn.Module, heads: str = "mean", batch: int = 16) -> None:
        super().__init__(model, heads, batch)

    def _used(self, steps: Sequence[Attention]) -> Sequence[Attention]:
        return steps[-1:]

    def _map(self, weights: list[Tensor]) -> Tensor:
        return weights[-1]


class AttentionRollout(_ByAttention):
    """Attention through all blocks: the product of (A + I) / 2, rows summing to one (Abnar & Zuidema, ACL 2020). One map for all classes.

    Args:
        heads: how the heads become one, "mean" as in the paper, "max" or "min".

    Raises:
        ValueError: unknown heads; when called: a model whose blocks do not all attend from the same tokens to the same.

    Example:
        >>> xw.AttentionRollout(xw.load("demo:shapes-vit"))(x).heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(self, model: ImageModel | nn.Module, heads: str = "mean", batch: int = 16) -> None:
        super().__init__(model, heads, batch)

    def _map(self, weights: list[Tensor]) -> Tensor:
        count = weights[0].shape[2]
        shapes = [tuple(step.shape[1:]) for step in weights]
        # A last step may ask with a query of its own: attention pooling.
        if any(shape != (count, count) for shape in shapes[:-1]) or shapes[-1][1] != count:
            raise ValueError(
                f"{self.model.name} attends from and to {', '.join(map(str, dict.fromkeys(shapes)))} tokens; "
                "rollout needs the same tokens in all blocks, try GradCAM instead"
            )
        joined = torch.eye(count, device=weights[0].device).expand_as(weights[0])
        for step in weights:
            if step.shape[1] == count:
                step = step + torch.eye(count, device=step.device)  # noqa: PLW2901 - the way around attention
            joined = step / step.sum(2, keepdim=True) @ joined
        return joined


@torch.inference_mode(False)
def _read_from(graph: Graph, step: Attention, device: torch.device) -> tuple[int, ...]:
    """The tokens that the output depends on through an attention step."""
    with torch.enable_grad():
        mixed, value = noise(graph, device).requires_grad_(), torch.empty(0)
        for index, value in graph.steps(mixed, graph.output, attached=True):
            mixed = value if index == step.index else mixed
        (gradient,) = torch.autograd.grad(mixture(value), mixed)
    return tuple(gradient.abs().sum(-1).flatten(0, -2).sum(0).nonzero()[:, 0].tolist())
