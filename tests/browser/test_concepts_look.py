"""What the concept browser shows of bars, references and names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from .standin import StandIn
from .standin_concepts import INSIDE, RELEVANCE, open_browser

pytestmark = pytest.mark.browser
Open = Callable[..., StandIn]

BARS = """() => [...document.querySelectorAll(".xw-row")].map((row) => {
    const zero = row.querySelector(".xw-share-zero").getBoundingClientRect().left;
    const bar = row.querySelector(".xw-share i:not(.xw-share-zero, .xw-share-whole)").getBoundingClientRect();
    const whole = row.querySelector(".xw-share-whole")?.getBoundingClientRect();
    return [Number(row.dataset.value), bar.left - zero, bar.right - zero, whole ? whole.right - zero : null];
})"""


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Open]:
    opened: list[StandIn] = []

    def start(**arguments: object) -> StandIn:
        opened.append(open_browser(chromium, **arguments))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for widget in opened:
        widget.page.context.close()
        assert widget.errors == []


def boxed(widget: StandIn) -> None:
    layer = widget.root.locator(".xw-box-layer").bounding_box()
    assert layer is not None
    at = [(layer["x"] + share * layer["width"], layer["y"] + share * layer["height"]) for share in (0.25, 0.5)]
    widget.drag(at[0], at[1])
    expect(widget.root.get_by_role("heading", name=re.compile("Inside the box"))).to_be_visible()


def test_bars_begin_at_one_zero_and_say_their_sign(browse: Open) -> None:
    widget = browse()
    expect(widget.root.locator(".xw-row")).to_have_count(12)
    bars = widget.page.evaluate(BARS)
    # A pixel wide at least, where there is next to nothing.
    scale = max(right for _, _, right, _ in bars) / max(value for value, *_ in bars)
    for value, left, right, whole in bars:
        assert right - left == pytest.approx(max(1, abs(value) * scale), abs=1.1)
        assert left == pytest.approx(min(0, value * scale), abs=1.1)
        assert whole is None
    assert min(left for _, left, _, _ in bars) < -20, "one concept speaks against the class"
    expect(widget.root.locator(".xw-bar-key")).to_have_text("for staragainst")
    widget.root.get_by_role("radio", name="Activation").click()
    expect(widget.root.locator(".xw-bar-key")).to_have_text("how active each concept is on the image")


def test_the_grey_part_of_bars_has_a_legend(browse: Open) -> None:
    widget = browse()
    boxed(widget)
    expect(widget.root.locator(".xw-bar-key")).to_contain_text("over the whole image")
    wholes = {round(value, 5): whole for value, _, _, whole in widget.page.evaluate(BARS)}
    shares, inside = RELEVANCE / np.abs(RELEVANCE).sum(), INSIDE / np.abs(INSIDE).sum()
    best = int(shares.argmax())
    assert wholes[round(float(inside[best]), 5)] == pytest.approx(max(wholes.values()), abs=0.5)


def test_an_answer_to_a_box_leaves_the_list_where_it_is(browse: Open) -> None:
    widget = browse(traits={"concept": 7})
    rows = widget.root.locator(".xw-rows")
    widget.page.add_style_tag(content=".xw-concepts .xw-rows { max-height: 150px; }")
    boxed(widget)
    # What acts there is on top; the chosen concept is far below, and does not pull the list down.
    assert rows.evaluate("(rows) => rows.scrollTop") == 0
    rows.evaluate("(rows) => { rows.scrollTop = 90; }")
    widget.root.locator(".xw-box-layer").press("ArrowRight")
    widget.rest()
    assert rows.evaluate("(rows) => rows.scrollTop") == 90
    # One that is chosen comes into view.
    search = widget.root.get_by_role("combobox", name="Search")
    search.fill("11")
    search.press("Enter")
    row = widget.root.locator(".xw-row[data-concept='11']")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(row).to_be_in_viewport()


def test_a_reference_is_enlarged_and_back(browse: Open) -> None:
    widget = browse()
    frames = widget.root.locator("button.xw-reference-frame")
    expect(frames).to_have_count(8)
    before = widget.root.locator(".xw-references").bounding_box()
    frames.nth(2).click()
    dialog = widget.root.get_by_role("dialog", name="Sample 12, <img src=x onerror=alert(1)>")
    expect(dialog.locator(".xw-frame canvas")).to_have_count(2)
    small, large = frames.nth(0).bounding_box(), dialog.locator(".xw-frame").first.bounding_box()
    assert small is not None
    assert large is not None
    assert large["width"] > 1.8 * small["width"]
    assert widget.root.locator(".xw-references").bounding_box() == before, "nothing around it moves"
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    widget.page.keyboard.press("ArrowLeft")
    expect(widget.root.get_by_role("dialog")).to_have_attribute("aria-label", "Sample 11, star")
    widget.page.keyboard.press("Escape")
    expect(widget.root.get_by_role("dialog")).to_have_count(0)
    expect(frames.nth(1)).to_be_focused()


def test_a_name_is_taken_back(browse: Open) -> None:
    widget = browse(traits={"labels": [{"layer": "conv2", "concept": 2, "name": "rim", "note": "n"}]})
    name = widget.root.get_by_role("textbox", name=re.compile("^Name of"))
    expect(name).to_have_value("rim")
    undo = widget.root.get_by_role("button", name="Undo")
    expect(undo).to_have_count(0)
    name.fill("edge")
    name.press("Enter")
    expect(undo).to_have_attribute("title", "Back to “rim”")
    undo.click()
    expect(name).to_have_value("rim")
    sent = [message for message in widget.sent if message["type"] == "label"]
    assert [(m["name"], m["note"]) for m in sent] == [("edge", "n"), ("rim", "n")]
    undo.click()
    expect(name).to_have_value("edge")


def test_what_a_heatmap_must_not_be_taken_for(browse: Open) -> None:
    widget = browse()
    line = widget.root.locator(".xw-image .xw-sentence")
    expect(line).to_have_text("Red speaks for star, blue speaks against star; the stronger the colour, the more.")
    expect(line).to_have_attribute("data-caution", "false")
