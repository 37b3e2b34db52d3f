"""What a person may vary of LRP in a widget, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xaiwidgets.lrp.composites import COMPOSITES, parameter_defaults
from xaiwidgets.results import Control

__all__ = ["all_parameters", "controls_of"]

LABELS = {
    "gamma": "γ: favour positive contributions",
    "gamma_first": "γ of the first layer",
    "epsilon": "ε: absorb weak contributions",
    "alpha": "α: weight of positive contributions",
}
SLIDERS = {
    "gamma": (0.0, 1.0, False),
    "gamma_first": (0.0, 1.0, False),
    "epsilon": (1e-9, 1.0, True),
    "alpha": (1.0, 3.0, False),
}
"""Lowest and highest value, and whether the slider is logarithmic."""


def controls_of(composite: str, parameters: Mapping[str, Any], *, named: bool, contrast: bool) -> list[Control]:
    """The composite and its parameters, with the values they have.

    Args:
        composite: its name. parameters: those that were given.
        named: it is one of `COMPOSITES`, so that another may be chosen; one's own composite only takes `zero_bias`.
        contrast: it is absLRP's, whose maps are in a unit of their own: offered to those who began with it.
    """
    controls: list[Control] = []
    if named:
        options = [entry for entry in COMPOSITES if entry != "abs_lrp" or contrast]
        controls.append(
            {"name": "composite", "label": "Composite", "type": "choice", "value": composite, "options": options}
        )
        for name, default in parameter_defaults(composite).items():
            if name in SLIDERS:
                controls.append(_slider(name, parameters.get(name, default)))
    if not contrast:
        value = bool(parameters.get("zero_bias", False))
        controls.append({"name": "zero_bias", "label": "Keep relevance out of biases", "type": "bool", "value": value})
    return controls


def _slider(name: str, value: Any) -> Control:
    low, high, log = SLIDERS[name]
    control: Control = {"name": name, "label": LABELS[name], "type": "float", "value": value or 0.0}
    return control | {"min": low, "max": high, "step": (high - low) / 100, "log": log}


def all_parameters() -> list[str]:
    """What can be given to `with_parameters` under one composite or another."""
    own = dict.fromkeys(name for composite in COMPOSITES for name in parameter_defaults(composite))
    return ["composite", *own, "start", "zero_bias"]
