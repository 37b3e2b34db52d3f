"""Insertion and deletion (Petsiuk et al. 2018), and sufficiency at fixed fractions: pixel flipping read in other ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from xaiwidgets.evaluate.flipping.measure import pixel_flipping
from xaiwidgets.evaluate.flipping.result import FlippingResult
from xaiwidgets.evaluate.flipping.schedules import ScheduleName
from xaiwidgets.evaluate.statistics import Banded, Estimate, area, bootstrap
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Provenance, Result


@dataclass(frozen=True, eq=False, repr=False)
class InsertionDeletionResult(Banded, Result):
    """Curves of inserting the most relevant patches into nothing, and of deleting them from the image.

    Attributes:
        insertion: method -> scores (N, steps + 1) with ever more shown; a high area is good.
        deletion: method -> scores (N, steps + 1) with ever more removed; a low area is good.
        insertion_fractions, deletion_fractions: share of patches shown, and removed, (steps + 1,).
        target: (N,).
        flips: the LeRF and MoRF curves behind, with their frames.
    """

    figure = "insertion_deletion"

    insertion: Mapping[str, Tensor]
    deletion: Mapping[str, Tensor]
    insertion_fractions: Tensor
    deletion_fractions: Tensor
    target: Tensor
    flips: tuple[FlippingResult, FlippingResult]

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.insertion)

    @property
    def insertion_auc(self) -> Mapping[str, Tensor]:
        """method -> area (N,)."""
        return {name: area(scores, self.insertion_fractions) for name, scores in self.insertion.items()}

    @property
    def deletion_auc(self) -> Mapping[str, Tensor]:
        """method -> area (N,)."""
        return {name: area(scores, self.deletion_fractions) for name, scores in self.deletion.items()}

    def table(self) -> dict[str, dict[str, Estimate]]:
        """method -> "insertion" and "deletion" -> mean area with its interval, the best insertion first."""
        insertion, deletion = self.insertion_auc, self.deletion_auc
        order = sorted(self.methods, key=lambda name: float(insertion[name].mean()), reverse=True)
        mean = self.flips[0].interval
        return {name: {"insertion": mean(insertion[name]), "deletion": mean(deletion[name])} for name in order}

    def __str__(self) -> str:
        lines = [str(self.provenance)]
        for name, row in self.table().items():
            lines.append(f"  {name}: insertion {row['insertion']}, deletion {row['deletion']}")
        return "\n".join(lines)

    __repr__ = __str__


def insertion_deletion(
    model: ImageModel,
    x: Tensor,
    explanations: Any,
    *,
    insert_into: Any = "blur",
    delete_with: Any = "zero",
    schedule: ScheduleName | Sequence[float] = "linear",
    steps: int | None = None,
    score: Literal["logit", "probability"] = "probability",
    **options: Any,
) -> InsertionDeletionResult:
    """Insertion and deletion curves.

    Showing the most relevant patches first is flipping the least relevant first, read backwards; so both come from
    :func:`pixel_flipping`, whose other keywords (``target``, ``patch``, ``seed``, ``precision``, …) are taken too.

    Args:
        insert_into, delete_with: perturbations; published are a blurred image and zeros.
    """
    options = {"random": 0, **options}
    shared: dict[str, Any] = {"schedule": schedule, "steps": steps, "score": score, **options}
    lerf = pixel_flipping(model, x, explanations, order="lerf", perturb=insert_into, **shared)
    morf = pixel_flipping(model, x, explanations, order="morf", perturb=delete_with, **shared)
    # The all-gray frame that ends "squares" is neither a beginning nor an end of these curves.
    end = lerf.setup.schedule.steps + (not lerf.setup.schedule.gray_last)
    names = {"insert_into": _name(insert_into), "delete_with": _name(delete_with), **morf.provenance.parameters}
    return InsertionDeletionResult(
        provenance=Provenance("insertion and deletion", names, morf.provenance.seed, model.name),
        insertion={name: scores[:, :end].flip(1) for name, scores in lerf.scores.items()},
        deletion={name: scores[:, :end] for name, scores in morf.scores.items()},
        insertion_fractions=(1 - lerf.fractions[:end]).flip(0),
        deletion_fractions=morf.fractions[:end],
        target=morf.target,
        flips=(lerf, morf),
    )


@dataclass(frozen=True, eq=False, repr=False)
class SufficiencyResult(Banded, Result):
    """The score with nothing but the most relevant share shown.

    Attributes:
        fractions: shares shown, to whole patches, (F,). scores: method -> (N, F). full: score of the whole image, (N,). target: (N,).
    """

    figure = "sufficiency"

    fractions: Tensor
    scores: Mapping[str, Tensor]
    full: Tensor
    target: Tensor
    confidence: float = 0.95
    resamples: int = 2000

    @property
    def kept(self) -> Mapping[str, Tensor]:
        """method -> share of the full score that remains, (N, F)."""
        return {name: scores / self.full[:, None] for name, scores in self.scores.items()}

    def table(self) -> dict[str, list[Estimate]]:
        """method -> mean score with its interval at each fraction."""
        options: dict[str, Any] = {"confidence": self.confidence, "resamples": self.resamples}
        seed = self.provenance.seed or 0
        return {
            name: [bootstrap(column, seed=seed, **options) for column in scores.T]
            for name, scores in self.scores.items()
        }


def sufficiency(
    model: ImageModel,
    x: Tensor,
    explanations: Any,
    *,
    fractions: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5),
    perturb: Any = "blur",
    score: Literal["logit", "probability"] = "probability",
    **options: Any,
) -> SufficiencyResult:
    """Is the most relevant part of an image enough for its class? The score with only that shown, at fixed fractions.

    Args:
        fractions: shares of patches shown, rising, in [0, 1).
        perturb: what stands in for the rest. The other keywords are :func:`pixel_flipping`'s.

    Raises:
        ValueError: fractions that do not rise or lie outside [0, 1).
    """
    values = [float(fraction) for fraction in fractions]
    if not values or values != sorted(set(values)) or values[0] < 0 or values[-1] >= 1:
        raise ValueError(f"fractions={values} must rise and lie in [0, 1): shares of the image that are shown")
    schedule = [1 - value for value in reversed(values)]
    flips = pixel_flipping(
        model,
        x,
        explanations,
        order="lerf",
        perturb=perturb,
        schedule=schedule,
        score=score,
        **{"random": 0, **options},
    )
    first = next(iter(flips.scores.values()))
    return SufficiencyResult(
        provenance=Provenance("sufficiency", dict(flips.provenance.parameters), flips.provenance.seed, model.name),
        fractions=(1 - flips.fractions[1:]).flip(0),
        scores={name: scores[:, 1:].flip(1) for name, scores in flips.scores.items()},
        full=first[:, 0],
        target=flips.target,
        confidence=flips.confidence,
        resamples=flips.resamples,
    )


def _name(perturb: Any) -> Any:
    return perturb if isinstance(perturb, str | int | float) else getattr(perturb, "__name__", "own")
