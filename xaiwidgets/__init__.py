"""See, touch and question why a vision model answered as it did."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xaiwidgets.baselines import GradientXInput, IntegratedGradients, Occlusion, SmoothGrad, as_explainer
    from xaiwidgets.crp import CRP
    from xaiwidgets.crp.index import ReferenceIndex
    from xaiwidgets.crp.references import references
    from xaiwidgets.evaluate.flipping import pixel_flipping
    from xaiwidgets.evaluate.gae import gae
    from xaiwidgets.lrp import LRP, AbsLRP, Composite
    from xaiwidgets.model import ImageModel, Prediction
    from xaiwidgets.relax import RELAX, RISE, RelaxResult, masks_needed
    from xaiwidgets.sources import load
    from xaiwidgets.widgets import ConceptBrowser, FlippingViewer, HeatmapOverlay

__version__ = "0.1.0"

__all__ = [
    "CRP",
    "LRP",
    "RELAX",
    "RISE",
    "AbsLRP",
    "Composite",
    "ConceptBrowser",
    "FlippingViewer",
    "GradientXInput",
    "HeatmapOverlay",
    "ImageModel",
    "IntegratedGradients",
    "Occlusion",
    "Prediction",
    "ReferenceIndex",
    "RelaxResult",
    "SmoothGrad",
    "as_explainer",
    "gae",
    "load",
    "masks_needed",
    "pixel_flipping",
    "references",
]

# Names are found when first used: importing torch and the model libraries takes seconds, and not every use needs all.
_HOMES = {
    "CRP": "crp",
    "AbsLRP": "lrp",
    "Composite": "lrp",
    "GradientXInput": "baselines",
    "IntegratedGradients": "baselines",
    "LRP": "lrp",
    "Occlusion": "baselines",
    "SmoothGrad": "baselines",
    "as_explainer": "baselines",
    "gae": "evaluate",
    "pixel_flipping": "evaluate",
    "ConceptBrowser": "widgets",
    "FlippingViewer": "widgets",
    "HeatmapOverlay": "widgets",
    "ImageModel": "model",
    "Prediction": "model",
    "RELAX": "relax",
    "ReferenceIndex": "crp.index",
    "RISE": "relax",
    "RelaxResult": "relax",
    "load": "sources",
    "masks_needed": "relax",
    "references": "crp.references",
}
# Subpackages and modules that are public as they are, such as xaiwidgets.evaluate.localisation.
_ROOMS = (
    "baselines",
    "crp",
    "demo",
    "evaluate",
    "graph",
    "images",
    "lrp",
    "model",
    "plots",
    "relax",
    "results",
    "sources",
    "widgets",
)


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
