"""The job runner: newest wins, stop within a step, errors told, no thread left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from xaiwidgets.widgets.jobs import Job, JobRunner


@pytest.fixture
def runner() -> Iterator[JobRunner]:
    runner = JobRunner("test worker")
    yield runner
    runner.close()
    until(lambda: "test worker" not in [thread.name for thread in threading.enumerate()])


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.002)


def once(log: list[str]) -> Iterator[None]:
    log.append("ran")
    yield


def endless(log: list[str], name: str) -> Callable[[], Iterator[None]]:
    def steps() -> Iterator[None]:
        while True:
            log.append(name)
            time.sleep(0.002)
            yield

    return steps


def test_jobs_run_to_their_end_one_after_the_other(runner: JobRunner) -> None:
    log: list[str] = []

    def steps() -> Iterator[None]:
        for step in range(3):
            log.append(f"step {step} in {threading.current_thread().name}")
            yield

    runner.submit(Job(steps))
    assert runner.wait(10)
    assert log == [f"step {step} in test worker" for step in range(3)]
    assert not runner.busy
    runner.submit(Job(steps))
    assert runner.wait(10)
    assert len(log) == 6


def test_newest_wins(runner: JobRunner) -> None:
    log: list[str] = []
    ended: list[str] = []
    for name in ("a", "b", "c"):
        runner.submit(Job(endless(log, name), on_stop=lambda name=name: ended.append(name)))  # type: ignore[misc]
        if name == "a":
            until(lambda: "a" in log)
    until(lambda: "c" in log)
    assert "b" not in log, "b waited and was replaced before it began"
    seen = len([name for name in log if name == "a"])
    time.sleep(0.02)
    assert len([name for name in log if name == "a"]) == seen
    runner.stop()
    assert runner.wait(10)
    assert ended == ["c"], "a replaced job is not told that it was stopped"


def test_stop_takes_one_step_at_most(runner: JobRunner) -> None:
    began, go = threading.Event(), threading.Event()
    steps_done: list[int] = []

    def steps() -> Iterator[None]:
        for step in range(1000):
            began.set()
            go.wait(10)
            steps_done.append(step)
            yield

    stopped = threading.Event()
    runner.submit(Job(steps, on_stop=stopped.set))
    assert began.wait(10)
    runner.stop()
    assert not stopped.is_set(), "a step is not interrupted"
    go.set()
    assert stopped.wait(10)
    assert runner.wait(10)
    assert steps_done == [0]


def test_stop_reaches_a_job_that_has_not_begun(runner: JobRunner) -> None:
    began, go, log, ended = threading.Event(), threading.Event(), list[str](), list[str]()

    def blocked() -> Iterator[None]:
        began.set()
        go.wait(10)
        yield

    runner.submit(Job(blocked))
    assert began.wait(10)
    runner.submit(Job(endless(log, "late"), on_stop=lambda: ended.append("late")))
    runner.stop()
    go.set()
    assert runner.wait(10)
    assert (log, ended) == ([], ["late"])


def test_stop_without_a_job_does_nothing(runner: JobRunner) -> None:
    runner.stop()
    log: list[str] = []
    runner.submit(Job(lambda: once(log)))
    assert runner.wait(10)
    assert log == ["ran"]


@pytest.mark.parametrize("early", [True, False])
def test_errors_are_told_and_the_runner_goes_on(runner: JobRunner, early: bool) -> None:
    told: list[Exception] = []

    def start() -> Iterator[None]:
        if early:
            raise ValueError("before the first step")
        return later()

    def later() -> Iterator[None]:
        yield
        raise ValueError("after the first step")

    runner.submit(Job(start, on_error=told.append))
    assert runner.wait(10)
    assert [str(error) for error in told] == ["before the first step" if early else "after the first step"]
    log: list[str] = []
    runner.submit(Job(lambda: once(log)))
    assert runner.wait(10)
    assert log == ["ran"]


def test_an_error_of_a_replaced_job_is_nobodys(runner: JobRunner) -> None:
    began, go, told = threading.Event(), threading.Event(), list[Exception]()

    def failing() -> Iterator[None]:
        began.set()
        go.wait(10)
        raise ValueError("too late")
        yield

    runner.submit(Job(failing, on_error=told.append))
    assert began.wait(10)
    runner.submit(Job(lambda: iter([None])))
    go.set()
    assert runner.wait(10)
    assert told == []


def test_wait_gives_up_in_time(runner: JobRunner) -> None:
    runner.submit(Job(endless([], "x")))
    before = time.monotonic()
    assert not runner.wait(0.05)
    assert time.monotonic() - before < 5
    runner.stop()
    assert runner.wait(10)


def test_close_ends_the_thread_and_takes_no_more() -> None:
    runner = JobRunner("closing worker")
    log: list[str] = []
    runner.submit(Job(endless(log, "x")))
    until(lambda: bool(log))
    runner.close()
    until(lambda: "closing worker" not in [thread.name for thread in threading.enumerate()])
    done = len(log)
    runner.submit(Job(endless(log, "y")))
    time.sleep(0.02)
    assert len(log) == done


def test_no_thread_before_the_first_job() -> None:
    JobRunner("idle worker")
    assert "idle worker" not in [thread.name for thread in threading.enumerate()]


def test_the_lowest_lane_goes_first_and_each_lane_keeps_its_newest(runner: JobRunner) -> None:
    log: list[str] = []
    began, go = threading.Event(), threading.Event()

    def steps(name: str, count: int) -> Iterator[None]:
        for number in range(count):
            if name == "slow" and number == 1:
                began.set()
                go.wait(10)
            log.append(f"{name} {number}")
            yield

    runner.submit(Job(lambda: steps("slow", 4), lane=2))
    assert began.wait(10)
    runner.submit(Job(lambda: steps("old", 2), lane=0))
    runner.submit(Job(lambda: steps("new", 2), lane=0))
    runner.submit(Job(lambda: steps("between", 1), lane=1))
    go.set()
    assert runner.wait(10)
    assert log == ["slow 0", "slow 1", "new 0", "new 1", "between 0", "slow 2", "slow 3"]


def test_a_job_that_rests_holds_back_after_lane_0(runner: JobRunner) -> None:
    when: dict[str, float] = {}

    def note(name: str) -> Iterator[None]:
        when[name] = time.monotonic()
        yield

    runner.submit(Job(lambda: note("gesture"), lane=0))
    runner.submit(Job(lambda: note("picture"), lane=3, rest=0.2))
    assert runner.wait(10)
    assert when["picture"] - when["gesture"] >= 0.2


def test_a_callback_that_fails_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[None]:
        raise ValueError("broken")
        yield

    def tell(error: Exception) -> None:
        raise RuntimeError(f"telling of {error} failed")

    runner = JobRunner("test")
    runner.submit(Job(start=broken, on_error=tell))
    assert runner.wait(5)
    assert "telling of broken failed" in caplog.text
    done: list[int] = []

    def good() -> Iterator[None]:
        done.append(1)
        yield

    runner.submit(Job(start=good))
    assert runner.wait(5)
    assert done == [1]
    runner.close()
