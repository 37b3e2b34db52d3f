"""What the heatmap overlay saves: the answer that was being computed, what is on screen, and the images a page steps through."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.widgets.conftest import Recorded, until
from xaiwidgets import RELAX, ImageModel
from xaiwidgets.lrp import LRP, Conservation, Leak
from xaiwidgets.widgets.heatmap.methods import notes_of

Overlay = Callable[..., Recorded]


def content(path: Path) -> dict[str, Any]:
    """What a saved page carries."""
    found = re.search(
        r'<script type="application/json"[^>]*>(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    read: dict[str, Any] = json.loads(found[1])
    return read


def messages(path: Path, kind: str) -> list[dict[str, Any]]:
    return [message["content"] for message in content(path)["messages"] if message["content"]["type"] == kind]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def test_saving_right_after_making_has_the_map(
    overlay: Overlay, small: ImageModel, images: Tensor, tmp_path: Path
) -> None:
    relax = RELAX(small, n_masks=2048, cells=4, batch_size=32)
    path = overlay(relax, images).save(tmp_path / "a.html")
    [maps] = messages(path, "maps")
    assert maps["final"] is True
    picture = overlay(relax, images).save(tmp_path / "a.png")
    later = overlay(relax, images)
    assert later.wait(30)
    assert np.array_equal(pixels(picture), pixels(later.save(tmp_path / "b.png")))


def test_what_cannot_be_computed_is_not_saved(overlay: Overlay, images: Tensor, tmp_path: Path) -> None:
    def broken(x: Tensor, target: Any = None) -> Tensor:
        raise RuntimeError("the encoder ran out of luck")

    w = overlay(broken, images)
    for name in ("a.html", "a.png"):
        with pytest.raises(RuntimeError, match="nothing was saved: the encoder ran out of luck"):
            w.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="images='some' is not known; give 'this' for the image on screen, or 'all'"):
        w.save(tmp_path / "a.html", images="some")  # type: ignore[arg-type]


def test_a_page_holds_the_images_it_steps_through(
    overlay: Overlay, small: ImageModel, images: Tensor, tmp_path: Path
) -> None:
    lrp = LRP(small)
    w = overlay({"LRP": lrp, "RELAX": RELAX(small, n_masks=64, cells=4)}, images)
    assert w.wait(20)
    w.image = 2
    this = w.save(tmp_path / "this.html")
    assert {maps["image"] for maps in messages(this, "maps")} == {2}
    assert {picture["image"] for picture in messages(this, "picture")} == {2}
    assert {said["image"] for said in messages(this, "prediction")} == {2}
    every = w.save(tmp_path / "all.html", images="all")
    assert sorted((maps["image"], maps["method"]) for maps in messages(every, "maps")) == [
        (0, "LRP"), (1, "LRP"), (2, "LRP"),
    ]  # fmt: skip
    assert {picture["image"] for picture in messages(every, "picture")} == {0, 1, 2}
    w.show = "compare"
    both = w.save(tmp_path / "both.html", images="all")
    assert {(maps["image"], maps["method"]) for maps in messages(both, "maps")} == {
        (image, method) for image in range(3) for method in ("LRP", "RELAX")
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", content(both)["saved"]["date"])
    assert w.image == 2, "the widget itself stays where it is"


def test_the_browser_gets_its_page_after_the_answer(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    w = overlay(RELAX(small, n_masks=4096, cells=4, batch_size=32), images)
    until(lambda: w.result is not None)
    w.hear(type="export", id=7, format="html", images="all")
    assert w.of("export") == []
    assert w.wait(60)
    [(answer, buffers)] = w.packets("export")
    assert (answer["id"], "error" in answer) == (7, False)
    page = bytes(buffers[0]).decode()
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    maps = [m["content"] for m in json.loads(found[1])["messages"] if m["content"]["type"] == "maps"]
    assert {entry["image"] for entry in maps} == {0, 1, 2}
    assert all(entry["final"] for entry in maps)


def test_stopping_a_page_says_so(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    w = overlay(RELAX(small, n_masks=10**6, cells=4, batch_size=32), images)
    until(lambda: w.result is not None)
    w.hear(type="export", id=7, format="html")
    w.stop()
    assert w.wait(20)
    assert w.of("export")[0]["error"] == "stopped before the page was complete"


def test_how_many_masks_is_said_as_it_is(overlay: Overlay, small: ImageModel, images: Tensor, tmp_path: Path) -> None:
    w = overlay(RELAX(small, n_masks=96, cells=4, batch_size=32), images)
    until(lambda: w.result is not None)
    assert "n_masks=128" in repr(w.result), "whole blocks"
    assert w.wait(20)
    assert w.result.provenance.parameters["n_masks"] == w.result.n_masks == 128
    w.more()
    assert w.wait(20)
    assert w.result.provenance.parameters["n_masks"] == w.result.n_masks == 256
    page = w.save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "1099511627776" not in page + repr(w.result) + w._caption()
    assert "256 masks" in w._caption()


def test_pictures_show_the_view(overlay: Overlay, small: ImageModel, images: Tensor, tmp_path: Path) -> None:
    w = overlay({"RELAX": RELAX(small, n_masks=64, cells=4), "LRP": LRP(small)}, images, show="u_relax")
    assert w.wait(20)
    seen = {"first": pixels(w.save(tmp_path / "a.png"))}
    changes: dict[str, dict[str, Any]] = {
        "colormap": {"colormap": "magma"},
        "threshold": {"threshold": 0.2},
        "fade": {"filter_mode": "fade"},
        "opacity": {"opacity": 0.3},
        "picture": {"picture": "colour"},
        "alone": {"picture": "none"},
        "outlines": {"overlay": "outlines"},
        "zoom": {"zoom": [3.0, 0.5, 0.5]},
        "clip": {"overlay": "colours", "clip": 80.0},
        "fixed": {"scale": "fixed", "fixed_range": [0.0, 5.0]},
        "view": {"show": "uncertainty"},
    }
    for name, change in changes.items():
        for trait, value in change.items():
            setattr(w, trait, value)
        seen[name] = pixels(w.save(tmp_path / "a.png"))
        last, before = seen[name], list(seen.values())[-2]
        assert last.shape != before.shape or np.abs(last - before).max() > 8, name
    assert len(w._panes()) == 1
    w.show = "side_by_side"
    assert [pane.title for pane in w._panes()] == ["Picture", "Importance", "Uncertainty", "U-RELAX"]
    w.show = "compare"
    w.method = "LRP"
    assert w.wait(20)
    assert [pane.title for pane in w._panes()] == ["Picture", "RELAX: Importance", "LRP: Relevance"]
    w.title = "A <title> & $more$"
    for kind in ("svg", "pdf", "png"):
        assert w.save(tmp_path / f"a.{kind}").stat().st_size > 5000


def test_a_caption_says_how_it_was_made(overlay: Overlay, cnn: ImageModel, x: Tensor) -> None:
    w = overlay(LRP(cnn), x, target="star", against="heart")
    assert w.wait(30)
    w.parameters = {"LRP": {"composite": "epsilon_gamma_box", "gamma": 0.5}}
    assert w.wait(30)
    said = w._caption()
    assert re.search(
        r"demo:shapes-cnn · LRP \(Composite ε \+ γ, box at the pixels, γ: favour positive contributions 0\.5\)", said
    )
    assert re.search(r"star, probability \d+\.\d% against heart · image 1 of 3 · \d{4}-\d\d-\d\d$", said)


def test_notes_belong_to_their_answer(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    w = overlay(LRP(small), images)
    assert w.wait(20)
    w.target = 3
    assert w.wait(20)
    w.sent.clear()
    w.target = None
    assert w.wait(20)
    [maps] = w.of("maps")
    best = int(small.scores(images[:1]).argmax())
    assert maps["notes"][0][1].startswith(f"class {best}, probability")
    assert maps["notes"][1][0] == "relevance at the pixels"


def test_of_a_score_next_to_zero_no_share_is_said(overlay: Overlay, small: ImageModel, images: Tensor) -> None:
    leaks = (Leak("conv1", "bias", -0.2105), Leak("conv2", "bias", 1e-6))
    result = SimpleNamespace(conservation=Conservation(-0.01272, 0.1978, {}, leaks))
    assert notes_of(result) == [
        [
            "relevance at the pixels",
            "0.1978 of −0.01272; the score explained is close to zero: shares of it say nothing",
        ],
        ["into bias at conv1", "−0.2105"],
    ]
    usual = SimpleNamespace(conservation=Conservation(-4.0, -3.0, {}, (Leak("conv1", "bias", -1.0),)))
    assert notes_of(usual) == [["relevance at the pixels", "75.0% of −4"], ["into bias at conv1", "+25.0%"]]
    nothing = SimpleNamespace(conservation=Conservation(0.0, 0.0, {}, ()))
    [[_, said]] = notes_of(nothing)
    assert said.startswith("0 of 0; the score explained is close to zero")


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_the_figures_cut_is_the_methods(overlay: Overlay, small: ImageModel, images: Tensor, threshold: float) -> None:
    w = overlay(RELAX(small, n_masks=64, cells=4), images, show="u_relax", threshold=threshold)
    assert w.wait(20)
    [pane] = w._panes()
    sure = w.result.sure(threshold)[0]
    hidden = torch.zeros_like(sure) if pane.hidden is None else pane.hidden
    assert torch.equal(~hidden, sure)
