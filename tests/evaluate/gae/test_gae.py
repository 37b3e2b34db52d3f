"""GAE against a literal loop of its formulas, one image at a time, and on cases with known answers."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xaiwidgets import ImageModel
from xaiwidgets.baselines import GradientXInput
from xaiwidgets.demo import Shapes
from xaiwidgets.evaluate import GaeResult, gae, stream_gae
from xaiwidgets.evaluate.gae import parts
from xaiwidgets.evaluate.gae.measure import _draw
from xaiwidgets.results import heatmap_of

QUIET: dict[str, Any] = {"progress": False}


def literal(  # noqa: PLR0917
    module: nn.Module, explain: Any, x: Tensor, labels: Tensor, place: float, steps: int
) -> tuple[int, list[float]]:
    """One mosaic of x (4, C, H, W), formula by formula. Returns the positive tile and F, B, C."""
    _, _, height, width = x.shape

    def norm_sum(values: Tensor) -> Tensor:
        return values / (values.abs().sum() + 1e-9)

    def r(images: Tensor) -> Tensor:
        relevance = explain(images[None], torch.tensor([y]))[0]
        relevance = (relevance / relevance.abs().max().clamp_min(1e-30)).relu()
        return relevance / (relevance.max() + 1e-9)

    def dice(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().sum() / (a.abs().sum() + b.abs().sum() + 1e-9)

    def overlap(mask: Tensor, values: Tensor) -> Tensor:
        return (mask * values).sum() / (values.sum() + 1e-9)

    with torch.no_grad():
        small = F.interpolate(x, (height // 2, width // 2))
        mosaic = torch.cat([torch.cat([small[0], small[1]], 2), torch.cat([small[2], small[3]], 2)], 1)
        outputs, of_mosaic = module(x), module(mosaic[None])[0]
    predicted = outputs.argmax(1)
    shares = torch.stack([of_mosaic[c] for c in predicted]).double().softmax(0)
    p = next(k for k in range(4) if place <= float(shares[: k + 1].sum()) or k == 3)
    y = int(predicted[p])

    saved: dict[str, tuple[list[Tensor], list[Tensor], list[Tensor]]] = {}
    for order in ("morf", "lerf"):
        images, logits, maps = [], [], []
        current = x[p].clone()
        for step in range(1, steps + 1):
            leaf = current.clone().requires_grad_()
            logit = module(leaf[None])[0, y]
            (gradient,) = torch.autograd.grad(logit, leaf)
            relevance = norm_sum((gradient * current).abs())
            images.append(current)
            logits.append(logit.detach())
            maps.append(relevance)
            if step < steps:
                number = int(torch.linspace(1 / steps, 1, steps)[step - 1] * current.numel())
                chosen = relevance.flatten().topk(number, largest=order == "morf").indices
                flat = current.flatten().clone()
                flat[chosen] = 0
                current = flat.view_as(current)
        saved[order] = images, logits, maps

    signs = (norm_sum(sum(saved["lerf"][2], torch.zeros(()))) - norm_sum(sum(saved["morf"][2], torch.zeros(())))).sign()
    own = r(x[p])
    in_relevance, in_output = [], []
    for step in range(1, steps):
        in_relevance.append(dice(own, r(saved["morf"][0][step])) - dice(own, r(saved["lerf"][0][step])))
        o = saved["morf"][1][0] + 1e-9
        in_output.append(saved["lerf"][1][step] / o - saved["morf"][1][step] / o)
    robust = 1 - 2 * dice(torch.stack(in_relevance), torch.stack(in_output))

    probabilities = outputs[p].softmax(0)
    board = torch.empty(height, width)
    for tile in range(4):
        value = 2 * probabilities[labels[tile]] / probabilities[labels[p]] - 1
        top, left = tile // 2 * (height // 2), tile % 2 * (width // 2)
        board[top : top + height // 2, left : left + width // 2] = value
    board[height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1] = 1
    contrast = overlap(board[None], r(mosaic)).relu()
    return p, [float(overlap(signs, own)), float(robust), float(contrast)]


@pytest.mark.parametrize("batch_size", [4, 8, 64])
def test_equals_the_literal_loop_for_every_batch_size(model: ImageModel, batch_size: int) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(14, 3, 20, 28, generator=generator)
    labels = torch.randint(0, 5, (14,), generator=generator)
    explainer = GradientXInput(model)
    result = gae(model, (x, labels), {"g": explainer}, seed=2, steps=10, batch_size=batch_size, **QUIET)
    members = np.random.default_rng(2).permutation(14)[:12].reshape(3, 4)
    assert result.left_out == 2
    assert result.total == 3
    for row, four in enumerate(members):
        place = np.random.default_rng((2, row, 11)).random()
        p, expected = literal(
            model.module, lambda images, target: explainer(images, target).relevance, x[four], labels[four], place, 10
        )
        assert int(result.images[row]) == int(four[p])
        found = [float(part["g"][row]) for part in (result.faithfulness, result.robustness, result.contrastiveness)]
        assert found == pytest.approx(expected, abs=2e-4)
        local = max(0, found[0] + found[1]) / 2
        assert float(result.gae["g"][row]) == pytest.approx(local * found[2], abs=1e-6)


def test_heatmaps_count_alike_for_every_channel(model: ImageModel) -> None:
    x, labels = torch.randn(8, 3, 20, 28), torch.zeros(8, dtype=torch.long)
    flat = lambda images, target: images.abs().sum(1)  # noqa: E731
    deep = lambda images, target: images.abs().sum(1, keepdim=True).expand_as(images)  # noqa: E731
    result = gae(model, (x, labels), {"flat": flat, "deep": deep}, **QUIET)
    assert torch.allclose(result.gae["flat"], result.gae["deep"], atol=1e-6)
    assert heatmap_of(flat(x, None), x).shape == (8, 20, 28)


# -- hand-made cases -------------------------------------------------------------------------------------------------


def test_the_distance_and_the_maps() -> None:
    a = torch.tensor([[[[1.0, 0.0]]], [[[2.0, 2.0]]], [[[1.0, -1.0]]]])
    assert parts.distance(a, a).tolist() == pytest.approx([0, 0, 0])
    assert parts.distance(a, -a).tolist() == pytest.approx([1, 1, 1])
    assert parts.distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])).tolist() == pytest.approx([1])
    assert parts.positive_map(torch.tensor([[[[4.0, -8.0]]]])).tolist() == [[[[pytest.approx(1), 0]]]]
    # Scale does not matter, however small; where nothing is positive there is nothing.
    assert parts.positive_map(torch.tensor([[[[4e-12, 2e-12]]]])).flatten().tolist() == pytest.approx([1, 0.5])
    assert parts.positive_map(torch.zeros(1, 1, 1, 2)).tolist() == [[[[0, 0]]]]


def test_a_perfect_a_wrong_a_constant_and_an_empty_map_are_faithful_as_they_should_be() -> None:
    signs = torch.tensor([[[[1.0, 1.0, -1.0, -1.0]]]])
    perfect = torch.tensor([[[[1.0, 0.5, 0.0, 0.0]]]])
    assert float(parts.faithfulness(signs, perfect)) == pytest.approx(1)
    assert float(parts.faithfulness(signs, perfect.flip(3))) == pytest.approx(-1)
    assert float(parts.faithfulness(signs, torch.ones(1, 1, 1, 4))) == pytest.approx(0)
    assert float(parts.faithfulness(signs, torch.zeros(1, 1, 1, 4))) == 0
    chance = torch.rand(4000, 1, 1, 4, generator=torch.Generator().manual_seed(0))
    assert abs(float(parts.faithfulness(signs, chance).mean())) < 0.02


def test_robustness_is_one_when_relevance_follows_the_output_and_low_when_it_does_not() -> None:
    relevance = torch.tensor([[[[1.0, 1.0]]]])
    logits = torch.tensor([[[2.0], [1.0]], [[2.0], [2.0]]])  # MoRF halves the output, LeRF keeps it: Δo = ½
    masked = parts.Masked(torch.zeros(2, 2, 1, 1, 1, 2), logits, torch.zeros(2, 2, 1, 1, 1, 2))
    followed = torch.tensor([[1 / 3, 1 / 3], [1.0, 1.0]]).view(2, 1, 1, 1, 1, 2)  # D(r, r_morf) = ½, D(r, r_lerf) = 0
    assert float(parts.robustness(relevance, masked, followed)) == pytest.approx(1, abs=1e-6)
    same = torch.ones(2, 1, 1, 1, 1, 2)  # a map that never changes: Δr = 0
    assert float(parts.robustness(relevance, masked, same)) == pytest.approx(-1, abs=1e-6)


def test_contrast_is_where_the_positive_tile_is() -> None:
    board = parts.score_mosaic(
        torch.tensor([[0.5, 0.25, 0.0]]), torch.tensor([[0, 1, 2, 2]]), torch.tensor([0]), (8, 8)
    )
    assert board[0, 0, 0, 0] == 1
    assert board[0, 0, 0, 7] == 0
    assert board[0, 0, 7, 0] == -1
    assert (board[0, 0, 3:5, 3:5] == 1).all()
    at = torch.zeros(1, 1, 8, 8)
    at[..., 1, 1] = 1
    assert float(parts.contrastiveness(board, at)) == pytest.approx(1)
    assert float(parts.contrastiveness(board, at.flip(2))) == 0
    assert float(parts.contrastiveness(board, torch.ones_like(at))) == 0
    assert parts.local_consistency(torch.tensor([1.0, -1.0]), torch.tensor([0.5, 0.5])).tolist() == [0.75, 0]


def test_mosaics_take_four_by_four_and_keep_odd_sizes() -> None:
    x = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 5, 7)
    made = parts.mosaics(x)
    assert made.shape == (2, 1, 5, 7)
    corners = made[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_tile_is_drawn_with_its_probability() -> None:
    probabilities = torch.tensor([0.5, 0.1, 0.0, 0.4], dtype=torch.float64)
    counts = np.bincount([_draw(probabilities, 0, mosaic) for mosaic in range(3000)], minlength=4) / 3000
    assert counts.tolist() == pytest.approx(probabilities.tolist(), abs=0.03)


# -- promises --------------------------------------------------------------------------------------------------------


def test_seeds_executors_streams_and_data_sets(cnn: ImageModel) -> None:
    data = Shapes(9)
    explainers = {"g": GradientXInput(cnn)}
    whole = gae(cnn, data, explainers, steps=3, batch_size=4, **QUIET)
    with ThreadPoolExecutor(2) as executor:
        spread = gae(cnn, data, explainers, steps=3, batch_size=4, executor=executor, **QUIET)
    *partial, last = stream_gae(cnn, data, explainers, steps=3, batch_size=4)
    assert torch.equal(whole.gae["g"], spread.gae["g"])
    assert torch.equal(whole.images, last.images)
    assert torch.equal(whole.gae["g"], last.gae["g"])
    assert len(partial) == 1
    assert not partial[0].final
    assert not torch.equal(gae(cnn, data, explainers, steps=3, seed=1, **QUIET).images, whole.images)


def test_table_best_worst_and_csv(tmp_path: Path) -> None:
    from xaiwidgets.results import Provenance

    ones = torch.ones(3)
    result = GaeResult(
        Provenance("GAE"),
        faithfulness={"a": ones, "b": -ones},
        robustness={"a": ones, "b": ones},
        contrastiveness={"a": torch.tensor([0.1, 0.9, 0.5]), "b": ones},
        images=torch.tensor([7, 8, 9]),
        target=torch.zeros(3, dtype=torch.long),
        left_out=0,
        total=3,
    )
    assert result.ranking == ("a", "b")
    assert result.best("a", 2).tolist() == [1, 2]
    assert result.worst("a", 1).tolist() == [0]
    assert result.estimate("a").mean == pytest.approx(0.5)
    assert result.gae["b"].tolist() == [0, 0, 0]
    lines = repr(result).splitlines()
    assert lines[1] == "3 of 3 mosaics, 0 images left out; mean GAE [95% interval]:"
    assert lines[2] == f"  1. a: {result.estimate('a')}"
    assert lines[3] == "     local consistency 1, faithfulness 1, robustness 1, contrastiveness 0.5"
    assert lines[4].startswith("  2. b: 0 [")
    assert max(map(len, lines)) < 90, "a line of a notebook holds each"
    with result.to_csv(tmp_path / "gae.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[1]["gae"]) == pytest.approx(0.9)
    with pytest.raises(ValueError, match="did you mean 'robustness'"):
        result.part("robustnes")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"dataset": (torch.zeros(3, 3, 20, 28), [0, 1, 2])}, ValueError, "3 images; GAE makes mosaics of four"),
        ({"dataset": torch.zeros(0, 3, 20, 28)}, ValueError, "no image"),
        ({"dataset": (torch.zeros(4, 3, 20, 28), [0, 1])}, ValueError, "give one class an image"),
        (
            {"explainers": {"map": torch.zeros(4, 20, 28)}},
            TypeError,
            r"explainers\['map'\] is Tensor; give an explainer",
        ),
        ({"explainers": {}}, ValueError, "explainers is empty"),
        ({"explainers": {"own": lambda x, t: x[:, 0] * torch.nan}}, ValueError, "'own' gave a heatmap with NaN"),
        ({"steps": 1}, ValueError, "steps=1"),
    ],
)
def test_errors(model: ImageModel, change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "dataset": torch.randn(4, 3, 20, 28),
        "explainers": {"g": GradientXInput(model)},
        **QUIET,
        **change,
    }
    with pytest.raises(error, match=message):
        gae(model, **arguments)


class LeftHalf(nn.Module):
    """Sees the left half of an image only: entries of the right half have no gradient, and tie."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 8 * 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x[..., :8].flatten(1))


def test_entries_that_tie_are_masked_in_the_order_in_which_they_lie() -> None:
    torch.manual_seed(0)
    model = ImageModel(LeftHalf().eval(), input_size=(8, 16))
    x = torch.randn(3, 3, 8, 16)
    target = model.scores(x).argmax(1)
    masked = parts.stepwise_masking(model, x, target, 5)
    for image in range(3):
        alone = parts.stepwise_masking(model, x[image : image + 1], target[image : image + 1], 5)
        assert torch.equal(alone.x[:, :, 0], masked.x[:, :, image])
        for which, sign in enumerate((-1, 1)):
            for step in range(4):
                values = masked.maps[which, step, image].flatten().tolist()
                number = int(torch.linspace(0.2, 1, 5)[step] * len(values))
                chosen = sorted(range(len(values)), key=lambda i: sign * values[i])[:number]
                expected = masked.x[which, step, image].flatten().clone()
                expected[chosen] = 0
                assert torch.equal(masked.x[which, step + 1, image].flatten(), expected)
    right = masked.x[1, 1][..., 8:] != x[..., 8:]
    assert right.sum(dim=(2, 3)).tolist() == [[64, 12, 0]] * 3  # the first fifth of all entries, channel by channel
