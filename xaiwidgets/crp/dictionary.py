"""Concepts that are directions of a layer, not its channels: the dictionary of a sparse autoencoder, NMF, PCA, or single vectors.

A value z is read as codes times directions and a rest, z = a D + e. These steps are put into the graph behind the layer, where they
change nothing; the codes a are a value like any other there, and whatever ranks, shows, restricts and collects channels does the
same with them. Relevance at z goes to each direction by its part a_k d_kc of every entry z_c (the ε-rule), to the rest by e_c; from
a code it goes on to what the encoder reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.errors import whole_or_none
from xaiwidgets.graph import Graph, GraphError, Operation, Propagator, Value, channel_axis
from xaiwidgets.lrp import Composite, Epsilon, assign

__all__ = ["Dictionary", "with_dictionaries"]


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Directions as the concepts of a layer: `CRP(model, concepts={"layer4": Dictionary(decoder, encoder=…, bias=…)})`.

    Args:
        decoder: (units, channels) a direction each, as an autoencoder's decoder has them.
        encoder: (units, channels) from a value to its codes; None for the codes that come nearest (least squares).
        bias: (units,) added to what the encoder gives. offset: (channels,) taken off values before they are encoded (the decoder's bias).
        positive: whether codes below zero are cut off; by default where there is an encoder.
        top: keep only so many of the largest codes at each place; None for all.

    Raises:
        ValueError: shapes that do not fit each other, or values that are not finite.
    """

    decoder: Tensor
    encoder: Tensor | None = None
    bias: Tensor | None = None
    offset: Tensor | None = None
    positive: bool | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        decoder = _matrix("decoder", self.decoder)
        units, channels = decoder.shape
        encoder = (
            torch.linalg.pinv(decoder.double()).T.float() if self.encoder is None else _matrix("encoder", self.encoder)
        )
        if encoder.shape != decoder.shape:
            raise ValueError(
                f"encoder has shape {tuple(encoder.shape)}, decoder {tuple(decoder.shape)}; give both (units, channels)."
            )
        whole_or_none("top", self.top, 1)
        for name, size in (("bias", units), ("offset", channels)):
            given = getattr(self, name)
            if given is not None:
                vector = torch.as_tensor(given).detach().float()
                if tuple(vector.shape) != (size,) or not torch.isfinite(vector).all():
                    raise ValueError(f"{name} has shape {tuple(vector.shape)}; give ({size},) finite numbers.")
                object.__setattr__(self, name, vector)
        positive = self.encoder is not None if self.positive is None else bool(self.positive)
        for name, value in (("decoder", decoder), ("encoder", encoder), ("positive", positive)):
            object.__setattr__(self, name, value)

    @property
    def units(self) -> int:
        """How many directions."""
        return len(self.decoder)

    def steps(self, layer: str, value: Operation, axis: int) -> list[Operation]:
        """The steps that read a value as codes and a rest, and put it together again: encoder, codes, decoder, rest, sum.

        Their indices follow that of the value; the codes are the second of them.

        Raises:
            ValueError: a value whose channels are neither its second axis of four nor its last, or another number of them.
        """
        shape, (units, channels) = value.shape, self.decoder.shape
        spatial = len(shape) == 4 and axis == 1
        if shape[axis : axis + 1] != (channels,) or not (spatial or axis == len(shape) - 1):
            raise ValueError(
                f"concepts[{layer!r}] has directions of {channels} channels; the layer's value is "
                f"{('N', *shape[1:])} with channels in axis {axis}: give (units, {shape[axis]})."
            )
        assert self.encoder is not None
        weight, bias = self.encoder, torch.zeros(units) if self.bias is None else self.bias
        if self.offset is not None:
            bias = bias - weight @ self.offset
        down, up = (each[:, :, None, None] if spatial else each for each in (weight, self.decoder.T.contiguous()))
        target = "conv2d" if spatial else "linear"
        function = torch.ops.aten.conv2d.default if spatial else torch.ops.aten.linear.default
        after = tuple(units if number == axis else size for number, size in enumerate(shape))
        at = value.index
        sparse = (axis, self.top, bool(self.positive))
        parts: list[tuple[str, str, Any, tuple[Any, ...], tuple[int | None, ...]]] = [
            ("encoder", target, function, (Value(at), down, bias), after),
            # Element by element, to the engine: relevance passes.
            ("codes", "threshold", _codes, (Value(at + 1), *sparse), after),
            ("directions", target, function, (Value(at + 2), up, None), shape),
            ("rest", "threshold", _rest, (Value(at), function, down, bias, up, *sparse), shape),
            ("sum", "add", torch.ops.aten.add.Tensor, (Value(at + 3), Value(at + 4)), shape),
        ]
        return [
            Operation(at + 1 + number, f"{layer}:{name}", kind, how, args, {}, (), size)
            for number, (name, kind, how, args, size) in enumerate(parts)
        ]


