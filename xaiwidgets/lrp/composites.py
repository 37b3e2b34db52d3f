"""Composites: which rule every operation of a model gets, as data; and those with a name. `preparing` puts one on a graph."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xaiwidgets.errors import check_keywords, unknown
from xaiwidgets.graph import Graph, Operation, unfolded
from xaiwidgets.graph.kinds import TABLE
from xaiwidgets.graph.local import STABILISER, Local, Surroundings
from xaiwidgets.lrp.absolute.rules import abs_treatments
from xaiwidgets.lrp.gradient import gradient_treatments
from xaiwidgets.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, ZBox, ZPlus, at_least_zero

__all__ = ["COMPOSITES", "Composite", "make_composite", "parameter_defaults"]

ATTENTION = ("attn", "cp")
RULED = ("conv", *TABLE["linear"].split())
"""What `Composite.kinds` takes: the family of convolutions, and the ATen names of linear steps."""


@dataclass(frozen=True)
class Composite:
    """Rules for the linear steps of a model, and how its other operations are treated.

    The first of these that fits a linear step gives its rule: `layers` (a layer's name or a glob such as "features.*" or
    "blocks.1?.mlp.*"), `first` (steps that see the input through no other linear step), `last` (the step nearest the output),
    `steps` (the step's place as a share of all linear steps, 0 at the input: pairs (up to, rule)), `kinds` ("conv", "linear",
    or an ATen name), `default`.

    Attributes:
        attention: "attn" (AttnLRP: softmax and both factors take part) or "cp" (attention weights held constant).
        treatments: ATen name -> function giving the `Local` of an operation; goes before everything else. It is called with the
            operation and its `Surroundings`.
        folds: whether a batch norm is part of the linear step before it, or (absLRP) a step of its own.
        zero_bias: keep biases and added constants from taking relevance, everywhere. Sums are then conserved, but under the ε-rule
            magnitudes grow from layer to layer, since an output that is mostly bias divides by what little its inputs gave: with
            γ > 0 or z⁺ they do not. z⁺ loses what comes to outputs without any positive contribution (depthwise convolutions).

    Raises:
        TypeError: something that is no rule where a rule belongs.
        ValueError: an unknown kind or attention, or a place outside [0, 1]; when it meets a model, a name in `layers` that no
            linear step has.

    Example:
        >>> from xaiwidgets.lrp import Epsilon, Flat, Gamma
        >>> mine = xw.Composite(first=Flat(), kinds={"conv": Gamma(gamma=0.5)}, layers={"classifier": Epsilon(epsilon=0.1)})
        >>> xw.LRP(model, mine)(x).heatmap.shape
        torch.Size([2, 64, 64])
    """

    name: str = "custom"
    default: Rule = field(default_factory=Epsilon)
    kinds: Mapping[str, Rule] = field(default_factory=dict)
    first: Rule | None = None
    last: Rule | None = None
    steps: tuple[tuple[float, Rule], ...] = ()
    layers: Mapping[str, Rule] = field(default_factory=dict)
    attention: str = "attn"
    stabiliser: float = STABILISER
    zero_bias: bool = False
    treatments: Mapping[str, Callable[[Operation, Surroundings], Local]] = field(default_factory=dict)
    folds: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.attention not in ATTENTION:
            raise unknown("attention", self.attention, ATTENTION)
        for argument in ("kinds", "layers", "treatments"):
            if not isinstance(getattr(self, argument), Mapping):
                came = type(getattr(self, argument)).__name__
                raise TypeError(f"{argument} is {came}; give a dict of names and what they get")
        for kind in self.kinds:
            if kind not in RULED:
                raise unknown("kinds", kind, RULED, most=len(RULED))
        for up_to, _ in self.steps:
            if isinstance(up_to, bool) or not isinstance(up_to, int | float) or not 0 <= up_to <= 1:
                raise ValueError(f"steps={up_to!r} must be a place in [0, 1]: 0 at the input, 1 at the output")
        for where, rule in self._rules():
            if not isinstance(rule, Rule):
                raise TypeError(f"{where}={rule!r} is no rule; give one such as Epsilon(), or make_rule('epsilon')")
        for target, treat in self.treatments.items():
            if not callable(treat):
                raise TypeError(
                    f"treatments[{target!r}]={treat!r} is no function; give one of (operation, surroundings) -> Local"
                )
        at_least_zero("stabiliser", self.stabiliser)
        if self.zero_bias not in (True, False):
            raise ValueError(f"zero_bias={self.zero_bias!r} must be True or False")

    def _rules(self) -> Iterator[tuple[str, Rule]]:
        """Every rule with the place it was given at."""
        yield from ((f"layers[{name!r}]", rule) for name, rule in self.layers.items())
        yield from ((name, rule) for name, rule in (("first", self.first), ("last", self.last)) if rule is not None)
        yield from ((f"steps up to {up_to:g}", rule) for up_to, rule in self.steps)
        yield from ((f"kinds[{name!r}]", rule) for name, rule in self.kinds.items())
        yield "default", self.default

    def describe(self) -> dict[str, Any]:
        """Its rules and treatments in words, as plain data: what a result may keep of it."""
        rules: dict[str, Any] = {where: str(rule) for where, rule in self._rules()}
        treated = {"treatments": sorted(self.treatments)} if self.treatments else {}
        return rules | treated | {"attention": self.attention, "zero_bias": self.zero_bias}

    def view(self, graph: Graph) -> Graph:
        """The graph as this composite reads it: with batch norms folded, or not."""
        return graph if self.folds else unfolded(graph)


# -- by name --------------------------------------------------------------------------------------------------------


def _epsilon_plus(epsilon: float = 1e-6) -> dict[str, Any]:
    return {"default": Epsilon(epsilon=epsilon), "kinds": {"conv": ZPlus()}}


def _epsilon_plus_flat(epsilon: float = 1e-6) -> dict[str, Any]:
    return {**_epsilon_plus(epsilon), "first": Flat()}


def _epsilon_alpha2_beta1(epsilon: float = 1e-6, alpha: float = 2.0) -> dict[str, Any]:
    at_least_zero("alpha", alpha)
    if alpha < 1:
        raise ValueError(f"alpha={alpha!r} must be at least 1: beta is alpha − 1")
    return {"default": Epsilon(epsilon=epsilon), "kinds": {"conv": AlphaBeta(alpha=alpha, beta=alpha - 1)}}


def _epsilon_alpha2_beta1_flat(epsilon: float = 1e-6, alpha: float = 2.0) -> dict[str, Any]:
    return {**_epsilon_alpha2_beta1(epsilon, alpha), "first": Flat()}


def _epsilon_gamma_box(
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    low: float | tuple[float, ...] = -3.0,
    high: float | tuple[float, ...] = 3.0,
) -> dict[str, Any]:
    return {
        "default": Epsilon(epsilon=epsilon),
        "kinds": {"conv": Gamma(gamma=gamma)},
        "first": ZBox(low=low, high=high),
    }


def _lrp_tutorial(
    gamma: float = 0.25,
    epsilon: float = 0.25,
    low: float | tuple[float, ...] = -3.0,
    high: float | tuple[float, ...] = 3.0,
) -> dict[str, Any]:
    """Montavon's tutorial: z-box, γ in the lower half, ε = 0.25 std above, LRP-0 towards the top."""
    return {
        "default": Epsilon(epsilon=1e-9),
        "first": ZBox(low=low, high=high),
        "steps": ((0.5, Gamma(gamma=gamma)), (0.94, Epsilon(epsilon=epsilon, relative=True))),
    }


