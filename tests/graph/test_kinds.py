"""The table of operations against what they compute."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from xaiwidgets.graph.kinds import KINDS, SHIFTED, offset_of
from xaiwidgets.graph.operation import Operation, Value

ELEMENTWISE = [target for target, kind in KINDS.items() if kind == "pass" and target != "log_softmax"]
# Made of straight pieces, with numbers of the person's choice, or of chance.
GIVEN: dict[str, tuple[Any, ...]] = {
    "pow": (2,),
    "float_power": (3,),
    "clamp": (-1.0, 1.0),
    "clip": (-1.0, 1.0),
    "clamp_min": (-1.0,),
    "clamp_max": (1.0,),
    "threshold": (0.5, 0.0),
    "prelu": (torch.tensor([0.2]),),
    "dropout": (0.5, False),
    "alpha_dropout": (0.5, False),
    "feature_dropout": (0.5, False),
    "feature_alpha_dropout": (0.5, False),
}
# The same under another name.
NAMES = {"logsigmoid": "log_sigmoid"}


X = Value(0)


def step(target: str, *rest: Any, first: Any = X) -> Operation:
    name = NAMES.get(target, target)
    function = getattr(torch.ops.aten, name, None) or getattr(torch.nn.functional, name)
    return Operation(1, target, target, function, (first, *rest), {}, dtype=torch.float32)


@pytest.mark.parametrize("target", ELEMENTWISE)
def test_what_is_not_zero_at_zero_says_so(target: str) -> None:
    operation = step(target, *GIVEN.get(target, ()))
    zeros = torch.zeros(1, 1, dtype=torch.float64)
    if target == "prelu":
        zeros = zeros.float()
    args, kwargs = operation.arguments([zeros])
    value = float(operation.function(*args, **kwargs))
    found = offset_of(operation)
    if not math.isfinite(value) or value == 0:
        assert found is None
        assert target not in SHIFTED
    else:
        assert found == pytest.approx(value, rel=1e-12)


def test_the_constant_depends_on_the_arguments() -> None:
    assert offset_of(step("softplus", 3.0)) == pytest.approx(math.log(2) / 3)
    assert offset_of(step("pow", X, first=2.0)) == 1.0
    assert offset_of(step("clamp_min", 0.5)) is None
