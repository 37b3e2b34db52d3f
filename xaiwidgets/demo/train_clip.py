"""Training of shapes-clip: ``python -m xaiwidgets.demo.train_clip`` writes the weights that the package ships.

Pictures of one and of two objects in turn; each step asks of every phrase, colour and shape, colour alone, shape alone, whether
it says something of each picture. No mask is looked at: where a phrase is found follows from the pictures.

The shipped weights were made with `--threads 1`; other numbers of threads and other machines round differently.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from xaiwidgets.demo.clip import CLIP, ShapesClip, load_clip, tokens, weights_path
from xaiwidgets.demo.drawing import COLOURS, SHAPES, Scene
from xaiwidgets.demo.models import DemoSpec
from xaiwidgets.demo.pairs import Pairs
from xaiwidgets.demo.shapes import MEAN, STD, Shapes
from xaiwidgets.demo.train import write_weights

__all__ = ["PHRASES", "evaluate", "main", "train"]

BATCH: Final = 64
RATE: Final = 4e-3
IMAGES: Final = 24_000
"""What the shipped weights saw: enough to find what a phrase names by its colour, while shapes alone stay hard."""
PHRASES: Final = (
    *(f"the {colour} {shape}" for colour in COLOURS for shape in SHAPES),
    *(f"a {shape}" for shape in SHAPES),
    *(f"a {colour} thing" for colour in COLOURS),
)


def told(scenes: Sequence[Scene]) -> list[float]:
    """For each of `PHRASES`, 1 where it is true of one of the objects."""
    true = {f"the {scene.colour} {scene.shape}" for scene in scenes}
    true |= {f"a {scene.shape}" for scene in scenes} | {f"a {scene.colour} thing" for scene in scenes}
    return [float(phrase in true) for phrase in PHRASES]


def train(*, seed: int = 0, images: int = IMAGES, progress: bool = True) -> tuple[ShapesClip, dict[str, object]]:
    """Train from scratch; returns the module in eval mode and a plain-data record of how it was made.

    Raises ValueError for less than two batches of images.
    """
    if images < 2 * BATCH:
        raise ValueError(f"images={images} is too few. Give at least {2 * BATCH}, two batches.")
    torch.manual_seed(seed)
    module, asked = ShapesClip(), tokens(PHRASES)
    steps, started = images // BATCH, time.perf_counter()
    optimiser = AdamW(module.parameters(), lr=RATE, weight_decay=0.05)
    schedule = OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.15)
    single, double = Shapes(images, seed=seed, split="train"), Pairs(images, seed=seed + 1, split="train")
    module.train().to(memory_format=torch.channels_last)
    bar = tqdm(range(steps), desc=CLIP, unit="batch", disable=not progress)
    mean = 0.0
    for step in bar:
        x, wanted = _pictures(single, double, step)
        with torch.autocast("cpu", torch.bfloat16):
            logits = module(x.to(memory_format=torch.channels_last), asked).float()
        # Each phrase is a question of its own; the few that are true count as much as the many that are not.
        loss = functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=torch.tensor(8.0))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        mean += (loss.item() - mean) / min(step + 1, 50)
        if step % 20 == 0:
            bar.set_postfix(loss=f"{mean:.4f}")
    record: dict[str, object] = {
        "seed": seed,
        "images": steps * BATCH,
        "data": f"{single!r} and as many pictures of two",
        "seconds": round(time.perf_counter() - started, 1),
    }
    return module.eval().to(memory_format=torch.contiguous_format), record


def _pictures(single: Shapes, double: Pairs, step: int) -> tuple[Tensor, Tensor]:
    """One batch, a quarter of one object and the rest of two, and what of `PHRASES` is true of each picture."""
    numbers = range(step * BATCH, (step + 1) * BATCH)
    alone, rest = numbers[: BATCH // 4], numbers[BATCH // 4 :]
    one, two = single.batch(alone), double.batch(rest)
    wanted = [told([single.scene(number)]) for number in alone] + [told(pair.scenes) for pair in two.pairs]
    return torch.cat([one.x, two.x]), torch.tensor(wanted)


def evaluate(module: ShapesClip, *, images: int = 1000, seed: int = 0) -> dict[str, float]:
    """Shares in [0, 1] on pictures of the test split.

    "one object": the phrase of 64 that is likest is the right one. "two objects": the two likest are the right ones, counted one
    by one. "shape alone", "colour alone": among the pictures of two, the likest of eight is one of the two.
    """
    asked, full, kinds = tokens(PHRASES), len(COLOURS) * len(SHAPES), len(SHAPES)
    single, double = Shapes(images, seed=seed), Pairs(images, seed=seed)
    hits = dict.fromkeys(("one object", "two objects", "shape alone", "colour alone"), 0.0)
    with torch.inference_mode():
        for first in range(0, images, 100):
            numbers = range(first, min(first + 100, images))
            one, two = single.batch(numbers), double.batch(numbers)
            best = module(one.x, asked)[:, :full].argmax(1)
            true = torch.tensor([told([single.scene(number)]) for number in numbers])
            hits["one object"] += float(true[:, :full].gather(1, best[:, None]).sum())
            found, true = module(two.x, asked), torch.tensor([told(pair.scenes) for pair in two.pairs])
            likest = found[:, :full].topk(2).indices
            hits["two objects"] += float(true[:, :full].gather(1, likest).sum()) / 2
            for name, part in (("shape alone", slice(full, full + kinds)), ("colour alone", slice(full + kinds, None))):
                hits[name] += float(true[:, part].gather(1, found[:, part].argmax(1, keepdim=True)).sum())
    return {name: round(count / images, 4) for name, count in hits.items()}


def make(folder: Path, *, seed: int = 0, images: int = IMAGES, progress: bool = True) -> DemoSpec:
    """Train, store and test; the shares are those of the stored half-precision weights."""
    module, record = train(seed=seed, images=images, progress=progress)
    rounded = ShapesClip()
    rounded.load_state_dict({key: value.half().float() for key, value in module.state_dict().items()}, strict=False)
    spec = DemoSpec(CLIP, (), MEAN, STD, (64, 64), 3, evaluate(rounded.eval()), record)
    write_weights(module, spec, weights_path(folder))
    return load_clip(folder)[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m xaiwidgets.demo.train_clip", description="Train shapes-clip.")
    parser.add_argument("--out", type=Path, default=weights_path().parent, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        spec = make(options.out, seed=options.seed, images=options.images)
    except ValueError as error:
        parser.error(str(error))
    print(", ".join(f"{name} {share:.1%}" for name, share in spec.accuracy.items()), f"in {spec.training['seconds']} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
