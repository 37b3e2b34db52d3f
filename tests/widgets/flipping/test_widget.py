"""FlippingViewer's Python side, without a browser."""

from __future__ import annotations

import gc
import json
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.widgets.conftest import RecordedViewer, until
from tests.widgets.flipping.double import Gate, floats
from xaiwidgets import FlippingViewer, GradientXInput, ImageModel, pixel_flipping
from xaiwidgets.widgets.jobs import Job
from xaiwidgets.widgets.wire import SNAPSHOT_LIMIT

QUIET: dict[str, Any] = {"progress": False}


Viewer = Callable[..., RecordedViewer]


def test_shows_what_pixel_flipping_gives(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    gradient = GradientXInput(small)
    w = viewer(small, images, {"a": heat, "g": gradient}, patch=4, perturb="mean", random=2)
    assert w.wait(30)
    expected = pixel_flipping(
        small, images, {"a": heat, "g": gradient}, order="both", patch=4, perturb="mean", random=2, **QUIET
    )
    assert w.result is not None
    for order in ("morf", "lerf"):
        for name in ("a", "g"):
            assert torch.allclose(w.result.curves[order][name], expected.curves[order][name], atol=1e-5)
    assert w.result.ranking == expected.ranking
    assert (w.status["state"], w.status["done"], w.status["total"]) == ("done", expected.total, expected.total)
    assert w.said[0]["state"] == "running"

    # What travels are the arrays, to the last bit of a float32.
    content, (bands, scores, areas, ties) = w.packets("curves")[-1]
    points = len(w.result.fractions)
    assert content["final"] is True
    assert content["counts"] == list(w.result.setup.schedule.counts)
    assert content["images"] == [0, 1, 2]
    assert content["targets"] == w.result.target.tolist()
    lines = w.result.lines()
    assert [(line["method"], line["order"], line["repeat"]) for line in content["lines"]] == [
        (method, order, repeat) for method, order, repeat, _ in lines
    ]
    sent = floats(scores, len(lines), 3, points)
    for place, (_, _, _, values) in enumerate(lines):
        assert np.array_equal(sent[place], values.numpy())
    assert floats(areas, len(lines), 3)[0] == pytest.approx(w.result.auc_of("morf")["a"].numpy(), rel=1e-6)
    assert floats(ties, 2, 3).shape == (2, 3)
    place = content["bands"].index({"method": "g", "order": "lerf"})
    band = floats(bands, len(content["bands"]), 3, points)[place]
    for got, wanted in zip(band, w.result.bands("lerf")["g"], strict=True):
        assert np.allclose(got, wanted.numpy(), atol=1e-6)
    rows = {row["method"]: row for row in content["table"]}
    for row in w.result.table():
        assert rows[row.method]["rank"] == row.rank
        assert rows[row.method]["auc"]["morf"][0] == pytest.approx(row.auc["morf"].mean)
        if row.gap is not None:
            assert rows[row.method]["gap"] == pytest.approx([row.gap.mean, row.gap.low, row.gap.high])
    json.dumps(content, allow_nan=False)


def test_another_order_explains_nothing_anew_and_going_back_computes_nothing(
    viewer: Viewer, small: ImageModel, images: Tensor
) -> None:
    calls = []

    def explainer(x: Tensor, target: Tensor) -> Tensor:
        calls.append(len(x))
        return x.abs().sum(1)

    w = viewer(small, images, {"a": explainer}, patch=4, order="morf", perturb="zero")
    assert w.wait(30)
    first = w.result
    assert sum(calls) == 3
    changes: dict[str, Any] = {"order": "both", "perturb": "gray", "patch": 5, "score": "probability"}
    for name, value in changes.items():
        setattr(w, name, value)
        assert w.wait(30)
        assert w.status["state"] == "done"
    assert sum(calls) == 3
    w.target = 2
    assert w.wait(30)
    # Images whose predicted class this is were explained before.
    assert first is not None
    assert sum(calls) == 3 + int((first.target != 2).sum())
    seen = len(w.said)
    back: dict[str, Any] = {"order": "morf", "perturb": "zero", "patch": 4, "score": "logit", "target": None}
    for name, value in back.items():
        setattr(w, name, value)
        w.wait(30)
    assert w.result is first
    content = w.packets("curves")[-1][0]
    assert (content["order"], content["perturb"], content["patch"], content["target"]) == ("morf", "zero", 4, None)
    assert content["final"] is True
    assert len(w.said) > seen


def test_methods_are_added_hidden_and_shown(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    gate = Gate()
    w = viewer(small, images, {"a": heat, "slow": gate}, hidden=["slow"], patch=4)
    assert w.wait(30)
    assert w.result is not None
    assert w.result.methods == ("a",)
    assert gate.asked == 0
    w.add("b", -heat)
    assert w.methods == ["a", "slow", "b"]
    assert w.wait(30)
    assert w.result.methods == ("a", "b")
    alone = pixel_flipping(small, images, {"a": heat, "b": -heat}, order="both", patch=4, **QUIET)
    assert torch.allclose(w.result.gap["b"], alone.gap["b"], atol=1e-5)
    w.hidden = []
    for _ in range(3):
        gate.permits.release()
    assert w.wait(30)
    assert set(w.result.methods) == {"a", "b", "slow"}
    w.add("a", heat.abs())
    for _ in range(3):
        gate.permits.release()
    assert w.wait(30)
    assert torch.equal(
        w.result.ranks["a"], pixel_flipping(small, images, {"a": heat.abs()}, patch=4, **QUIET).ranks["a"]
    )
    with pytest.raises(ValueError, match="'bad' gave a heatmap of shape"):
        w.add("bad", torch.zeros(3, 4, 4))


def test_a_change_takes_the_place_of_what_is_computed(viewer: Viewer, small: ImageModel, images: Tensor) -> None:
    gate = Gate()
    w = viewer(small, images, {"slow": gate}, patch=4, perturb="zero")
    until(lambda: gate.asked == 1)
    # The baseline is on screen while the explainer works.
    assert w.result is not None
    assert w.result.random is not None
    assert w.result.random.isfinite().any()
    assert w.status["state"] == "running"
    w.perturb = "gray"
    w.order = "lerf"
    for _ in range(9):
        gate.permits.release()
    assert w.wait(30)
    assert w.result is not None
    assert w.result.final
    assert w.result.orders == ("lerf",)
    assert w.result.setup.perturb == "gray"
    assert w.status["state"] == "done"


def test_a_method_is_replaced_while_its_curve_is_computed(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor
) -> None:
    gate = Gate()
    w = viewer(small, images, {"a": gate}, patch=4, perturb="mean", random=1)
    until(lambda: gate.asked > 0)
    w.add("a", heat)
    assert w.of("forget")
    gate.permits.release(9)
    assert w.wait(30)
    expected = pixel_flipping(small, images, {"a": heat}, order="both", patch=4, perturb="mean", random=1, **QUIET)
    assert w.status["state"] == "done"
    assert w.result is not None
    assert torch.allclose(w.result.curves["morf"]["a"], expected.curves["morf"]["a"], atol=1e-5)


def test_stop_and_go_on(viewer: Viewer, small: ImageModel, images: Tensor) -> None:
    gate = Gate()
    w = viewer(small, images, {"slow": gate}, patch=4, batch_size=8)
    gate.permits.release()
    until(lambda: gate.asked == 2)
    w.hear(type="stop")
    gate.permits.release()
    assert w.wait(30)
    assert w.status["state"] == "stopped"
    assert w.result is not None
    assert not w.result.final
    assert w.packets("curves")[-1][0]["unfinished"] is True
    done = w.result.done
    for _ in range(4):
        gate.permits.release()
    w.hear(type="compute")
    assert w.wait(30)
    assert w.status["state"] == "done"
    assert w.result.final
    assert w.result.done > done
    # Nothing was explained twice: two blocks of images.
    assert gate.asked == 2


def test_an_explainer_that_streams_can_be_stopped_amid_an_image(
    viewer: Viewer, small: ImageModel, images: Tensor
) -> None:
    class Endless:
        def __call__(self, x: Tensor, target: Any = None) -> Tensor:
            raise AssertionError("it streams")

        def stream(self, x: Tensor, target: Any = None) -> Iterator[Tensor]:
            while True:
                yield x.sum(1)

    w = viewer(small, images, {"endless": Endless()}, patch=4)
    until(lambda: w.result is not None and w.result.done > 0)
    w.stop()
    assert w.wait(10)
    assert w.status["state"] == "stopped"


def test_frames_are_what_the_model_saw(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    w = viewer(small, images, {"a": heat}, patch=5, perturb="noise", image=1)
    assert w.wait(30)
    assert w.result is not None
    w.sent.clear()
    w.look(3, 4, 1, orders=("morf", "lerf"), picture=True, maps=["a", "random"])
    assert [content["step"] for content, _ in w.packets("frame")] == [3, 3, 4, 4, 1, 1]
    for content, (pixels,) in w.packets("frame"):
        frame = w.result.images("a", content["step"], order=content["order"], rows=[1])[0]
        wanted = (frame.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        assert np.array_equal(np.frombuffer(pixels, np.uint8).reshape(content["shape"]), wanted)
        assert (content["perturb"], content["patch"], content["image"]) == ("noise", 5, 1)
    maps = {content["method"]: (content, buffers) for content, buffers in w.packets("map")}
    assert set(maps) == {"a", "random"}
    content, (ranks, values) = maps["a"]
    assert np.array_equal(np.frombuffer(ranks, "<i4"), w.result.ranks["a"][1].numpy())
    assert np.array_equal(floats(values, 16, 16), heat[1].numpy())
    assert content["map"]["range"] == pytest.approx([float(heat[1].min()), float(heat[1].max())])
    assert len(maps["random"][1]) == 1
    picture, (pixels,) = w.packets("picture")[-1]
    shown = np.frombuffer(pixels, np.uint8).reshape(picture["shape"]) / 255
    assert np.allclose(shown, small.pixels(images)[1].permute(1, 2, 0).numpy(), atol=1 / 255)
    # The baseline's frames, and what cannot be looked at.
    w.sent.clear()
    w.look(2, 99, method="random")
    assert [content["step"] for content, _ in w.packets("frame")] == [2]
    w.sent.clear()
    w.look(1, method="nobody")
    w.look(1, order="lerf", perturb="blur")
    assert w.packets("frame") == []
    w.look(1, image=7)
    assert "image=7 is not there" in w.status["message"]


def test_a_frame_is_made_while_curves_are_computed(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor
) -> None:
    gate = Gate()
    w = viewer(small, images[:1], {"a": heat[:1], "slow": gate}, patch=4)
    until(lambda: gate.asked == 1)
    w.look(2)
    assert len(w.packets("frame")) == 1
    assert w.status["state"] == "running"
    w.look(2, method="slow")
    assert len(w.packets("frame")) == 1, "its order is not known yet"
    gate.permits.release()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 3, 16, 16), {"patch": 1, "schedule": "linear", "steps": 4}),
        ((1, 3, 16, 16), {"patch": 16}),
        ((2, 3, 16, 16), {"patch": 7, "schedule": [0.5]}),
        ((2, 3, 16, 16), {"patch": 4, "order": "random", "random": 1}),
        ((2, 1, 20, 28), {"patch": 6, "perturb": "blur"}),
        ((2, 3, 20, 28), {"patch": 6, "score": "probability", "order": "lerf", "random": 0}),
    ],
)
def test_other_shapes_and_schedules(viewer: Viewer, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    channels = shape[1]
    module = nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    model = ImageModel(module.eval(), mean=(0.5,) * channels, std=(0.25,) * channels, input_size=(shape[2], shape[3]))
    x = torch.randn(shape)
    # A constant map: all patches tie, and chance decides, the same in every run.
    w = viewer(model, x, {"map": x.sum(1), "flat": torch.ones(shape[0], *shape[2:])}, **options)
    assert w.wait(30)
    assert w.status["state"] == "done", w.status
    content, (_, scores, _, ties) = w.packets("curves")[-1]
    assert np.isfinite(np.frombuffer(scores, "<f4")).all()
    assert content["grid"] == {"height": shape[2], "width": shape[3], "patch": w.patch}
    if w.order != "random":
        assert w.result is not None
        tied = floats(ties, 2, shape[0])[1]
        # Smaller patches at the edge have smaller sums; the others all tie.
        assert tied == pytest.approx(w.result.ties["flat"].numpy())
        assert (tied > 0.8).all() or w.result.setup.grid.patches == 1
    orders = ("lerf",) if w.order == "lerf" else ("morf",)
    w.look(1, method="random" if w.order == "random" else "flat", orders=orders, maps=["flat"])
    assert w.packets("frame")[-1][0]["shape"] == [shape[2], shape[3], channels]
    assert w._figure().axes


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"explanations": {"LRP": torch.full((3, 16, 16), torch.nan)}}, ValueError, "'LRP' gave a heatmap with NaN"),
        ({"explanations": {"LRP": torch.zeros(3, 10, 10)}}, ValueError, r"'LRP' gave a heatmap of shape \(3, 10, 10\)"),
        ({"explanations": {"random": torch.zeros(3, 16, 16)}}, ValueError, "choose another name"),
        ({"explanations": {}}, ValueError, "explanations is empty"),
        ({"patch": 17}, ValueError, "patch=17 is larger than the image of 16×16"),
        ({"perturb": "blurr"}, ValueError, "perturb='blurr' is not known; did you mean 'blur'"),
        ({"order": "most"}, Exception, "order"),
        ({"image": 3}, ValueError, "image=3 is not there; give 0 to 2"),
        ({"method": "LPR"}, ValueError, "method='LPR' is not known"),
        ({"target": "cat"}, ValueError, "target='cat' is not known: the model has no class_names"),
        (
            {"target": 1.5},
            ValueError,
            "target=1.5 must be a whole number of at least 0: a class by its index, or its name",
        ),
        ({"target": 99}, ValueError, "target=99 is not a class of the model; give 0 to 4"),
        ({"steps": 99}, ValueError, "steps=99 is more than"),
        ({"speed": 3}, TypeError, "takes no keyword 'speed'"),
        ({"model": nn.Linear(2, 2)}, TypeError, "model is Linear; give an ImageModel"),
        ({"x": torch.zeros(3, 2, 16, 16)}, ValueError, "x"),
    ],
)
def test_what_does_not_fit_is_said_at_once(  # noqa: PLR0917
    small: ImageModel, images: Tensor, heat: Tensor, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"model": small, "x": images, "explanations": {"a": heat}, "patch": 4} | change
    with pytest.raises(error, match=message):
        FlippingViewer(**arguments)


