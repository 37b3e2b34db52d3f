"""The laws, held on networks that hypothesis draws: some of each kind of piece here, thousands of any kind as a slow test.

A network that breaks a law is shrunk to a small one and printed. What was found so far is kept in `test_found`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.generated.drawing import REGISTRY, Tally
from tests.generated.laws import hold
from tests.generated.networks import Network, network

T = TypeVar("T")
COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "derandomize": True,  # the same networks every time
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate, Phase.shrink],
}
# Kinds with many ways get more examples.
EXAMPLES = {
    "view": 12,
    "write in place": 10,
    "choice": 8,
    "sum": 6,
    "product": 7,
    "matrix": 6,
    "attention": 6,
    "curved activation": 8,
}


def drawn(data: st.DataObject, pieces: int, **how: Any) -> Network:
    def choose(options: Sequence[T]) -> T:
        return data.draw(st.sampled_from(list(options)))

    return network(choose, pieces, **how)


@pytest.mark.parametrize("kind", REGISTRY)
def test_laws_hold_whatever_a_network_begins_with(kind: str) -> None:
    tally = Tally()

    @settings(max_examples=EXAMPLES.get(kind, 3), **COMMON)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        found = drawn(data, data.draw(st.integers(1, 2)), first=kind)
        note(found.code)
        tally.add(found.chosen, hold(found))

    holds()
    assert tally.options[kind, "", ""], f"{kind} did not fit: {tally.report()}"


@pytest.mark.slow
def test_laws_hold_on_thousands() -> None:
    tally = Tally()

    @settings(max_examples=2000, **COMMON)
    @given(st.data(), st.booleans())
    def holds(data: st.DataObject, linear: bool) -> None:
        found = drawn(data, data.draw(st.integers(1, 3)), linear=linear)
        note(found.code)
        tally.add(found.chosen, hold(found))

    holds()
    assert all(tally.options[kind, "", ""] for kind in REGISTRY), tally.report()
