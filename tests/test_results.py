"""Results: frozen, detached, movable, and read alike whatever the explainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets.errors import check_keywords, unknown
from xaiwidgets.results import Explainer, Provenance, Result, heatmap_of


@dataclass(frozen=True, eq=False, repr=False)
class Some(Result):
    values: Tensor
    layers: Mapping[str, Tensor]

    @property
    def heatmap(self) -> Tensor:
        return self.values


def make(**options: Any) -> Some:
    values = torch.ones(2, 3, 4, requires_grad=True) * 2
    provenance = Provenance("Some", {"steps": 3}, 7, "a net")
    return Some(**{"provenance": provenance, "values": values, "layers": {"a": torch.ones(2)}, **options})


def test_frozen_detached_and_told() -> None:
    result = make()
    assert not result.values.requires_grad
    with pytest.raises(FrozenInstanceError):
        result.values = torch.zeros(1)  # type: ignore[misc]
    assert str(result.provenance) == "Some(steps=3) of a net, seed 7"
    assert "values: (2, 3, 4) float32" in repr(result)
    with pytest.raises(AttributeError, match="Result has no heatmap"):
        _ = Result(Provenance("x")).heatmap


def test_moves_all_tensors_also_those_by_name() -> None:
    moved = make().to("meta")
    assert isinstance(moved, Some)
    assert moved.values.device.type == moved.layers["a"].device.type == "meta"
    assert moved.provenance == make().provenance


def test_heatmap_of_everything_an_explainer_may_give() -> None:
    x = torch.zeros(2, 3, 4, 5)
    values = torch.randn(2, 4, 5)
    for given in (values, values.double(), values.numpy(), values.tolist(), values[:, None], make(values=values)):
        torch.testing.assert_close(heatmap_of(given, x), values)
    channels = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(heatmap_of(channels, x), channels.sum(1))
    torch.testing.assert_close(heatmap_of(values[0], x[:1]), values[:1])


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("text", TypeError, r"mine returned str; return a heatmap \(N, H, W\) or a result with .heatmap"),
        (torch.zeros(2, 5, 4), ValueError, r"mine gave a heatmap of shape \(2, 5, 4\) for 2 images of 4×5"),
        (torch.full((2, 4, 5), torch.inf), ValueError, "mine gave a heatmap with NaN or infinite values"),
    ],
)
def test_heatmaps_that_do_not_fit(given: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        heatmap_of(given, torch.zeros(2, 3, 4, 5), "mine")


def test_any_callable_is_an_explainer() -> None:
    assert isinstance(lambda x, target=None: x, Explainer)


def test_errors_name_the_nearest() -> None:
    assert (
        str(unknown("kind", "epsilom", ["epsilon", "gamma"])) == "kind='epsilom' is not known; did you mean 'epsilon'?"
    )
    assert str(unknown("kind", "x", ["epsilon", "gamma"])).endswith("choose from 'epsilon', 'gamma'")
    assert str(unknown("kind", "zz", map(str, range(20)))).endswith("'7', …")
    check_keywords("f", {"a": 1}, ["a"])
    with pytest.raises(TypeError, match="f takes no keyword 'clour'; did you mean 'colour'"):
        check_keywords("f", {"clour": 1}, ["colour"])
    with pytest.raises(TypeError, match="f takes no keyword 'q'; it takes colour, size"):
        check_keywords("f", {"q": 1}, ["colour", "size"])


def test_provenance_holds_plain_data() -> None:
    asked = Provenance("LRP").asked(target=[np.int64(1), torch.tensor(2)], layers=("a",), weights=np.ones(2))
    assert asked.parameters == {"target": [1, 2], "layers": ["a"], "weights": [1.0, 1.0]}
    assert all(type(entry) is int for entry in asked.parameters["target"])
