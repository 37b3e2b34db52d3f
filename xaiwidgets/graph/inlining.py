"""Regions of a program that only set how torch works (precision, gradients), written out among the steps around them."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["inline_regions", "precisions"]

# Steps that run a graph of their own under a setting -> how many arguments say which.
REGIONS: dict[str, int] = {"wrap_with_autocast": 4, "wrap_with_set_grad_enabled": 1, "tag_activation_checkpoint": 0}


def inline_regions(module: torch.fx.GraphModule) -> None:
    """Replace every region of `module`'s graph by the steps in it, in place.

    A graph has one precision throughout and takes no gradients, so what a region sets means nothing to it. `module` is the graph
    of an exported program, which nobody else holds.
    """
    while True:
        node = next((node for node in module.graph.nodes if _is_region(node)), None)
        if node is None:
            return
        _inline(module, node)


def precisions(module: torch.fx.GraphModule) -> frozenset[torch.dtype]:
    """The floating-point types of all values in a graph."""
    return frozenset(value.dtype for value in _values(module) if value.dtype.is_floating_point)


def _is_region(node: Any) -> bool:
    return node.op == "call_function" and getattr(node.target, "__name__", "") in REGIONS


def _inline(module: torch.fx.GraphModule, node: Any) -> None:
    settings = REGIONS[node.target.__name__]
    owner, arguments = node.args[settings], node.args[settings + 1 :]
    inner = getattr(module, owner.target)
    known: dict[Any, Any] = {}
    given = iter(arguments)
    results: Any = None
    with module.graph.inserting_before(node):
        for step in inner.graph.nodes:
            if step.op == "placeholder":
                known[step] = next(given)
            elif step.op == "output":
                results = torch.fx.node.map_arg(step.args[0], known.__getitem__)
            elif step.op == "get_attr":  # a region within the region, or a constant
                name = _free_name(module, step.target)
                setattr(module, name, getattr(inner, step.target))
                known[step] = module.graph.get_attr(name)
            else:
                known[step] = module.graph.node_copy(step, known.__getitem__)
    for reader in list(node.users):
        if reader.target is operator.getitem:
            reader.replace_all_uses_with(results[reader.args[1]])
            module.graph.erase_node(reader)
    if node.users:
        node.replace_all_uses_with(results)
    module.graph.erase_node(node)
    if not owner.users:
        module.graph.erase_node(owner)


def _free_name(module: torch.fx.GraphModule, name: str) -> str:
    number = 0
    while hasattr(module, f"{name}_{number}"):
        number += 1
    return f"{name}_{number}"


def _values(module: torch.fx.GraphModule) -> Iterator[torch.Tensor]:
    for node in module.graph.nodes:
        value = node.meta.get("val")
        for entry in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(entry, torch.Tensor):
                yield entry
