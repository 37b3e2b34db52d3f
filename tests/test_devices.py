"""Numbers on their way to a device; that nobody waits for them is held in `tests/standin`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xaiwidgets.devices import sent, taken


@pytest.mark.parametrize("values", [[1, 2], (1.5, 2.5), np.arange(3.0), torch.arange(4), 7])
def test_sent_is_what_a_tensor_of_it_is(values: object) -> None:
    found = sent(values, torch.device("cpu"))
    assert torch.equal(found, torch.as_tensor(values))
    # Numbers of Python in double precision are not rounded on the way.
    exact = sent([0.1, 0.2], torch.device("cpu"), torch.float64)
    assert exact.tolist() == [0.1, 0.2]


def test_a_run_of_rows_is_a_view_and_any_others_are_copies() -> None:
    x = torch.arange(12).view(4, 3)
    for rows in ([1, 2], [3], []):
        assert torch.equal(taken(x, rows), x[rows])
        assert taken(x, rows).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    for rows in ([2, 1], [0, 0], [0, 2], [-1], [-1, 0]):
        assert torch.equal(taken(x, rows), x[rows])
    with pytest.raises(IndexError):
        taken(x, [3, 4])
