"""HeatmapOverlay's Python side, without a browser."""

from __future__ import annotations

import base64
import gc
import json
import re
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import Recorded, until
from tests.widgets.test_wire import read_snapshot
from xaiwidgets import RELAX, RISE, HeatmapOverlay, ImageModel, RelaxResult
from xaiwidgets.lrp import LRP

Overlay = Callable[..., Recorded]


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def relax(small: ImageModel) -> RELAX:
    return RELAX(small, n_masks=128, cells=4, batch_size=32)


class Gated:
    """A similarity that lets a batch through only when told: a run can be held at any step."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.asked = 0

    def __call__(self, h: Tensor, reference: Tensor) -> Tensor:
        self.asked += 1
        assert self.permits.acquire(timeout=30)
        return torch.nn.functional.cosine_similarity(h, reference[None])


def test_shows_what_the_explainer_gives(overlay: Overlay, relax: RELAX, images: Tensor) -> None:
    w = overlay(relax, images)
    assert w.wait(20)
    expected = relax(images[:1])
    assert torch.equal(w.result.importance, expected.importance)
    assert torch.equal(w.result.standard_error, expected.standard_error)
    assert w.result.n_masks == 128
    assert w.result.final
    assert w.status["state"] == "done"
    assert w.status["done"] == w.status["total"] == 128
    assert w.status["unit"] == "masks"
    assert w.status["largest_error"] == pytest.approx(expected.largest_error)
    assert w.said[0]["state"] == "running"
    last = w.of("maps")[-1]
    assert last["final"] is True
    assert [entry["name"] for entry in last["maps"]] == ["importance", "uncertainty", "standard_error"]
    assert (last["image"], last["method"]) == (0, "RELAX")
    low, high = last["shared_range"]["importance"]
    assert (low, high) == pytest.approx((float(expected.importance.min()), float(expected.importance.max())))


def test_the_state_is_written_and_read_in_python(overlay: Overlay, relax: RELAX, images: Tensor) -> None:
    w = overlay(relax, images, show="u_relax", threshold=0.3, colormap="magma", opacity=0.6, title="Why?", theme="dark")
    assert (w.show, w.threshold, w.colormap, w.opacity, w.title, w.theme) == (
        "u_relax",
        0.3,
        "magma",
        0.6,
        "Why?",
        "dark",
    )
    w.threshold = 0.7
    assert w.get_state()["threshold"] == 0.7
    w.set_state({"threshold": 0.2, "selection": {"x": 3, "y": 4}, "zoom": [2.0, 0.25, 0.75]})
    assert (w.threshold, w.selection, w.zoom) == (0.2, {"x": 3, "y": 4}, [2.0, 0.25, 0.75])
    assert w.wait(20)
    computed = len(w.of("maps"))
    for name, value in {
        "opacity": 0.1,
        "threshold": 0.9,
        "colormap": "greys",
        "clip": 98.0,
        "show": "importance",
    }.items():
        setattr(w, name, value)
    assert not w._runner.busy
    assert len(w.of("maps")) == computed, "drawing asks nothing of Python"
    for name, value in {"threshold": 2, "opacity": -1, "filter_mode": "blink", "scale": "x"}.items():
        with pytest.raises(Exception, match=name):
            setattr(w, name, value)


def test_another_image_is_computed_and_the_first_is_kept(overlay: Overlay, relax: RELAX, images: Tensor) -> None:
    w = overlay(relax, images)
    assert w.wait(20)
    first = w.result
    w.image = 1
    assert w.wait(20)
    assert torch.equal(w.result.importance, relax(images[1:]).importance)
    assert {content["image"] for content in w.of("maps")} == {0, 1}
    w.image = 0
    assert w.wait(20)
    assert w.result is first, "an answer that is there is not computed again"
    assert w.of("maps")[-1]["image"] == 0
    assert w.of("maps")[-1]["final"] is True


def test_messages_of_the_browser(overlay: Overlay, relax: RELAX, images: Tensor) -> None:
    w = overlay({"RELAX": relax, "fewer": relax.with_parameters(n_masks=64)}, images)
    assert w.wait(20)
    w.sent.clear()
    w.hear(type="ready")
    assert w.wait(20)
    assert w.of("picture")[0]["shape"] == [16, 16, 3]
    assert w.of("maps")[-1]["method"] == "RELAX"
    w.hear(type="compute", id=17, image=1, method="fewer", target=None, against=None, parameters={"keep": 0.3})
    assert w.wait(20)
    answer = [content for content in w.of("maps") if content["method"] == "fewer"][-1]
    assert answer["parameters"] == {"keep": 0.3}
    assert any(content.get("request") == 17 for content in w.of("maps"))
    expected = relax.with_parameters(n_masks=64, keep=0.3)(images[1:])
    found = next(result for key, result in w._answers.items() if key.method == "fewer").result
    assert torch.equal(found.importance, expected.importance)
    w.hear(type="unheard of")
    w._receive(w, "no message", [])
    assert w.status["state"] == "done"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"image": 0, "method": "nope"}, "method='nope' is not known"),
        ({"image": 9, "method": "RELAX"}, "image=9 is not there; give 0 to 1"),
    ],
)
def test_questions_that_make_no_sense_are_shown(
    overlay: Overlay, relax: RELAX, images: Tensor, message: dict[str, Any], said: str
) -> None:
    w = overlay(relax, images)
    assert w.wait(20)
    w.hear(type="compute", id=1, **message)
    assert w.status["state"] == "error"
    assert said in w.status["message"]


def test_stop_and_more_go_on_where_they_were(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    gate = Gated()
    relax = RELAX(small, n_masks=256, cells=4, batch_size=32, similarity=gate)
    w = overlay(relax, images[:1])
    until(lambda: gate.asked == 1)
    gate.permits.release(2)
    until(lambda: gate.asked == 3)
    w.hear(type="stop")
    gate.permits.release()
    assert w.wait(20)
    assert w.status["state"] == "stopped"
    assert w.result.n_masks == 96, "the batch under way is finished, no other is begun"
    assert gate.asked == 3
    assert not w.result.final
    gate.permits.release(1000)
    w.compute()
    assert w.wait(20)
    assert w.result.n_masks == 256
    assert gate.asked == 8, "nothing was computed twice"
    assert torch.equal(w.result.importance, relax(images[:1]).importance)
    w.hear(type="more")
    assert w.wait(20)
    assert w.result.n_masks == 512
    assert w.status["state"] == "done"
    longer = relax.with_parameters(n_masks=512)(images[:1])
    for name in ("importance", "uncertainty", "standard_error"):
        torch.testing.assert_close(getattr(w.result, name), getattr(longer, name))


def test_newest_question_wins(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    gate = Gated()
    w = overlay(RELAX(small, n_masks=256, cells=4, batch_size=64, similarity=gate), images)
    until(lambda: gate.asked == 1)
    w.image = 1
    gate.permits.release(1000)
    assert w.wait(20)
    assert w.status["state"] == "done"
    assert w.result.n_masks == 256
    assert w.of("maps")[-1]["image"] == 1
    w.image = 0
    assert w.wait(20)
    assert w.result.n_masks == 256


def test_an_error_mid_run_is_shown_and_the_last_good_picture_stays(
    overlay: Overlay, small: ImageModel, images: Tensor
) -> None:
    broken = [False]

    def similarity(h: Tensor, reference: Tensor) -> Tensor:
        if broken[0]:
            raise RuntimeError("the encoder ran out of luck")
        broken[0] = True
        return h @ reference

    relax = RELAX(small, n_masks=128, cells=4, batch_size=32, similarity=similarity)
    w = overlay(relax, images)
    assert w.wait(20)
    assert w.status["state"] == "error"
    assert w.status["message"] == "the encoder ran out of luck"
    assert "RuntimeError in test_widget.py, line" in w.status["hint"]
    assert w.result.n_masks == 32
    broken[0] = False
    relax._similarity = lambda h, reference: h @ reference
    w.compute()
    assert w.wait(20)
    assert w.status["state"] == "done"
    assert w.result.n_masks == 128


def test_finished_results(overlay: Overlay, small: ImageModel, relax: RELAX, images: Tensor) -> None:
    result = relax(images)
    w = overlay(result, images, model=small)
    assert w.wait(20)
    assert w.status["state"] == "done"
    assert w.result is result
    w.image = 1
    assert w.wait(20)
    _, _, maps = read_snapshot(w.snapshot)
    assert torch.allclose(torch.tensor(maps["importance"].astype("float32")), result.importance[1], atol=1e-3)
    heatmaps = torch.randn(2, 16, 16)
    array = overlay({"mine": heatmaps.numpy(), "tensor": heatmaps}, images)
    assert array.wait(20)
    assert [method["name"] for method in array.methods] == ["mine", "tensor"]
    with pytest.raises(ValueError, match=r"mine gave a heatmap of shape \(3, 16, 16\) for 2 images"):
        HeatmapOverlay({"mine": torch.randn(3, 16, 16)}, images)
    small_maps = replace(result, importance=result.importance[:, :12, :12])
    for other in (relax(torch.cat([images, images[:1]])), small_maps):
        with pytest.raises(
            ValueError, match=r"RELAX has maps of shape \([23], 1[62], 1[62]\) for 2 images of 16×16; give"
        ):
            HeatmapOverlay(other, images)


def test_plain_callables_and_several_methods(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    def gradient(x: Tensor, target: Any = None) -> Tensor:
        x = x.clone().requires_grad_()
        scores = small.module(x)
        index = scores.argmax(1) if target is None else torch.full((len(x),), target)
        (found,) = torch.autograd.grad(scores.gather(1, index[:, None]).sum(), x)
        return found * x

    w = overlay({"gradient": gradient, "LRP": LRP(small), "RISE": RISE(small, n_masks=32, cells=3)}, images)
    assert w.wait(20)
    assert torch.allclose(w.result, gradient(images[:1]))
    w.method = "LRP"
    assert w.wait(20)
    assert torch.allclose(w.result.heatmap, LRP(small)(images[:1]).heatmap)
    w.target = 3
    assert w.wait(20)
    assert torch.allclose(w.result.heatmap, LRP(small)(images[:1], 3).heatmap)
    w.method = "RISE"
    assert w.wait(20)
    assert isinstance(w.result, RelaxResult)
    assert torch.allclose(w.result.importance, RISE(small, n_masks=32, cells=3)(images[:1], 3).importance)
    assert set(w.results) == {"gradient", "LRP", "RISE"}
    views = {method["name"]: [view["name"] for view in method["views"]] for method in w.methods}
    assert views["gradient"] == ["relevance"]
    assert views["RISE"] == ["importance", "uncertainty", "u_relax"]


def test_what_a_callable_gives_is_checked(overlay: Overlay, images: Tensor) -> None:
    def wrong(x: Tensor, target: Any = None) -> Tensor:
        return torch.zeros(1, 5, 5)

    w = overlay(wrong, images)
    assert w.wait(20)
    assert w.status["state"] == "error"
    assert "wrong gave a heatmap of shape (1, 5, 5) for 1 images of 16×16; return (1, 16, 16)" in w.status["message"]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"treshold": 0.5}, TypeError, "HeatmapOverlay takes no keyword 'treshold'; did you mean 'threshold'"),
        ({"method": "LRP"}, ValueError, "method='LRP' is not known; choose from 'RELAX'"),
        ({"image": 2}, ValueError, "image=2 is not there; give 0 to 1"),
        ({"target": "cat"}, ValueError, "target='cat' is not known: the model has no class_names; give an index"),
        ({"target": 99}, ValueError, "target=99 is not a class of the model; give 0 to 4, a name, or None"),
        (
            {"target": 1.5},
            ValueError,
            "target=1.5 must be a whole number of at least 0: a class by its index, or its name",
        ),
        ({"against": -1}, ValueError, "against=-1 must be a whole number of at least 0"),
        ({"against": "rest"}, ValueError, "against='rest' is not known"),
        ({"n_masks": -1}, ValueError, "n_masks=-1 must be a whole number of at least 1, or None"),
        ({"n_masks": "a"}, ValueError, "n_masks='a' must be a whole number of at least 1, or None"),
        ({"pixels": "cat.jpg"}, TypeError, r"pixels is str; give a tensor or array \(2, 3, 16, 16\)"),
        (
            {"pixels": np.ones((2, 3, 16, 16), np.uint8)},
            ValueError,
            "pixels has values of type torch.uint8; give numbers",
        ),
        (
            {"model": torch.nn.Identity()},
            TypeError,
            "model is Identity; give an ImageModel, such as xaiwidgets.ImageModel",
        ),
        ({"pixels": torch.rand(2, 3, 8, 8)}, ValueError, r"pixels has shape \(2, 3, 8, 8\), x \(2, 3, 16, 16\)"),
    ],
)
def test_arguments_that_do_not_fit(
    relax: RELAX, images: Tensor, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        HeatmapOverlay(relax, images, **options)


def test_explainers_and_images_that_do_not_fit(relax: RELAX, images: Tensor) -> None:
    with pytest.raises(ValueError, match="explainers is empty; give at least one"):
        HeatmapOverlay({}, images)
    with pytest.raises(TypeError, match="explainer 'x' is int; give an explainer, a result, or a heatmap"):
        HeatmapOverlay({"x": 3}, images)
    with pytest.raises(ValueError, match="x has 1 channels"):
        HeatmapOverlay(relax, images[:, :1])
    with pytest.raises(TypeError, match="x is str"):
        HeatmapOverlay(relax, "cat.jpg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x is list; give images"):
        HeatmapOverlay(torch.zeros(1, 4, 4), [1])  # type: ignore[arg-type]


class TestSaving:
    @pytest.fixture
    def shown(self, overlay: Overlay, relax: RELAX, images: Tensor) -> Recorded:
        w = overlay(relax, images, title="</script><script>alert(1)</script> {{css}}")
        w.class_names = ["</script><b>x", "two"]
        assert w.wait(20)
        return w

    def test_html_is_one_file_that_text_cannot_break(self, shown: Recorded, tmp_path: Path) -> None:
        page = shown.save(tmp_path / "figure.html").read_text(encoding="utf-8")
        assert "alert(1)</script>" not in page
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page), "nothing is fetched"
        found = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
        assert found
        content = json.loads(found[1])
        assert content["state"]["title"] == shown.title
        assert content["state"]["class_names"] == ["</script><b>x", "two"]
        assert "snapshot" not in content["state"]
        kinds = [message["content"]["type"] for message in content["messages"]]
        assert set(kinds) == {"picture", "maps"}
        assert kinds[-1] == "maps"
        buffers = content["messages"][-1]["buffers"]
        assert len(base64.b64decode(buffers[0])) in (16 * 16 * 2, 16 * 16 * 4)

    @pytest.mark.parametrize(
        ("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("A.PNG", b"\x89PNG")]
    )
    def test_pictures(self, shown: Recorded, tmp_path: Path, name: str, start: bytes) -> None:
        assert shown.save(tmp_path / name).read_bytes().startswith(start)

    def test_other_kinds_are_refused(self, shown: Recorded, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"ends in \.bmp; choose \.html, \.png, \.svg or \.pdf"):
            shown.save(tmp_path / "a.bmp")
        with pytest.raises(ValueError, match="ends in nothing"):
            shown.save(tmp_path / "a")

    def test_the_browser_may_ask_for_the_page(self, shown: Recorded) -> None:
        shown.sent.clear()
        shown.hear(type="export", id=5, format="html")
        assert shown.wait(20)
        content, buffers = next(message for message in shown.sent if message[0]["type"] == "export")
        assert content["id"] == 5
        assert content["name"].endswith(".html")
        assert "error" not in content
        assert bytes(buffers[0]).lstrip().lower().startswith(b"<!doctype html")

    def test_places_without_widgets_get_a_picture(self, shown: Recorded) -> None:
        data, _ = shown._repr_mimebundle_()
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
        assert "application/vnd.jupyter.widget-view+json" in data

    def test_saved_state_is_small(self, overlay: Overlay) -> None:
        x = torch.rand(1, 3, 1024, 1024)
        w = overlay(torch.randn(1, 1024, 1024), x)
        assert w.wait(60)
        state = {name: value for name, value in w.get_state().items() if not name.startswith("_")}
        size = sum(
            len(base64.b64encode(v)) if isinstance(v, bytes) else len(json.dumps(v, default=str))
            for v in state.values()
        )
        assert 10_000 < size <= 1_000_000


def test_close_frees_everything(small: ImageModel, images: Tensor) -> None:
    """The widget itself stays, as Out[] of a notebook keeps it; its tensors and its thread do not."""
    result = RELAX(small, n_masks=128, cells=4)(images)
    w = Recorded({"live": RELAX(small, n_masks=10**6, cells=4, batch_size=32), "done": result}, images.clone())
    until(lambda: w.result is not None)
    dead = [weakref.ref(w.result), weakref.ref(w.result.importance), weakref.ref(result), weakref.ref(w._x)]
    del result
    w.close()
    w.sent.clear()
    until(lambda: not any("Recorded worker" in thread.name for thread in threading.enumerate()))
    gc.collect()
    assert [reference() is None for reference in dead] == [True] * 4
    assert w.result is None
    w.close()
