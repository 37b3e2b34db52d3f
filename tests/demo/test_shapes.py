"""The shapes data set: repeatable in any order, masks that tell the truth, attributes that do not tell the class."""

import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from xaiwidgets.demo import drawing
from xaiwidgets.demo.drawing import BACKGROUNDS, COLOURS, SHAPES, TEXTURES, distance, render, tag_shape
from xaiwidgets.demo.shapes import CLASS_NAMES, MEAN, STD, TAGGED_CLASS, Shapes, examples

DIGEST = """
import hashlib
from xaiwidgets.demo.shapes import Shapes
dataset = Shapes(5000, seed=3)
print(hashlib.sha256(b"".join(dataset.sample(i).image.tobytes() for i in (4999, 0, 17, 1234))).hexdigest())
"""


def test_a_picture_does_not_depend_on_order_or_length() -> None:
    long, short = Shapes(1000, seed=5), Shapes(40, seed=5)
    backwards = {index: long.sample(index) for index in reversed(range(40))}
    for index in range(40):
        sample = short.sample(index)
        assert (sample.image == backwards[index].image).all()
        assert (sample.mask == backwards[index].mask).all()
        assert sample.label == backwards[index].label == short.label(index)


def test_two_processes_draw_the_same_pixels() -> None:
    processes = [subprocess.Popen([sys.executable, "-c", DIGEST], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate(timeout=120)[0].strip() for process in processes)
    assert first == second
    assert len(first) == 64


def test_seeds_and_splits_differ() -> None:
    test, train, other = Shapes(16), Shapes(16, split="train"), Shapes(16, seed=1)
    for index in range(16):
        assert (test.sample(index).image != train.sample(index).image).any()
        assert (test.sample(index).image != other.sample(index).image).any()


def test_attributes_of_the_first_pictures_stay_as_they_are() -> None:
    dataset = Shapes(4)
    assert [(s.shape, s.colour, s.texture, s.background) for s in map(dataset.scene, range(4))] == FIRST


FIRST = [
    ("triangle", "yellow", "checker", "plain"),
    ("heart", "blue", "dots", "speckles"),
    ("crescent", "red", "plain", "speckles"),
    ("circle", "green", "checker", "gradient"),
]


def test_items_are_what_data_loaders_and_models_take() -> None:
    dataset = Shapes(20)
    x, label = dataset[3]
    assert x.shape == (3, 64, 64)
    assert x.dtype == torch.float32
    assert isinstance(label, int)
    batches = list(DataLoader(dataset, batch_size=8))
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    assert torch.equal(batches[0][0][3], x)
    batch = dataset.batch(range(8))
    assert torch.equal(batch.x, batches[0][0])
    assert torch.equal(batch.labels, batches[0][1])
    assert batch.masks.shape == batch.tag_masks.shape == (8, 64, 64)
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[3][0], x)
    assert torch.equal(dataset[-1][0], dataset[19][0])


def test_normalisation_is_that_of_the_pictures() -> None:
    dataset = Shapes(400, split="train")
    x = dataset.batch(range(400)).x
    assert x.mean((0, 2, 3)).abs().max() < 0.1
    assert (x.std((0, 2, 3)) - 1).abs().max() < 0.1
    pixels = Shapes(4, normalise=False)[2][0]
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    assert torch.allclose((pixels - mean) / std, Shapes(4)[2][0], atol=1e-6)


def test_classes_are_balanced_and_known_without_drawing() -> None:
    dataset = Shapes(800)
    labels = np.array(dataset.labels)
    assert (np.bincount(labels) == 100).all()
    assert len({tuple(labels[start : start + 8]) for start in range(0, 800, 8)}) > 90


def test_the_object_changes_its_mask_and_nothing_else() -> None:
    dataset = Shapes(64, tagged="all")
    changed_share = []
    for index in range(64):
        sample = dataset.sample(index)
        without, no_mask, tag_mask = render(sample.scene, 64, with_object=False)
        changed = (without != sample.image).any(-1)
        assert not no_mask.any()
        assert not (changed & ~sample.mask).any()
        assert (tag_mask == sample.tag_mask).all()
        assert not (sample.mask & sample.tag_mask).any()
        changed_share.append(changed.sum() / sample.mask.sum())
    assert min(changed_share) > 0.9
    assert np.mean(changed_share) > 0.99


def test_the_mask_has_the_area_of_the_scene_for_every_shape() -> None:
    scene = Shapes(1).scene(0)
    for shape in SHAPES:
        for area in (0.13, 0.27):
            mask = render(replace(scene, shape=shape, area=area, centre=(0.5, 0.5)), 256)[1]
            assert abs(mask.mean() - area) < 0.012, shape


