"""Curves and GAE that are killed, stopped or run out of their folder go on where they were, to the same bits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.evaluate import resumed
from tests.evaluate.conftest import small_model
from tests.evaluate.resumed import FLIP, LENGTH, Pictures
from tests.index.killing import started
from xaiwidgets import LRP, RELAX
from xaiwidgets.baselines import GradCAM, IntegratedGradients
from xaiwidgets.evaluate import FlippingResult, GaeResult, pixel_flipping, resuming, stream_pixel_flipping
from xaiwidgets.evaluate.resuming import method_text
from xaiwidgets.storage import Folder, lock


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the processes: the last bits of a convolution may depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def same_curves(a: FlippingResult, b: FlippingResult) -> None:
    assert a.curves.keys() == b.curves.keys()
    for order, methods in a.curves.items():
        for name, curve in methods.items():
            assert torch.equal(curve, b.curves[order][name])
    assert a.random is not None
    assert b.random is not None
    assert torch.equal(a.random, b.random)
    assert torch.equal(a.target, b.target)
    assert all(torch.equal(a.ties[name], b.ties[name]) for name in a.ties)
    assert all(torch.equal(a.ranks[name], b.ranks[name]) for name in a.ranks)
    assert str(a.provenance) == str(b.provenance)
    assert (a.done, a.total, a.score) == (b.done, b.total, b.score)


def same_scores(a: GaeResult, b: GaeResult) -> None:
    for part in ("gae", "faithfulness", "robustness", "contrastiveness"):
        assert all(torch.equal(values, b.part(part)[name]) for name, values in a.part(part).items())
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.target, b.target)


def killed(kind: str, folder: Path) -> int:
    """Begin in a process that is killed in the middle; the images (or mosaics) that it left behind."""
    context = resumed.context()
    begun = context.Event()
    with started(context.Process(target=resumed.begin, args=(kind, folder, begun))) as process:
        assert begun.wait(60)
        until = time.monotonic() + 60
        while not Folder(folder, kind).done and time.monotonic() < until:
            time.sleep(0.01)
        assert process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return Folder(folder, kind).done


class Counting(Pictures):
    """Tells which images were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: set[int] = set()

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.read.add(index)
        return super().__getitem__(index)


def test_curves_that_were_killed_go_on(tmp_path: Path) -> None:
    done = killed("curves", tmp_path)
    assert 0 < done < LENGTH
    data = Counting()
    found = pixel_flipping(small_model(), data, resumed.methods(), **FLIP, progress=False, folder=tmp_path)
    same_curves(found, resumed.curves(None))
    # Beside what tells the data set, only what was not done was read.
    probes = {round(k * (LENGTH - 1) / 7) for k in range(8)}
    assert data.read - probes <= set(range(done, LENGTH))
    assert [file.name for file in (tmp_path / "shards").iterdir()] == [f"0-{LENGTH}.safetensors"]
    # A call more reads it all.
    data.read.clear()
    again = pixel_flipping(small_model(), data, resumed.methods(), **FLIP, progress=False, folder=tmp_path)
    same_curves(again, found)
    assert data.read <= probes


def test_gae_that_was_killed_goes_on(tmp_path: Path) -> None:
    done = killed("gae", tmp_path)
    assert 0 < done < LENGTH // 4
    same_scores(resumed.scores(tmp_path), resumed.scores(None))
    same_scores(resumed.scores(tmp_path), resumed.scores(None))


def test_stopped_in_the_middle_of_a_file_and_with_another_first_image(tmp_path: Path) -> None:
    stream = stream_pixel_flipping(
        small_model(), Pictures(), resumed.methods(), **FLIP, folder=tmp_path, begin=LENGTH // 2
    )
    for partial in stream:
        if partial.done > partial.total // 4:
            break
    stream.close()
    kept = Folder(tmp_path, "curves")
    assert 0 < kept.done < LENGTH
    assert len(kept.shards) == 2
    results = list(stream_pixel_flipping(small_model(), Pictures(), resumed.methods(), **FLIP, folder=tmp_path))
    assert results[0].done > 0
    assert not results[0].final
    same_curves(results[-1], resumed.curves(None))


def test_an_executor_writes_there_too(tmp_path: Path) -> None:
    resuming_at = killed("curves", tmp_path / "curves"), killed("gae", tmp_path / "gae")
    assert all(resuming_at)
    with ThreadPoolExecutor(2) as executor:
        same_curves(resumed.curves(tmp_path / "curves", executor=executor), resumed.curves(None))
        same_scores(resumed.scores(tmp_path / "gae", executor=executor), resumed.scores(None))


