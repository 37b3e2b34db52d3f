"""Layer-wise relevance propagation: rules and composites as data over the graph engine, LRP and absLRP as explainers."""

from xaiwidgets.lrp.absolute.explainer import AbsLRP
from xaiwidgets.lrp.composites import COMPOSITES, Composite, assign, make_composite
from xaiwidgets.lrp.explainer import LRP
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
