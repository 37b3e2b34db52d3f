"""The page of a widget in a cell's output: complete, of bounded size, and nothing of it acts on the notebook around it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import Recorded
from xaiwidgets.widgets import base
from xaiwidgets.widgets.frame import MOST_BYTES, StaticPage


def content(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_frame_holds_the_page(overlay: Callable[..., Recorded], images: Tensor, heat: Tensor) -> None:
    page = overlay({"a": heat}, images, title='<b>"mine"</b>').static()
    shown = page._repr_html_()
    source = re.search(r'srcdoc="([^"]*)"', shown)
    assert source
    assert html.unescape(source[1]) == page.page
    assert "<b>" not in shown.replace(source[0], "")
    # What a notebook that is not trusted leaves of it.
    still = re.search(r'<img src="data:image/png;base64,([^"]+)"', shown.split("</iframe>")[1])
    assert still
    assert still[1] == page._repr_mimebundle_()["image/png"]
    assert base64.b64decode(page._repr_mimebundle_()["image/png"])[1:4] == b"PNG"
    said = content(page.page)
    assert {message["content"]["type"] for message in said["messages"]} >= {"picture", "maps"}
    # The size that the page says is about its own.
    assert said["saved"]["bytes"] == pytest.approx(page.size, rel=0.05)
    assert "images" not in said["saved"]


def test_a_page_waits_for_the_answer(overlay: Callable[..., Recorded], images: Tensor) -> None:
    def slow(x: Tensor, target: object) -> Tensor:
        torch.randn(200, 200) @ torch.randn(200, 200)
        return x.abs().sum(1)

    page = overlay(slow, images).static(images="all")
    maps = [message for message in content(page.page)["messages"] if message["content"]["type"] == "maps"]
    assert {message["content"]["image"] for message in maps} == {0, 1, 2}
    assert all(message["content"]["final"] for message in maps)


def test_images_without_room_are_left_out_and_counted(
    overlay: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    many, heat = torch.randn(12, 3, 96, 96), torch.randn(12, 96, 96)
    w = overlay({"a": heat}, many, image=5)
    whole, one = w.static(images="all"), w.static()
    assert "images" not in content(whole.page)["saved"]
    monkeypatch.setattr(base, "MOST_BYTES", (whole.size + one.size) // 2)
    some = w.static(images="all")
    assert some.size <= (whole.size + one.size) // 2
    held, asked = content(some.page)["saved"]["images"]
    assert asked == 12
    assert 1 <= held < 12
    maps = [message["content"] for message in content(some.page)["messages"] if message["content"]["type"] == "maps"]
    assert len({message["image"] for message in maps}) == held
    assert maps[-1]["image"] == 5, "the one on screen comes first, and last"


def test_a_page_that_is_too_large_is_a_picture() -> None:
    page = StaticPage("<large>", "x" * (MOST_BYTES + 1), b"PNG")
    shown = page._repr_html_()
    assert "iframe" not in shown
    assert "data:image/png;base64," in shown
    assert "5 MB, too large for a notebook: w.save('page.html') writes it" in shown
    assert "&lt;large&gt;" in shown


def test_other_images_are_refused(overlay: Callable[..., Recorded], images: Tensor, heat: Tensor) -> None:
    with pytest.raises(ValueError, match="images='some' is not known"):
        overlay({"a": heat}, images).static(images="some")  # type: ignore[arg-type]
