"""The CRP room: which concepts a model uses for an image, where they are, and what they are made of. It may import lrp, graph, model,
targets, results, errors.

    crp = CRP(model, composite="epsilon_plus_flat")
    crp.rank(x, target, layer)                    # concepts by their signed share of the class
    crp(x, target, layer, [5, 42])                # where each is: a heatmap a concept
    crp.attribute(x, [{"y": [3], layer: [5]}])    # the general form: conditions on any layers and classes
    crp.region(x, (8, 8, 24, 20), target)         # what acts inside a box, for all concepts of all layers at once
    crp.graph(x, target, layer, 42)               # what a concept is made of
    crp.without(x, {layer: [42]})                 # what the model says without it
    crp.focus(x, target)                          # one image and one class explained once, then questioned cheaply

From layer to layer: `concepts` (what a concept is), `dictionary` (directions as concepts),
`requests` and `starts` (what was asked), `collecting` (carried down in batches),
`passes` (images explained once), `attribution_graph`, `focus`, and `results`. Reference samples have a room of their own, `index`.

Conditions mask relevance on its way down (Achtibat et al., arXiv 2206.03208). For one layer that is linear: with R the relevance at
the layer and v the indicator of a region of the image, ⟨v, down(R restricted to a concept)⟩ is the sum over the concept of
up(v) · R. So one pass up answers for a region what would take a pass down for every concept.
"""

from xaiwidgets.crp.attribution_graph import ConceptGraph, Edge, Node
from xaiwidgets.crp.concepts import AxisConcept, Concept, MaskConcept
from xaiwidgets.crp.dictionary import Dictionary
from xaiwidgets.crp.explainer import CRP
from xaiwidgets.crp.focus import Focus
from xaiwidgets.crp.results import ConceptAttribution, Ranking, RegionConcepts, Row

__all__ = [
    "CRP",
    "AxisConcept",
    "Concept",
    "ConceptAttribution",
    "ConceptGraph",
    "Dictionary",
    "Edge",
    "Focus",
    "MaskConcept",
    "Node",
    "Ranking",
    "RegionConcepts",
    "Row",
]