def test_many_files_become_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "_IMAGES", 1)
    most = 0
    stream = stream_pixel_flipping(small_model(), Pictures(), resumed.methods(), **FLIP, folder=tmp_path)
    results = []
    for result in stream:
        results.append(result)
        most = max(most, len(list((tmp_path / "shards").iterdir())) if (tmp_path / "shards").exists() else 0)
    assert 1 < most <= 15
    same_curves(results[-1], resumed.curves(None))


@pytest.mark.parametrize("given", ["tensor and heatmaps", "targets in words"])
def test_images_in_memory_keep_their_orders(tmp_path: Path, given: str) -> None:
    x = Pictures().images[:12]
    heat = x.sum(1)
    options: dict[str, Any] = {**FLIP, "progress": False}
    if given == "targets in words":
        options["target"] = lambda out: out[:, 1] - out[:, 2]
    expected = pixel_flipping(small_model(), x, {"heat": heat}, **options)
    for _ in range(2):
        found = pixel_flipping(small_model(), x, {"heat": heat}, **options, folder=tmp_path)
        same_curves(found, expected)
        assert found.random_ranks is not None
        assert expected.random_ranks is not None
        assert torch.equal(found.random_ranks, expected.random_ranks)
        assert torch.equal(found.images("heat", step=2), expected.images("heat", step=2))


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    resumed.curves(tmp_path)

    def refuses(said: str, model: Any = None, data: Any = None, named: Any = None, **options: Any) -> None:
        settings = {**FLIP, "progress": False, "folder": tmp_path, **options}
        with pytest.raises(ValueError, match=rf"holds curves of .*{said}.*; give another folder, or delete that one"):
            pixel_flipping(model or small_model(), data or Pictures(), named or resumed.methods(), **settings)

    refuses("other images", data=Pictures(seed=1))
    refuses("another model or other weights", model=small_model(seed=1))
    refuses(r"seed=0 \(asked: 1\)", seed=1)
    refuses(r"patch=4 \(asked: 5\)", patch=5)
    refuses(r"batch_size=8 \(asked: 9\)", batch_size=9)
    changed = resumed.methods() | {"energy": lambda x, target: x.abs().sum(1)}
    refuses(r"other explanations \(energy\)", named=changed)
    refuses(r"other explanations \(g\)", named=resumed.methods() | {"g": IntegratedGradients(small_model(), steps=5)})
    with lock(tmp_path), pytest.raises(RuntimeError, match="is being built by process"):
        resumed.curves(tmp_path)
    with pytest.raises(TypeError, match="folder is int; give the path of a folder"):
        resumed.curves(3)  # type: ignore[arg-type]
    same_curves(resumed.curves(tmp_path), resumed.curves(None))


def test_damage_is_computed_anew(tmp_path: Path) -> None:
    expected = resumed.curves(tmp_path)
    [file] = (tmp_path / "shards").iterdir()
    data = bytearray(file.read_bytes())
    data[-9] ^= 1
    file.write_bytes(data)
    same_curves(resumed.curves(tmp_path), expected)


@pytest.mark.parametrize(
    "make",
    [
        LRP,
        lambda model: LRP(model, "epsilon_plus", epsilon=0.1),
        lambda model: RELAX(model, n_masks=128, layer="5"),
        lambda model: RELAX(model, n_masks=256, layer="5"),
        GradCAM,
        lambda model: IntegratedGradients(model, steps=3),
    ],
)
def test_explainers_are_known_by_kind_and_settings_not_by_what_they_computed(make: Any) -> None:
    explainer = make(small_model())
    before = method_text(explainer)
    explainer(Pictures().images[:1])
    assert method_text(explainer) == before == method_text(make(small_model()))
    others = [LRP(small_model(), "epsilon_alpha2_beta1"), RELAX(small_model(), n_masks=128, layer="5", seed=1)]
    assert before not in {method_text(other) for other in others}
    assert method_text(make(small_model(seed=1))) != before


def test_foreign_objects_are_known_by_their_plain_attributes() -> None:
    class Foreign:
        def __init__(self, strength: float) -> None:
            self.strength = strength
            self.found = torch.empty(0)

        def __call__(self, x: Tensor, target: Any) -> Tensor:
            self.found = x.sum(1) * self.strength
            return self.found

    foreign = Foreign(2.0)
    before = method_text(foreign)
    foreign(torch.ones(1, 3, 4, 4), None)
    assert method_text(foreign) == before == method_text(Foreign(2.0)) != method_text(Foreign(3.0))


def test_the_bar_says_images_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(1) as executor:
        pixel_flipping(small_model(), Pictures(0.05), resumed.methods(), **FLIP, executor=executor, progress=True)
    shown = capsys.readouterr().err
    assert "Pixel flipping: 100%" in shown
    assert "images/s" in shown
