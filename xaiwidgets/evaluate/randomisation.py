"""Does an explanation depend on the model at all? Layers made random one after another (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.baselines.adapter import explainer_of, is_explainer
from xaiwidgets.errors import unknown, whole
from xaiwidgets.evaluate.explanations import explained, named_target
from xaiwidgets.evaluate.statistics import Banded, Estimate, bootstrap
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Provenance, Result, heatmap_of
from xaiwidgets.targets import Fixed, score_of


@dataclass(frozen=True, eq=False, repr=False)
class RandomisationResult(Banded, Result):
    """Likeness of explanations to those of the trained model, as ever more layers are random: it should fall.

    Attributes:
        layers: names in the order in which they were made random, the last of the network first.
        similarity: method -> Spearman rank correlation with the original heatmap, (layers + 1, N); row 0 is the untouched model.
        absolute: the same of the magnitudes.
        target: (N,) the class explained throughout; None where it is another target, which the provenance names.
    """

    figure = "randomisation"

    layers: tuple[str, ...]
    similarity: Mapping[str, Tensor]
    absolute: Mapping[str, Tensor]
    target: Tensor | None

    def table(self) -> dict[str, list[Estimate]]:
        """method -> mean similarity over images with its interval after each layer, row 0 first."""
        return {name: [bootstrap(row) for row in values] for name, values in self.similarity.items()}


def model_randomisation(
    model: ImageModel,
    x: Tensor,
    makers: Mapping[str, Callable[[ImageModel], Any]],
    *,
    target: Any = None,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> RandomisationResult:
    """The cascading sanity check: from the classifier down, give one layer after another random weights, and explain anew.

    Works on a copy of the module; yours is not touched.

    Args:
        model: the trained model.
        x: images (N, C, H, W).
        makers: {name: function of a model that gives an explainer}, such as ``{"LRP": xw.LRP}``: each random model needs its own.
        target: None for the class that the trained model predicts; a class, anything of `xaiwidgets.targets` or a function of the
            output, or one an image. What it says of the trained model's output is asked of the random ones.
        layers: names of modules to make random, in that order; None for all with weights, last first.
        seed: of the random weights.

    Raises:
        TypeError: an explainer where a function that makes one is needed.
        ValueError: no makers, or an unknown layer.
    """
    x = model.validate(x)
    if not isinstance(makers, Mapping) or not makers:
        raise ValueError("makers must be {name: function of a model that gives an explainer}, such as {'LRP': xw.LRP}")
    score = score_of(model, model.output(x), target, x)
    targets = Fixed(score) if score.classes is None else score.classes
    original = {name: _explained(name, make, model, x, targets) for name, make in makers.items()}

    module = copy.deepcopy(model.module)
    # Dropping what hooks the owner has set would change what the copy computes: they are copied along.
    own = [name for name, child in module.named_modules() if any(True for _ in child.parameters(recurse=False))]
    chosen = list(reversed(own)) if layers is None else list(layers)
    for name in chosen:
        if name not in own:
            raise unknown("layer", name, own)
    similarity = {name: [_spearman(maps, maps)] for name, maps in original.items()}
    absolute = {name: [_spearman(maps.abs(), maps.abs())] for name, maps in original.items()}
    seed = whole("seed", seed, 0)
    generator = torch.Generator().manual_seed(seed)
    for layer in chosen:
        randomise(module.get_submodule(layer), generator)
        changed = model.with_module(module, f"{model.name}, randomised")
        for name, make in makers.items():
            maps = _explained(name, make, changed, x, targets)
            similarity[name].append(_spearman(original[name], maps))
            absolute[name].append(_spearman(original[name].abs(), maps.abs()))
    return RandomisationResult(
        provenance=Provenance("model randomisation", {"layers": len(chosen), **named_target(score)}, seed, model.name),
        layers=tuple(chosen),
        similarity={name: torch.stack(rows).cpu() for name, rows in similarity.items()},
        absolute={name: torch.stack(rows).cpu() for name, rows in absolute.items()},
        target=None if score.classes is None else score.classes.cpu(),
    )


@torch.no_grad()
def randomise(layer: nn.Module, generator: torch.Generator) -> None:
    """Own parameters of one layer drawn anew: normal, with the mean and spread that each had, so that scores stay in range."""
    for parameter in layer.parameters(recurse=False):
        values = parameter.detach().float().cpu()
        spread = values.std(correction=0) if values.numel() > 1 else values.abs().mean()
        drawn = torch.randn(values.shape, generator=generator) * spread + values.mean()
        parameter.copy_(drawn.to(parameter))


def _explained(name: str, make: Callable[[ImageModel], Any], model: ImageModel, x: Tensor, target: Any) -> Tensor:
    if getattr(make, "model", None) is not None:
        raise TypeError(
            f"makers[{name!r}] is an explainer of one model; give a function that makes one of any model, such as xw.LRP"
        )
    explainer = make(model) if callable(make) else make
    if not is_explainer(explainer):
        raise TypeError(
            f"makers[{name!r}] gave {type(explainer).__name__}; give a function that makes an explainer of a model, such as xw.LRP"
        )
    return heatmap_of(explained(explainer_of(explainer), x, target, name), x, repr(name))


def _spearman(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation of two maps (N, H, W), (N,); ties take their mean rank; 0 where a map is constant."""
    a, b = (_mean_ranks(values.flatten(1).double()) for values in (a, b))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    norm = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(norm > 0, (a * b).sum(1) / norm.clamp_min(1e-300), 0.0)


def _mean_ranks(values: Tensor) -> Tensor:
    rows = []
    for row in values:
        _, places, counts = torch.unique(row, return_inverse=True, return_counts=True)
        ends = counts.cumsum(0).double()
        rows.append((ends - (counts + 1) / 2)[places])
    return torch.stack(rows)
