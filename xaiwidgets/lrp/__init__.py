"""Layer-wise relevance propagation: rules and composites are data over the graph engine, LRP and absLRP explainers over both:
`preparing` gives every operation of a model its rule, once; `passing` is the way of images up and of relevance down, once a call.
It may import `graph`, `model`, `targets`, `results` and `errors`, and is imported by those who explain with it.
"""

from xaiwidgets.lrp.absolute.explainer import AbsLRP
from xaiwidgets.lrp.composites import COMPOSITES, Composite, make_composite
from xaiwidgets.lrp.depth import LayerMaps
from xaiwidgets.lrp.explainer import LRP
from xaiwidgets.lrp.preparing import assign
from xaiwidgets.lrp.report import Report, check
from xaiwidgets.lrp.result import Attribution, Conservation, Leak
from xaiwidgets.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, PassRule, Rule, WSquare, ZBox, ZPlus, make_rule

__all__ = [
    "COMPOSITES",
    "LRP",
    "RULES",
    "AbsLRP",
    "AlphaBeta",
    "Attribution",
    "Composite",
    "Conservation",
    "Epsilon",
    "Flat",
    "Gamma",
    "LayerMaps",
    "Leak",
    "PassRule",
    "Report",
    "Rule",
    "WSquare",
    "ZBox",
    "ZPlus",
    "assign",
    "check",
    "make_composite",
    "make_rule",
]
