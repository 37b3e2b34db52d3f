"""RELAX and RISE: importance of pixels from what a model answers when parts of the image are hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.model import ImageModel
from xaiwidgets.relax.masking import Answer, MaskingExplainer
from xaiwidgets.relax.parts import SIMILARITIES, Similarity, part
from xaiwidgets.relax.result import RelaxResult
from xaiwidgets.results import Control
from xaiwidgets.targets import Score, score_of

__all__ = ["RELAX", "RISE"]


class RELAX(MaskingExplainer):
    """Which pixels make a representation what it is, and how sure that is (arXiv 2112.10161).

    Args:
        model: whose representation to explain.
        n_masks: masks an image; balanced masks come in whole blocks (128 for 7 cells), so the number is rounded up.
            :func:`masks_needed` gives the number of independent ones for an error.
        cells: cells along each side of a mask.
        keep: probability that a cell of the image is shown.
        seed: of all random numbers.
        similarity: ``"cosine"``, ``"dot"``, ``"l2"`` (negative distance), or a function of
            (h (n, D), reference (D,)) that gives (n,).
        masks: ``"balanced"`` (about a tenth of the masks for the same error), ``"random"``, masks (n, H, W) in [0, 1],
            or a function (n, (H, W), generator) -> such masks.
        perturb: what shows where the image is hidden: ``"zero"`` (of the normalised image), ``"mean"``, ``"blur"``,
            ``"noise"``, or a function (image (1, C, H, W), generator) -> fill.
        aggregate: ``"mean"`` (RELAX), ``"sum"`` (MUPPET), ``"expected"`` (RISE), or a function.
        control_variate: learn from balanced masks (at ``keep=0.5``) what single places do, and take it out of the noise: on most
            encoders fewer masks for the same error. Importance and standard error are then those of the last whole block.
        tolerance: stop as soon as the largest standard error is below.
        layer: whose output is the representation; None for what the classifier (the last linear layer) reads, ``"output"``
            for what the model gives, such as an encoder that ends in a linear layer.
        pool: ``"mean"`` or ``"flatten"`` makes a vector of a layer's map.
        precision: ``"float32"``, or ``"bfloat16"`` / ``"float16"`` for the forward passes; sums stay exact.
        batch_size: masked images a forward pass; None chooses.

    Raises:
        TypeError, ValueError: a parameter that does not fit, naming it and what to give.

    Example:
        >>> result = xw.RELAX(model, n_masks=256)(x)
        >>> result.importance.shape, result.n_masks, result.largest_error < 0.02
        (torch.Size([2, 64, 64]), 256, True)
    """

    method = "RELAX"

    def _own_defaults(self) -> dict[str, Any]:
        return {"similarity": "cosine", "layer": None, "pool": None}

    def __init__(self, model: ImageModel, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._similarity: Similarity = part("similarity", self._own["similarity"], SIMILARITIES)
        # An encoder that gives no vector is said here, before any work.
        self._encoder(model.input_size)

    def __call__(self, x: Tensor, target: Any = None, *, reference: Any = None, progress: bool = True) -> RelaxResult:
        """Explain images (N, C, H, W).

        Args:
            x: the images.
            target: ignored, since a representation has no classes; there so that RELAX is called like any explainer.
            reference: explain the likeness to this in place of the image's own representation: an image, one image each
                (N, C, H, W), a vector (D,), or one each (N, D), from any source of vectors that share the space.
            progress: show a progress bar when it takes longer than a second.

        Raises:
            TypeError, ValueError: images, masks or a reference that do not fit.
        """
        return self._last(self.stream(x, reference=reference), progress)

    def stream(
        self, x: Tensor, target: Any = None, *, reference: Any = None, n_masks: int | None = None
    ) -> Iterator[RelaxResult]:
        """The same result growing, one step a batch of masks; stop whenever. The last one is what calling gives."""
        asked = {} if reference is None else {"reference": _described(reference)}
        return self._run(x, reference, n_masks, **asked)

    def controls(self) -> list[Control]:
        """The parameters that a widget lets a person vary."""
        chosen = self._own["similarity"]
        own: list[Control] = []
        if isinstance(chosen, str):
            own.append(
                {
                    "name": "similarity",
                    "label": "Similarity",
                    "type": "choice",
                    "value": chosen,
                    "options": list(SIMILARITIES),
                }
            )
        return own + super().controls()

    def _encoder(self, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        own = self._own
        return self.model.encoder(own["layer"], pool=own["pool"], precision=self.settings.precision, size=size)

    def _answers(self, x: Tensor, question: Any) -> tuple[list[Answer], None]:
        encode = self._encoder((x.shape[2], x.shape[3]))
        with torch.inference_mode():
            references = self._references(x, question, encode)
        return [lambda masked, reference=row: self._similarity(encode(masked), reference) for row in references], None  # type: ignore[misc]

    def _references(self, x: Tensor, question: Any, encode: Callable[[Tensor], Tensor]) -> Tensor:
        """One representation an image, (N, D)."""
        own = encode(x)
        if question is None:
            return own
        try:
            given = torch.as_tensor(question, device=x.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"reference is {type(question).__name__}; give images as model.prepare(image) makes, or a vector"
            ) from error
        if given.ndim >= 3:
            given = self.model.validate(given, "reference")
            given = self._encoder((given.shape[2], given.shape[3]))(given)
        given = given.to(torch.float32)
        if given.ndim == 1:
            given = given[None]
        if given.ndim != 2 or given.shape[1] != own.shape[1] or given.shape[0] not in (1, len(x)):
            message = (
                f"reference gives {tuple(given.shape)}; give an image, or a vector ({own.shape[1]},), "
                f"or one for each of the {len(x)} images"
            )
            if self._own["layer"] is None:
                message += (
                    ". What the last linear layer reads is explained; layer='output' explains what the model gives"
                )
            raise ValueError(message)
        if not torch.isfinite(given).all():
            raise ValueError("reference has NaN or infinite values; clean it first")
        return given.expand(len(x), -1)


class RISE(MaskingExplainer):
    """Which pixels a class score, or any other, rests on: RELAX's machinery with a score for a likeness (arXiv 1806.07421).

    Takes :class:`RELAX`'s parameters but those of the representation, and ``score``: of a class its ``"probability"`` (as
    published; as the model's scores mean it) or its ``"logit"``. Plain values and other targets are followed as they are.

    Example:
        >>> result = xw.RISE(model, n_masks=256)(x, target="star")
        >>> result.heatmap.shape, result.standard_error.shape
        (torch.Size([2, 64, 64]), torch.Size([2, 64, 64]))
    """

    method = "RISE"

    def _own_defaults(self) -> dict[str, Any]:
        return {"score": "probability"}

    def __init__(self, model: ImageModel, **settings: Any) -> None:
        super().__init__(model, **settings)
        if self._own["score"] not in ("probability", "logit"):
            raise unknown("score", self._own["score"], ("probability", "logit"))

    def __call__(self, x: Tensor, target: Any = None, *, progress: bool = True) -> RelaxResult:
        """Explain a score of images (N, C, H, W).

        Args:
            target: None for the predicted class; a class, anything of `xaiwidgets.targets` or a function of the output, or one an image.
            progress: show a progress bar when it takes longer than a second.
        """
        return self._last(self.stream(x, target), progress)

    def stream(self, x: Tensor, target: Any = None, *, n_masks: int | None = None) -> Iterator[RelaxResult]:
        """The same result growing, one step a batch of masks; stop whenever."""
        return self._run(x, target, n_masks)

    def _answers(self, x: Tensor, question: Any) -> tuple[list[Answer], Score]:
        forward = self.model.forward_function(x, precision=self.settings.precision)
        score = score_of(self.model, self.model.output(x), question, x)
        probability = self._own["score"] == "probability"

        def answer(masked: Tensor, row: int) -> Tensor:
            each, output = score.of([row] * len(masked)), forward(masked)
            return each.probability(output) if probability else each(output)

        return [lambda masked, row=row: answer(masked, row) for row in range(len(x))], score  # type: ignore[misc]


def _described(reference: Any) -> str:
    """A reference in words: what a result may keep of it."""
    shape = getattr(reference, "shape", None)
    return type(reference).__name__ if shape is None else f"given, {tuple(shape)}"
