"""The evaluate room: can an explanation be believed? Pixel flipping, GAE, localisation, sanity checks, for any explainer.

It may import baselines (how explainers are called), relax (what hides pixels), model, targets, results, workers, errors.
"""

from xaiwidgets.evaluate.flipping.measure import pixel_flipping, stream_pixel_flipping
from xaiwidgets.evaluate.flipping.result import FlippingResult, Row
from xaiwidgets.evaluate.gae.measure import gae, stream_gae
from xaiwidgets.evaluate.gae.result import GaeResult
from xaiwidgets.evaluate.insertion import InsertionDeletionResult, SufficiencyResult, insertion_deletion, sufficiency
from xaiwidgets.evaluate.localisation import LocalisationResult, localisation
from xaiwidgets.evaluate.perturbations import PERTURBATIONS, Scene
from xaiwidgets.evaluate.randomisation import RandomisationResult, model_randomisation
from xaiwidgets.evaluate.statistics import Estimate, bootstrap, kendall

__all__ = [
    "PERTURBATIONS",
    "Estimate",
    "FlippingResult",
    "GaeResult",
    "InsertionDeletionResult",
    "LocalisationResult",
    "RandomisationResult",
    "Row",
    "Scene",
    "SufficiencyResult",
    "bootstrap",
    "gae",
    "insertion_deletion",
    "kendall",
    "localisation",
    "model_randomisation",
    "pixel_flipping",
    "stream_gae",
    "stream_pixel_flipping",
    "sufficiency",
]
