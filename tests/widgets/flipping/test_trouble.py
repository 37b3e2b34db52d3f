"""What goes wrong in the flipping viewer, and what must not, without a browser."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import RecordedViewer
from xaiwidgets import GradientXInput, ImageModel, pixel_flipping

Viewer = Callable[..., RecordedViewer]


def test_errors_while_computing_are_shown_and_the_last_curves_stay(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor
) -> None:
    w = viewer(small, images, {"a": heat, "bad": lambda x, target: x.sum(1) * torch.nan}, patch=4, hidden=["bad"])
    assert w.wait(30)
    first = w.result
    w.hidden = []
    assert w.wait(30)
    assert w.status["state"] == "error"
    assert "'bad' gave a heatmap with NaN" in w.status["message"]
    # Without it, the rest goes on; the result before it stays.
    w.hidden = ["bad"]
    assert w.wait(30)
    assert w.status["state"] == "done"
    assert first is not None
    assert w.result is not None
    assert torch.equal(w.result.scores["a"], first.scores["a"])
    w.patch = 40
    assert w.wait(30)
    assert w.status["message"].startswith("patch=40 is larger than the image")
    assert w.result is None
    w.patch = 4
    assert w.wait(30)
    assert w.status["state"] == "done"


def test_one_method_that_fails_keeps_no_other_from_its_curve(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor
) -> None:
    def bad(x: Tensor, target: Tensor) -> Tensor:
        raise MemoryError("no room")

    w = viewer(small, images, {"bad": bad, "a": heat, "g": GradientXInput(small)}, patch=4, batch_size=8)
    assert w.wait(30)
    assert (w.status["state"], w.status["message"]) == ("error", "bad: no room")
    assert w.status["done"] == w.status["total"]
    assert "MemoryError in test_trouble.py" in w.status["hint"]
    assert w.result is not None
    assert not any(w.result.curves["morf"][name].isnan().any() for name in ("a", "g"))
    # What is missing can be tried again.
    assert w.of("curves")[-1]["unfinished"]


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("perturb", "nothing", "perturb='nothing' is not known"),
        ("image", 9, "image=9 is not there; give 0 to 2"),
        ("method", "LPR", "method='LPR' is not known"),
    ],
)
def test_a_view_that_cannot_be_is_refused(  # noqa: PLR0917
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor, trait: str, value: Any, message: str
) -> None:
    w = viewer(small, images, {"a": heat}, patch=4)
    assert w.wait(30)
    before = getattr(w, trait)
    with pytest.raises(ValueError, match=message):
        setattr(w, trait, value)
    assert getattr(w, trait) == before
    assert w.status["state"] == "done"


@pytest.mark.parametrize(
    ("change", "state"), [({"perturb": "mean"}, "done"), ({"perturb": "mean", "patch": 99}, "error")]
)
def test_what_is_overtaken_says_nothing_any_more(  # noqa: PLR0917
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor, change: dict[str, Any], state: str
) -> None:
    w = viewer(small, images, {"a": heat}, patch=4, perturb="mean", random=0)
    assert w.wait(30)
    packet, reached, go = w._curves_packet, threading.Event(), threading.Event()

    def held(*arguments: Any, **options: Any) -> Any:
        made = packet(*arguments, **options)
        if threading.current_thread() is w._runner._thread:
            reached.set()
            assert go.wait(20)
        return made

    w._curves_packet = held  # type: ignore[method-assign]
    w.perturb = "blur"
    assert reached.wait(20)
    # While the worker is about to tell how far it came, something else is asked that is there already, or cannot be.
    for name, value in change.items():
        setattr(w, name, value)
    go.set()
    assert w.wait(30)
    assert w.status["state"] == state


@pytest.mark.parametrize("seed", range(3))
def test_two_threads_of_random_wishes_end_where_the_last_one_leads(
    viewer: Viewer, small: ImageModel, images: Tensor, heat: Tensor, seed: int
) -> None:
    def slow(x: Tensor, target: Tensor) -> Tensor:
        time.sleep(0.005)
        return -x.square().sum(1)

    w = viewer(small, images, {"a": heat, "slow": slow, "g": GradientXInput(small)}, patch=4, batch_size=16)
    trouble: list[BaseException] = []

    def wish(draw: random.Random, heard: bool) -> None:
        kind = draw.choice(["trait"] * 4 + ["hidden", "image", "stop", "compute", "ready", "look", "add"])
        if kind == "trait":
            values: dict[str, list[Any]] = {
                "order": ["morf", "lerf", "both"],
                "perturb": ["zero", "mean"],
                "patch": [4, 8],
                "target": [None, 1],
            }
            name = draw.choice(list(values))
            change: dict[str, Any] = {name: draw.choice(values[name])}
            w.set_state(change) if heard else w.set_trait(name, change[name])
        elif kind == "hidden":
            w.hidden = draw.sample(["a", "slow", "g"], draw.randrange(4))
        elif kind == "image":
            w.image = draw.randrange(3)
        elif kind == "add":
            w.add("a", heat * draw.randrange(1, 4))
        elif kind == "look":
            asked = {name: getattr(w, name) for name in ("order", "perturb", "patch", "target", "score", "image")}
            w.hear(type="look", **asked, method="a", orders=["morf"], steps=[1, 2], maps=["a", "g"], picture=True)
        else:
            w.hear(type=kind)

    def wishes(number: int) -> None:
        draw = random.Random(10 * seed + number)
        try:
            for _ in range(40):
                wish(draw, heard=number == 1)
                time.sleep(draw.random() * 0.01)
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=wishes, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert trouble == []
    w.hidden = []
    w.compute()
    assert w.wait(60)
    assert w.status["state"] == "done"
    options = {"order": w.order, "perturb": w.perturb, "patch": w.patch, "target": w.target}
    shown = {name: w._work._sources[name] for name in w.methods}
    expected = pixel_flipping(small, images, shown, **options, progress=False)
    assert w.result is not None
    for order, curves in expected.curves.items():
        for name in shown:
            assert torch.allclose(w.result.curves[order][name], curves[name], atol=1e-4)
    assert w.of("curves")[-1]["final"]
