"""Class activation maps by gradients: Grad-CAM and Grad-CAM++, on maps and on the tokens of transformers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaiwidgets.baselines.explainer import BaselineExplainer
from xaiwidgets.graph import Graph, GraphError, Space, bottlenecks, grids, mixture, noise, space_of
from xaiwidgets.graph.linear import is_linear
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control
from xaiwidgets.targets import Score

__all__ = ["GradCAM", "GradCAMPlusPlus", "cam_layers"]


class _Cam(BaselineExplainer):
    """What both share: the layer, its activation A (n, K, h, w) and the gradient of the score by it."""

    def __init__(self, model: ImageModel | nn.Module, layer: str | None, batch: int, **parameters: Any) -> None:
        super().__init__(model, batch, layer=layer, **parameters)
        self._known: tuple[Graph, tuple[str, ...]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_known": None}

    def layers(self, x: Tensor) -> tuple[str, ...]:
        """Layers to choose from for images of x's size, from input to output; the last is the default."""
        return self._named(self.model.graph_for(x), x)

    def _named(self, graph: Graph, x: Tensor) -> tuple[str, ...]:
        known = self._known
        if known is None or known[0] is not graph:
            known = self._known = (graph, cam_layers(graph, x.device))
        return known[1]

    def _check(self, x: Tensor) -> None:
        self._place(x)

    def _found(self, x: Tensor) -> dict[str, Any]:
        return {"layer": self._place(x)[0]}

    def _place(self, x: Tensor) -> tuple[str, int, Space]:
        """Name and step of the layer, and where its value lies on the image.

        Raises:
            ValueError: no layer of that name; one without space; or a model without any that has.
        """
        graph, layer = self.model.graph_for(x), self.parameters["layer"]
        if layer is None:
            if not self._named(graph, x):
                raise ValueError(
                    f"{self.model.name} has no layer with space that its whole output depends on; name one, layer=…"
                )
            layer = self._named(graph, x)[-1]
        try:
            index = graph.index(layer)
        except GraphError as error:
            raise ValueError(f"layer={layer!r}: {error}") from None
        space = space_of(graph, index)
        if space is None:
            near = ", ".join(map(repr, self._named(graph, x)[-3:]))
            raise ValueError(
                f"layer={layer!r} of {self.model.name} has no space, only {graph.operations[index].shape[1:]}; "
                f"name one with space, such as {near}"
            )
        return layer, index, space

    def _relevance(self, x: Tensor, score: Score) -> Tensor:
        name, index, space = self._place(x)
        graph, found = self.model.graph_for(x), x
        with torch.enable_grad():
            for step, value in graph.steps(x.detach().requires_grad_(), graph.output, attached=True):
                if step == index:
                    found = value
            gradient = self._slope(score, value, found)
        if gradient is None:
            others = ", ".join(map(repr, [other for other in self.layers(x) if other != name][-3:])) or "none"
            raise ValueError(
                f"layer={name!r} of {self.model.name} has no gradient to {score.names[0]}: what follows is detached, or only picks "
                f"places by it; name another, such as {others}"
            )
        if len(found) != len(x):
            raise ValueError(f"layer={name!r} of {self.model.name} sees windows of the image; name another")
        found, gradient = (space.map(part.detach()).float() for part in (found, gradient))
        return functional.interpolate(self._map(found, gradient), x.shape[2:], mode="bilinear", align_corners=False)

    @abstractmethod
    def _map(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """(n, 1, h, w), from A and ∂s/∂A (n, K, h, w)."""

    def controls(self) -> list[Control]:
        names = self.layers(torch.zeros(1, self.model.channels, *self.model.input_size, device=self.model.device))
        chosen = self.parameters["layer"] or (names[-1] if names else "")
        options = names if chosen in names else (*names, chosen)
        return [{"name": "layer", "label": "Layer", "type": "choice", "value": chosen, "options": options}]


class GradCAM(_Cam):
    """Grad-CAM: relu(Σ_k α_k A_k) at a layer, with α_k the mean over space of ∂s/∂A_k (Selvaraju et al., ICCV 2017).

    Args:
        layer: name of a layer with space (a map, or tokens of patches); None for the last that the whole output depends on.
        relu: whether to keep what speaks for the target only, as the paper does; False gives a signed map.

    Raises:
        ValueError: when called: a layer that is not there or has no space.

    Example:
        >>> heatmap = xw.GradCAM(model)(x).heatmap
        >>> heatmap.shape, bool((heatmap >= 0).all())
        (torch.Size([2, 64, 64]), True)
    """

    def __init__(
        self, model: ImageModel | nn.Module, layer: str | None = None, relu: bool = True, batch: int = 16
    ) -> None:
        super().__init__(model, layer, batch, relu=bool(relu))

    def _map(self, activation: Tensor, gradient: Tensor) -> Tensor:
        weights = gradient.mean((2, 3), keepdim=True)
        found = (weights * activation).sum(1, keepdim=True)
        return found.relu() if self.parameters["relu"] else found

    def controls(self) -> list[Control]:
        relu: Control = {"name": "relu", "label": "Positive only", "type": "bool", "value": self.parameters["relu"]}
        return [*super().controls(), relu]


class GradCAMPlusPlus(_Cam):
    """Grad-CAM++: the weight of a channel is Σ_ij α_ij relu(g_ij), g = ∂s/∂A, α = g² / (2 g² + g³ Σ A) (Chattopadhay et al., WACV 2018).

    The paper's formulas for exp(s), whose factor exp(s), one number an image, is left out. Several objects of one class weigh alike.
    Made for layers without negative values, such as those after a ReLU: elsewhere the denominator can come near zero.

    Args:
        layer: as for `GradCAM`.

    Example:
        >>> xw.GradCAMPlusPlus(model, layer="features.relu4")(x).heatmap.shape
        torch.Size([2, 64, 64])
    """

    def __init__(self, model: ImageModel | nn.Module, layer: str | None = None, batch: int = 16) -> None:
        super().__init__(model, layer, batch)

    def _map(self, activation: Tensor, gradient: Tensor) -> Tensor:
        # α with g² cancelled: cubes of small gradients would vanish.
        denominator = 2 + gradient * activation.sum((2, 3), keepdim=True)
        alpha = torch.where(denominator == 0, 0.0, 1 / denominator)
        weights = (alpha * gradient.relu()).sum((2, 3), keepdim=True)
        return (weights * activation).sum(1, keepdim=True).relu()


@torch.inference_mode(False)
def cam_layers(graph: Graph, device: torch.device) -> tuple[str, ...]:
    """Layers with space that everything passes through, and at several of whose places the output looks; from input to output.

    In a transformer that answers from its class token, what the last block says of patches is read by nobody: its input is the
    last such layer. Layers after the last linear step are the answer itself.
    """
    known = grids(graph)
    linear = [operation.index for operation in graph.operations if is_linear(operation)]
    last = linear[-1] if linear else graph.output
    places = {}
    for name, index in bottlenecks(graph):
        space = space_of(graph, index, known)
        # A linear step of tokens prepares them for one reader, as the keys of attention pooling.
        if space is not None and 0 < index < last and graph.operations[index].target != "linear":
            places[name] = (index, space)
    if not places:
        return ()
    with torch.enable_grad():
        x, value = noise(graph, device).requires_grad_(), torch.empty(0)
        wanted: dict[int, Tensor] = {}
        for index, value in graph.steps(x, graph.output, attached=True):
            if any(index == place for place, _ in places.values()):
                wanted[index] = value
        gradients = torch.autograd.grad(
            mixture(value), [wanted[index] for index, _ in places.values()], allow_unused=True
        )
    used = {
        name: (space.map(gradient).abs().sum((0, 1)) > 0).sum()
        for (name, (_, space)), gradient in zip(places.items(), gradients, strict=True)
        if gradient is not None and len(gradient) == 1
    }
    counts = torch.stack(list(used.values())).tolist() if used else []
    return tuple(name for name, count in zip(used, counts, strict=True) if count > 1)
