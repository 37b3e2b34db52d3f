"""Builds that are killed, starved, locked out, damaged or spread over workers: nothing is lost, and the bits are the same."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.index import killing
from tests.index.indexing import Pictures, contents
from xaiwidgets import ReferenceIndex
from xaiwidgets.storage import Folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a build that nothing disturbed."""
    path = tmp_path_factory.mktemp("whole")
    killing.build(path)
    return contents(path)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A folder with half a build."""
    steps = ReferenceIndex.stream(killing.explainer(), Pictures(killing.LENGTH), tmp_path, batch=8, shard=8)
    for step in steps:
        if step.done >= killing.LENGTH // 2:
            break
    steps.close()
    return tmp_path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into; pytest's own are private."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def kills(path: Path, whole: dict[str, bytes], count: int, seed: int) -> None:
    """Kill builds in `path` at random moments until `count` were; then let one finish."""
    draw, done, partial = random.Random(seed), 0, 0
    context = killing.context()
    while done < count:
        begun = context.Event()
        with killing.started(context.Process(target=killing.announced, args=(path, begun))) as process:
            assert begun.wait(60)
            process.join(draw.uniform(0, 0.8))
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                done += 1
                partial += 0 < Folder(path).done < killing.LENGTH
        if Folder(path).whole:
            killing.build(path)
            assert contents(path) == whole
            shutil.rmtree(path)
    killing.build(path)
    assert contents(path) == whole
    assert partial >= count // 2


def test_killed_three_times(tmp_path: Path, whole: dict[str, bytes]) -> None:
    kills(tmp_path / "index", whole, 3, 1)


@pytest.mark.slow
def test_killed_twenty_times(tmp_path: Path, whole: dict[str, bytes]) -> None:
    kills(tmp_path / "index", whole, 20, 2)


@pytest.mark.parametrize("harm", ["altered", "truncated", "gone"])
def test_damaged_shards_of_an_unfinished_build(part: Path, whole: dict[str, bytes], harm: str) -> None:
    files = sorted((part / "shards").iterdir())
    for file in (files[0], files[-1]):
        damage(file, harm)
    (part / "shards" / "8-16.safetensors.1-1.part").write_bytes(b"left by a kill")
    killing.build(part)
    assert contents(part) == whole


@pytest.mark.parametrize("harm", ["altered", "truncated", "gone"])
def test_damage_of_a_finished_index(tmp_path: Path, whole: dict[str, bytes], harm: str) -> None:
    killing.build(tmp_path)
    damage(next((tmp_path / "shards").iterdir()), harm)
    with pytest.raises(ValueError, match=r"is damaged: .* Call ReferenceIndex.build again"):
        ReferenceIndex.open(tmp_path)
    killing.build(tmp_path)
    assert contents(tmp_path) == whole


def damage(file: Path, harm: str) -> None:
    data = bytearray(file.read_bytes())
    if harm == "altered":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif harm == "truncated":
        file.write_bytes(data[: len(data) // 3])
    else:
        file.unlink()


def test_a_manifest_that_is_none(part: Path) -> None:
    (part / "index.json").write_text("{")
    with pytest.raises(ValueError, match=r"index.json is not the manifest that it should be"):
        killing.build(part)


def test_disk_full(tmp_path: Path, whole: dict[str, bytes]) -> None:
    kind, message = answer_of(killing.starved, tmp_path, 60_000)
    assert kind == "OSError"
    assert "could not be written: File too large" in message
    assert "What was written before is kept: make room and call again" in message
    kept = Folder(tmp_path)
    assert kept.done > 0
    assert kept.whole is None
    assert all(kept.sound(shard) for shard in kept.shards)
    assert not list(tmp_path.rglob("*.part"))
    killing.build(tmp_path)
    assert contents(tmp_path) == whole


def test_read_only_folder(part: Path, tmp_path_factory: pytest.TempPathFactory, open_folder: Path) -> None:
    shutil.copytree(part, open_folder / "index")
    before = contents(open_folder / "index")
    (open_folder / "index").chmod(0o555)
    kind, message = answer_of(killing.unprivileged, open_folder / "index", tmp_path_factory.mktemp("elsewhere"))
    (open_folder / "index").chmod(0o755)
    assert kind == "PermissionError", message
    assert "Permission denied; what was there is kept. Give a folder that can be written to" in message
    assert contents(open_folder / "index") == before


def test_a_finished_index_in_a_read_only_folder_is_opened(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, open_folder: Path
) -> None:
    killing.build(tmp_path)
    shutil.copytree(tmp_path, open_folder / "index")
    (open_folder / "index").chmod(0o555)
    assert answer_of(killing.unprivileged, open_folder / "index", tmp_path_factory.mktemp("elsewhere")) == ("", "")
    (open_folder / "index").chmod(0o755)


def answer_of(target: Any, *arguments: Any) -> tuple[str, str]:
    """What a process of its own answers."""
    context = killing.context()
    ours, theirs = context.Pipe()
    with killing.started(context.Process(target=target, args=(*arguments, theirs))):
        assert ours.poll(60)
        answer: tuple[str, str] = ours.recv()
        return answer


def test_two_processes_at_once(tmp_path: Path, whole: dict[str, bytes]) -> None:
    context = killing.context()
    begun, hold = context.Event(), context.Event()
    with killing.started(context.Process(target=killing.announced, args=(tmp_path, begun, hold))) as process:
        assert begun.wait(60)
        with pytest.raises(RuntimeError, match=rf"is being built by process {process.pid}; wait for it to end"):
            killing.build(tmp_path)
        # The lock dies with its process.
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killing.build(tmp_path)
    assert contents(tmp_path) == whole


def test_two_threads_at_once(tmp_path: Path) -> None:
    first = ReferenceIndex.stream(killing.explainer(), Pictures(killing.LENGTH), tmp_path, batch=8)
    next(first)
    failures = []

    def other() -> None:
        try:
            killing.build(tmp_path)
        except RuntimeError as error:
            failures.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert f"is being built by process {os.getpid()}" in failures[0]
    first.close()
    killing.build(tmp_path)


def test_dask_with_a_worker_killed(tmp_path: Path, whole: dict[str, bytes]) -> None:
    from dask.distributed import Client, LocalCluster

    killed: list[int] = []
    with (
        LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        workers = [worker.pid for worker in cluster.workers.values()]

        def at(progress: Any) -> None:
            if progress.done >= 40 and not killed:
                os.kill(workers[0], signal.SIGKILL)
                killed.append(progress.done)

        killing.build(tmp_path / "executor", killing.Slow, executor=client.get_executor(), progress=at)
        killing.build(tmp_path / "client", executor=client)
    assert 40 <= killed[0] < killing.LENGTH
    assert contents(tmp_path / "executor") == whole
    assert contents(tmp_path / "client") == whole


def test_a_pool_that_breaks_keeps_what_is_done(tmp_path: Path, whole: dict[str, bytes]) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    with ProcessPoolExecutor(2, mp_context=killing.context()) as pool:

        def at(progress: Any) -> None:
            if progress.done >= 40:
                for process in list(pool._processes.values()):
                    process.kill()
                    time.sleep(0.01)

        with pytest.raises(BrokenProcessPool):
            killing.build(tmp_path, killing.Slow, executor=pool, progress=at)
    assert 40 <= Folder(tmp_path).done < killing.LENGTH
    killing.build(tmp_path)
    assert contents(tmp_path) == whole
