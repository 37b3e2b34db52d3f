"""The RELAX room: which pixels make a representation what it is, with uncertainty; and RISE, the same for a class.

It may import model, targets, results, errors. `masks` draws, `masking` runs the model behind them, `estimate` adds up, `explainer` asks.
"""

from xaiwidgets.relax.explainer import RELAX, RISE
from xaiwidgets.relax.masking import MaskingExplainer
from xaiwidgets.relax.masks import masks_needed
from xaiwidgets.relax.result import RelaxResult

__all__ = ["RELAX", "RISE", "MaskingExplainer", "RelaxResult", "masks_needed"]
