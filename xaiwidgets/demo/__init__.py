"""The demo room: a data set with ground truth and small trained models that ship with the package and work offline.

It may import errors only: models and pictures know nothing of explanations.
"""

from xaiwidgets.demo.clip import load_clip
from xaiwidgets.demo.models import DemoSpec, demo_names, load_demo
from xaiwidgets.demo.pairs import Pair, PairBatch, Pairs
from xaiwidgets.demo.photographs import Photograph, photographs
from xaiwidgets.demo.shapes import CLASS_NAMES, TAGGED_CLASS, Batch, Sample, Shapes, examples

__all__ = [
    "CLASS_NAMES",
    "TAGGED_CLASS",
    "Batch",
    "DemoSpec",
    "Pair",
    "PairBatch",
    "Pairs",
    "Photograph",
    "Sample",
    "Shapes",
    "demo_names",
    "examples",
    "load_clip",
    "load_demo",
    "photographs",
]
