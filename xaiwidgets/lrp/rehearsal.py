"""A rehearsal: relevance really passes a model once, up and down, so that what would fail for a person is found before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from xaiwidgets.graph import Graph, GraphError, Propagator
from xaiwidgets.graph.carried import takes_factor
from xaiwidgets.graph.local import Into, Local, Site, content
from xaiwidgets.graph.operation import Operation

__all__ = ["rehearse"]

Found = TypeVar("Found")


def rehearse(graph: Graph, rules: Sequence[Local | None], x: Tensor, *, adjoint: bool = True) -> dict[int, str]:
    """Index of a step -> what went wrong there, for an image x (1, C, H, W); empty where all goes well.

    A step that failed is held constant from then on, so that those below it are tried too. -1 stands for the model as a whole.

    Args:
        adjoint: try the way up as well, which conditions and regions of CRP go.
    """
    found: dict[int, str] = {}
    tried: list[Local | None] = list(rules)
    while len(found) < 8:
        watched = [None if rule is None else Watched(rule, index) for index, rule in enumerate(tried)]
        try:
            propagator = Propagator(graph, watched)
            record = propagator.record(x)
            # Scores of classes that are masked may be −∞, and nobody explains these.
            finite = torch.isfinite(record.output)
            if record.output.isnan().any() or not finite.any():
                return {-1: "the model's own output for a random image is not finite"}
            relevance = propagator.down(record, {"output": finite.to(record.output.dtype)[None]})["input"]
            if adjoint:
                propagator.up(record, {"input": torch.ones_like(relevance)})
            return found
        except Failed as failed:
            found[failed.index] = str(failed)
            tried[failed.index] = Held()
        except GraphError as error:
            return found if found else {-1: str(error)}
    return found


class Failed(Exception):
    """A rule failed at a step."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index


class Held(Local):
    holds = True


class Watched(Local):
    """A rule whose failures say at which step they happened."""

    def __init__(self, rule: Local, index: int) -> None:
        self.rule, self.index = rule, index
        self.needs_inputs, self.needs_output, self.holds = rule.needs_inputs, rule.needs_output, rule.holds
        self.guard, self.only_moves = rule.guard, rule.only_moves

    def takes_factor(self, operation: Operation) -> bool:
        return takes_factor(self.rule, operation)

    def down(self, relevance: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return self._finite(self._tried(lambda: tuple(self.rule.down(relevance, at))))

    def down_factor(self, factor: Tensor, at: Site) -> Sequence[Tensor | Into | None]:
        return self._finite(self._tried(lambda: tuple(self.rule.down_factor(factor, at))))

    def up_factor(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        return self._tried(lambda: self.rule.up_factor(above, at))

    def _finite(self, shares: tuple[Tensor | Into | None, ...]) -> tuple[Tensor | Into | None, ...]:
        for share in shares:
            value = content(share)
            if value is not None and not torch.isfinite(value).all():
                raise Failed(self.index, "its relevance is not finite")
        return shares

    def up(self, above: Sequence[Tensor | None], at: Site) -> Tensor:
        return self._tried(lambda: self.rule.up(above, at))

    def _tried(self, work: Callable[[], Found]) -> Found:
        try:
            return work()
        except Exception as error:  # whatever it is, it is what a person would meet
            raise Failed(self.index, f"its rule fails ({type(error).__name__}: {str(error)[:200]})") from error
