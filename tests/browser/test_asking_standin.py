"""Asking by pointing, on a stand-in model: what the browser tells Python of a click, a drag and of keys; what is drawn and saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from .standin import StandIn, encode, known_maps, known_picture, lrp_state, maps_message, picture_message

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]
SIDE = 224
NAMES = ["ground", "ball", "cup", "ball at (94, 100)", "a shiny thing"]
TARGETS = [
    {"index": 3, "name": NAMES[3], "places": {"0": {"point": [94, 100]}}},
    {"index": 4, "name": NAMES[4], "places": {}},
]


def regions() -> dict[str, Any]:
    """A map of 56 × 56: a ball left of the middle, a cup in the lower right corner, and a second, smaller ball."""
    labels = np.zeros((56, 56), np.uint8)
    labels[15:35, 14:34] = 1
    labels[2:6, 50:54] = 1
    labels[40:, 40:] = 2
    labels[0, :] = 255
    shares = {str(k): float((labels == k).mean()) for k in range(3)}
    content = {"type": "places", "image": 0, "drawn": True, "boxes": None}
    return {"content": {**content, "regions": {"shape": [56, 56], "shares": shares}}, "buffers": [encode(labels)]}


def boxes() -> dict[str, Any]:
    found = [
        {"number": 4, "box": [10.0, 20.0, 200.0, 190.0], "label": 1, "share": 0.93},
        {"number": 7, "box": [60.0, 60.0, 110.0, 120.0], "label": 2, "share": 0.41},
    ]
    return {"content": {"type": "places", "image": 0, "drawn": False, "boxes": found, "regions": None}, "buffers": []}


def start(standin: Start, places: dict[str, Any], *more: dict[str, Any], **state: Any) -> StandIn:
    relevance = {"relevance": known_maps()["relevance"]}
    messages = [picture_message(known_picture()), places, maps_message(relevance, "lrp", unit="logit"), *more]
    return standin(state=lrp_state(class_names=NAMES, targets=TARGETS, **state), messages=messages)


def asks(widget: StandIn) -> list[dict[str, Any]]:
    return [{k: v for k, v in message.items() if k != "type"} for message in widget.sent if message["type"] == "ask"]


def at(widget: StandIn, x: float, y: float) -> tuple[float, float]:
    return widget.frame_point((x + 0.5) / SIDE, (y + 0.5) / SIDE)


def test_clicks_and_drags_in_pixels_of_the_picture(standin: Start) -> None:
    widget = start(standin, regions())
    widget.page.mouse.click(*at(widget, 100, 80))
    assert asks(widget) == [{"image": 0, "point": [100, 80]}]
    widget.drag(at(widget, 150, 60), at(widget, 20, 200))
    assert asks(widget)[-1] == {"image": 0, "box": [20, 60, 151, 201]}
    # Beyond the picture's edge the box ends there.
    widget.drag(at(widget, 150, 60), (at(widget, 0, 0)[0] - 40, at(widget, 0, 220)[1] + 60))
    assert asks(widget)[-1] == {"image": 0, "box": [0, 60, 151, 224]}
    # In a zoomed picture: twice as large around the middle of the upper left quarter.
    widget.update(zoom=[2, 0.25, 0.25])
    widget.page.mouse.click(*widget.frame_point(0.5, 0.25))
    assert asks(widget)[-1] == {"image": 0, "point": [56, 28]}
    assert widget.saved == [], "nothing was pinned, and nothing moved"
    # Read: a click pins, and asks nothing.
    count = len(asks(widget))
    widget.root.get_by_role("radio", name="Read").click()
    widget.page.mouse.click(*widget.frame_point(0.5, 0.25))
    expect(widget.root.locator(".xw-pin")).to_have_count(1)
    assert len(asks(widget)) == count
    assert widget.errors == []


def test_keys_ask_too(standin: Start) -> None:
    widget = start(standin, regions(), selection={"x": 30, "y": 40})
    frame = widget.root.locator(".xw-frame").first
    frame.focus()
    widget.page.keyboard.press("Enter")
    assert asks(widget) == [{"image": 0, "point": [30, 40]}]
    widget.page.keyboard.press("b")
    widget.update(selection={"x": 90, "y": 10})
    widget.page.keyboard.press("b")
    assert asks(widget)[-1] == {"image": 0, "box": [30, 10, 91, 41]}


def test_lines_follow_the_regions(standin: Start) -> None:
    widget = start(standin, regions(), target=3)
    found = widget.root.locator(".xw-places g")
    kinds = found.evaluate_all("(all) => all.map((g) => g.dataset.kind)")
    assert kinds == ["found", "found", "asked"], "the ground has its lines from the others"
    # Only the connected part is asked about: the larger ball, of cells 14 to 34.
    path = found.last.locator("path").first
    assert path.get_attribute("d") == "M14 15L34 15L34 35L14 35Z"
    assert found.last.get_attribute("transform") == "scale(4 4)"
    widget.page.mouse.move(*at(widget, 206, 14))
    expect(widget.root.locator(".xw-tooltip")).to_contain_text("predicted: ball")
    pointed = widget.root.locator(".xw-places g[data-kind='pointed'] path").first
    assert pointed.get_attribute("d") == "M50 2L54 2L54 6L50 6Z"
    widget.page.mouse.move(*at(widget, 100, 1))
    expect(widget.root.locator(".xw-tooltip")).not_to_contain_text("predicted")
    widget.root.get_by_role("checkbox", name="Regions").uncheck()
    expect(widget.root.locator(".xw-places g[data-kind='found']")).to_have_count(0)


def test_boxes_the_smaller_one_above(standin: Start) -> None:
    widget = start(standin, boxes())
    drawn = widget.root.locator(".xw-frame .xw-found")
    assert drawn.all_inner_texts() == ["ball 93 %", "cup 41 %"]
    widget.page.mouse.click(*at(widget, 80, 100))
    widget.page.mouse.click(*at(widget, 30, 150))
    assert asks(widget) == [{"image": 0, "found": 7}, {"image": 0, "found": 4}]
    rows = widget.root.get_by_role("list", name="Boxes").get_by_role("button")
    rows.nth(1).focus()
    widget.page.keyboard.press("Enter")
    assert asks(widget)[-1] == {"image": 0, "found": 7}


def test_side_by_side_shares_a_scale_only_where_units_agree(standin: Start) -> None:
    weak = {"relevance": (known_maps()["relevance"].astype(np.float32) / 4).astype(np.float16)}
    strong = {"relevance": known_maps()["relevance"]}
    first = maps_message(strong, "lrp", target=3, unit="logit")
    for unit, same in (("logit", True), ("cosine", False)):
        other = maps_message(weak, "lrp", target=4, unit=unit)
        widget = start(standin, regions(), first, other, show="targets")
        expect(widget.root.locator(".xw-frame canvas")).to_have_count(3)
        bars = widget.root.locator(".xw-colorbar[aria-label]").evaluate_all("(all) => all.map((bar) => bar.ariaLabel)")
        assert (bars[0] == bars[1]) is same, bars
        said = widget.root.locator(".xw-scales")
        expect(said).to_contain_text("One scale for all (of the logit)" if same else "counted alike (logit, cosine)")
        pale, full = widget.pixel(0.42, 0.45, pane=2), widget.pixel(0.42, 0.45, pane=1)
        assert bool(np.abs(np.array(pale) - full).max() > 20) is same
        assert widget.errors == []


def test_what_is_missing_is_asked_one_after_the_other(standin: Start) -> None:
    widget = start(standin, regions())
    widget.root.get_by_role("button", name="Side by side").click()
    widget.page.wait_for_function("model.sent.some((m) => m.type === 'compute')")
    assert [message["target"] for message in widget.computes] == [3]
    widget.receive(maps_message({"relevance": known_maps()["relevance"]}, "lrp", target=3))
    widget.page.wait_for_function("model.sent.filter((m) => m.type === 'compute').length === 2")
    assert [message["target"] for message in widget.computes] == [3, 4]
    assert widget.saved[-1].get("show", widget.saved[0].get("show")) == "targets"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [600, 1600])
def test_it_fits(standin: Start, width: int, dark: bool) -> None:
    relevance = {"relevance": known_maps()["relevance"]}
    messages = [picture_message(known_picture()), regions(), maps_message(relevance, "lrp")]
    state = lrp_state(class_names=NAMES, targets=TARGETS)
    widget = standin(width=width, dark=dark, state=state, messages=messages)
    for row in widget.root.locator(".xw-rows li").all():
        outer, inner = row.bounding_box(), row.get_by_role("button").bounding_box()
        assert outer is not None
        assert inner is not None
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 0.5
    wide = widget.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
