"""Can an explanation be believed? Pixel flipping, GAE, localisation, sanity checks: for any explainer."""

from xaiwidgets.evaluate.curves import FlippingResult, Row
from xaiwidgets.evaluate.flipping import pixel_flipping, stream_pixel_flipping
from xaiwidgets.evaluate.gae import gae, stream_gae
from xaiwidgets.evaluate.gae_result import GaeResult
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
