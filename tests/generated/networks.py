"""A network of a few random pieces, from an image to scores, each checked against torch as it is added."""

from __future__ import annotations

import copy
import inspect
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import tests.generated.attention
import tests.generated.functions
import tests.generated.layers  # noqa: F401 - they fill the registry
from tests.generated.drawing import REGISTRY, Call, Chooser, Chosen, Draw, Kind

__all__ = ["CLASSES", "Network", "network"]

CLASSES = 4
MOST = 4000  # entries of a value


@dataclass
class Network:
    """A module with what it was drawn from.

    Attributes:
        linear: whether LRP-0 is gradient × input on it.
    """

    module: nn.Sequential
    shape: tuple[int, ...]
    linear: bool
    chosen: list[Chosen] = field(default_factory=list)

    @property
    def pieces(self) -> list[str]:
        return [name for name, option, _ in self.chosen if not option]

    @property
    def code(self) -> str:
        """The network as a person would write it down; functions by name and source."""
        layers = []
        for part in self.module:
            source = inspect.getsource(part.function).strip() if isinstance(part, Call) else ""
            layers.append(f"    {part!r},{textwrap.indent(chr(10) + source, ' ' * 8) if source else ''}")
        options = "; ".join(f"{name} {option}={value}" for name, option, value in self.chosen if option)
        size = ", ".join(map(str, self.shape))
        return "\n".join([f"x = torch.randn(2, {size})", "nn.Sequential(", *layers, ")", f"# {options}"])

    def images(self, count: int) -> Tensor:
        return torch.randn(count, *self.shape, generator=torch.Generator().manual_seed(count))

    def in_float64(self) -> nn.Module:
        """The module in double precision, with all that it keeps: tables and caches are no parameters to torch."""
        kept = [t for part in self.module.modules() for t in _tensors(vars(part)) if not t.is_leaf]
        module = copy.deepcopy(self.module, {id(t): t.detach().clone() for t in kept}).double()
        for part in module.modules():
            for name, value in vars(part).items():
                if isinstance(value, Tensor) and value.is_floating_point():
                    setattr(part, name, value.double())
                elif isinstance(value, dict) and not name.startswith("_"):
                    value.update({key: t.double() for key, t in value.items() if isinstance(t, Tensor)})
        return module


def _tensors(values: dict[Any, Any]) -> Iterator[Tensor]:
    for value in values.values():
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            yield from _tensors(value)


TURNS: dict[str, tuple[int, int, nn.Module]] = {
    "to tokens": (3, 2, Call(lambda own, x: x.flatten(2).transpose(1, 2))),
    "to a sequence": (3, 2, Call(lambda own, x: x.flatten(2))),
    "to a volume": (3, 4, Call(lambda own, x: torch.stack([x, x.flip(-1), 0.5 * x], 2))),
    "to a map": (4, 3, Call(lambda own, x: x.mean(2))),
    "to a vector": (3, 1, Call(lambda own, x: x.mean((2, 3)))),
    "of tokens the first": (2, 1, Call(lambda own, x: x[:, 0])),
    "of tokens the mean": (2, 1, Call(lambda own, x: x.mean(1))),
}
"""Ways from one number of dimensions to another (from, to, module), so that layers of one to three axes have their turn."""


def network(choose: Chooser, pieces: int, *, linear: bool = False, first: str | None = None) -> Network:
    """A network of so many pieces; of linear ones only, if asked; beginning with a piece of the kind `first`, if that fits."""
    torch.manual_seed(choose(range(100)))
    shape = (choose((1, 2, 3, 4)), choose((5, 6, 8)), choose((5, 7, 8)))
    found = Network(nn.Sequential(), shape, linear)
    x = torch.randn(2, *shape)
    for _ in range(12 if first else 0):
        if not found.pieces:
            x = _grow(found, x, choose, [REGISTRY[first or ""]])
    kinds = [kind for kind in REGISTRY.values() if kind.linear or not linear]
    for _ in range(4 * pieces):  # options that torch does not take together are drawn again
        if len(found.pieces) < pieces:
            x = _grow(found, x, choose, kinds)
    head = nn.Linear(x.flatten(1).shape[1], CLASSES, bias=choose((True, False)))
    found.module.append(nn.Flatten()).append(head).eval()
    found.linear = all(REGISTRY[name].linear for name in found.pieces)
    return found


def _grow(found: Network, x: Tensor, choose: Chooser, kinds: Sequence[Kind]) -> Tensor:
    """Add a piece that suits x, or a turn to one that would; what it gives."""
    fitting = [kind for kind in kinds if x.ndim - 1 in kind.dims]
    useful = {dims for kind in kinds for dims in kind.dims}
    turns = [name for name, (begin, end, _) in TURNS.items() if begin == x.ndim - 1 and end in useful]
    turned: bool = choose([False, False, True])
    if turns and (turned or not fitting):
        turn = TURNS[choose(turns)][2]
        found.module.append(turn)
        return turn(x).detach()
    if not fitting:
        return x
    kind = choose(fitting)
    draw = Draw(choose, kind.name, tuple(x.shape[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = kind.make(draw)
            if module is None:
                return x
            with torch.no_grad():
                y = module.eval()(x.clone())
        except (
            RuntimeError,
            ValueError,
            IndexError,
            TypeError,
            AssertionError,
        ):  # options that torch does not take together
            return x
    if not 0 < y[0].numel() <= MOST or y.shape[0] != 2 or not 2 <= y.ndim <= 5 or not y.isfinite().all():
        return x
    found.module.append(module)
    found.chosen += [(kind.name, "", ""), *draw.chosen]
    return y.detach()
