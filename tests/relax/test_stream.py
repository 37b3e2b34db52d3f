"""Growing results, early stops, seeds, and what RELAX says of parameters that do not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import RELAX, RISE, ImageModel, RelaxResult
from xaiwidgets.relax.masks import balanced_block


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [RELAX, RISE])
def test_the_last_of_a_stream_is_what_calling_gives(make: Any, small: ImageModel, image: Tensor) -> None:
    explain = make(small, n_masks=100, cells=4, batch_size=24)
    called: RelaxResult = explain(image)
    last: RelaxResult = list(explain.stream(image))[-1]
    for name in ("importance", "uncertainty", "standard_error", "mean_similarity"):
        assert torch.equal(getattr(called, name), getattr(last, name))
    assert last.final
    assert last.n_masks == called.n_masks


def test_partial_results_grow(small: ImageModel, image: Tensor) -> None:
    explain = RELAX(small, n_masks=256, cells=4, batch_size=20)
    results = list(explain.stream(image))
    counts = [result.n_masks for result in results]
    assert counts == sorted(set(counts))
    # Blocks of 64 in batches of at most 20.
    assert counts[:5] == [20, 40, 60, 64, 84]
    assert [result.final for result in results] == [False] * (len(results) - 1) + [True]
    assert {result.total for result in results} == {256}
    # What came before is not changed by what comes after.
    again = explain.stream(image)
    first = next(again)
    kept = first.importance.clone()
    list(again)
    assert torch.equal(first.importance, kept)


def test_a_partial_result_is_that_of_its_masks(small: ImageModel, image: Tensor) -> None:
    explain = RELAX(small, n_masks=128, cells=4, masks="random", batch_size=32, seed=3)
    partial = next(explain.stream(image))
    generator = torch.Generator().manual_seed(3)
    block = next(iter(explain._blocks(128, (16, 16), generator)))
    expected = RELAX(small, masks=block.draw((16, 16), 0, 32))(image)
    torch.testing.assert_close(partial.importance, expected.importance)
    torch.testing.assert_close(partial.standard_error, expected.standard_error)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 500])
def test_batch_size_makes_no_difference(small: ImageModel, image: Tensor, batch_size: int) -> None:
    expected = RELAX(small, n_masks=64, cells=4)(image)
    found = RELAX(small, n_masks=64, cells=4, batch_size=batch_size)(image)
    torch.testing.assert_close(found.importance, expected.importance, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.uncertainty, expected.uncertainty, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found.standard_error, expected.standard_error, atol=1e-6, rtol=1e-3)


def test_stopping_early_costs_nothing_later(small: ImageModel, image: Tensor) -> None:
    explain = RELAX(small, n_masks=64, cells=4, batch_size=16)
    expected = explain(image).importance
    for _ in explain.stream(image):
        break
    assert torch.equal(explain(image).importance, expected)
    assert not small.lock._is_owned()  # type: ignore[attr-defined]


def test_two_streams_at_once_do_not_disturb_each_other(small: ImageModel, image: Tensor) -> None:
    explain = RELAX(small, n_masks=64, cells=4, batch_size=16)
    expected = explain(image).importance
    pairs = list(zip(explain.stream(image), explain.stream(-image), strict=True))
    assert torch.equal(pairs[-1][0].importance, expected)
    assert torch.equal(pairs[-1][1].importance, explain(-image).importance)


def test_seeds(small: ImageModel, image: Tensor) -> None:
    for design in ("balanced", "random"):
        maps = [RELAX(small, n_masks=64, cells=4, masks=design, seed=seed)(image).importance for seed in (0, 0, 1)]
        assert torch.equal(maps[0], maps[1])
        assert not torch.allclose(maps[0], maps[2])


def test_number_of_masks(small: ImageModel, image: Tensor) -> None:
    assert RELAX(small, n_masks=1, cells=7)(image).n_masks == balanced_block(7) == 128
    assert RELAX(small, n_masks=129, cells=7)(image).n_masks == 256
    assert RELAX(small, n_masks=129, masks="random")(image).n_masks == 129
    *_, last = RELAX(small, n_masks=10, masks="random").stream(image, n_masks=50)
    assert last.n_masks == 50
    with pytest.raises(ValueError, match="n_masks=0 must be a whole number of at least 1"):
        list(RELAX(small).stream(image, n_masks=0))


@pytest.mark.parametrize("design", ["balanced", "random"])
def test_tolerance_stops_as_soon_as_it_is_met(small: ImageModel, image: Tensor, design: str) -> None:
    long = RELAX(small, n_masks=2048, cells=4, masks=design, batch_size=64)
    blocks = list(long.stream(image))
    tolerance = blocks[5].largest_error
    stopped = list(long.with_parameters(tolerance=tolerance).stream(image))
    last = stopped[-1]
    assert last.largest_error <= tolerance
    assert last.final
    assert last.n_masks == last.total < 2048
    settled = [result for result in blocks if result.n_masks >= 128 and result.largest_error <= tolerance]
    if design == "balanced":
        assert last.n_masks == settled[0].n_masks
    counts = [result.n_masks for result in stopped]
    assert counts == sorted(set(counts))
    assert not any(result.final for result in stopped[:-1])


def test_tolerance_out_of_reach_uses_all_masks(small: ImageModel, image: Tensor) -> None:
    assert RELAX(small, n_masks=64, cells=4, tolerance=1e-9)(image).n_masks == 64


def test_with_parameters_leaves_the_first_as_it_was(small: ImageModel, image: Tensor) -> None:
    first = RELAX(small, n_masks=32, cells=4, similarity="dot")
    other = first.with_parameters(cells=5, keep=0.3)
    assert (first.settings.cells, first.settings.keep) == (4, 0.5)
    assert (other.settings.cells, other.settings.keep) == (5, 0.3)
    assert other.provenance.parameters["similarity"] == "dot"
    assert {control["name"] for control in first.controls()} >= {"cells", "keep", "perturb", "similarity"}
    for control in first.controls():
        assert first.provenance.parameters[control["name"]] == control["value"]
    assert other(image).provenance.parameters["cells"] == 5


def test_provenance_is_plain_data(small: ImageModel, image: Tensor) -> None:
    def own(h: Tensor, reference: Tensor) -> Tensor:
        return h @ reference

    relax = RELAX(small, masks=torch.rand(5, 16, 16), similarity=own, seed=9)
    provenance = relax(image).provenance
    assert provenance.seed == 9
    assert provenance.parameters["masks"] == "5 given masks"
    assert provenance.parameters["similarity"] == "own"
    json.dumps(provenance.parameters)


BAD = [
    ({"n_masks": 0}, ValueError, "n_masks=0 must be a whole number of at least 1"),
    ({"n_masks": 2.5}, ValueError, "n_masks=2.5 must be a whole number"),
    ({"cells": 1}, ValueError, "cells=1 must be a whole number of at least 2"),
    ({"keep": 0}, ValueError, r"keep=0 must lie in \(0, 1\): the probability that a cell of the image is shown"),
    ({"keep": 1.0}, ValueError, r"keep=1.0 must lie in \(0, 1\)"),
    ({"keep": "half"}, ValueError, "keep='half' must lie in"),
    ({"keep": float("nan")}, ValueError, "keep=nan must lie in"),
    ({"seed": None}, ValueError, "seed=None must be a whole number"),
    ({"tolerance": 0}, ValueError, "tolerance=0 must be positive"),
    ({"batch_size": 0}, ValueError, "batch_size=0 must be a whole number of at least 1, or None"),
    ({"masks": 5}, TypeError, r"masks is int; give 'balanced', 'random', masks \(n, H, W\) in \[0, 1\], or a function"),
    ({"masks": "ballanced"}, ValueError, "masks='ballanced' is not known; did you mean 'balanced'"),
    ({"similarity": "cosin"}, ValueError, "similarity='cosin' is not known; did you mean 'cosine'"),
    ({"similarity": 3}, TypeError, "similarity is int; give one of 'cosine', 'dot', 'l2', or a function"),
    ({"perturb": "zeros"}, ValueError, "perturb='zeros' is not known; did you mean 'zero'"),
    ({"aggregate": "median"}, ValueError, "aggregate='median' is not known"),
    ({"precision": "int8"}, ValueError, "precision='int8' is not known"),
    ({"n_mask": 5}, TypeError, "RELAX takes no keyword 'n_mask'; did you mean 'n_masks'"),
    ({"layer": "convv"}, RuntimeError, "convv"),
    ({"layer": "0"}, ValueError, "layer='0' of Sequential gives shape .* choose pool='mean' or pool='flatten'"),
    ({"layer": "0", "pool": "max"}, ValueError, "pool='max' is not known"),
]


def test_numbers_of_any_kind(small: ImageModel, image: Tensor) -> None:
    own: dict[str, Any] = {"n_masks": 48, "cells": 3, "seed": 2, "keep": 0.25, "batch_size": 16}
    expected = RELAX(small, **own)(image)
    kinds: tuple[Any, ...] = (np.int64, torch.tensor)
    for kind in kinds:
        other = {name: kind(value) for name, value in own.items() if name != "keep"}
        found = RELAX(small, **other, keep=np.float32(0.25))(image)
        assert torch.equal(found.importance, expected.importance)
        assert found.provenance == expected.provenance
    longer: Any = np.int64(16)
    assert list(RELAX(small, **own).stream(image, n_masks=longer))[-1].provenance.parameters["n_masks"] == 16


def test_what_was_asked_is_kept(small: ImageModel, image: Tensor) -> None:
    relax, rise = RELAX(small, n_masks=16, cells=2), RISE(small, n_masks=16, cells=2)
    assert "reference" not in relax(image).provenance.parameters
    assert relax(image, reference=torch.rand(96)).provenance.parameters["reference"] == "given, (96,)"
    assert relax(image).target is None
    result = rise(image.repeat(2, 1, 1, 1), torch.tensor([3, 1]))
    assert result.target is not None
    assert result.target.tolist() == result.provenance.parameters["target"] == [3, 1]
    predicted = rise(image).target
    assert predicted is not None
    assert predicted.tolist() == small.scores(image).argmax(1).tolist()
    json.dumps(result.provenance.parameters)


def test_reference_of_what_an_encoder_gives(small: ImageModel, image: Tensor) -> None:
    vector = small.scores(image)
    with pytest.raises(ValueError, match=r"give .* a vector \(96,\), .*; layer='output' explains what the model gives"):
        RELAX(small, n_masks=16, cells=2)(image, reference=vector)
    relax = RELAX(small, n_masks=16, cells=2, layer="output")
    torch.testing.assert_close(relax(image, reference=vector).importance, relax(image).importance)
    with pytest.raises(ValueError, match=r"or one for each of the 1 images$"):
        relax(image, reference=vector[:, :4])


@pytest.mark.parametrize(("options", "kind", "message"), BAD, ids=[str(entry[0]) for entry in BAD])
def test_parameters_that_do_not_fit(
    small: ImageModel, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        RELAX(small, **options)


def test_module_in_place_of_a_model() -> None:
    with pytest.raises(TypeError, match="model is Linear; give an ImageModel"):
        RELAX(nn.Linear(2, 2))  # type: ignore[arg-type]


def test_more_cells_than_pixels(small: ImageModel) -> None:
    with pytest.raises(ValueError, match="cells=20 is more than the image's 16×16 pixels; take fewer cells"):
        RELAX(small, cells=20, masks="random")(torch.rand(1, 3, 16, 16))


def test_standard_error_of_the_final_result_rests_on_all_blocks(small: ImageModel, image: Tensor) -> None:
    """Between-block standard error, with each pixel's variance drawn towards the image's mean by four blocks' worth."""
    explain = RELAX(small, n_masks=320, cells=4, batch_size=50)
    generator = torch.Generator().manual_seed(0)
    blocks = [block.draw((16, 16), 0, len(block)) for block in explain._blocks(320, (16, 16), generator)]
    assert len(blocks) == 5
    means = torch.stack([RELAX(small, masks=masks)(image).importance[0] for masks in blocks]).double()
    own = means.var(0, correction=1)
    variance = (4 * own.mean() + 4 * own) / (4 + 4)
    # Eight degrees of freedom: Student's 97.5 % quantile is 1.15 times the normal's, to the first order.
    expected = (variance / 5).sqrt() * (1 + (1.96**2 + 1) / (4 * 8))
    torch.testing.assert_close(explain(image).standard_error[0].double(), expected, rtol=1e-3, atol=1e-7)
