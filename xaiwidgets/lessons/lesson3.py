"""Lesson 3, relevance layer by layer: by hand, as code, inside a network, conservation, rules."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.baselines import GradientXInput, Occlusion
from xaiwidgets.demo import examples
from xaiwidgets.lessons.answers import Hint, a_map, a_number, one_of
from xaiwidgets.lessons.demo import alike, close, correlation, demo_model, demo_pictures
from xaiwidgets.lessons.exercises import exercise
from xaiwidgets.lrp import LRP, Attribution, Composite, make_rule

PIXELS = torch.tensor([2.0, 1.0], dtype=torch.float64)
HIDDEN = torch.tensor([[1.0, 2.0], [-1.0, 3.0]], dtype=torch.float64)
OUTPUT = torch.tensor([[3.0, -1.0], [1.0, 2.0]], dtype=torch.float64)
"""The net with four neurons: its two pixels, and weights as `nn.Linear` has them; outputs are yes and no."""
SAME = ("Occlusion", "Gradient × input", "none of them")


@exercise("3.1")
def shared_out_by_hand(answer: Any) -> str | None:
    """Relevance of the two inputs for "no"."""
    given = a_map(answer, (2,))
    if alike(given, _inputs(1)):
        return None
    if alike(given, _inputs(0)):
        return "that is the score of yes; share out no, which is 6."
    if alike(given, _hidden(1)):
        return "that is the relevance of the hidden neurons. Go on to the inputs."
    if alike(given, _inputs(1).flip(0)):
        return "the right two numbers; the first input comes first."
    if not close(float(given.sum()), float(_inputs(1).sum()), 0.01):
        return "the two must sum to the score of no, 6: nothing is lost in this net."
    return "the sum is right. Check each hidden neuron: what share of its sum came from which input, with its sign?"


@exercise("3.2")
def epsilon_rule(answer: Any) -> str | None:
    """A function that is the ε-rule of a linear layer."""
    if not callable(answer):
        raise Hint("give a function of (x, weight, bias, relevance, epsilon); write its name without calling it.")
    generator = torch.Generator().manual_seed(0)
    x, relevance = torch.randn(3, 5, generator=generator), torch.randn(3, 4, generator=generator)
    weight, bias = torch.randn(4, 5, generator=generator), torch.randn(4, generator=generator)
    for epsilon in (1e-6, 0.5):
        try:
            given = answer(x.clone(), weight.clone(), bias.clone(), relevance.clone(), epsilon)
        except Exception as error:
            raise Hint(
                f"called with x (3, 5), weight (4, 5), bias (4,), relevance (3, 4), it raised {error!r}."
            ) from error
        hint = _of_rule(a_map(given, (3, 5)), (x, weight, bias, relevance), epsilon)
        if hint:
            return hint
    zero = answer(torch.zeros(1, 5), weight, torch.zeros(4), torch.ones(1, 4), 1e-6)
    if not torch.isfinite(torch.as_tensor(zero)).all():
        return "where the sum is zero it divides by zero: take sign(0) as 1."
    return None


def _of_rule(given: Tensor, layer: tuple[Tensor, Tensor, Tensor, Tensor], epsilon: float) -> str | None:
    """What is wrong with one result of the rule, for a layer's inputs, weights, bias and relevance."""
    x, weight, bias, relevance = layer
    z = x @ weight.T + bias

    def rule(denominator: Tensor) -> Tensor:
        return x * ((relevance / denominator) @ weight)

    sign = torch.where(z >= 0, 1.0, -1.0)
    if alike(given, rule(z + epsilon * sign), 1e-4):
        return None
    if alike(given, rule(z - bias + epsilon * torch.where(z - bias >= 0, 1.0, -1.0)), 1e-4):
        return "the bias is a part of the sum z as well."
    if alike(given, rule(z + epsilon), 1e-4):
        return "ε is added away from zero: to a negative z, take it off."
    if alike(given, rule(z), 1e-4):
        return "ε is missing in the denominator."
    if alike(given, ((relevance / (z + epsilon * sign)) @ weight), 1e-4):
        return "step 4 is missing: multiply by the inputs."
    return "compare the four steps: z = x @ weight.T + bias; divide the relevance by it; back through weight; times x."