def _matrix(name: str, given: Any) -> Tensor:
    try:
        matrix = torch.as_tensor(given).detach().float()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} is {type(given).__name__}; give a tensor or array (units, channels).") from None
    if matrix.ndim != 2 or not matrix.numel() or not torch.isfinite(matrix).all():
        raise ValueError(f"{name} has shape {tuple(matrix.shape)}; give (units, channels) of finite numbers.")
    return matrix


def _codes(encoded: Tensor, axis: int, top: int | None, positive: bool) -> Tensor:
    codes = encoded.relu() if positive else encoded
    if top is None or top >= codes.shape[axis]:
        return codes
    kept = codes.abs().topk(top, axis).indices
    return torch.zeros_like(codes).scatter(axis, kept, codes.gather(axis, kept))


def _rest(value: Tensor, apply: Any, down: Tensor, bias: Tensor, up: Tensor, *sparse: Any) -> Tensor:
    """What of a value no direction says."""
    return value - apply(_codes(apply(value, down, bias), *sparse), up)


def with_dictionaries(propagator: Propagator, dictionaries: Mapping[str, Dictionary]) -> Propagator:
    """The same rules on a graph in which the layers named give their codes.

    Raises:
        ValueError: a dictionary that does not fit its layer, or no such layer.
    """
    graph, rules = propagator.graph, list(propagator.rules)
    for layer, dictionary in dictionaries.items():
        try:
            at = graph.index(layer)
        except GraphError as error:
            raise ValueError(f"concepts[{layer!r}]: {error}") from None
        steps = dictionary.steps(layer, graph.operations[at], channel_axis(graph, at))
        graph = _inserted(graph, layer, steps)
        # By their own rules, which no other step's depend on.
        own = assign(Composite(default=Epsilon()), graph)
        rules[at + 1 : at + 1] = own[at + 1 : at + 1 + len(steps)]
    return Propagator(graph, rules)


def _inserted(graph: Graph, layer: str, steps: list[Operation]) -> Graph:
    """The graph with steps behind a layer's value, which is read from the last of them; the layer names the second, its codes."""
    at, count = graph.index(layer), len(steps)
    device = next((constant.device for constant in graph.constants), torch.device("cpu"))

    def moved(leaf: Any) -> Any:
        if isinstance(leaf, Value):
            return Value(leaf.index + count) if leaf.index >= at else leaf
        return leaf

    def placed(leaf: Any) -> Any:
        return leaf.to(device, graph.dtype) if isinstance(leaf, Tensor) else leaf

    below = list(graph.operations[: at + 1])
    above = [
        replace(operation.with_arguments(moved), index=operation.index + count)
        for operation in graph.operations[at + 1 :]
    ]
    names = {name: index + count if index > at else index for name, index in graph.layers.items()}
    output = graph.output + count if graph.output >= at else graph.output
    operations = [*below, *(step.with_arguments(placed) for step in steps), *above]
    return Graph(
        operations,
        output,
        names | {layer: at + 2},
        graph.example_shape,
        dtype=graph.dtype,
        memory_format=graph.memory_format,
        maps={entry.key: entry for entry in graph.linear_maps},
    )
