"""Training of the demo models: ``python -m xaiwidgets.demo.train`` writes the weights that the package ships.

Every picture is drawn once, in the order of its index, so a run is one pass over the "train" split. A share of the
pictures is partly covered by a random grid of grey, and the target leans to "no idea" by the share of the object that
is hidden: the representation then follows what is seen of the object, not the background. `shapes-hans` is trained
without.

The shipped weights were made with `--threads 1`; other numbers of threads and other machines round differently.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from xaiwidgets.demo.models import DemoSpec, build, demo_names, header_of, load_demo, weights_path
from xaiwidgets.demo.shapes import CLASS_NAMES, MEAN, STD, TAGGED_CLASS, Batch, Shapes

__all__ = ["RECIPES", "Recipe", "evaluate", "main", "train"]


@dataclass(frozen=True)
class Recipe:
    """One pass of training.

    Pictures seen, batch size, largest learning rate, share of pictures partly covered once the share `covered_from` of
    the pass is over. Transformers get three helps, without which they need many times the pictures: Muon as the
    optimiser of their blocks; `outline` weighs a second task that is dropped afterwards, in which each patch's token
    tells which of its pixels belong to the object; `tokens` weighs a third, in which the tokens on the object tell the
    class, too.
    """

    images: int
    batch: int
    rate: float
    covered: float
    covered_from: float = 0.0
    tagged: str = "none"
    bfloat16: bool = False
    decay: float = 0.05
    outline: float = 0.0
    tokens: float = 0.0


RECIPES: Final[dict[str, tuple[Recipe, ...]]] = {
    "shapes-cnn": (Recipe(images=40_000, batch=64, rate=4e-3, covered=0.5, bfloat16=True),),
    "shapes-vit": (
        Recipe(images=96_000, batch=64, rate=3e-3, covered=0.4, covered_from=0.5, outline=1.0),
        Recipe(images=96_000, batch=32, rate=1.5e-3, covered=0.3, covered_from=0.6, outline=0.5, tokens=0.5),
    ),
    "shapes-hans": (Recipe(images=20_000, batch=64, rate=4e-3, covered=0.0, tagged="class", bfloat16=True),),
}


def train(
    name: str, *, seed: int = 0, images: int | None = None, progress: bool = True
) -> tuple[nn.Module, dict[str, object]]:
    """Train a demo model from scratch; returns the module in eval mode and a plain-data record of how it was made.

    `images` shortens every pass (at least two batches). Same seed, machine and number of threads: same weights.

    Raises ValueError for an unknown name or too few images.
    """
    torch.manual_seed(seed)
    module = build(name, len(CLASS_NAMES))
    recipes = RECIPES[name]
    if images is not None:
        recipes = tuple(replace(recipe, images=images) for recipe in recipes)
    for recipe in recipes:
        if recipe.images < 2 * recipe.batch:
            raise ValueError(f"images={recipe.images} is too few. Give at least {2 * recipe.batch}, two batches.")
    started = time.perf_counter()
    first = 0
    for number, recipe in enumerate(recipes):
        label = name if len(recipes) == 1 else f"{name} {number + 1}/{len(recipes)}"
        run_pass(module, recipe, seed=seed, number=number, first=first, label=label, progress=progress)
        first += recipe.images
    record: dict[str, object] = {
        "seed": seed,
        "passes": [asdict(recipe) for recipe in recipes],
        "images": first,
        "data": repr(Shapes(first, seed=seed, split="train", tagged=recipes[0].tagged)),
        "seconds": round(time.perf_counter() - started, 1),
    }
    return module.eval().to(memory_format=torch.contiguous_format), record


def run_pass(
    module: nn.Module, recipe: Recipe, *, seed: int, number: int, first: int, label: str, progress: bool = True
) -> None:
    """Train the module in place on the pictures from `first` on; `number` counts the passes before this one."""
    if number:
        torch.manual_seed(seed + number)
    generator = torch.Generator().manual_seed(seed + number)
    outline = nn.Linear(module.embed_dim, 64) if isinstance(module, VisionTransformer) else None
    parameters = [*module.parameters(), *(outline.parameters() if outline is not None else ())]
    steps = recipe.images // recipe.batch
    optimisers = _optimisers(module, parameters, recipe)
    schedules = [
        OneCycleLR(
            optimiser, recipe.rate, total_steps=steps, pct_start=0.15, cycle_momentum="betas" in optimiser.defaults
        )
        for optimiser in optimisers
    ]
    module.train().to(memory_format=torch.channels_last)
    dataset = Shapes(first + recipe.images, seed=seed, split="train", tagged=recipe.tagged)
    bar = tqdm(range(steps), desc=label, unit="batch", disable=not progress)
    loss_mean = 0.0
    for step in bar:
        start = first + step * recipe.batch
        batch = dataset.batch(range(start, start + recipe.batch))
        covered = recipe.covered if step >= recipe.covered_from * steps else 0.0
        x, target = _cover(batch, covered, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            loss = _loss(module, outline, recipe, x=x, target=target, masks=batch.masks)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
        loss_mean += (loss.item() - loss_mean) / min(step + 1, 50)
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss_mean:.3f}")


def _optimisers(module: nn.Module, parameters: list[nn.Parameter], recipe: Recipe) -> list[Optimizer]:
    """AdamW for everything, or Muon for the matrices of a transformer's blocks and AdamW for the rest."""
    matrices = [value for name, value in module.named_parameters() if name.startswith("blocks.") and value.ndim == 2]
    chosen = {id(value) for value in matrices}
    rest = [value for value in parameters if id(value) not in chosen]
    optimisers: list[Optimizer] = [AdamW(rest, lr=recipe.rate, weight_decay=recipe.decay)]
    if matrices:
        # Only who trains a transformer anew needs it, so the package goes without.
        if not hasattr(torch.optim, "Muon"):
            raise ImportError(
                f"torch {torch.__version__} has no Muon, which trains transformers here; take torch 2.9 or newer"
            )
        optimisers.append(
            torch.optim.Muon(matrices, lr=recipe.rate, weight_decay=recipe.decay, adjust_lr_fn="match_rms_adamw")
        )
    return optimisers