@exercise("3.3")
def negative_at_the_embedding(answer: Any) -> str | None:
    """The negative share of magnitudes at the embedding, of the heart."""
    given = abs(a_number(answer, "a share, from 0 to 1"))
    relevance, stars = _embedding(1), _embedding(0)
    negative, positive = float(-relevance.clamp_max(0).sum()), float(relevance.clamp_min(0).sum())
    if close(given, negative / (negative + positive), 0.01):
        return None
    of_star = float(-stars.clamp_max(0).sum() / stars.abs().sum())
    counted = float((relevance < 0).float().mean())
    wrong = (
        (100 * negative / (negative + positive), 0.01, "that is in per cent; give it as a share, from 0 to 1."),
        (of_star, 0.01, "that is the star's, which the table has. Ask for the heart, pictures[1:2]."),
        (negative, 0.01, "that is the negative sum itself; divide it by the sum of all magnitudes."),
        # The last two are within one per cent of each other.
        (counted, 0.003, "that is the share of neurons that are negative. How much of the magnitude do they hold?"),
        (negative / (positive - negative), 0.01, "divide by the sum of magnitudes |R|, not by the sum of R."),
    )
    for value, slack, hint in wrong:
        if close(given, value, slack):
            return hint
    return "take the heart's relevance at the embedding: minus the sum of what is below zero, over the sum of abs()."


@exercise("3.4")
def largest_leak(answer: Any) -> str | None:
    """The layer whose biases take most of the heart's score."""
    given = one_of(answer, demo_model().layers)
    if given == _account(1)[0]:
        return None
    if given == _account(0)[0]:
        return "that is the star's. Ask for the account of pictures[1:2]."
    return "print(xw.LRP(model)(pictures[1:2]).conservation) lists the leaks."


@exercise("3.5")
def same_map(answer: Any) -> str | None:
    """The method that equals ε everywhere."""
    given = one_of(answer, SAME)
    model, x = demo_model(), demo_pictures()[:1]
    exact = LRP(model, Composite(default=make_rule("epsilon")))(x).heatmap
    known = {"Occlusion": Occlusion(model), "Gradient × input": GradientXInput(model)}
    same = [name for name, method in known.items() if correlation(method(x).heatmap, exact) > 0.999]
    return None if given == (same or [SAME[-1]])[0] else "make both maps of the star and take their correlation."


@exercise("3.6")
def own_composite(answer: Any) -> str | None:
    """The share on the star with γ in convolutions, flat first, ε elsewhere."""
    given = a_number(answer, "a share, from 0 to 1")
    gamma, flat, epsilon = make_rule("gamma", gamma=0.25), make_rule("flat"), make_rule("epsilon")
    truth = _share(Composite(kinds={"conv": gamma}, first=flat, default=epsilon))
    if close(given, truth, 5e-4):
        return None
    if close(given, 100 * truth, 5e-3):
        return "that is in per cent; give it as a share, from 0 to 1."
    wrong = (
        (
            Composite(kinds={"conv": gamma}, default=epsilon),
            "the first layer has no flat rule yet: first=make_rule('flat').",
        ),
        (Composite(default=gamma, first=flat), "γ belongs in the convolutions only; linear layers get ε."),
        (
            Composite(kinds={"conv": make_rule("gamma")}, first=flat, default=epsilon),
            "γ is 0.25 here: make_rule('gamma', gamma=0.25).",
        ),
    )
    for composite, hint in wrong:
        if close(given, _share(composite), 5e-4):
            return hint
    if round(given, 2) == given and close(given, truth, 6e-3):
        return "give all digits: to two of them other composites have the same share."
    return "xw.Composite(kinds={'conv': …}, first=…, default=…), then share_on_star of the star's map."


def _hidden(output: int) -> Tensor:
    """Relevance of the two hidden neurons, of an output's score."""
    return (HIDDEN @ PIXELS).relu() * OUTPUT[output]


def _inputs(output: int) -> Tensor:
    """Relevance of the two pixels, of an output's score."""
    return PIXELS * ((_hidden(output) / (HIDDEN @ PIXELS)) @ HIDDEN)


@cache
def _embedding(picture: int) -> Tensor:
    """Relevance at the layer in front of the classifier."""
    return LRP(demo_model())(demo_pictures()[picture : picture + 1], layers=["embedding"]).layers["embedding"]


@cache
def _account(picture: int) -> list[str]:
    """Layers where relevance was lost, the largest loss first."""
    result: Attribution = LRP(demo_model())(demo_pictures()[picture : picture + 1])
    assert result.conservation is not None
    return [leak.layer for leak in sorted(result.conservation.leaks, key=lambda leak: -leak.amount)]


def _share(composite: Composite) -> float:
    """The share of the positive relevance that lies on the star."""
    positive = LRP(demo_model(), composite)(demo_pictures()[:1]).heatmap[0].clamp_min(0)
    return float((positive * torch.from_numpy(examples(1)[0].mask)).sum() / positive.sum())
