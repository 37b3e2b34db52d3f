"""Pixel flipping against a literal loop, its promises about seeds and batches, and its errors."""

from __future__ import annotations

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets import ImageModel
from xaiwidgets.demo import Batch, Shapes
from xaiwidgets.evaluate import FlippingResult, bootstrap, pixel_flipping, stream_pixel_flipping

QUIET: dict[str, Any] = {"progress": False}


def literal(  # noqa: PLR0917
    model: ImageModel,
    image: Tensor,
    heat: Tensor,
    patch: int,
    counts: list[int],
    fill: Callable[[int], Tensor],
    order: str,
) -> list[float]:
    """One image, patch by patch, step by step, the way the method is told."""
    height, width = heat.shape
    corners = [(top, left) for top in range(0, height, patch) for left in range(0, width, patch)]
    score = {c: float(heat[c[0] : c[0] + patch, c[1] : c[1] + patch].double().sum()) for c in corners}
    corners.sort(key=lambda corner: score[corner], reverse=order == "morf")
    current, target = image.clone(), int(model.module(image[None]).argmax())
    curve = [float(model.module(image[None])[0, target])]
    for step in range(1, len(counts)):
        for top, left in corners[counts[step - 1] : counts[step]]:
            part = (slice(None), slice(top, top + patch), slice(left, left + patch))
            current[part] = fill(step).expand_as(current)[part]
        curve.append(float(model.module(current[None])[0, target]))
    return curve


FILLS: dict[str, Callable[[Tensor, int], Callable[[int], Tensor]]] = {
    "zero": lambda image, _: lambda step: torch.zeros(()),
    "gray": lambda image, _: lambda step: (image.min() + image.max()) / 2,
    "mean": lambda image, _: lambda step: image.mean((1, 2), keepdim=True),
    "random": lambda image, row: _random_fill(image, row),  # noqa: PLW0108  (defined below)
}


def _random_fill(image: Tensor, row: int) -> Callable[[int], Tensor]:
    generator = np.random.default_rng((5, row))
    values = [generator.uniform(float(image.min()), float(image.max())) for _ in range(40)]
    return lambda step: torch.tensor(values[step - 1], dtype=torch.float32)


@torch.no_grad()
@pytest.mark.parametrize("perturb", list(FILLS))
@pytest.mark.parametrize("order", ["morf", "lerf"])
@pytest.mark.parametrize("patch", [1, 8])
def test_equals_the_literal_loop(  # noqa: PLR0917
    model: ImageModel, x: Tensor, heat: Tensor, perturb: str, order: Any, patch: int
) -> None:
    steps = 6 if patch == 1 else None
    curves = pixel_flipping(
        model,
        x,
        {"map": heat},
        order=order,
        perturb=perturb,
        patch=patch,
        schedule="geometric",
        steps=steps,
        seed=5,
        **QUIET,
    )
    counts = list(curves.setup.schedule.counts)
    for row in range(len(x)):
        slow = literal(model, x[row], heat[row], patch, counts, FILLS[perturb](x[row], row), order)
        assert curves.scores["map"][row].tolist() == pytest.approx(slow, abs=1e-5)


@torch.no_grad()
def test_the_last_published_step_is_all_gray_and_areas_are_as_defined(
    model: ImageModel, x: Tensor, heat: Tensor
) -> None:
    curves = pixel_flipping(model, x, {"map": heat}, perturb="zero", **QUIET)
    middle = (x.amax((1, 2, 3)) + x.amin((1, 2, 3))) / 2
    gray = middle.view(-1, 1, 1, 1).expand_as(x)
    expected = model.module(gray).gather(1, curves.target[:, None])[:, 0]
    assert torch.allclose(curves.scores["map"][:, -1], expected, atol=1e-5)
    assert torch.allclose(curves.inputs("map", -1), gray)
    scores, fractions = curves.scores["map"].double(), curves.fractions
    auc = sum(
        (fractions[s] - fractions[s - 1]) * (scores[:, s] + scores[:, s - 1]) / 2 for s in range(1, len(fractions))
    )
    assert torch.allclose(curves.auc["map"], torch.as_tensor(auc))
    assert torch.allclose(curves.step_sum["map"], (scores[:, 1:] + scores[:, :-1]).sum(1) / 2)