def _gradient_x_input() -> dict[str, Any]:
    return {"treatments": gradient_treatments()}


def _attn_lrp(gamma: float = 0.0, gamma_first: float | None = None, epsilon: float = 1e-6) -> dict[str, Any]:
    """ε on every linear layer (γ where given), AttnLRP in attention. γ of the patch embedding can differ."""
    at_least_zero("gamma", gamma)
    at_least_zero("gamma_first", gamma if gamma_first is None else gamma_first)

    def rule(value: float) -> Rule:
        return Gamma(gamma=value) if value > 0 else Epsilon(epsilon=epsilon)

    first = gamma if gamma_first is None else gamma_first
    return {"default": rule(gamma), "first": rule(first)}


def _cp_lrp(gamma: float = 0.0, gamma_first: float | None = None, epsilon: float = 1e-6) -> dict[str, Any]:
    return {**_attn_lrp(gamma, gamma_first, epsilon), "attention": "cp"}


def _abs_lrp(epsilon: float = 1e-9) -> dict[str, Any]:
    at_least_zero("epsilon", epsilon)
    return {"treatments": abs_treatments(epsilon), "folds": False}


COMPOSITES: dict[str, Callable[..., dict[str, Any]]] = {
    "epsilon_plus": _epsilon_plus,
    "epsilon_plus_flat": _epsilon_plus_flat,
    "epsilon_alpha2_beta1": _epsilon_alpha2_beta1,
    "epsilon_alpha2_beta1_flat": _epsilon_alpha2_beta1_flat,
    "epsilon_gamma_box": _epsilon_gamma_box,
    "lrp_tutorial": _lrp_tutorial,
    "gradient_x_input": _gradient_x_input,
    "attn_lrp": _attn_lrp,
    "cp_lrp": _cp_lrp,
    "abs_lrp": _abs_lrp,
}


def make_composite(composite: str | Composite, **parameters: Any) -> Composite:
    """A composite by name with its parameters (all but "abs_lrp" also take `zero_bias`), or the given one with fields replaced."""
    if isinstance(composite, Composite):
        check_keywords("the composite", parameters, [entry.name for entry in dataclasses.fields(composite)])
        return dataclasses.replace(composite, **parameters) if parameters else composite
    if not isinstance(composite, str) or composite not in COMPOSITES:
        raise unknown("composite", composite, COMPOSITES, most=len(COMPOSITES))
    own = [*parameter_defaults(composite), *([] if composite == "abs_lrp" else ["zero_bias"])]
    check_keywords(f"composite {composite!r}", parameters, own)
    common = {key: parameters.pop(key) for key in ("zero_bias",) if key in parameters}
    return Composite(composite, **COMPOSITES[composite](**parameters), **common, parameters=parameters | common)


def parameter_defaults(composite: str) -> dict[str, Any]:
    """Name and default of each parameter a composite takes."""
    return {name: p.default for name, p in inspect.signature(COMPOSITES[composite]).parameters.items()}
