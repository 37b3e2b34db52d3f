"""The model room: a module with its images, classes and graphs (`ImageModel`), and loading one by name.

It may import graph, demo (its models only), errors; `ImageModel.check` alone opens a door to lrp, whose report it is.
"""

from xaiwidgets.model.image_model import ImageModel, Precision
from xaiwidgets.model.loading import load
from xaiwidgets.model.prediction import Prediction

__all__ = ["ImageModel", "Precision", "Prediction", "load"]
