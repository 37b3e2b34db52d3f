"""Pixel flipping: the score as ever more of an image is flipped, in the order that an explanation gives (Samek et al. 2017)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from inspect import signature
from typing import Any, Literal

from tqdm.auto import tqdm

from xaiwidgets.errors import check_keywords
from xaiwidgets.evaluate.flipping.collected import Collected
from xaiwidgets.evaluate.flipping.plan import Orders, Plan
from xaiwidgets.evaluate.flipping.result import FlippingResult
from xaiwidgets.evaluate.flipping.schedules import ScheduleName
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
        progress: show a progress bar when it takes longer than a second.

    Raises:
        TypeError, ValueError: an argument that does not fit, naming it (and the method, for a heatmap) and what to give.

    Example:
        >>> curves = xw.pixel_flipping(model, x, {"LRP": xw.LRP(model), "Grad-CAM": xw.GradCAM(model)}, order="both", random=1)
        >>> curves.gap["LRP"].shape, sorted(curves.ranking)
        (torch.Size([2]), ['Grad-CAM', 'LRP'])
    """
    plan = Plan.of(model, x, explanations, locals())
    curves = Collected(plan)
    with tqdm(desc="Pixel flipping", total=curves.total, unit=" frames", delay=1, disable=not progress) as bar:
        for updates in plan.run(executor):
            curves.add(updates)
            bar.update(curves.done - bar.n)
    return curves.result()


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
        for updates in plan.run(settings["executor"]):
            curves.add(updates)
            yield curves.result()

    return grow()
