"""Tables and files on their own: merging is associative and total, files are whole or not there."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import torch

from xaiwidgets.index.topk import KINDS, Layout, Part, Scores, Table, in_memory, merge, narrow, tables, wide
from xaiwidgets.storage import Folder, lock, packed, write_atomically

UNITS, TOP, EACH = 7, 5, 3
LAYOUTS = {"all classes fit": 1000, "they do not": 7, "fewer than the best of one class": 2}
REQUEST = {"dataset": {"length": 30}}


def scores(start: int, stop: int) -> Scores:
    """Samples with up to two classes; few different scores, so that many are equal, zeros of both signs among them."""
    lines = [(sample, target) for sample in range(start, stop) for target in sorted({sample % 4, sample // 3 % 4})]
    samples, targets = torch.tensor(lines).unbind(1)
    first = torch.tensor([k == 0 or lines[k - 1][0] != sample for k, (sample, _) in enumerate(lines)])

    def drawn(kind: int) -> torch.Tensor:
        rows = [torch.randint(-2, 3, (UNITS,), generator=seeded(kind, *line)) * 0.5 for line in lines]
        return torch.stack(rows) * torch.tensor([1.0, -1.0])[samples % 2, None]

    values = {name: drawn(kind) for kind, name in enumerate(tables())}
    return Scores(samples, targets, first, values, {by: drawn(9).abs().int() for by in KINDS})


def seeded(*numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(hash(numbers) % 2**31)


def layout(entries: int = 1000) -> Layout:
    return Layout(UNITS, TOP, EACH, entries, samples=30, classes=4, positions=3)


def combined(parts: list[Table], entries: int = 1000) -> Table:
    return merge([in_memory(part) for part in parts], layout(entries))


@pytest.mark.parametrize("entries", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("seed", range(6))
def test_merging_is_associative(seed: int, entries: int) -> None:
    draw = random.Random(seed)
    everything = combined([scores(0, 30).table()], entries)
    cuts = sorted(draw.sample(range(1, 30), draw.randint(1, 8)))
    parts = [combined([scores(a, b).table()], entries) for a, b in zip([0, *cuts], [*cuts, 30], strict=True)]
    while len(parts) > 1:
        begin = draw.randrange(len(parts) - 1)
        end = draw.randint(begin + 2, len(parts))
        parts[begin:end] = [combined(parts[begin:end], entries)]
    assert parts[0].keys() == everything.keys()
    for name, tensor in everything.items():
        assert torch.equal(parts[0][name], tensor), name


def test_the_order_is_by_score_then_sample_then_class() -> None:
    table, raw = combined([scores(0, 30).table()]), scores(0, 30)
    for name in tables():
        lines = list(zip(raw.samples.tolist(), raw.targets.tolist(), raw.first.tolist(), strict=True))
        for unit in range(UNITS):
            entries = [
                (-float(raw.values[name][k, unit]), sample, target)
                for k, (sample, target, first) in enumerate(lines)
                if first or name.startswith("relevance")
            ]
            found = zip(
                *(table[f"{name}.{key}"][unit].tolist() for key in ("scores", "samples", "targets")), strict=True
            )
            assert [(-a, b, c) for a, b, c in found] == sorted(entries)[:TOP]


@pytest.mark.parametrize("entries", LAYOUTS.values(), ids=LAYOUTS)
def test_a_concept_keeps_the_best_of_the_classes_that_use_it_most(entries: int) -> None:
    table, raw = combined([scores(0, 30).table()], entries), scores(0, 30)
    lines = list(zip(raw.samples.tolist(), raw.targets.tolist(), strict=True))
    for name in tables():
        for unit in range(UNITS):
            every = sorted((-float(raw.values[name][k, unit]), *line) for k, line in enumerate(lines))
            leading = [entry for target in range(4) for entry in [e for e in every if e[2] == target][:EACH]]
            expected = sorted(leading)[:entries]
            found = [table[f"{name}.class_{key}"][unit].tolist() for key in ("scores", "samples", "targets")]
            assert list(zip(*found[1:], strict=True)) == sorted(entry[1:] for entry in expected)
            assert sorted(-score for score in found[0]) == [entry[0] for entry in expected]


@pytest.mark.parametrize("bound", [1, 2**8, 2**8 + 1, 2**16, 2**16 + 1, 2**31])
def test_whole_numbers_in_few_bytes(bound: int) -> None:
    values = torch.tensor([0, bound // 2, bound - 1])
    small = narrow(values, bound)
    assert small.itemsize == (1 if bound <= 2**8 else 2 if bound <= 2**16 else 4)
    assert wide(small).tolist() == values.tolist()
    for wrong in (-1, bound):
        with pytest.raises(ValueError, match=rf"from 0 to {bound - 1} here; {max(wrong, 0)} came"):
            narrow(torch.tensor([0, wrong]), bound)


def test_parts_may_lie_in_files(tmp_path: Path) -> None:
    folder, parts = Folder(tmp_path), [combined([scores(a, a + 15).table()]) for a in (0, 15)]
    folder.begin(REQUEST)
    shards = [folder.add(15 * k, 15 * k + 15, packed(part)) for k, part in enumerate(parts)]
    readers: list[Part] = [folder.read(shard) for shard in shards]
    expected = combined([scores(0, 30).table()])
    merged = merge(readers, layout())
    assert all(torch.equal(merged[name], expected[name]) for name in expected)
    folder.add(0, 30, packed(merged), instead=shards)
    again = Folder(tmp_path)
    assert again.whole is not None
    assert again.whole.level == 1
    assert [file.name for file in (tmp_path / "shards").iterdir()] == ["0-30.safetensors"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"before")

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(
        OSError, match=r"file could not be written: No space left on device; it takes .* MiB. What was written"
    ):
        write_atomically(file, b"after")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert file.read_bytes() == b"before"


def test_a_process_that_is_gone_holds_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("123456")
    with lock(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
        with pytest.raises(RuntimeError, match=rf"is being built by process {os.getpid()}"), lock(tmp_path / "." / ""):
            pass
    with lock(tmp_path):
        pass
