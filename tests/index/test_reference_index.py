"""The reference index against a table made slowly, and what it says to what does not fit."""

from __future__ import annotations

import copy
import json
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.index.indexing import Entry, Pictures, best, by_class, contents, once, scored
from xaiwidgets import CRP, LRP, ImageModel, ReferenceIndex
from xaiwidgets.crp import MaskConcept
from xaiwidgets.index.reference_index import Progress

LAYERS = ["0", "5"]
LENGTH = 44


def build(crp: CRP, dataset: Any, path: Path, **options: Any) -> ReferenceIndex:
    return ReferenceIndex.build(crp, dataset, path, **{"progress": False, "batch": 8, **options})


@pytest.fixture(scope="module")
def crp(small: ImageModel) -> CRP:
    return CRP(small)


@pytest.fixture(scope="module")
def index(crp: CRP, tmp_path_factory: pytest.TempPathFactory) -> ReferenceIndex:
    """Read it, do not change it."""
    return build(crp, Pictures(LENGTH), tmp_path_factory.mktemp("index"), top=10, class_top=4)


def equals_brute_force(index: ReferenceIndex, crp: CRP, images: Tensor, classes: list[tuple[int, ...]]) -> None:
    top, class_top = index.request["top"], index.request["class_top"]
    table = scored(crp, images, classes, list(index.layers), 8)
    for (layer, by, pool), rows in table.items():
        width = index.request["layers"][index.layers.index(layer)]["space"] or [1]
        for unit, entries in enumerate(rows):
            counted = entries if by == "relevance" else once(entries)
            expected: dict[int | None, list[Entry]] = {None: best(counted, top)}
            expected |= {target: best(own, class_top) for target, own in by_class(entries).items()}
            for target, wanted in expected.items():
                found = index.top(layer, unit, 100, by, target, pool)
                places = [(neuron // width[-1], neuron % width[-1]) for *_, neuron in wanted]
                assert found.scores.tolist() == [entry[0] for entry in wanted]
                assert found.samples.tolist() == [entry[1] for entry in wanted]
                assert found.targets.tolist() == [entry[2] for entry in wanted]
                assert [tuple(place) for place in found.positions.tolist()] == places
            for n in (None, 2):
                uses = index.classes(layer, unit, by, n, pool)
                means = {
                    target: float(np.mean([entry[0] for entry in best(own, n or class_top)]))
                    for target, own in by_class(entries).items()
                }
                assert [use.target for use in uses] == sorted(means, key=lambda key: (-means[key], key))
                assert [use.mean for use in uses] == pytest.approx([means[use.target] for use in uses], rel=1e-12)
                assert [use.explained for use in uses] == [len(by_class(entries)[use.target]) for use in uses]


def test_equals_brute_force(index: ReferenceIndex, crp: CRP) -> None:
    data = Pictures(LENGTH)
    assert index.layers == tuple(LAYERS)
    equals_brute_force(index, crp, data.images, [(label,) for label in data.labels])


def test_several_labels(crp: CRP, tmp_path: Path) -> None:
    chosen = [(0, 3), (1,), (), (2, 3, 4), (4,), (0, 3)]
    hot = torch.nn.functional.one_hot(torch.tensor([0, 3]), 5).sum(0)
    given = [{3, 0}, ["1"], [], torch.tensor([2, 4, 3]), np.int64(4), hot]
    classes = [chosen[k % 6] for k in range(LENGTH)]
    data = Pictures(LENGTH, labels=[given[k % 6] for k in range(LENGTH)])
    model = ImageModel(crp.model.module, input_size=16, class_names=list("01234"))
    index = build(CRP(model), data, tmp_path, top=10, class_top=4)
    equals_brute_force(index, CRP(model), data.images, classes)


def test_equal_scores_go_by_sample(crp: CRP, tmp_path: Path) -> None:
    data = Pictures(LENGTH)
    data.images[:] = data.images[3]
    data.labels = [1] * LENGTH
    index = build(crp, data, tmp_path, top=6, shard=8)
    assert index.top("0", 2, 6).samples.tolist() == [0, 1, 2, 3, 4, 5]


def test_predicted_classes_where_there_are_no_labels(crp: CRP, tmp_path: Path) -> None:
    data = Pictures(LENGTH, labels=None)
    with pytest.warns(UserWarning, match="no labels; the predicted class of each image is explained"):
        index = build(crp, data, tmp_path / "a")
    assert index.targets == "predicted"
    predicted = crp.model.scores(data.images).argmax(1)
    found = index.top("5", 0, 40)
    assert found.targets.tolist() == predicted[found.samples].tolist()
    asked = build(crp, Pictures(LENGTH), tmp_path / "b", targets="predicted")
    assert torch.equal(asked.top("0", 1, 40).scores, index.top("0", 1, 40).scores)


def test_shares(crp: CRP, tmp_path: Path) -> None:
    data = Pictures(8)
    plain = build(crp, data, tmp_path / "a", layers=["0"])
    share = build(crp, data, tmp_path / "b", layers=["0"], shares=True)
    scores = torch.stack([plain.top("0", u).scores[plain.top("0", u).samples.argsort()] for u in range(6)])
    for unit in range(6):
        found = share.top("0", unit)
        expected = (scores / scores.abs().sum(0))[unit, found.samples]
        assert torch.allclose(found.scores, expected, rtol=1e-5)


def test_own_concepts_and_tokens(vit: ImageModel, small: ImageModel, tmp_path: Path) -> None:
    crp = CRP(small, concepts={"0": MaskConcept.groups([[0, 1], [4]])})
    index = build(crp, Pictures(12), tmp_path / "own", layers=["0"])
    assert index.units("0") == 2
    single = build(CRP(small), Pictures(12), tmp_path / "own channels", layers=["0"])
    assert torch.allclose(index.top("0", 1).scores, single.top("0", 4).scores, rtol=1e-5)
    from xaiwidgets.demo import Shapes

    tokens = build(CRP(vit, "attn_lrp"), Shapes(8), tmp_path / "tokens")
    assert any(name.endswith(":heads") for name in tokens.layers)
    for layer in tokens.layers:
        assert len(tokens.top(layer, tokens.units(layer) - 1)) == 8


@pytest.mark.parametrize("shard", [1, 8, 20, 10_000])
def test_any_sharding_gives_the_same_bits(crp: CRP, index: ReferenceIndex, tmp_path: Path, shard: int) -> None:
    build(crp, Pictures(LENGTH), tmp_path, top=10, class_top=4, shard=shard)
    assert contents(tmp_path) == contents(index.path)


@pytest.mark.parametrize("threads", [1, 3])
def test_any_executor_gives_the_same_bits(crp: CRP, index: ReferenceIndex, tmp_path: Path, threads: int) -> None:
    with ThreadPoolExecutor(threads) as executor:
        build(crp, Pictures(LENGTH), tmp_path, top=10, class_top=4, shard=8, executor=executor)
    assert contents(tmp_path) == contents(index.path)


def test_workers_that_read(crp: CRP, index: ReferenceIndex, tmp_path: Path) -> None:
    build(crp, Pictures(LENGTH), tmp_path, top=10, class_top=4, workers=1)
    assert contents(tmp_path) == contents(index.path)


def test_opens_without_model_and_data(index: ReferenceIndex) -> None:
    again = ReferenceIndex.open(index.path)
    assert again.layers == index.layers
    assert again.units("0") == 6
    assert again.samples == LENGTH
    assert again.class_names == tuple(f"class {k}" for k in range(5))
    assert again.fingerprint == index.fingerprint
    assert torch.equal(again.top("0", 3).samples, index.top("0", 3).samples)
    assert "44 samples" in repr(again)


def test_progress_and_stopping(crp: CRP, index: ReferenceIndex, tmp_path: Path) -> None:
    steps = ReferenceIndex.stream(crp, Pictures(LENGTH), tmp_path, top=10, class_top=4, batch=8)
    seen: list[Progress] = []
    for step in steps:
        seen.append(step)
        if step.done >= 24:
            steps.close()
    assert [step.done for step in seen] == [0, 8, 16, 24]
    assert seen[-1].images_per_second > 0
    assert 0 < seen[-1].seconds_left < 600
    with pytest.raises(ValueError, match=r"not finished: 24 of 44 samples; call ReferenceIndex.build again"):
        ReferenceIndex.open(tmp_path)
    seen.clear()
    build(crp, Pictures(LENGTH), tmp_path, top=10, class_top=4, progress=seen.append)
    assert [step.done for step in seen][:2] == [24, 32]
    assert seen[-1].index is not None
    assert contents(tmp_path) == contents(index.path)


def test_the_bar(crp: CRP, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Slow(Pictures):
        def __getitem__(self, position: int) -> Any:
            time.sleep(0.1)
            return super().__getitem__(position)

    build(crp, Slow(24), tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "Reference index: 100%" in shown
    assert "24/24" in shown
    assert "images/s" in shown


def test_an_error_keeps_what_is_done(crp: CRP, index: ReferenceIndex, tmp_path: Path) -> None:
    class Faulty(Pictures):
        def __getitem__(self, position: int) -> Any:
            if position == 30:
                raise OSError("30 cannot be read")
            return super().__getitem__(position)

    with pytest.raises(OSError, match="30 cannot be read"):
        build(crp, Faulty(LENGTH), tmp_path, top=10, class_top=4)
    assert json.loads((tmp_path / "index.json").read_text())["shards"][0]["stop"] == 24
    build(crp, Pictures(LENGTH), tmp_path, top=10, class_top=4)
    assert contents(tmp_path) == contents(index.path)


def test_refuses_what_the_index_is_not_of(crp: CRP, index: ReferenceIndex, tiny: ImageModel) -> None:
    def again(crp: CRP = crp, dataset: Any = None, **options: Any) -> None:
        build(crp, dataset or Pictures(LENGTH), index.path, **{"top": 10, "class_top": 4, **options})

    before = contents(index.path)
    again()
    with pytest.raises(
        ValueError, match=r"holds an index of a data set of 44 samples \(this one has 43\); give another path"
    ):
        again(dataset=Pictures(43))
    with pytest.raises(ValueError, match="holds an index of another data set"):
        again(dataset=Pictures(LENGTH, seed=1))
    with torch.no_grad():
        next(tiny.module.parameters()).mul_(1.5)
    with pytest.raises(ValueError, match="index of other weights"):
        again(CRP(tiny))
    with pytest.raises(ValueError, match=r"another composite \(epsilon_plus_flat; this is epsilon_plus\)"):
        again(CRP(crp.model, "epsilon_plus"))
    with pytest.raises(ValueError, match=r"another composite"):
        again(CRP(crp.model, epsilon=0.1))
    with pytest.raises(ValueError, match="other layers"):
        again(layers=["0"])
    with pytest.raises(ValueError, match=r"top=10 \(asked: 20\)"):
        again(top=20)
    other = ImageModel(
        torch.nn.Sequential(*crp.model.module.children(), torch.nn.Identity()).eval(), input_size=16, name="other"
    )
    with pytest.raises(ValueError, match=r"another model \(Sequential; this is other\)"):
        index.check(CRP(other))
    index.check(crp, Pictures(LENGTH))
    # What changes no weight: an attribute of a layer, a hook that takes part. A hook that looks on is nothing.
    changed = copy.deepcopy(crp.model)
    layers: list[Any] = list(changed.module.children())
    conv, relu = layers[:2]
    relu.register_forward_hook(lambda part, given, output: None)
    index.check(CRP(changed))
    handle = relu.register_forward_hook(lambda part, given, output: output * 2)
    with pytest.raises(ValueError, match="another model"):
        index.check(CRP(changed))
    handle.remove()
    index.check(CRP(changed))
    conv.padding_mode = "circular"
    with pytest.raises(ValueError, match="another model"):
        index.check(CRP(changed))
    with pytest.raises(ValueError, match="a data set of 44 samples"):
        index.check(crp, Pictures(12))
    assert contents(index.path) == before


def test_bad_data(crp: CRP, tmp_path: Path) -> None:
    def fails(dataset: Any, error: type[Exception], match: str, **options: Any) -> None:
        with pytest.raises(error, match=match):
            build(crp, dataset, tmp_path, **options)

    fails(iter([1]), TypeError, "give a map-style data set")
    fails([], ValueError, "the data set is empty")
    fails([("text", 0)], TypeError, r"dataset\[0\] gives str")
    fails(
        Pictures(4, labels=[0, 1, 9, 1]), ValueError, r"dataset\[2\] has the label 9; the model has the classes 0 to 4"
    )
    fails(Pictures(4, labels=[0, 1, "x", 1]), TypeError, r"dataset\[2\] has the label 'x'; give a class")
    fails(Pictures(4, labels=[0, 1, [2, 2], 1]), ValueError, r"dataset\[2\] names a class twice")
    fails(Pictures(4, labels=[0, None, 1, 1]), ValueError, r"dataset\[1\] has no label, though dataset\[0\] has one")
    data = Pictures(4)
    data.images[2, 0, 0, 0] = torch.nan
    fails(data, ValueError, r"dataset\[0:4\]\[2\] has NaN")
    sizes = [(torch.zeros(3, 16, 16), 0), (torch.zeros(3, 16, 18), 0)]
    fails(sizes, ValueError, r"dataset\[1\] has shape \(3, 16, 18\), dataset\[0\] has \(3, 16, 16\)")

    class Shaken(Pictures):
        def __getitem__(self, position: int) -> Any:
            return torch.randn(3, 16, 16), 0

    fails(Shaken(4), ValueError, "other pixels each time it is read")
    data = Pictures(4)
    data.file = threading.Lock()  # type: ignore[attr-defined]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        fails(data, TypeError, "cannot travel to the workers of executor: cannot pickle", executor=executor)
    fails(Pictures(4), TypeError, "executor is str; give a concurrent.futures.Executor", executor="dask")
    fails(Pictures(4), ValueError, "layer='conv9'", layers=["0", "conv9"])
    fails(Pictures(4), ValueError, "give a list of names", layers="0")
    for name, value in {"top": "4", "class_top": 2.5, "batch": "4", "shard": 2.5, "workers": -1}.items():
        fails(Pictures(4), ValueError, rf"{name}={value!r} must be a whole number of at least [01]", **{name: value})
    fails(Pictures(4), ValueError, "top=0 must be a whole number of at least 1", top=0)
    fails(Pictures(4), ValueError, "targets='labels' is not known; did you mean 'label'", targets="labels")


def test_arguments_of_another_kind(crp: CRP, index: ReferenceIndex, tmp_path: Path) -> None:
    data = Pictures(4)
    for arguments, said in (
        ((LRP(crp.model), data, tmp_path), "crp is LRP; give a CRP, such as"),
        ((data, crp, tmp_path), "crp is Pictures; give a CRP"),
        ((crp, tmp_path, data), "path is Pictures; give the folder of the index: build"),
        ((crp, data, None), "path is NoneType; give the folder"),
    ):
        with pytest.raises(TypeError, match=said):
            ReferenceIndex.build(*arguments, progress=False)
    with pytest.raises(TypeError, match="crp is LRP; give a CRP"):
        index.check(LRP(crp.model))  # type: ignore[arg-type]
    counts: Any = {"top": np.int64(4), "class_top": torch.tensor(2), "batch": np.int32(2), "shard": np.int64(2)}
    assert len(build(crp, data, tmp_path, **counts).top("0", 0, 9)) == 4


def test_bad_questions(index: ReferenceIndex, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="layer='9' is not known"):
        index.top("9", 0)
    with pytest.raises(IndexError, match="concept=6 is out of range; layer '0' has 6 concepts: give 0 to 5"):
        index.top("0", 6)
    with pytest.raises(IndexError, match="concept=-1"):
        index.classes("0", -1)
    with pytest.raises(ValueError, match="by='score' is not known"):
        index.top("0", 0, by="score")
    with pytest.raises(ValueError, match="pool='mean' is not known"):
        index.top("0", 0, pool="mean")
    with pytest.raises(ValueError, match="target=7 is not a class"):
        index.top("0", 0, target=7)
    with pytest.raises(ValueError, match=r"target=2.5 must be a whole number, the name of a class, or None"):
        index.top("0", 0, target=2.5)  # type: ignore[arg-type]
    for n in (0, -1, None, 2.0):
        with pytest.raises(ValueError, match=f"n={n} must be a whole number of at least 1"):
            index.top("0", 0, n)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n=-1 must be a whole number of at least 1, or None for all that are kept"):
        index.classes("0", 0, n=-1)
    with pytest.raises(ValueError, match=r"concept=3.5 must be a whole number"):
        index.top("0", 3.5)  # type: ignore[arg-type]
    assert index.top("0", np.int64(3), torch.tensor(2), target=np.int64(1)).concept == 3  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="holds no index"):
        ReferenceIndex.open(tmp_path / "nothing")


def test_pictures_are_prepared(crp: CRP, tmp_path: Path) -> None:
    from torchvision.datasets import FakeData

    data = FakeData(size=6, image_size=(3, 20, 20), num_classes=5)
    index = build(crp, data, tmp_path)
    found = index.top("0", 0)
    prepared = crp.model.prepare([data[i][0] for i in range(6)])
    result = crp(prepared, [int(data[i][1]) for i in range(6)], layers=["0"])
    expected = result.layers["0"][:, 0].sum((1, 2))
    assert torch.allclose(found.scores, expected[found.samples], rtol=1e-4)


class Shifted(torch.nn.Module):
    """A network with weights that its state dict does not tell: a buffer that is not saved, an attribute, what a closure holds."""

    shift: Tensor

    def __init__(self, net: torch.nn.Module, kind: str, amount: float) -> None:
        super().__init__()
        self.net = net
        given = amount * torch.arange(1.0, 6.0)
        if kind == "buffer":
            self.register_buffer("shift", given, persistent=False)
            self.act = lambda scores: scores + self.shift
        elif kind == "attribute":
            self.shift = given
            self.act = lambda scores: scores + self.shift
        else:
            self.act = lambda scores: scores + given

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.act(self.net(x))
        return found


@pytest.mark.parametrize("kind", ["buffer", "attribute", "closure"])
def test_weights_that_no_state_dict_tells(kind: str, crp: CRP, tmp_path: Path) -> None:
    def shifted(amount: float) -> CRP:
        return CRP(ImageModel(Shifted(copy.deepcopy(crp.model.module), kind, amount).eval(), input_size=16))

    built = build(shifted(1.0), Pictures(8), tmp_path, top=2, class_top=2)
    assert build(shifted(1.0), Pictures(8), tmp_path, top=2, class_top=2).fingerprint == built.fingerprint
    with pytest.raises(ValueError, match="index of other weights"):
        build(shifted(2.0), Pictures(8), tmp_path, top=2, class_top=2)
