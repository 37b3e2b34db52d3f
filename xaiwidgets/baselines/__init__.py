"""The baselines room: explainers that others are compared with, and the adapter that takes everybody else's explainers.

It may import model, graph, targets, results, errors; all are callables (x, target=None) -> `Baseline`, and parameters stay as they are.
"""

from xaiwidgets.baselines.adapter import as_explainer
from xaiwidgets.baselines.attention import AttentionRollout, LastAttention
from xaiwidgets.baselines.cam import GradCAM, GradCAMPlusPlus
from xaiwidgets.baselines.explainer import Baseline
from xaiwidgets.baselines.gradients import GradientXInput, IntegratedGradients, SmoothGrad
from xaiwidgets.baselines.occlusion import Occlusion

__all__ = [
    "AttentionRollout",
    "Baseline",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientXInput",
    "IntegratedGradients",
    "LastAttention",
    "Occlusion",
    "SmoothGrad",
    "as_explainer",
]