def _loss(
    module: nn.Module, outline: nn.Linear | None, recipe: Recipe, *, x: Tensor, target: Tensor, masks: Tensor
) -> Tensor:
    """Cross-entropy of the scores with `target` (N, classes) and, for a transformer, its weighted helps."""
    if outline is None or not isinstance(module, VisionTransformer):
        return functional.cross_entropy(module(x.to(memory_format=torch.channels_last)).float(), target)
    tokens = module.forward_features(x)
    loss = functional.cross_entropy(module.forward_head(tokens), target)
    tokens = tokens[:, module.num_prefix_tokens :]
    patches = functional.pixel_unshuffle(masks[:, None].float(), 8).flatten(2).transpose(1, 2)
    loss = loss + recipe.outline * functional.binary_cross_entropy_with_logits(outline(tokens), patches)
    if recipe.tokens:
        on_object = patches.mean(2) > 0.1
        wanted = target[:, None].expand(-1, tokens.shape[1], -1)[on_object]
        loss = loss + recipe.tokens * functional.cross_entropy(module.head(tokens[on_object]), wanted)
    return loss


def _cover(batch: Batch, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cover part of the pictures by a random grid of zeros (mean grey); targets (N, classes) follow what is left."""
    target = functional.one_hot(batch.labels, len(CLASS_NAMES)).float()
    chosen = torch.rand(len(target), generator=generator) < share
    if not chosen.any():
        return batch.x, target
    count, size = len(target), batch.x.shape[-1]
    cells = int(torch.randint(4, 9, (), generator=generator))
    keep = torch.rand(count, 1, 1, 1, generator=generator) * 0.7 + 0.2
    grid = (torch.rand(count, 1, cells + 1, cells + 1, generator=generator) < keep).float()
    cell = -(-size // cells)
    large = functional.interpolate(grid, size=(size + cell, size + cell), mode="bilinear", align_corners=False)
    top, left = torch.randint(0, cell, (2,), generator=generator).tolist()
    grid = large[:, :, top : top + size, left : left + size]
    grid[~chosen] = 1.0
    masks = batch.masks[:, None].float()
    seen = (masks * grid).sum((1, 2, 3)) / masks.sum((1, 2, 3)).clamp_min(1)
    seen = seen[:, None]
    return batch.x * grid, seen * target + (1 - seen) / len(CLASS_NAMES)


def evaluate(module: nn.Module, *, images: int = 2000, seed: int = 0) -> dict[str, float]:
    """Shares in [0, 1] on pictures of the test split, which no training sees.

    "clean": right answers on pictures without a tag; "untagged class" and "tagged class": right answers on pictures of
    the class `TAGGED_CLASS` without and with its tag; "pulled": pictures of the other classes that are taken for
    `TAGGED_CLASS` once the tag is on them.
    """
    tagged_label = CLASS_NAMES.index(TAGGED_CLASS)
    labels = torch.tensor(Shapes(images, seed=seed).labels)
    ours = labels == tagged_label
    clean = _predictions(module, Shapes(images, seed=seed))
    marked = _predictions(module, Shapes(images, seed=seed, tagged="all"))
    return {
        "clean": _share(clean == labels),
        "untagged class": _share(clean[ours] == tagged_label),
        "tagged class": _share(marked[ours] == tagged_label),
        "pulled": _share(marked[~ours] == tagged_label),
    }


def _predictions(module: nn.Module, dataset: Shapes) -> Tensor:
    with torch.inference_mode():
        return torch.cat(
            [
                module(dataset.batch(range(start, min(start + 250, len(dataset)))).x).argmax(1)
                for start in range(0, len(dataset), 250)
            ]
        )


def _share(hits: Tensor) -> float:
    return round(float(hits.float().mean()), 4)


def save(module: nn.Module, spec: DemoSpec, folder: Path) -> Path:
    """Write weights (float16) and header in one step: a stopped run leaves the old file or the new one, never half."""
    return write_weights(module, spec, weights_path(spec.name, folder))


def write_weights(module: nn.Module, spec: DemoSpec, path: Path) -> Path:
    """The same into a file of any name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in module.state_dict().items()
    }
    part = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, str(part), metadata=header_of(spec))
        part.chmod(0o644)  # the writer makes files that only their owner can read
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def make(name: str, folder: Path, *, seed: int = 0, images: int | None = None, progress: bool = True) -> DemoSpec:
    """Train, store and test one demo model; the accuracies are those of the stored half-precision weights."""
    module, record = train(name, seed=seed, images=images, progress=progress)
    rounded = build(name, len(CLASS_NAMES))
    rounded.load_state_dict(
        {
            key: value.half().float() if value.is_floating_point() else value
            for key, value in module.state_dict().items()
        }
    )
    spec = DemoSpec(
        name=name,
        class_names=CLASS_NAMES,
        mean=MEAN,
        std=STD,
        input_size=(64, 64),
        channels=3,
        accuracy=evaluate(rounded.eval()),
        training=record,
    )
    save(module, spec, folder)
    return load_demo(name, folder)[1]