def test_methods_that_were_all_hidden_join_the_baseline(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor
) -> None:
    w = viewer(small, images, {"a": heat}, patch=4, perturb="mean", hidden=["a"])
    assert w.wait(30)
    assert w.status["state"] == "done"
    w.hidden = []
    assert w.wait(30)
    assert w.status["state"] == "done"
    expected = pixel_flipping(small, images, {"a": heat}, order="both", patch=4, perturb="mean", **QUIET)
    assert w.result is not None
    assert w.result.random is not None
    assert torch.allclose(w.result.curves["lerf"]["a"], expected.curves["lerf"]["a"], atol=1e-5)
    assert torch.allclose(w.result.random, expected.random, atol=1e-5)  # type: ignore[arg-type]


def test_own_perturbations_have_names(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    def mirrored(x: Tensor, hidden: Tensor) -> Tensor:
        return x.flip(-1)

    w = viewer(small, images, {"a": heat}, patch=4, perturb=mirrored)
    assert w.perturb == "mirrored"
    assert {"value": "mirrored", "label": "mirrored"} in w.perturbations
    assert {"value": "inpaint", "label": "filled in from around"} in w.perturbations
    assert w.wait(30)
    expected = pixel_flipping(small, images, {"a": heat}, order="both", patch=4, perturb=mirrored, **QUIET)
    assert w.result is not None
    assert torch.allclose(w.result.scores["a"], expected.scores["a"], atol=1e-5)
    number = viewer(small, images, {"a": heat}, patch=4, perturb=0.5)
    assert number.perturb == "0.5"
    assert number.wait(30)
    assert number.status["state"] == "done"


def test_a_new_view_gets_what_there_is(viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor) -> None:
    w = viewer(small, images, {"a": heat}, patch=4)
    assert w.wait(30)
    w.sent.clear()
    w.hear(type="ready")
    kinds = [content["type"] for content, _ in w.sent]
    assert kinds[:4] == ["picture", "curves", "map", "map"]


def test_the_snapshot_and_saved_files(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor, tmp_path: Path
) -> None:
    w = viewer(small, images, {"a": heat, "b": -heat}, patch=4, step=2, title="</script> & <b>")
    assert w.wait(30)
    length = struct.unpack("<I", w.snapshot[:4])[0]
    kept = json.loads(w.snapshot[4 : 4 + length])
    assert [entry["content"]["type"] for entry in kept] == [
        "prediction", "picture", "curves", *["map"] * 3, "frame", "frame",
    ]  # fmt: skip
    assert len(w.snapshot) <= SNAPSHOT_LIMIT
    page = w.save(tmp_path / "page.html").read_text()
    content = json.loads(page.split('id="content">')[1].split("</script>")[0])
    assert content["state"]["step"] == 2
    kinds = [message["content"]["type"] for message in content["messages"]]
    steps = len(w.result.fractions) - 1 if w.result else 0
    assert kinds.count("frame") == (2 + 2 + 1) * steps
    for name in ("figure.png", "figure.svg", "figure.pdf"):
        assert w.save(tmp_path / name).stat().st_size > 1000
    with pytest.raises(ValueError, match=r"ends in \.csv"):
        w.save(tmp_path / "curves.csv")


def test_large_sets_send_the_image_on_screen(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xaiwidgets.widgets.flipping.pages._SENT", 10)
    w = viewer(small, images, {"a": heat}, patch=4)
    assert w.wait(30)
    assert w.packets("curves")[-1][0]["images"] == [0]
    w.image = 2
    assert w.packets("curves")[-1][0]["images"] == [2]


def test_closing_frees_everything(small: ImageModel, images: Tensor) -> None:
    class Explainer:
        def __call__(self, x: Tensor, target: Any = None) -> Tensor:
            return x.sum(1)

    explainer = Explainer()
    gone = weakref.ref(explainer)
    w = FlippingViewer(small, images, {"a": explainer}, patch=4)
    assert w.wait(30)
    w.close()
    del explainer
    until(lambda: not any("FlippingViewer" in thread.name for thread in threading.enumerate()))
    gc.collect()
    assert gone() is None
    assert w.result is None
    w._runner.submit(Job(start=lambda: iter(())))
