"""The tests' spread over processes: nothing that shares is torn apart, nothing long is left for the end."""

from __future__ import annotations

import itertools

from tests.spread import APART, in_order, together

BROWSER = [f"tests/browser/test_{name}.py::test_{k}" for name in ("a", "b", "c", "d") for k in range(2)]
OTHERS = [f"tests/lrp/test_{name}.py::TestOne::test_{k}" for name in "abcdefgh" for k in range(2)]
LAWS = [f"{APART[0]}::test_laws[{kind}]" for kind in ("sum", "view")]
LESSONS = ["tests/lessons/test_lesson3.py::test_x[3.1-a]", "tests/lessons/test_numbers.py::test_stated[3]"]


def test_a_file_stays_together_a_lesson_too_and_laws_do_not() -> None:
    assert together(BROWSER[0]) == together(BROWSER[1]) == "tests/browser/test_a.py"
    assert together(OTHERS[0]) == "tests/lrp/test_a.py"
    assert together(LESSONS[0]) == together(LESSONS[1]) == "lesson 3"
    assert together("tests/lessons/test_numbers.py::test_hint[text-3.1]") == "tests/lessons/test_numbers.py"
    assert together("tests/lessons/test_numbers.py::test_stated[4]") == "lesson 4"
    assert together(LAWS[0]) != together(LAWS[1])


def test_browsers_are_strewn_among_the_rest_and_short_tests_come_last() -> None:
    tests = [*BROWSER, *LAWS, *OTHERS]
    order = [tests[i] for i in in_order(tests)]
    assert sorted(order) == sorted(tests)
    assert order[-2:] == LAWS
    places = [place for place, test in enumerate(order) if test in BROWSER]
    assert places[0] < 2
    assert places[-1] < 0.8 * len(order)
    assert max(after - before for before, after in itertools.pairwise(places)) <= 6
    # What is one piece is handed out in one piece.
    files = [together(test) for test in order]
    assert len([1 for one, next_ in itertools.pairwise(files) if one != next_]) + 1 == len(set(files))


def test_without_browsers_or_without_others() -> None:
    assert in_order(OTHERS) == list(range(len(OTHERS)))
    assert in_order(BROWSER) == list(range(len(BROWSER)))
    assert in_order([]) == []