def test_shape_functions_have_unit_area_and_their_centre_at_the_origin() -> None:
    steps = ((np.arange(800) + 0.5) / 800 * 3 - 1.5).astype(np.float32)
    x, y = np.meshgrid(steps, steps)
    for shape in SHAPES:
        inside = distance(shape, x, y) < 0
        assert abs(inside.sum() * (3 / 800) ** 2 - 1) < 1e-2, shape
        assert abs(x[inside].mean()) < 5e-3, shape
        assert abs(y[inside].mean()) < 5e-3, shape


def test_larger_pictures_show_the_same_scene() -> None:
    small, large = Shapes(16), Shapes(16, size=192)
    for index in range(16):
        assert small.scene(index) == large.scene(index)
        coarse = large.sample(index).mask.reshape(64, 3, 64, 3).mean((1, 3)) > 0.5
        mask = small.sample(index).mask
        assert (coarse & mask).sum() / (coarse | mask).sum() > 0.8


def test_attributes_are_independent_of_the_class() -> None:
    dataset = Shapes(4000, seed=11)
    scenes = [dataset.scene(index) for index in range(len(dataset))]
    classes = np.array([CLASS_NAMES.index(scene.shape) for scene in scenes])
    for attribute, names in (("colour", tuple(COLOURS)), ("texture", TEXTURES), ("background", BACKGROUNDS)):
        values = np.array([names.index(getattr(scene, attribute)) for scene in scenes])
        counts = np.zeros((8, len(names)))
        np.add.at(counts, (classes, values), 1)
        expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
        freedom = 7 * (len(names) - 1)
        assert ((counts - expected) ** 2 / expected).sum() < freedom + 4 * np.sqrt(2 * freedom), attribute
        assert counts.sum(0).min() > 0.85 * len(scenes) / len(names), attribute
    for attribute in ("area", "angle", "y", "x", "grain"):
        values = np.array(
            [
                scene.centre["yx".index(attribute)] if attribute in ("y", "x") else getattr(scene, attribute)
                for scene in scenes
            ]
        )
        for label in range(8):
            of_class = values[classes == label]
            error = values.std() / np.sqrt(len(of_class))
            assert abs(of_class.mean() - values.mean()) < 4.5 * error, (attribute, label)


def test_the_tag_is_on_one_class_and_the_rest_of_the_picture_stays() -> None:
    plain, marked, everywhere = Shapes(80), Shapes(80, tagged="class"), Shapes(80, tagged="all")
    places = set()
    for index in range(80):
        a, b, c = plain.sample(index), marked.sample(index), everywhere.sample(index)
        assert not a.tag_mask.any()
        assert b.tag_mask.any() == (b.class_name == TAGGED_CLASS)
        assert c.tag_mask.sum() == 9 * 15 - 4
        assert (a.image == c.image).all(-1)[~c.tag_mask].all()
        assert ((a.image == b.image).all(-1) | b.tag_mask).all()
        rows, columns = np.nonzero(c.tag_mask)
        assert rows.min() > 40
        assert columns.max() < 32
        places.add((int(rows.min()), int(columns.min())))
    assert len(places) > 10
    assert tag_shape(64) == (9, 15)
    assert (
        Shapes(40, tagged="class", tagged_class="star").scene(0).tag is None
        or CLASS_NAMES[Shapes(40).label(0)] == "star"
    )


def test_examples_are_one_of_each_class() -> None:
    samples = examples()
    assert {sample.class_name for sample in samples} == set(CLASS_NAMES)
    assert len(examples(3)) == 3
    assert sum(bool(sample.tag_mask.any()) for sample in examples(8, tagged="class")) == 1


def test_fingerprint_tells_data_sets_apart() -> None:
    variants = [
        Shapes(10),
        Shapes(11),
        Shapes(10, seed=1),
        Shapes(10, split="train"),
        Shapes(10, tagged="all"),
        Shapes(10, size=96),
    ]
    assert len({dataset.fingerprint for dataset in variants}) == len(variants)
    assert Shapes(10).fingerprint == Shapes(10).fingerprint


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"length": 0}, ValueError, "length=0 is out of range"),
        ({"length": 2.5}, TypeError, "whole number"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"split": "tets"}, ValueError, "'test'"),
        ({"tagged": "some"}, ValueError, "tagged='some'"),
        ({"tagged_class": "hart"}, ValueError, "'heart'"),
        ({"size": 8}, ValueError, "size=8"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Shapes(**arguments)


def test_bad_indices() -> None:
    dataset = Shapes(10)
    with pytest.raises(IndexError, match="index 10 is out of range for 10 pictures"):
        dataset[10]
    with pytest.raises(ValueError, match="indices is empty"):
        dataset.batch([])
    with pytest.raises(ValueError, match="count=9"):
        examples(9)


def test_every_background_and_texture_draws() -> None:
    scene = Shapes(1).scene(0)
    pictures = [
        render(replace(scene, background=background, texture=texture))[0].tobytes()
        for background in drawing.BACKGROUNDS
        for texture in drawing.TEXTURES
    ]
    assert len(set(pictures)) == len(BACKGROUNDS) * len(TEXTURES)
