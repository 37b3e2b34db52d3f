"""How the tests spread over processes (pytest-xdist, ``--dist loadfile``): a file stays in one, but where less or more belongs together."""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

__all__ = ["Spread", "in_order", "together"]

APART = ("tests/generated/test_laws.py", "tests/lrp/test_kinds.py")
"""Long files whose tests share nothing: each goes where there is room, at the end, so that no process is left alone with a long one."""
_LESSON = re.compile(r"tests/lessons/(?:test_lesson(\d)\.py|test_numbers\.py::\w+\[(\d)\]$)")
_BROWSER = "tests/browser/"


def together(test: str) -> str:
    """What a test runs in one process with: the tests of its lesson, which is played once; alone; or its file."""
    if lesson := _LESSON.match(test):
        return f"lesson {lesson[1] or lesson[2]}"
    file = test.split("::", 1)[0]
    return test if file in APART else file


def in_order(tests: list[str]) -> list[int]:
    """The places of tests in the order in which they are handed out.

    Browsers wait more than they count, and other tests count: one kind beside the other keeps the cores busy. So files that drive a
    browser are strewn among the rest; and none of them, as they take the longest, is among the last.
    """
    groups = list(dict.fromkeys(together(test) for test in tests if test.split("::", 1)[0] not in APART))
    driving = [group for group in groups if group.startswith(_BROWSER)]
    others = [group for group in groups if not group.startswith(_BROWSER)]
    place = {group: 0.8 * i / len(driving) for i, group in enumerate(driving)}
    place |= {group: i / len(others) for i, group in enumerate(others)}
    return sorted(range(len(tests)), key=lambda i: place.get(together(tests[i]), 1.0))


class Spread(LoadScopeScheduling):
    """Hands out what belongs together, in the order of the tests."""

    def __init__(self, config: Any, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
