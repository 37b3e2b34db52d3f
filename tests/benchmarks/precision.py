"""What fewer bits do to maps: bfloat16, and TF32 as accelerators round, beside float32; on the demo models, without an accelerator.

TF32 is worked out by the stand-in of the tests, which rounds the factors of products to ten bits behind the point and adds up in
float32. It changes torch for a whole process, so that this benchmark has one of its own.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xaiwidgets import CRP, LRP, RELAX, RISE, AbsLRP, GradCAM, GradientXInput, ImageModel, load
from xaiwidgets.demo import examples

IMAGES = 4


def main(*, small: bool = False) -> None:
    """Print the table."""
    command = [sys.executable, "-m", "tests.benchmarks.precision", *(["--small"] if small else [])]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)


def lines(*, small: bool = False) -> Iterator[str]:
    """The table's rows: the least correlation of an image's map with that in float32, in bfloat16 and in TF32 of convolutions (what
    torch does on CUDA unless told otherwise) and of all products."""
    from tests.standin import backend

    device = backend.install()
    yield "| | model | bfloat16 | TF32, convolutions | TF32, all products |\n|---|---|---|---|---|"
    for name in ("cnn",) if small else ("cnn", "vit"):
        model = load(f"demo:shapes-{name}", device="cpu")
        x = model.prepare([sample.image for sample in examples(2 if small else IMAGES)])
        there = model.with_module(copy.deepcopy(model.module).to(device))
        for title, make in methods(name, small=small).items():
            expected = make(model, "float32")(x)
            half = "–"
            if title not in ("Grad-CAM", "gradient × input"):
                half = _least(make(model, "bfloat16")(x), expected)
            run = make(there, "float32")
            same = _least(run(x.to(device)).cpu(), expected)
            assert float(same) > 0.99999, (
                f"{title} of {model.name} is another map on the device before anything is rounded: {same}"
            )
            rounded = []
            for operations in (backend.CONVOLUTIONS, backend.CONVOLUTIONS | backend.PRODUCTS):
                with backend.rounded(operations):
                    rounded.append(_least(run(x.to(device)).cpu(), expected))
            yield f"| {title} | {model.name} | {half} | {' | '.join(rounded)} |"


def methods(name: str, *, small: bool) -> dict[str, Callable[[ImageModel, str], Callable[[Tensor], Tensor]]]:
    """Each makes, of a model and a precision, images (N, C, H, W) to maps (N, H, W)."""
    layer = "features.conv5" if name == "cnn" else "blocks.3.mlp.fc1"

    def lrp(composite: str) -> Callable[[ImageModel, str], Callable[[Tensor], Tensor]]:
        return lambda model, precision: lambda x: LRP(model, composite, precision=precision)(x, 0).heatmap

    def masked(kind: Any) -> Callable[[ImageModel, str], Callable[[Tensor], Tensor]]:
        masks = 128 if small else 256
        return lambda model, precision: (
            lambda x: kind(model, n_masks=masks, precision=precision)(x, 0, progress=False).heatmap
        )

    found: dict[str, Callable[[ImageModel, str], Callable[[Tensor], Tensor]]] = {
        "LRP, epsilon_plus_flat": lrp("epsilon_plus_flat"),
        "LRP, epsilon_gamma_box": lrp("epsilon_gamma_box"),
        "LRP, attn_lrp": lrp("attn_lrp"),
        "absLRP": lambda model, precision: lambda x: AbsLRP(model, precision=precision)(x, 0).heatmap,
        "CRP, one concept": lambda model, precision: (
            lambda x: CRP(model, precision=precision)(x, 0, layer=layer, concepts=[3]).heatmap
        ),
        "Grad-CAM": lambda model, _: lambda x: GradCAM(model)(x, 0).heatmap,
        "gradient × input": lambda model, _: lambda x: GradientXInput(model)(x, 0).heatmap,
        "RELAX": masked(RELAX),
        "RISE": masked(RISE),
    }
    return {title: found[title] for title in ("LRP, epsilon_plus_flat", "absLRP", "RELAX")} if small else found


def _least(found: Tensor, expected: Tensor) -> str:
    pairs = zip(found.flatten(1).double(), expected.flatten(1).double(), strict=True)
    return f"{min(float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in pairs):.6f}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines(small="--small" in sys.argv):
        print(line, flush=True)
