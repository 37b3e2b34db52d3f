"""Numbers of Python on their way to a device, without a wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["sent", "taken"]


def sent(values: Any, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers, an array or a tensor as a tensor on a device. The copy waits its turn there, and the program goes on.

    CUDA takes memory that is not pinned into a buffer of its own before the call returns, so that the source may change or go. Apple's
    device promises nothing like it, and values that come back must be there: then the program waits.
    """
    return torch.as_tensor(values, dtype=dtype).to(device, non_blocking=device.type not in ("cpu", "mps"))


def taken(x: Tensor, rows: Sequence[int]) -> Tensor:
    """These rows of x, (n, …): a view where they follow each other, else a copy. A list for an index would wait for the device."""
    first = rows[0] if len(rows) else 0
    stop = first + len(rows)
    if 0 <= first <= stop <= len(x) and list(rows) == list(range(first, stop)):
        return x[first:stop]
    return x[sent(list(rows), x.device)]
