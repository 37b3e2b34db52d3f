"""How large an index is: bounded whatever the number of classes, as computed to the byte; and files of the format before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.index.indexing import Entry, Pictures, best, by_class, contents, once, scored
from xaiwidgets import CRP, ImageModel, ReferenceIndex
from xaiwidgets.index.request import layout_of
from xaiwidgets.index.topk import KINDS, Layout, Scores, Table, in_memory, merge, tables
from xaiwidgets.storage import Folder, packed

LAYERS = ["0", "5"]
LENGTH, TOP, EACH = 60, 6, 4
SMALL = 0.0055
"""Megabytes: room for 11 of the 20 class entries that there are."""
HEADER = 10_000


@pytest.fixture(scope="module")
def crp(small: ImageModel) -> CRP:
    return CRP(small)


def build(crp: CRP, path: Path, **options: Any) -> ReferenceIndex:
    settings = {"progress": False, "batch": 8, "top": TOP, "class_top": EACH, **options}
    return ReferenceIndex.build(crp, Pictures(LENGTH), path, **settings)


@pytest.fixture(scope="module")
def cut(crp: CRP, tmp_path_factory: pytest.TempPathFactory) -> ReferenceIndex:
    """An index without room for all classes. Read it, do not change it."""
    return build(crp, tmp_path_factory.mktemp("cut"), megabytes=SMALL)


def expected(crp: CRP) -> dict[tuple[str, str, str], list[list[Entry]]]:
    data = Pictures(LENGTH)
    return scored(crp, data.images, [(label,) for label in data.labels], LAYERS, 8)


def test_what_is_kept_of_classes_when_there_is_no_room_for_all(cut: ReferenceIndex, crp: CRP) -> None:
    room = cut.request["entries"]
    assert EACH < room < EACH * 5
    inexact = 0
    for (layer, by, pool), rows in expected(crp).items():
        for unit, entries in enumerate(rows):
            leading = best([entry for own in by_class(entries).values() for entry in best(own, EACH)], room)
            kept = by_class(leading)
            assert cut.top(layer, unit, 100, by, None, pool).samples.tolist() == [
                e[1] for e in best(once(entries), TOP)
            ]
            for target in range(5):
                found = cut.top(layer, unit, 100, by, target, pool)
                assert found.samples.tolist() == [entry[1] for entry in best(kept.get(target, []), EACH)]
                assert found.targets.tolist() == [target] * len(found)
            uses = cut.classes(layer, unit, by, None, pool)
            assert {use.target for use in uses} == set(kept)
            means = {t: sum(e[0] for e in best(own, EACH)) / EACH for t, own in by_class(entries).items()}
            for use in uses:
                assert use.exact == (len(kept[use.target]) == EACH)
                assert use.mean >= means[use.target] - 1e-6
                assert use.mean == pytest.approx(means[use.target], rel=1e-6) or not use.exact
                inexact += not use.exact
            if uses[0].exact:
                assert uses[0].target == max(means, key=lambda target: means[target])
    assert inexact


@pytest.mark.parametrize("shard", [8, 24])
def test_any_sharding_gives_the_same_bits_there_too(crp: CRP, cut: ReferenceIndex, tmp_path: Path, shard: int) -> None:
    build(crp, tmp_path, megabytes=SMALL, shard=shard)
    assert contents(tmp_path) == contents(cut.path)


def test_bytes_are_as_computed(cut: ReferenceIndex) -> None:
    layout = layout_of(cut.request)
    # A float32, and one byte each for 60 samples and 5 classes; 16 × 16 positions fit into one byte as well.
    assert layout.entry_bytes == 4 + 1 + 1 + 1
    assert layout.units == 6 + cut.units("5")
    assert layout.most_bytes == 4 * layout.units * (TOP + cut.request["entries"]) * 7 <= SMALL * 10**6
    [file] = (cut.path / "shards").iterdir()
    size = file.stat().st_size
    assert layout.most_bytes < size < layout.most_bytes + HEADER


def test_too_little_room(crp: CRP, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"megabytes=0.001 is too small: the best 6 of \d+ concepts and 4 of one class take 0.0"
    ):
        build(crp, tmp_path, megabytes=0.001)
    for wrong in (0, -1, True, float("inf"), "many"):
        with pytest.raises(ValueError, match=r"megabytes=.* must be a number above 0, or None for 256"):
            build(crp, tmp_path, megabytes=wrong)


UNITS, IMAGES, CLASSES, SHARD = 24, 50_000, 1000, 512
RESNET18, RESNET50 = 4800, 26_560
"""Channels of all convolutions."""


def request(units: int) -> dict[str, Any]:
    """Of a network with so many concepts, as a build of 50 000 images in 1000 classes makes it."""
    from xaiwidgets.index.request import _entries

    made = {
        "layers": [{"name": "all", "units": units, "space": [112, 112]}],
        "dataset": {"length": IMAGES},
        "classes": CLASSES,
        "top": 40,
        "class_top": 10,
    }
    return made | {"entries": _entries(made, None)}


def drawn(start: int, stop: int) -> Table:
    """The table of some samples with random scores: what a model would give has other numbers, not other sizes."""
    draw = torch.Generator().manual_seed(start)
    count = stop - start
    scores = Scores(
        torch.arange(start, stop),
        torch.arange(start, stop) * 7 % CLASSES,
        torch.ones(count, dtype=torch.bool),
        {name: torch.randn(count, UNITS, generator=draw) for name in tables()},
        {by: torch.randint(112 * 112, (count, UNITS), generator=draw) for by in KINDS},
    )
    return scores.table()


@pytest.mark.parametrize("units", [RESNET18, RESNET50])
def test_a_thousand_classes_of_fifty_thousand_images_take_less_than_300_megabytes(units: int) -> None:
    layout = layout_of(request(units))
    few = Layout(UNITS, layout.top, layout.class_top, layout.entries, IMAGES, CLASSES, layout.positions)
    parts = [merge([in_memory(drawn(a, min(a + SHARD, IMAGES)))], few) for a in range(0, IMAGES, SHARD)]
    while len(parts) > 1:
        parts = [merge([in_memory(part) for part in parts[k : k + 8]], few) for k in range(0, len(parts), 8)]
    size = len(packed(parts[0]))
    assert few.most_bytes <= size <= few.most_bytes + CLASSES * 12 + HEADER
    # Every unit takes the same, so all of them take what is computed for all.
    assert layout.most_bytes + CLASSES * 12 + HEADER <= 300e6
    assert layout.entries >= 190


# -- format 1 -------------------------------------------------------------------------------------------------------------------


def in_format_1(index: ReferenceIndex, entries: dict[tuple[str, str, str], list[list[Entry]]], path: Path) -> None:
    """The same index as it was written before: all classes' best in columns that all units share, four bytes a number."""
    request = {key: value for key, value in index.request.items() if key != "entries"} | {"format": 1}
    labels = [target for target in range(5) for _ in range(EACH)]
    table: dict[str, Tensor] = {
        "labels": torch.tensor(labels, dtype=torch.int32),
        "classes": torch.arange(5, dtype=torch.int32),
        "counts": torch.full((5,), LENGTH // 5),
    }
    for name in tables():
        by, pool = name.split(".")
        rows = [row for layer in LAYERS for row in entries[layer, by, pool]]
        overall = [best(row, TOP) for row in rows]
        classes = [[e for target in range(5) for e in best(by_class(row)[target], EACH)] for row in rows]
        for kind, chosen in (("", overall), ("class_", classes)):
            for place, key in enumerate(("scores", "samples", "targets", "positions")):
                if f"{kind}{key}" != "class_targets":
                    dtype = torch.float32 if key == "scores" else torch.int32
                    table[f"{name}.{kind}{key}"] = torch.tensor(
                        [[e[place] for e in row] for row in chosen], dtype=dtype
                    )
    folder = Folder(path)
    folder.begin(request)
    folder.add(0, LENGTH, packed(table))


def test_an_index_of_the_format_before_answers_as_ever(crp: CRP, tmp_path: Path) -> None:
    now = build(crp, tmp_path / "now")
    in_format_1(now, expected(crp), tmp_path / "before")
    before = ReferenceIndex.open(tmp_path / "before")
    for layer in LAYERS:
        for unit in range(now.units(layer)):
            for by in KINDS:
                for target in (None, 0, 3):
                    for pool in ("sum", "max"):
                        a, b = (index.top(layer, unit, 9, by, target, pool) for index in (before, now))
                        assert (a.samples.tolist(), a.targets.tolist()) == (b.samples.tolist(), b.targets.tolist())
                        assert a.scores.tolist() == b.scores.tolist()
                        assert a.positions.tolist() == b.positions.tolist()
                assert before.classes(layer, unit, by) == now.classes(layer, unit, by)
    with pytest.raises(
        ValueError, match=r"holds an index of another version of the format \(1; this is 2\); give another path"
    ):
        build(crp, tmp_path / "before")
    before.check(crp)


def test_a_format_that_is_not_known_yet(crp: CRP, tmp_path: Path) -> None:
    build(crp, tmp_path)
    manifest = json.loads((tmp_path / "index.json").read_text())
    manifest["request"]["format"] = 3
    (tmp_path / "index.json").write_text(json.dumps(manifest))
    with pytest.raises(
        ValueError, match=r"is of format 3, which this version does not read \(it reads 1 and 2\); build it again"
    ):
        ReferenceIndex.open(tmp_path)
