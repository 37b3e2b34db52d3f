"""Memory stays within bounds, whatever the batch."""

from __future__ import annotations

import pytest

from tests.benchmarks.memory import LARGEST, peak


@pytest.mark.slow
def test_a_batch_of_64_on_resnet50() -> None:
    assert peak("lrp", "resnet50", 64) < LARGEST


@pytest.mark.slow
def test_little_more_than_the_gradient_takes() -> None:
    assert peak("lrp", "resnet50", 16) <= 1.5 * peak("gradient", "resnet50", 16)
