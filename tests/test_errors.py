"""Helpers of the error messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from xaiwidgets.errors import whole


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_any_kind(value: Any) -> None:
    assert whole("steps", value, 1) == 3
    assert type(whole("steps", value)) is int


@pytest.mark.parametrize("value", [0, True, 2.0, "3", None, torch.tensor([3, 4]), np.float32(3)])
def test_anything_else_is_said(value: Any) -> None:
    with pytest.raises(ValueError, match=r"steps=.* must be a whole number of at least 1, or None"):
        whole("steps", value, 1, also=", or None")
