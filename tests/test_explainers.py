"""Every explainer of the package keeps the contract."""

from __future__ import annotations

from typing import Any

from tests.contract import ExplainerContract
from xaiwidgets import CRP, RELAX, RISE, ImageModel
from xaiwidgets.baselines import GradientXInput, IntegratedGradients, Occlusion, SmoothGrad
from xaiwidgets.lrp import LRP, AbsLRP


class TestRELAX(ExplainerContract):
    takes_targets = False

    def explainer(self, model: ImageModel) -> Any:
        return RELAX(model, n_masks=32, cells=3)


class TestRELAXWithNoise(ExplainerContract):
    takes_targets = False

    def explainer(self, model: ImageModel) -> Any:
        return RELAX(model, n_masks=40, cells=4, masks="random", perturb="noise", keep=0.4, seed=3)


class TestRISE(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return RISE(model, n_masks=32, cells=3)


class TestLRP(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return LRP(model, "epsilon_plus_flat", batch=2)


class TestAbsLRP(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return AbsLRP(model, batch=2)


class TestCRP(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return CRP(model, batch=2)


class TestCRPThroughOneConcept(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        crp = CRP(model, batch=2)

        def explain(x: Any, target: Any = None) -> Any:
            return crp(x, target, layer=crp.layers[0], concepts=[1])

        return explain


class TestGradientXInput(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return GradientXInput(model, batch=2)


class TestIntegratedGradients(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return IntegratedGradients(model, steps=4, batch=2)


class TestSmoothGrad(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return SmoothGrad(model, samples=3, batch=2)


class TestOcclusion(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return Occlusion(model, size=4, batch=2)
