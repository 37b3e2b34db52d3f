"""What keeps a picture from being taken for more than it is: effects that are next to nothing, and maps within their own noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from xaiwidgets.relax import RelaxResult
from xaiwidgets.words import CAUTION, hardly_matters, little_reached, within_noise

__all__ = ["CAUTION", "cautions_of", "spent"]

_LITTLE = 0.01
"""A change of a representation, or of a score, that is next to nothing."""
_REACHED = 0.1
"""Of the score: a map of less shows little of what the model used."""
_NOISE = 2.0
"""Standard errors: so far apart are the ends of a map of nothing but chance."""


def cautions_of(result: Any, maps: Mapping[str, Tensor]) -> list[str]:
    """What to know before a result is read, in words; nothing where its maps (H, W) by name are what they look like."""
    account = getattr(result, "conservation", None)
    caution = getattr(result, "caution", "") or ("" if account is None else account.warning)
    found = [caution] if caution else []
    if isinstance(result, RelaxResult):
        found += _masked(result, maps)
    return found


def _masked(result: RelaxResult, maps: Mapping[str, Tensor]) -> list[str]:
    """Of masked pictures: how far hiding goes, and whether there were enough of them."""
    importance = maps["importance"]
    low, high = float(importance.min()), float(importance.max())
    error = float(maps["standard_error"].max())
    if result.n_masks > 1 and high - low <= _NOISE * error:
        return [within_noise(high - low, error)]
    parameters = result.provenance.parameters
    if parameters.get("similarity") == "cosine" and 1 - low < _LITTLE:
        return [hardly_matters("the representation", 1 - low)]
    if parameters.get("score") == "probability" and high - low < _LITTLE:
        return [hardly_matters("the probability", high - low)]
    return []


def spent(reached: float, score: float) -> list[str]:
    """Of a class heatmap that sums to ``reached``: whether it shows what the score rests on."""
    return [little_reached(reached / score)] if score and abs(reached / score) < _REACHED else []
