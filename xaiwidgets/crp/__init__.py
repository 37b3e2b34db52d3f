"""Concept relevance propagation: which concepts a model uses for an image, where they are, and what they are made of."""

from xaiwidgets.crp.attribution_graph import ConceptGraph, Edge, Node
from xaiwidgets.crp.concepts import AxisConcept, Concept, MaskConcept
from xaiwidgets.crp.explainer import CRP
from xaiwidgets.crp.focus import Focus
from xaiwidgets.crp.results import ConceptAttribution, Ranking, RegionConcepts, Row

__all__ = [
    "CRP",
    "AxisConcept",
    "Concept",
    "ConceptAttribution",
    "ConceptGraph",
    "Edge",
    "Focus",
    "MaskConcept",
    "Node",
    "Ranking",
    "RegionConcepts",
    "Row",
]
