"""What must hold for every network, whatever it is made of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tests.generated.networks import CLASSES, Network
from xaiwidgets.crp import CRP
from xaiwidgets.graph import Graph, GraphError, Propagator
from xaiwidgets.lrp import LRP, AbsLRP, Composite, Epsilon, Gamma, ZPlus, assign, make_composite
from xaiwidgets.lrp.absolute.contrast import batch_leads, for_and_against
from xaiwidgets.lrp.explainer import LRP as Explainer
from xaiwidgets.model import ImageModel

__all__ = ["LAWS", "hold"]

COMPOSITES = ("epsilon_plus_flat", "attn_lrp", "cp_lrp", "epsilon_alpha2_beta1")
IMAGES = 3


def hold(network: Network) -> str | None:
    """Assert every law on a network. What it was refused for, where it has no graph or some step has no rule."""
    model = ImageModel(network.module, input_size=(network.shape[1], network.shape[2]), channels=network.shape[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "(?i).*(mean|std).*assum")  # statistics that nobody gave
        said = check_and_methods_agree(model, network)
        if said is not None:
            return said
        graph = model.graph.to(torch.float64)
        graph_is_module(graph, network)
        tiny_epsilon_is_gradient(graph, network)
        down_and_up_are_adjoint(graph, network)
        relevance_is_accounted_for(model, network)
        a_batch_is_its_images(graph, network)
    return None


def methods(model: ImageModel) -> Iterator[tuple[str, Any]]:
    yield from ((name, LRP(model, name)) for name in COMPOSITES)
    yield "abs_lrp", AbsLRP(model)


def check_and_methods_agree(model: ImageModel, network: Network) -> str | None:
    """`check` is content exactly when LRP, absLRP and CRP run. Else why not."""
    x, refused = network.images(IMAGES), None
    for name, explain in methods(model):
        try:
            report = model.check(name)
            content, words = report.ok, report.summary
        except GraphError as error:
            content, words = False, str(error)
        try:
            found = explain(x, 1)
            assert found.relevance.shape == x.shape, f"{name} gives {tuple(found.relevance.shape)}"
            if name == "abs_lrp":
                assert found.relevance.isfinite().all(), f"{name} is not finite"
            ran = True
        except GraphError as error:
            ran, words = False, str(error)
        assert content == ran, f"check({name!r}) says {content}, and it {'runs' if ran else 'does not run'}: {words}"
        refused = refused or (None if ran else words)
    if refused is None:
        crp = CRP(model)
        for layer in crp.layers[:2]:
            crp.rank(x, target=1, layer=layer)
    return refused


def graph_is_module(graph: Graph, network: Network) -> None:
    module = network.in_float64()
    for count in (1, IMAGES):
        x = network.images(count).double()
        with torch.no_grad():
            close(graph.run(x), module(x), 1e-5, "the graph's output")


def tiny_epsilon_is_gradient(graph: Graph, network: Network) -> None:
    """On a piecewise linear network LRP-0 is gradient × input."""
    if not network.linear:
        return
    tiny = Composite("tiny", default=Epsilon(epsilon=1e-30, stabiliser=1e-30), stabiliser=1e-30)
    propagator = Propagator(graph, assign(tiny, graph))
    x = network.images(2).double()
    record = propagator.record(x)
    start = torch.zeros_like(record.output)
    start[:, 1] = record.output[:, 1]
    found = propagator.down(record, {"output": start[None]})["input"][0]
    module = network.in_float64()
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(module(x.clone())[:, 1].sum(), x)
    close(found, (gradient * x).detach(), 1e-5, "relevance with a tiny ε")


def down_and_up_are_adjoint(graph: Graph, network: Network) -> None:
    """⟨v, down(R)⟩ = ⟨up(v), R⟩, at the input and at a layer."""
    generator = torch.Generator().manual_seed(0)
    given = [make_composite(name) for name in COMPOSITES] + [
        make_composite("gradient_x_input"),
        Composite("γ", default=Gamma(gamma=0.3)),
        Composite("z⁺", default=ZPlus(), zero_bias=True),
    ]
    for composite in given:
        propagator = Propagator(graph, assign(composite, graph))
        record = propagator.record(network.images(2).double(), memory=True)
        r = torch.randn(2, *record.output.shape, generator=generator, dtype=torch.float64)
        if composite.name == "gradient_x_input":
            r *= record.output  # relevance is a multiple of the value throughout
        places: list[str] = ["input", *list(graph.concept_layers)[:1]]
        for place in places:
            try:
                down = propagator.down(record, {"output": r}, [place])[place]
            except GraphError:  # a layer beside the way from the output to the input
                continue
            v = torch.randn(down.shape, generator=generator, dtype=torch.float64)
            up = propagator.up(record, {place: v})["output"]
            left, right = float((v * down).sum()), float((up * r).sum())
            size = float(v.norm() * (down.norm() + 1e-8 * r.norm()))
            assert abs(left - right) <= 1e-7 * size, f"{composite.name} at {place}: {left} down, {right} up, of {size}"


def relevance_is_accounted_for(model: ImageModel, network: Network) -> None:
    """What starts reaches the pixels, or is in a leak that has a name."""
    x = network.images(2)
    target = int(model.scores(x).abs().sum(0).argmax())
    for name in COMPOSITES:
        account = Explainer(model, name, start="one")(x, target).conservation
        assert account is not None
        moved = max(abs(account.start), *(abs(total) for total in account.layers.values()), abs(account.input))
        lost = sum(leak.amount for leak in account.leaks)
        off = abs(account.start - account.input - lost)
        largest = max([abs(leak.amount) for leak in account.leaks], default=0.0)
        assert off <= 1e-4 * max(moved, largest), f"{name}: {off} of {account.start} unaccounted for\n{account}"
        for leak in account.leaks:
            named = leak.layer and leak.into and leak.into != "rounding"
            assert named or abs(leak.amount) <= 1e-4 * max(moved, largest), f"{name}: {leak} has no name"


def a_batch_is_its_images(graph: Graph, network: Network) -> None:
    """In float64: in float32 what is a difference of large numbers, such as the contrast of absLRP, is mostly rounding."""
    x = network.images(IMAGES).double()
    for composite in map(make_composite, (*COMPOSITES, "gradient_x_input", "abs_lrp")):
        view = composite.view(graph)
        if composite.name == "abs_lrp" and not batch_leads(view):
            continue  # goes image by image
        propagator = Propagator(view, assign(composite, view))
        together = _rows(propagator, x)
        for number in range(IMAGES):
            alone = _rows(propagator, x[number : number + 1], number)[:, 0]
            close(together[:, number], alone, 1e-5, f"{composite.name} of an image in a batch", least=1e-7)


def _rows(propagator: Propagator, x: Tensor, first: int = 0) -> Tensor:
    """Relevance of the scores first, first + 1, … of the images, and against all others: (2, N, C, H, W)."""
    record = propagator.record(x)
    start = torch.full_like(record.output, -1 / (CLASSES - 1))
    start[range(len(x)), range(first, first + len(x))] = 1
    return propagator.down(record, {"output": for_and_against(start[None])})["input"]


def close(found: Tensor, expected: Tensor, within: float, what: str, least: float = 1e-12) -> None:
    """Equal to `within` of the largest value, or of `least` where all are smaller."""
    assert found.shape == expected.shape, f"{what} has shape {tuple(found.shape)}, not {tuple(expected.shape)}"
    assert found.isfinite().all() == expected.isfinite().all(), f"{what} is not finite where it should be"
    size = max(float(expected.abs().max()), least)
    off = float((found - expected).abs().max())
    assert off <= within * size, f"{what} is off by {off / size:.2g} of its largest value"


LAWS = (
    check_and_methods_agree, graph_is_module, tiny_epsilon_is_gradient, down_and_up_are_adjoint, relevance_is_accounted_for,
    a_batch_is_its_images,
)  # fmt: skip
assert CLASSES >= IMAGES
