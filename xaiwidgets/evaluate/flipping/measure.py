"""Pixel flipping: the score as ever more of an image is flipped, in the order that an explanation gives (Samek et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from inspect import signature
from typing import Any, Literal

from tqdm.auto import tqdm

from xaiwidgets.errors import check_keywords
from xaiwidgets.evaluate.flipping.collected import Collected
from xaiwidgets.evaluate.flipping.plan import Finished, Orders, Plan
from xaiwidgets.evaluate.flipping.result import FlippingResult
from xaiwidgets.evaluate.flipping.schedules import ScheduleName
from xaiwidgets.evaluate.resuming import kept
from xaiwidgets.model import ImageModel, Precision

__all__ = ["pixel_flipping", "stream_pixel_flipping"]


def pixel_flipping(
    model: ImageModel,
    x: Any,
    explanations: Any = None,
    *,
    target: Any = None,
    order: Orders = "morf",
    perturb: Any = "inpaint",
    patch: int = 8,
    schedule: ScheduleName | Sequence[float] = "squares",
    steps: int | None = None,
    score: Literal["logit", "probability"] = "logit",
    random: int = 3,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 2000,
    precision: Precision = "float32",
    batch_size: int | None = None,
    limit: int | None = None,
    executor: Executor | Any = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> FlippingResult:
    """Flip patches in the order of each explanation, and see how the score falls.

    All steps of all images and methods go through the model in full batches; memory does not grow with steps or images, but for the
    curves themselves (and x, which is yours).

    Args:
        model: whose score to follow.
        x: images (N, C, H, W), or a data set of (C, H, W) tensors or (tensor, label).
        explanations: {name: heatmap (N, H, W), result, or explainer (x, target) -> heatmap}. May be left out with order="random".
        target: None for the predicted class; a class, anything of `xaiwidgets.targets` or a function of the output, or one an image.
        order: "morf" most relevant first, "lerf" least relevant first, "both", or "random".
        perturb: "inpaint", "telea" (needs OpenCV), "random", "random_pixel", "mean", "blur", "noise", "zero", "gray"; a number in
            the model's input space; or a function (x (n, C, H, W), hidden (n, 1, H, W) bool) -> what shows where hidden.
        patch: side of a patch in pixels; patches at the edge may be smaller. A patch's relevance is the heatmap's sum over it.
        schedule: "squares" (1, 3, 5, … patches and a last, all-gray step), "linear", "geometric", or rising fractions in [0, 1].
        steps: how many; None for all of "squares", 20 for the others.
        score: a class's "logit" or its "probability", as the model's scores mean it. Plain values and other targets are followed as
            they are, and called "value" and "target".
        random: repeats of the random baseline; 0 for none.
        seed: of random orders, random perturbations, the order among ties, and the intervals. Image i draws for itself.
        confidence, resamples: of the bootstrap intervals over images.
        precision: of the forward passes.
        batch_size: frames a forward pass; None chooses.
        limit: take only so many images.
        executor: runs parts of the images elsewhere, any ``concurrent.futures.Executor`` or a Dask client; the result is the same to
            the bit for any number of workers.
        folder: keep what is finished there, so that a call that was stopped, or killed, goes on when made again, to the same bits. A kill
            loses the last ten seconds, or 64 images. The folder knows model, images and settings by their contents, an explainer by its
            kind and settings, a function by its body; it takes nothing else.
        progress: show a progress bar when it takes longer than a second.

    Raises:
        TypeError, ValueError: an argument that does not fit, naming it (and the method, for a heatmap) and what to give; a folder of other
            curves. RuntimeError: another process is working in the folder. OSError: disk full; what was there is kept.

    Example:
        >>> curves = xw.pixel_flipping(model, x, {"LRP": xw.LRP(model), "Grad-CAM": xw.GradCAM(model)}, order="both", random=1)
        >>> curves.gap["LRP"].shape, sorted(curves.ranking)
        (torch.Size([2]), ['Grad-CAM', 'LRP'])
    """
    plan = Plan.of(model, x, explanations, locals())
    curves, before = Collected(plan), None
    frames = curves.total // plan.source.shape[0]
    with tqdm(desc="Pixel flipping", total=curves.total, unit=" frames", delay=1, disable=not progress) as bar:
        for _ in _grown(plan, curves, executor, folder):
            if before is None:
                # What was there before was not done at today's pace.
                before = bar.initial = bar.last_print_n = bar.n = curves.done
            bar.update(curves.done - bar.n)
            rate = (curves.done - before) / frames / max(1e-9, bar.format_dict["elapsed"])
            bar.set_postfix_str(f"{rate:.3g} images/s", refresh=False)
    return curves.result()


def _grown(plan: Plan, curves: Collected, executor: Any, folder: Any) -> Generator[None, None, None]:
    """`curves` growing: once with what a folder has of them, and once a piece that is new."""
    with kept(folder, "curves", plan.request, plan.source.shape[0]) as there:
        for start, stop, table in there.parts():
            curves.take(start, stop, table)
        yield
        for updates in plan.run(executor, there):
            curves.add(updates)
            for update in updates:
                if isinstance(update, Finished):
                    there.add(update.start, update.stop, partial(curves.part, update.start, update.stop))
            yield


def stream_pixel_flipping(
    model: ImageModel, x: Any, explanations: Any = None, **options: Any
) -> Generator[FlippingResult, None, None]:
    """:func:`pixel_flipping`'s result growing, one step a forward pass: chance and given heatmaps side by side, then each explainer.

    Stop whenever; the last result is what calling gives. Arguments are checked at once, before the first result is asked for.
    ``begin`` says which image is worked on first; the result does not depend on it.
    """
    known = {
        name: entry.default
        for name, entry in signature(pixel_flipping).parameters.items()
        if entry.kind == entry.KEYWORD_ONLY
    }
    check_keywords("stream_pixel_flipping", options, [*(name for name in known if name != "progress"), "begin"])
    settings = {**known, **options}
    plan = Plan.of(model, x, explanations, settings)

    def grow() -> Generator[FlippingResult, None, None]:
        curves = Collected(plan)
        steps = _grown(plan, curves, settings["executor"], settings["folder"])
        with closing(steps):
            next(steps)
            if curves.done:
                yield curves.result()
            for _ in steps:
                yield curves.result()

    return grow()
