"""RELAX: which pixels make a representation what it is, with uncertainty; and RISE, the same for a class."""

from xaiwidgets.relax.explainer import RELAX, RISE, MaskingExplainer, masks_needed
from xaiwidgets.relax.result import RelaxResult

__all__ = ["RELAX", "RISE", "MaskingExplainer", "RelaxResult", "masks_needed"]