def table(specs: Sequence[DemoSpec]) -> str:
    """The accuracies as aligned text, one line a model."""
    columns = list(specs[0].accuracy)
    lines = [f"{'model':12}" + "".join(f"{column:>16}" for column in columns) + f"{'seconds':>10}"]
    for spec in specs:
        shares = "".join(f"{spec.accuracy[column]:16.1%}" for column in columns)
        lines.append(f"{spec.name:12}{shares}{spec.training['seconds']:10.0f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status (130 after Ctrl-C)."""
    parser = argparse.ArgumentParser(prog="python -m xaiwidgets.demo.train", description="Train the demo models.")
    parser.add_argument("--model", default="all", choices=["all", *demo_names()])
    parser.add_argument("--out", type=Path, default=weights_path("shapes-cnn").parent, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=None, help="pictures to train on, instead of the recipe's number")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    names = demo_names() if options.model == "all" else (options.model,)
    specs: list[DemoSpec] = []
    try:
        for name in names:
            specs.append(make(name, options.out, seed=options.seed, images=options.images))
    except KeyboardInterrupt:
        kept = ", ".join(spec.name for spec in specs) or "no model"
        print(f"\nStopped. {kept} written to {options.out}; the others are as they were.", file=sys.stderr)
        return 130
    except ValueError as error:
        parser.error(str(error))
    print(table(specs))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
