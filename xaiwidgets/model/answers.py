"""What a model answers: its output, scores, probabilities, classes and boxes."""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from xaiwidgets.devices import sent
from xaiwidgets.errors import whole
from xaiwidgets.model.classes import class_index, class_indices
from xaiwidgets.model.meaning import Meaning, of_two, probabilities
from xaiwidgets.model.outputs import OutputError, Selection, boxes_of, some_numbers
from xaiwidgets.model.prediction import Prediction
from xaiwidgets.model.state import evaluating

__all__ = ["Answers", "Precision"]

Precision = Literal["float32", "bfloat16", "float16"]
_SCORE_BATCH = 64
_ROUNDED = 1e-3
"""By so much a probability may miss 0 and 1, in half precision."""


class Answers(ABC):
    """The part of `ImageModel` that answers.

    Attributes:
        name: of the model. class_names: of its classes, or None. module: what computes. lock: for all that reads it.
        selection: which tensor of what the module returns is the output.
    """

    name: str
    class_names: tuple[str, ...] | None
    module: nn.Module
    lock: threading.RLock
    selection: Selection
    _meaning: Meaning | None
    _boxes: Any
    _warned: bool
    _told_of_one: bool
    _told_of_range: bool

    @abstractmethod
    def validate(self, x: Any, argument: str = "x") -> Tensor:
        """``x`` as a float32 batch (N, C, H, W)."""

    @abstractmethod
    def forward_function(
        self, x: Tensor, *, layer: str = "output", precision: Precision = "float32"
    ) -> Callable[[Tensor], Any]:
        """A fast forward pass for images of x's size."""

    @abstractmethod
    def _guess(self, *, export: bool = False) -> Meaning:
        """What scores mean where nobody said, by the graph; ``export``: by one made for it, where there is none yet."""

    @property
    def meaning(self) -> Meaning:
        """What the scores mean: "softmax", "sigmoid", "probabilities" or "values"; guessed where nobody said."""
        if self._meaning is not None:
            return self._meaning
        found = self._guess(export=True)
        if found == "sigmoid" and len(self.class_names or ()) != 2 and not self._told_of_one:
            # One number that tells no two names apart may as well be a regression's, and every probability shown would be wrong.
            self._told_of_one = True
            warnings.warn(
                f"{self.name} gives one score, which is taken for the logit of one class: its probability is the sigmoid. Say so with "
                "scores='sigmoid', or give scores='values' where it is a plain number",
                UserWarning,
                stacklevel=3,
            )
        return found

    def output(self, x: Tensor, *, precision: Precision = "float32") -> Tensor:
        """What the model answers to each image, (N, …), float32, without autograd graph: the tensor that ``output`` names."""
        x = self.validate(x)
        forward = self.forward_function(x, precision=precision)
        parts = [forward(part) for part in x.split(_SCORE_BATCH)]
        if parts[0].ndim < 1 or sum(len(part) for part in parts) != len(x):
            shape = tuple(parts[0].shape)
            came = f"{shape[0]} rows, {shape}," if shape else "one number"
            raise OutputError(
                f"{self.name} gives {came} for {min(len(x), _SCORE_BATCH)} images; "
                "it must give (N, …), one row an image"
            )
        found = some_numbers(torch.cat(parts), self.name)
        self._check_range(found)
        return found

    def scores(self, x: Tensor, *, precision: Precision = "float32") -> Tensor:
        """The model's output for each image, shape (N, classes): logits, float32, without autograd graph."""
        scores = self.output(x, precision=precision)
        if scores.ndim != 2:
            raise OutputError(
                f"{self.name} gives an output of shape {tuple(scores.shape)}, no scores (N, classes); model.output(x) gives it as it is, "
                "and xaiwidgets.targets asks about parts of it: T.region of maps, T.box of what a detector finds"
            )
        self._check_names(self.class_scores(scores).shape[1])
        return scores

    def probabilities(self, scores: Tensor) -> Tensor:
        """Scores (N, classes), maps (N, classes, H, W) or queries (N, queries, classes) as probabilities, by their :attr:`meaning`.

        Plain values have none and stay as they are. Two names for one score: (N, 2).
        """
        found = probabilities(scores, self.meaning)
        return of_two(found, "probabilities") if self._tells_two(scores) else found

    def predict(self, x: Tensor, top: int = 5) -> Prediction:
        """Scores and the ``top`` classes of each image, best first, with their names."""
        top, scores = whole("top", top, 1), self.scores(x)
        likely = self.probabilities(scores)
        # By the score itself: very sure probabilities are all one.
        ranked = self.class_scores(scores)
        classes = ranked.topk(min(top, ranked.shape[1])).indices
        names = tuple(tuple(self.class_name(index) for index in row) for row in classes.tolist())
        return Prediction(scores, likely, classes, names, self.meaning)

    def class_name(self, index: int) -> str:
        """The name of a class, or "class 7" where there are no names."""
        if self.class_names is not None and index < len(self.class_names):
            return self.class_names[index]
        return f"class {index}"

    def class_scores(self, scores: Tensor) -> Tensor:
        """Scores (N, classes) with a column for each class a person can name: one score that tells two classes apart gives two."""
        return of_two(scores, self.meaning) if self._tells_two(scores) else scores

    def class_index(self, entry: Any, count: int, argument: str = "target") -> int:
        """The index of one of ``count`` classes, given by index or name.

        Raises:
            ValueError: a class out of range, or an unknown name.
        """
        return class_index(entry, count, self.class_names, self.name, argument)

    def targets(self, scores: Tensor, target: Any = None, argument: str = "target") -> Tensor:
        """One class an image, shape (N,), long, from what a person may give.

        Args:
            scores: (N, classes).
            target: None for the predicted class; a class index, or name; or one an image.
            argument: what errors call it.

        Raises:
            ValueError: a class out of range, an unknown name, or another number of classes than images.
        """
        scores = self.class_scores(scores)
        rows, count = scores.shape
        self._check_names(count)
        if target is None:
            return scores.argmax(1)
        chosen = class_indices(target, rows, count, self.class_names, model=self.name, argument=argument)
        return sent(chosen, scores.device)

    def _tells_two(self, scores: Tensor) -> bool:
        """Whether one score tells two named classes apart."""
        two = self.class_names is not None and len(self.class_names) == 2
        return two and scores.ndim == 2 and scores.shape[1] == 1 and self.meaning != "values"

    @property
    def detects(self) -> bool:
        """Whether the output is a list of detections, (N, detections, 6): left, top, right, bottom, score, label."""
        return self.selection.detects

    def boxes(self, x: Tensor) -> Tensor | None:
        """The boxes of the model's queries, (N, queries, 4) as left, top, right, bottom in pixels; None where it returns none."""
        x = self.validate(x)
        with self.lock, evaluating(self.module), torch.inference_mode():
            parts = [
                boxes_of(self.module(part), self._boxes, (x.shape[2], x.shape[3]), self.name)
                for part in x.split(_SCORE_BATCH)
            ]
        found = [part for part in parts if part is not None]
        return torch.cat(found).float() if found else None

    def _check_range(self, output: Tensor) -> None:
        """Warn, once, of probabilities that somebody says they are and that cannot be."""
        if self._meaning != "probabilities" or self._told_of_range or self.detects or output.ndim not in (2, 4):
            return
        low, high = (float(bound) for bound in output.aminmax())
        if low < -_ROUNDED or high > 1 + _ROUNDED:
            self._told_of_range = True
            warnings.warn(
                f"scores='probabilities', but {self.name} answers {low:.4g} to {high:.4g}; give scores='softmax' or 'sigmoid' for "
                "logits, 'values' for plain numbers",
                UserWarning,
                stacklevel=4,
            )

    def _check_names(self, classes: int) -> None:
        """Warn, once, of another number of names than classes: some answers have no name, or a wrong one."""
        if self.class_names is not None and len(self.class_names) != classes and not self._warned:
            self._warned = True
            warnings.warn(
                f"class_names has {len(self.class_names)} names, {self.name} has {classes} classes; give one name a class",
                UserWarning,
                stacklevel=3,
            )
