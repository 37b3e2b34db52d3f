"""What the lessons' tests share: each lesson is played once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.lessons.played import Played, play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Played]:
    """Number of a lesson -> what came of playing it."""
    return cache(lambda lesson: play(lesson, tmp_path_factory.mktemp(f"lesson{lesson}")))
