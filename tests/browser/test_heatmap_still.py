"""What stands on screen while the answer is on its way, or never comes; and pictures of any shape and names of any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from .files import save
from .standin import (
    LRP_METHOD,
    StandIn,
    known_maps,
    known_picture,
    lrp_messages,
    lrp_state,
    maps_message,
    picture_message,
)

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]
SPOKEN = {"high": "speaks for {class}", "low": "speaks against {class}"}
SPEAKING = {**LRP_METHOD, "views": [{**LRP_METHOD["views"][0], **SPOKEN}]}
LONG = "a black-footed ferret, polecat or another animal of a name that no header has room for " * 3


def asked(target: int) -> list[dict]:
    relevance = {"relevance": known_maps()["relevance"]}
    return [picture_message(known_picture()), maps_message(relevance, "lrp", target=target)]


def test_an_old_map_is_dimmed_and_named(standin: Start) -> None:
    widget = standin(state=lrp_state(target=3, methods=[SPEAKING]), messages=asked(3))
    frame = widget.root.locator(".xw-frame").first
    expect(frame.locator(".xw-still")).to_have_count(0)
    widget.update(status={"state": "running"}, target=5)
    sentence = widget.root.locator(".xw-sentence").first
    expect(sentence).to_contain_text("class 3")
    expect(sentence).not_to_contain_text("class 5")
    expect(frame.locator(".xw-still")).to_have_text("still: class 3 · computing class 5…")
    expect(frame.locator("canvas").first).to_have_css("opacity", "0.4")
    widget.update(status={"state": "error", "message": "it broke", "hint": ""})
    expect(frame.locator(".xw-still")).to_have_text("still: class 3 · no answer for class 5")
    alert = widget.root.get_by_role("alert")
    expect(alert).to_be_in_viewport()
    box, picture = alert.bounding_box(), frame.bounding_box()
    assert box is not None
    assert picture is not None
    assert picture["y"] - 40 < box["y"] < picture["y"] + picture["height"] / 2, "at the picture"


def test_a_map_of_nothing_is_no_colour(standin: Start, tmp_path: Path) -> None:
    picture = known_picture()
    relevance = {"relevance": np.ones((224, 224), np.float32)}
    messages = [picture_message(picture), maps_message(relevance, "lrp")]
    widget = standin(state=lrp_state(opacity=1.0), messages=messages)
    red, green, blue = widget.pixel(0.42, 0.45)
    assert red == green == blue, "the grey picture alone"
    expect(widget.root.locator(".xw-sentence").first).to_contain_text("This map is 1 everywhere")
    expect(widget.root.locator(".xw-colorbar")).to_have_text("1 everywhere")
    expect(widget.root.locator(".xw-ramp")).to_have_count(0)
    svg = save(widget.root, "SVG", tmp_path).read_text(encoding="utf-8")
    assert "1 everywhere" in svg
    assert "linearGradient" not in svg


def test_a_tall_picture_is_whole_in_the_header(standin: Start) -> None:
    tall = np.zeros((120, 40, 3), np.uint8)
    messages = [picture_message(tall), maps_message({"relevance": np.eye(120, 40, dtype=np.float32)}, "lrp")]
    widget = standin(state=lrp_state(), messages=messages)
    box = widget.root.locator(".xw-plain-thumb canvas").bounding_box()
    place = widget.root.locator(".xw-plain-thumb").bounding_box()
    assert box is not None
    assert place is not None
    assert box["height"] <= place["height"] + 0.5
    expect(widget.root.locator(".xw-plain-thumb canvas")).to_have_css("object-fit", "contain")


def test_of_a_long_name_the_number_and_the_sign_stay(standin: Start) -> None:
    said = {"type": "prediction", "image": 0, "kind": "probability", "label": 1}
    widget = standin(state=lrp_state(class_names=[LONG, "star"]), messages=lrp_messages())
    widget.page.evaluate(
        """(said) => model.receive(said, [
            new Int32Array([0, 1]).buffer, new Float32Array([0.9, 0.1]).buffer].map((part) => new DataView(part)))""",
        said,
    )
    widget.settle()
    line = widget.root.locator(".xw-predicted")
    outer = line.bounding_box()
    assert outer is not None
    for part in (line.get_by_text("90 %"), line.locator(".xw-verdict"), line.get_by_text("star", exact=True).last):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= outer["x"] + outer["width"] + 0.5
    expect(line.locator("b")).to_have_attribute("title", LONG)


def test_of_one_class_there_is_nothing_to_choose(standin: Start) -> None:
    said = {"type": "prediction", "image": 0, "kind": "probability", "label": None}
    widget = standin(state=lrp_state(class_names=["a crack"]), messages=lrp_messages())
    widget.page.evaluate(
        """(said) => model.receive(said, [
            new Int32Array([0]).buffer, new Float32Array([0.2]).buffer].map((part) => new DataView(part)))""",
        said,
    )
    widget.settle()
    for name, value in (("Class", "a crack"), ("Against", "nothing")):
        box = widget.root.get_by_role("combobox", name=name, exact=True)
        expect(box).to_have_value(value)
        box.click()
        expect(widget.root.get_by_role("listbox", name=name).get_by_role("option")).to_have_text([value])
        box.press("Escape")


@pytest.mark.parametrize("width", [640, 1000, 1400])
def test_the_predicted_class_fits_its_field(standin: Start, width: int) -> None:
    said = {"type": "prediction", "image": 0, "kind": "probability", "label": 1}
    widget = standin(state=lrp_state(class_names=["crescent", "triangle"]), messages=lrp_messages(), width=width)
    widget.page.evaluate(
        """(said) => model.receive(said, [
            new Int32Array([1, 0]).buffer, new Float32Array([0.9, 0.1]).buffer].map((part) => new DataView(part)))""",
        said,
    )
    widget.settle()
    box = widget.root.get_by_role("combobox", name="Class", exact=True)
    expect(box).to_have_value("predicted: triangle")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
