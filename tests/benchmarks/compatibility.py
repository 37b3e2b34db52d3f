"""What works on which model: every method on small models of transformers, torchvision's segmentation and smp, as a table.

``python -m tests.benchmarks compatibility`` writes ``notebooks/compatibility.md``. A cell says "works" where the method gives a finite
map that is not constant, else the first line of what it was refused with. Weights are random, sizes the smallest of their kind.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import xaiwidgets as xw
from tests.benchmarks.harness import machine
from tests.lrp.zoo import randomise
from tests.model.zoo import CLASSIFIERS, DENSE, DETECTORS, ENCODERS, MODELS, build
from xaiwidgets import targets as T

PAGE = Path(__file__).parents[2] / "notebooks" / "compatibility.md"
SIZES = {"ConvNeXt": 64, "ConvNeXt V2": 64, "DINOv3 ConvNeXt": 64, "ResNet": 64, "RegNet": 64, "TimmWrapper": 64}
WORKS = "works"


def model_of(name: str) -> tuple[xw.ImageModel, Any]:
    """A bare `ImageModel` of one of the zoo's modules, at a small size, and what is asked of it."""
    module: Any = lively(build(name))
    model = xw.ImageModel(module)
    if name in SIZES or name in DENSE or name in DETECTORS:
        size = getattr(getattr(module, "config", None), "image_size", None)
        small = SIZES.get(name, 64)
        model = xw.ImageModel(module, input_size=small if size is None or name in SIZES else size)
    return model, target_of(name, model)


def lively(module: nn.Module) -> nn.Module:
    """Random weights through which values pass: what many begin with dies out on the way, or leaves parts at zero."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear")
    return randomise(module)


def target_of(name: str, model: xw.ImageModel) -> Any:
    """A class of classifiers; likeness to a vector of encoders; a region of maps; the first query of detectors."""
    if name in CLASSIFIERS:
        return 1
    if name in ENCODERS:
        width = model.output(torch.zeros(1, model.channels, *model.input_size)).shape[1]
        return T.similarity(torch.randn(width, generator=torch.Generator().manual_seed(1)), "dot")
    height, width = model.input_size
    if name in DETECTORS:
        return T.box(0, 1)
    return T.region(0, mask=(0, 0, width // 2, height // 2))


def relax(model: xw.ImageModel, x: Tensor, target: Any) -> Tensor:
    # A representation is a vector; maps and queries have none until a layer is pooled.
    options = {} if model.output(x[:1]).ndim == 2 else {"layer": "output", "pool": "flatten"}
    found: Tensor = xw.RELAX(model, n_masks=16, cells=3, **options)(x).heatmap
    return found


def crp(model: xw.ImageModel, x: Tensor, target: Any) -> Tensor:
    explain = xw.CRP(model)
    layer = explain.layers[len(explain.layers) // 2]
    ids = explain.rank(x, target, layer).concepts[0, :2].tolist()
    found: Tensor = explain(x, target, layer, ids).heatmap
    return found


def flipping(model: xw.ImageModel, x: Tensor, target: Any) -> Tensor:
    maps = torch.rand(len(x), *x.shape[2:], generator=torch.Generator().manual_seed(2))
    side = max(2, x.shape[2] // 4)
    found: Tensor = xw.pixel_flipping(model, x, {"any": maps}, target=target, patch=side).scores["any"]
    return found


METHODS: dict[str, Callable[[xw.ImageModel, Tensor, Any], Tensor]] = {
    "RELAX": relax,
    "LRP": lambda model, x, target: xw.LRP(model)(x, target).heatmap,
    "AttnLRP": lambda model, x, target: xw.LRP(model, "attn_lrp")(x, target).heatmap,
    "absLRP": lambda model, x, target: xw.AbsLRP(model)(x, target).heatmap,
    "CRP": crp,
    "Grad-CAM": lambda model, x, target: xw.GradCAM(model, relu=False)(x, target).heatmap,
    "flipping": flipping,
}


def cell(method: str, model: xw.ImageModel, x: Tensor, target: Any) -> str:
    """ "works", or the line that says why not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = METHODS[method](model, x, target)
    except Exception as error:
        return refusal(error)
    if not torch.isfinite(torch.as_tensor(found)).all():
        return "gives NaN or infinite values"
    return WORKS if float(torch.as_tensor(found).float().std()) > 0 else "gives a constant map"


def refusal(error: Exception) -> str:
    """One line of an error."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"\s+", " ", f"{type(error).__name__}: {line}").replace("|", "/")[:400]


def row(name: str) -> dict[str, str]:
    """What each method makes of one model."""
    try:
        model, target = model_of(name)
    except Exception as error:
        return dict.fromkeys(METHODS, refusal(error))
    x = torch.randn(2, model.channels, *model.input_size, generator=torch.Generator().manual_seed(0))
    return {method: cell(method, model, x, target) for method in METHODS}


def mark(said: str, notes: dict[str, int]) -> str:
    """A cell of the table: ✓, or the number of the note that says why not."""
    return "✓" if said == WORKS else f"– [{notes.setdefault(said, len(notes) + 1)}]"


def page(rows: dict[str, dict[str, str]]) -> str:
    """The table in Markdown, refusals as numbered notes beneath it."""
    notes: dict[str, int] = {}
    kinds = {"classifier": CLASSIFIERS, "encoder": ENCODERS, "map": DENSE, "detector": DETECTORS}
    lines = [f"| model | class | answers | {' | '.join(METHODS)} |", "|---" * (3 + len(METHODS)) + "|"]
    for name, cells in rows.items():
        kind = next(kind for kind, members in kinds.items() if name in members)
        marks = [mark(cells[method], notes) for method in METHODS]
        lines.append(f"| {name} | `{type(build(name)).__name__}` | {kind} | {' | '.join(marks)} |")
    said = [f"{number}. {note}" for note, number in notes.items()]
    whole = sum(all(value == WORKS for value in cells.values()) for cells in rows.values())
    head = [
        "# Which models work", "",
        "Each row is a small model with random weights, given as it is: `xw.ImageModel(module)`. ✓ means that the method gives a "
        "finite map that is not constant. What is asked: of classifiers a class, of encoders likeness to a vector, of maps a class "
        "in a box, of detectors one query's class.", "",
        f"{whole} of {len(rows)} models take everything. Written by `python -m tests.benchmarks compatibility` ({machine()}).", "",
    ]  # fmt: skip
    return "\n".join([*head, *lines, "", *(["What is refused:", "", *said, ""] if said else [])])


def main() -> None:
    """Ask of every model, print as it goes, and write the page."""
    rows = {}
    for name in MODELS:
        rows[name] = row(name)
        print(f"{name}: {', '.join(f'{method} {value}' for method, value in rows[name].items())}", flush=True)
    PAGE.write_text(page(rows), encoding="utf-8")
    print(f"\nwritten to {PAGE.name}")