def test_probability_and_target(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    curves = pixel_flipping(model, x, {"map": heat}, target=[0, 1, 2], score="probability", random=0, **QUIET)
    expected = model.scores(x).softmax(1)[range(3), [0, 1, 2]]
    assert torch.allclose(curves.scores["map"][:, 0], expected, atol=1e-6)
    assert curves.random is None


@pytest.mark.parametrize(
    "perturb", ["inpaint", "telea", "random", "random_pixel", "mean", "blur", "noise", "zero", "gray", 0.5, "own"]
)
def test_frames_are_what_the_model_saw(model: ImageModel, x: Tensor, heat: Tensor, perturb: Any) -> None:
    if perturb == "own":

        def perturb(images: Tensor, hidden: Tensor) -> Tensor:
            assert hidden.shape == (len(images), 1, *images.shape[2:])
            assert hidden.dtype == torch.bool
            return images.flip(-1)

    curves = pixel_flipping(model, x, {"map": heat}, order="both", perturb=perturb, patch=6, random=2, **QUIET)
    for method, order in (("map", "morf"), ("map", "lerf"), ("random", "morf")):
        repeat = 1 if method == "random" else 0
        scores = curves.random[1] if method == "random" and curves.random is not None else curves.curves[order][method]
        for step in (0, 1, 3, -2, -1):
            frames = curves.inputs(method, step, order=order, repeat=repeat)
            seen = model.scores(frames)[torch.arange(3), curves.target]
            assert torch.allclose(seen, scores[:, step], atol=1e-4), (method, order, step)
            only = curves.inputs(method, step, order=order, rows=[2], repeat=repeat)
            assert torch.equal(only[0], frames[2])
        hidden = curves.hidden(method, 2, order=order, repeat=repeat)[:, None]
        assert torch.equal(torch.where(hidden, x, curves.inputs(method, 2, order=order, repeat=repeat)), x)
    pixels = curves.images("map", 2)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    new = [curves.newly_hidden("map", step) for step in range(1, curves.setup.schedule.steps)]
    assert (torch.stack(new).sum(0) == 1).all()


def test_any_batch_any_executor_and_the_stream_give_the_same(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    options: dict[str, Any] = {"order": "both", "perturb": "random", "patch": 5, "random": 2, "seed": 4}
    whole = pixel_flipping(model, x, {"a": heat, "b": -heat}, **options, **QUIET)
    again = pixel_flipping(model, x, {"a": heat, "b": -heat}, **options, **QUIET)
    small = pixel_flipping(model, x, {"a": heat, "b": -heat}, **options, batch_size=7, **QUIET)
    with ThreadPoolExecutor(3) as executor:
        spread = pixel_flipping(model, x, {"a": heat, "b": -heat}, **options, executor=executor, batch_size=7, **QUIET)
    *partial, last = stream_pixel_flipping(model, x, {"a": heat, "b": -heat}, **options, batch_size=7)
    for other, exact in ((again, True), (small, False), (last, False)):
        for order in ("morf", "lerf"):
            assert torch.allclose(other.curves[order]["a"], whole.curves[order]["a"], atol=0 if exact else 1e-5)
        assert other.random is not None
        assert whole.random is not None
        assert torch.allclose(other.random, whole.random, atol=1e-5)
    assert torch.equal(spread.curves["lerf"]["b"], small.curves["lerf"]["b"])
    assert len(partial) > 5
    assert not partial[0].final
    assert last.final
    assert partial[0].scores["a"].isnan().any()
    # A partial result stays what it was.
    assert partial[0].done < partial[5].done


def test_first_points_come_after_one_batch_and_stopping_stops(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    calls = []

    def watched(images: Tensor, hidden: Tensor) -> Tensor:
        calls.append(len(images))
        return torch.zeros(())

    stream = stream_pixel_flipping(model, x, {"a": heat}, perturb=watched, batch_size=4, random=0)
    assert not calls
    begun, explained, first = next(stream), next(stream), next(stream)
    assert begun.scores["a"][0, 0] == first.scores["a"][0, 0]
    assert (begun.ranks["a"] == -1).all()
    assert (explained.ranks["a"][0] >= 0).all()
    with pytest.raises(ValueError, match="no order for rows"):
        begun.images("a", 1)
    assert calls == [4]
    assert first.done == 4
    assert first.scores["a"][:, :2].isfinite().all()
    assert str(first)
    stream.close()
    assert calls == [4]


def test_the_image_somebody_waits_for_comes_first_and_methods_join(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    options: dict[str, Any] = {"order": "both", "perturb": "noise", "patch": 4, "batch_size": 8}
    whole = pixel_flipping(model, x, {"a": heat, "b": -heat}, random=2, **options, **QUIET)
    *partial, first = stream_pixel_flipping(model, x, {"a": heat}, random=2, begin=2, **options)
    assert partial[0].target.tolist()[:2] == [-1, -1]
    assert partial[0].target[2] == whole.target[2]
    second = pixel_flipping(model, x, {"b": lambda images, target: -heat}, random=0, **options, **QUIET)
    joined = first.joined(second)
    assert joined.methods == ("a", "b")
    assert joined.final
    for order in ("morf", "lerf"):
        for name in ("a", "b"):
            assert torch.allclose(joined.curves[order][name], whole.curves[order][name], atol=1e-5)
    assert joined.random is not None
    assert whole.random is not None
    assert torch.allclose(joined.random, whole.random, atol=1e-5)
    assert joined.ranking == whole.ranking
    assert torch.equal(joined.ranks["b"], whole.ranks["b"])
    other = pixel_flipping(model, x, {"c": heat}, random=0, **{**options, "patch": 5}, **QUIET)
    with pytest.raises(ValueError, match="of the same request"):
        first.joined(other)
    # The same frames, made one after the other.
    for step, frame in joined.frames("b", [3, 1, 2], 1, order="lerf"):
        assert torch.allclose(frame, joined.images("b", step, order="lerf", rows=[1])[0], atol=1e-6)


def test_bands_are_the_bootstrap_of_every_step(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    curves = pixel_flipping(model, x.repeat(4, 1, 1, 1), {"a": heat.repeat(4, 1, 1)}, random=2, **QUIET)
    centre, low, high = curves.bands("morf")["a"]
    for step in (0, 3, -1):
        slow = bootstrap(curves.scores["a"][:, step], resamples=500)
        assert [float(centre[step]), float(low[step]), float(high[step])] == pytest.approx(
            [slow.mean, slow.low, slow.high], abs=1e-9
        )
    assert set(curves.bands("morf")) == {"a", "random"}
    one = pixel_flipping(model, x[:1], {"a": heat[:1]}, **QUIET).bands("morf")["a"]
    assert one[0].isfinite().all()
    assert one[1].isnan().all()


def test_a_data_set_gives_what_its_images_give(cnn: ImageModel, shapes: Batch) -> None:
    explainer = lambda images, target: images.abs().sum(1)  # noqa: E731
    options: dict[str, Any] = {"perturb": "random", "patch": 16, "batch_size": 16, "random": 1}
    tensors = pixel_flipping(cnn, shapes.x, {"edges": explainer}, **options, **QUIET)
    data = pixel_flipping(cnn, Shapes(12), {"edges": explainer}, **options, **QUIET)
    with ThreadPoolExecutor(2) as executor:
        spread = pixel_flipping(cnn, Shapes(12), {"edges": explainer}, **options, executor=executor, **QUIET)
    assert torch.equal(tensors.scores["edges"], data.scores["edges"])
    assert torch.equal(spread.scores["edges"], data.scores["edges"])
    assert data.x is None
    with pytest.raises(ValueError, match="keeps no images"):
        data.images("edges", 1)
    assert len(pixel_flipping(cnn, Shapes(12), {"edges": explainer}, limit=5, **options, **QUIET).target) == 5


def test_the_truth_beats_chance_by_a_wide_margin(cnn: ImageModel, shapes: Batch) -> None:
    truth = shapes.masks.float()
    curves = pixel_flipping(cnn, shapes.x, {"truth": truth, "against": 1 - truth}, order="both", random=2, **QUIET)
    assert curves.ranking == ("truth", "against")
    rows = {row.method: row for row in curves.table()}
    assert rows["truth"].auc["morf"].high < 0.6 * rows["random"].auc["morf"].low
    assert bootstrap(curves.auc_of("lerf")["truth"] - curves.auc_of("lerf")["random"]).low > 0.5
    assert rows["truth"].gap is not None
    assert rows["truth"].gap.low > 0
    assert rows["random"].rank is None
    assert rows["truth"].tied > 0.5
    assert torch.allclose(curves.gap["truth"], curves.auc_of("lerf")["truth"] - curves.auc_of("morf")["truth"])


def test_random_order_alone_and_one_step(model: ImageModel, x: Tensor) -> None:
    curves = pixel_flipping(model, x, order="random", random=4, **QUIET)
    assert curves.random is not None
    assert curves.random.shape[:2] == (4, 3)
    assert curves.methods == ("random",)
    assert torch.allclose(curves.scores["random"], curves.random.mean(0))
    one = pixel_flipping(model, x, {"map": torch.zeros(3, 20, 28)}, schedule="linear", steps=1, **QUIET)
    assert one.fractions.tolist() == [0, 1]
    assert one.ties["map"].tolist() == [1, 1, 1]


def test_single_channel_models(gray_model: ImageModel) -> None:
    x = torch.randn(2, 1, 20, 28)
    for perturb in ("inpaint", "telea", "blur", "noise"):
        curves = pixel_flipping(gray_model, x, {"map": x[:, 0]}, perturb=perturb, patch=7, **QUIET)
        assert curves.scores["map"].isfinite().all()


def test_bfloat16_is_close(cnn: ImageModel, shapes: Batch) -> None:
    exact = pixel_flipping(cnn, shapes.x, {"truth": shapes.masks.float()}, random=0, **QUIET)
    fast = pixel_flipping(cnn, shapes.x, {"truth": shapes.masks.float()}, random=0, precision="bfloat16", **QUIET)
    assert float(fast.auc["truth"].mean()) == pytest.approx(float(exact.auc["truth"].mean()), rel=0.01)


def test_the_interval_covers_at_its_rate() -> None:
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for seed in range(200):
        estimate = bootstrap(torch.randn(40, generator=generator) + 3, resamples=400, seed=seed)
        hits += estimate.low <= 3 <= estimate.high
    assert 0.88 <= hits / 200 <= 0.99
    assert bootstrap(torch.tensor([2.0, float("nan")])).mean == 2


def test_csv_holds_every_point(model: ImageModel, x: Tensor, heat: Tensor, tmp_path: Path) -> None:
    curves = pixel_flipping(model, x, {"a": heat}, order="both", random=2, **QUIET)
    with curves.to_csv(tmp_path / "curves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (2 + 2) * 3 * len(curves.fractions)
    row = next(r for r in rows if r["order"] == "lerf" and r["image"] == "1" and r["step"] == "2")
    assert float(row["score"]) == pytest.approx(float(curves.curves["lerf"]["a"][1, 2]))


def test_nothing_of_the_model_is_touched_or_kept(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    original = x.clone()
    curves = pixel_flipping(model, x, {"a": heat}, perturb="random", **QUIET)
    assert torch.equal(x, original)
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
    assert not curves.scores["a"].requires_grad
    assert not any(isinstance(value, torch.nn.Module | ImageModel) for value in vars(curves).values())
    assert isinstance(curves, FlippingResult)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"explanations": {"LRP": torch.full((3, 20, 28), torch.nan)}}, ValueError, "'LRP' gave a heatmap with NaN"),
        ({"explanations": {"LRP": torch.zeros(3, 10, 10)}}, ValueError, r"'LRP' gave a heatmap of shape \(3, 10, 10\)"),
        ({"explanations": {"LRP": torch.zeros(2, 20, 28)}}, ValueError, "3 images of 20×28"),
        ({"explanations": {"own": lambda x, t: x[:, 0] * torch.inf}}, ValueError, "'own' gave a heatmap with NaN"),
        ({"explanations": {}}, ValueError, "explanations is empty"),
        ({"explanations": {"random": torch.zeros(3, 20, 28)}}, ValueError, "choose another name"),
        ({"explanations": {"text": "heat"}}, TypeError, "'text' returned str"),
        ({"patch": 21}, ValueError, "patch=21 is larger than the image of 20×28"),
        ({"order": "mrof"}, ValueError, "did you mean 'morf'"),
        ({"perturb": "inpant"}, ValueError, "did you mean 'inpaint'"),
        ({"perturb": None}, TypeError, "perturb is NoneType"),
        ({"perturb": float("nan")}, ValueError, "finite"),
        ({"perturb": lambda x, hidden: x[:, :, :3]}, ValueError, "broadcasts to"),
        ({"perturb": lambda x, hidden: 3}, TypeError, "return a tensor"),
        ({"score": "loss"}, ValueError, "score='loss'"),
        ({"steps": 0}, ValueError, "steps=0"),
        ({"random": -1}, ValueError, "random=-1"),
        ({"seed": None, "random": True}, ValueError, "random=True"),
        ({"target": 9}, ValueError, "target=9 is not a class"),
        ({"target": [1, 2]}, ValueError, "2 classes for 3 images"),
        ({"confidence": 1.0}, ValueError, "confidence"),
        ({"x": torch.zeros(3, 1, 20, 28)}, ValueError, "1 channels"),
    ],
)
def test_errors_say_what_came_and_what_to_do(  # noqa: PLR0917
    model: ImageModel, x: Tensor, heat: Tensor, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"x": x, "explanations": {"map": heat}, **QUIET, **change}
    with pytest.raises(error, match=message):
        pixel_flipping(model, **arguments)


def test_errors_of_results(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    curves = pixel_flipping(model, x, {"map": heat}, random=0, **QUIET)
    with pytest.raises(ValueError, match="did you mean 'map'"):
        curves.images("mapp", 1)
    with pytest.raises(ValueError, match="step=99 is out of range"):
        curves.images("map", 99)
    with pytest.raises(ValueError, match="give order='both'"):
        _ = curves.gap
    with pytest.raises(TypeError, match="did you mean 'perturb'"):
        stream_pixel_flipping(model, x, {"map": heat}, pertrub="zero")
    with pytest.raises(TypeError, match="give an ImageModel"):
        pixel_flipping(model.module, x, {"map": heat})  # type: ignore[arg-type]


def test_a_model_travels_to_the_workers_of_an_executor(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    import pickle

    model.graph_for(x)
    away = pickle.loads(pickle.dumps(model))
    here, there = (pixel_flipping(m, x, {"a": heat}, perturb="random", random=0, **QUIET) for m in (model, away))
    assert torch.equal(here.scores["a"], there.scores["a"])
