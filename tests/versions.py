"""What the versions of libraries that tests run on differ in."""

from __future__ import annotations

import torch

__all__ = ["OLDER_TORCH"]

OLDER_TORCH = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)
"""torch.export itself refuses some of what newer versions leave in the graph: generators, branches, vmap."""
