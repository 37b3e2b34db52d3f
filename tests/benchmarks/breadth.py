"""Many architectures: whether they become graphs and how long that takes, how long LRP takes, and how much of the relevance reaches the pixels.

Relevance starts at one, biases are kept out of denominators (`zero_bias`), weights are random. Columns are rules:

    z⁺     on convolutions, γ on linear layers, attention weights held constant
    attn   the same with AttnLRP in attention, whose softmax does not conserve by its own formula
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from tests.lrp.zoo import QUICK, SLOW, build
from xaiwidgets.graph import Graph, GraphError, Propagator, export
from xaiwidgets.lrp import Composite, Conservation, Gamma, ZPlus, assign, make_composite
from xaiwidgets.lrp.account import Account

RULES = {
    "z⁺": Composite(default=Gamma(), kinds={"conv": ZPlus()}, attention="cp", zero_bias=True),
    "attn": Composite(default=Gamma(), kinds={"conv": ZPlus()}, zero_bias=True),
}
CAUSES = {
    "ε": "outputs that owe nothing to their inputs",
    "constant tokens": "the class token",
    "ε and softmax": "softmax",
    "shift and ε": "norms that owe nothing to their inputs",
}


def main() -> None:
    """Print the table, a line a model."""
    print("| model | operations | export s | LRP s | z⁺ reaches | attn reaches | most of what z⁺ loses |")
    print("|---" * 7 + "|")
    for name in [*QUICK, *SLOW]:
        print(line(name), flush=True)


def line(name: str) -> str:
    """One model's row."""
    module, x = build(name, batch=1)
    begin = time.perf_counter()
    try:
        graph = export(module, x).to(memory_format=torch.channels_last)
    except GraphError as error:
        return f"| {name} | {error} |"
    waited = time.perf_counter() - begin
    attention = any(o.target in {"softmax", "scaled_dot_product_attention"} for o in graph.operations)
    accounts = {key: account(graph, x, rules) for key, rules in RULES.items() if attention or key != "attn"}
    shares = [f"{accounts[key].share:.1%}" if key in accounts else "" for key in RULES]
    return f"| {name} | {len(graph.operations)} | {waited:.1f} | {seconds(graph, x):.2f} | {' | '.join(shares)} | {cause(accounts['z⁺'])} |"


def account(graph: Graph, x: Tensor, composite: Composite) -> Conservation:
    """Where relevance of one at the predicted class goes."""
    propagator = Propagator(graph, assign(composite, graph))
    record = propagator.record(x)
    start = torch.nn.functional.one_hot(record.output.argmax(1), record.output.shape[1]).to(record.output)
    books = Account(propagator)
    relevance = propagator.down(record, {"output": start[None]}, trace=books)["input"]
    return books.close(torch.isfinite(relevance).all(), start.sum(), relevance.sum())[1]


def cause(conservation: Conservation) -> str:
    """What took most, where anything did."""
    lost: dict[str, float] = {}
    for leak in conservation.leaks:
        lost[leak.into] = lost.get(leak.into, 0.0) + leak.amount
    most = max(lost, key=lambda into: abs(lost[into]), default="")
    return f"{lost[most]:+.1%} to {CAUSES.get(most, most)}" if most and abs(lost[most]) > 0.01 else ""


def seconds(graph: Graph, x: Tensor) -> float:
    """Of a second pass of the default composite; the first prepares weights."""
    propagator = Propagator(graph, assign(make_composite("epsilon_plus_flat"), graph))
    for _ in range(2):
        begin = time.perf_counter()
        record = propagator.record(x)
        propagator.down(record, {"output": torch.ones_like(record.output)[None]})
        spent = time.perf_counter() - begin
    return spent
