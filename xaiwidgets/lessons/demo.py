"""What the checkers share: the demo models and pictures that the lessons use, made once, and what counts as equal."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from xaiwidgets.demo import examples
from xaiwidgets.model import ImageModel, load

__all__ = ["alike", "close", "correlation", "demo_model", "demo_pictures"]


@cache
def demo_model(name: str = "shapes-cnn") -> ImageModel:
    """A demo model by the name of its weights, on the CPU. Read it, do not change it."""
    return load(f"demo:{name}", device="cpu")


@cache
def demo_pictures() -> Tensor:
    """The eight examples as the demo models take them, (8, 3, 64, 64)."""
    return demo_model().prepare([sample.image for sample in examples(8)])


def close(given: float, truth: float, slack: float) -> bool:
    """Whether two numbers agree within a share ``slack`` of the true one."""
    return math.isclose(given, truth, rel_tol=0, abs_tol=slack * max(abs(truth), 1e-12))


def alike(given: Tensor, truth: Tensor, slack: float = 0.01) -> bool:
    """Whether two maps agree: the norm of their difference is within a share ``slack`` of the true one's."""
    return bool((given.double() - truth.double()).norm() <= slack * truth.double().norm())


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's r of all entries of two maps."""
    return float(torch.corrcoef(torch.stack([a.flatten().double(), b.flatten().double()]))[0, 1])
