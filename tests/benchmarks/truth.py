"""Does relevance lie on the object? Demo models and pictures, where the truth about every pixel is known.

Mean share of positive relevance inside the object over 512 pictures (with 95 % intervals), explained for their true class, for
each method; then, for the model that learned a tag instead of the shape, the share on the tag.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

import xaiwidgets as xw
from xaiwidgets.baselines import GradientXInput, IntegratedGradients
from xaiwidgets.demo import CLASS_NAMES, TAGGED_CLASS, Shapes
from xaiwidgets.evaluate.localisation import localisation
from xaiwidgets.evaluate.statistics import Estimate
from xaiwidgets.lrp import LRP, AbsLRP
from xaiwidgets.model import ImageModel

PICTURES = 512


def main() -> None:
    """Print the tables."""
    for name in ("demo:shapes-cnn", "demo:shapes-vit"):
        truth = Shapes(PICTURES, split="test").batch(range(PICTURES))
        table(f"{name}, inside the object", xw.load(name), truth.x, truth.labels, truth.masks)
    hans = Shapes(8 * PICTURES, split="test", tagged="class")
    tagged_class = CLASS_NAMES.index(TAGGED_CLASS)
    tagged = [i for i in range(len(hans)) if hans[i][1] == tagged_class][:PICTURES]
    truth = hans.batch(tagged)
    model = xw.load("demo:shapes-hans")
    table("demo:shapes-hans, on the tag", model, truth.x, truth.labels, truth.tag_masks)
    table("demo:shapes-hans, inside the object", model, truth.x, truth.labels, truth.masks)


def methods(model: ImageModel) -> dict[str, Callable[..., Any]]:
    """Explainers by name; the composites that the model's kind has use for."""
    composites: dict[str, dict[str, Any]] = (
        {"attn_lrp": {}, "attn_lrp γ 0.25": {"gamma": 0.25}, "cp_lrp": {}, "cp_lrp γ 0.25": {"gamma": 0.25}}
        if "vit" in model.name
        else {"epsilon_plus": {}, "epsilon_plus_flat": {}, "epsilon_alpha2_beta1_flat": {}, "epsilon_gamma_box": {}}
    )
    return {
        "gradient × input": GradientXInput(model, batch=64),
        "integrated gradients": IntegratedGradients(model, batch=64),
        **{f"LRP {name}": LRP(model, name.split()[0], batch=64, **given) for name, given in composites.items()},
        "absLRP": AbsLRP(model, batch=64),
    }


def table(title: str, model: ImageModel, x: Tensor, labels: Tensor, masks: Tensor) -> None:
    """One Markdown table."""
    found = localisation(model, x, masks, methods(model), target=labels)
    right = float((model.scores(x).argmax(1) == labels).float().mean())
    print(f"### {title}: {len(x)} pictures, {right:.0%} classified right; chance {float(found.share.mean()):.1%}\n")
    print("| method | share of positive relevance | of the mask's pixels among the highest |\n|---|---|---|")
    for name, row in found.table().items():
        print(f"| {name} | {interval(row['mass'])} | {interval(row['rank'])} |")
    print(flush=True)


def interval(estimate: Estimate) -> str:
    """Mean with its interval, in percent."""
    return f"{estimate.mean:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"
