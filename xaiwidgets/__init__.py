"""See, touch and question why a vision model answered as it did."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xaiwidgets.baselines import (
        AttentionRollout,
        GradCAM,
        GradCAMPlusPlus,
        GradientXInput,
        IntegratedGradients,
        LastAttention,
        Occlusion,
        SmoothGrad,
        as_explainer,
    )
    from xaiwidgets.crp import CRP
    from xaiwidgets.evaluate import gae, pixel_flipping
    from xaiwidgets.index import ReferenceIndex, references
    from xaiwidgets.lrp import LRP, AbsLRP, Composite
    from xaiwidgets.model import ImageModel, Prediction, load
    from xaiwidgets.relax import RELAX, RISE, RelaxResult, masks_needed
    from xaiwidgets.widgets import ConceptBrowser, FlippingViewer, HeatmapOverlay, options

__version__ = "0.2.0"

__all__ = [
    "CRP",
    "LRP",
    "RELAX",
    "RISE",
    "AbsLRP",
    "AttentionRollout",
    "Composite",
    "ConceptBrowser",
    "FlippingViewer",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientXInput",
    "HeatmapOverlay",
    "ImageModel",
    "IntegratedGradients",
    "LastAttention",
    "Occlusion",
    "Prediction",
    "ReferenceIndex",
    "RelaxResult",
    "SmoothGrad",
    "as_explainer",
    "gae",
    "load",
    "masks_needed",
    "options",
    "pixel_flipping",
    "references",
]

# Names are found when first used: importing torch and the model libraries takes seconds, and not every use needs all.
_ROOMS: dict[str, tuple[str, ...]] = {
    "baselines": (
        "AttentionRollout",
        "GradCAM",
        "GradCAMPlusPlus",
        "GradientXInput",
        "IntegratedGradients",
        "LastAttention",
        "Occlusion",
        "SmoothGrad",
        "as_explainer",
    ),
    "crp": ("CRP",),
    "demo": (),
    "evaluate": ("gae", "pixel_flipping"),
    "graph": (),
    "index": ("ReferenceIndex", "references"),
    "lrp": ("LRP", "AbsLRP", "Composite"),
    "model": ("ImageModel", "Prediction", "load"),
    "plots": (),
    "relax": ("RELAX", "RISE", "RelaxResult", "masks_needed"),
    "results": (),
    "targets": (),
    "widgets": ("ConceptBrowser", "FlippingViewer", "HeatmapOverlay", "options"),
}
"""Rooms, which are public as they are, such as xaiwidgets.evaluate.localisation, and the names that each gives to the front."""
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"xaiwidgets.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'xaiwidgets' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = getattr(import_module(f"xaiwidgets.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
