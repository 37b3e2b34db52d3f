"""Where the parts of the heatmap widget stand: nothing jumps, a laptop shows all of it, the page scrolls, any image is two actions away."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from .standin import LRP_METHOD, RELAX_METHOD, StandIn, encode, known_maps, known_picture, maps_message, picture_message

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]

PLACES = """() => [...document.querySelectorAll(".xw :is(button, input, select, .xw-frame, [role=slider])")]
    .filter((e) => e.offsetParent && !e.closest(".xw-panes :not(.xw-frame)") && !e.closest(".xw-tooltip"))
    .map((e) => { const b = e.getBoundingClientRect();
        return [e.getAttribute("aria-label") || e.textContent.trim() || e.className, b.x, b.y, b.width, b.height]; })"""

CONTRAST = """() => {
    const parse = (c) => {
        const n = c.match(/[\\d.]+/g).map(Number), all = n.length < 4 ? [...n, 1] : n;
        return c.startsWith("color(") ? [...all.slice(0, 3).map((v) => 255 * v), all[3]] : all;
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const mix = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
    const ground = (e) => {
        const layers = [];
        for (let at = e; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((under, layer) => mix(layer, under), [255, 255, 255]);
    };
    const poor = [];
    for (const e of document.querySelectorAll(".xw *")) {
        const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!text || !e.offsetParent || e.closest(".xw-hidden, :disabled, .xw-note, option")) continue;
        const behind = ground(e);
        const [a, b] = [light(mix(parse(getComputedStyle(e).color), behind)), light(behind)];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.push([e.textContent.trim().slice(0, 30), ratio.toFixed(2)]);
    }
    return poor;
}"""

NAMES = ["ring", "star", "heart", "a class with quite a long name of its own"]


def prediction(image: int, label: int | None = 1) -> dict[str, Any]:
    shares = np.array([0.9, 0.06, 0.03, 0.01], "<f4")
    content = {"type": "prediction", "image": image, "kind": "probability", "label": label}
    return {"content": content, "buffers": [encode(np.array([1, 3, 0, 2], "<i4")), encode(shares)]}


def album(count: int) -> dict[str, Any]:
    """One sheet: every image of its own grey; each fifth answer is wrong."""
    columns, rows = 8, -(-count // 8)
    sheet = np.zeros((rows * 48, columns * 48), np.uint8)
    for index in range(count):
        y, x = divmod(index, columns)
        sheet[y * 48 : (y + 1) * 48, x * 48 : (x + 1) * 48] = 255 * index // count
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "JPEG", quality=80)
    content = {
        "type": "album", "start": 0, "tile": [48, 48], "columns": columns, "kind": "probability",
        "classes": [index % 3 for index in range(count)], "shares": [0.9] * count,
        "labels": [(index + (index % 5 == 0)) % 3 for index in range(count)],
    }  # fmt: skip
    return {"content": content, "buffers": [base64.b64encode(out.getvalue()).decode()]}


def started(standin: Start, images: int = 64, **page: Any) -> StandIn:
    maps = known_maps()
    relax = {name: m for name, m in maps.items() if name != "relevance"}
    state = {
        "methods": [RELAX_METHOD, LRP_METHOD], "images": images, "class_names": NAMES, "model_name": "demo:shapes-cnn",
        "title": "", "opacity": 0.8,
    } | page.pop("state", {})  # fmt: skip
    messages = [
        picture_message(known_picture()),
        maps_message(relax),
        maps_message({"relevance": maps["relevance"]}, "lrp"),
    ]
    if images > 1:
        messages.append(album(images))
    return standin(state=state, messages=[*messages, prediction(0)], **page)


def places(widget: StandIn) -> dict[str, list[float]]:
    widget.settle()
    return {name: box for name, *box in widget.page.evaluate(PLACES)}


def moved(before: dict[str, list[float]], after: dict[str, list[float]]) -> dict[str, tuple[list[float], list[float]]]:
    """What stands elsewhere by more than two pixels, of all that is still there."""
    both = before.keys() & after.keys()
    return {
        name: (before[name], after[name]) for name in both if np.abs(np.subtract(before[name], after[name])).max() > 2
    }


@pytest.mark.parametrize("width", [640, 1000, 1400])
def test_nothing_jumps(standin: Start, width: int) -> None:
    widget = started(standin, width=width, height=900, state={"method": "lrp", "show": "relevance"})
    before = places(widget)
    assert len(before) > 15
    widget.page.mouse.move(*widget.frame_point(0.4, 0.4))
    assert moved(before, places(widget)) == {}, "hover"
    widget.page.mouse.click(*widget.frame_point(0.4, 0.4))
    widget.page.mouse.move(2, 2)
    assert moved(before, places(widget)) == {}, "pin"
    widget.update(target=3)
    widget.receive(maps_message({"relevance": -known_maps()["relevance"]}, "lrp", target=3))
    assert moved(before, places(widget)) == {}, "another class, with a long name"
    widget.update(status={"state": "running"})
    widget.update(status={"state": "done"})
    assert moved(before, places(widget)) == {}, "busy and back"


@pytest.mark.parametrize("width", [1000, 1400])
def test_side_by_side_and_back(standin: Start, width: int) -> None:
    widget = started(standin, width=width, height=900)
    before = places(widget)
    widget.root.get_by_role("radio", name="Side by side").click()
    widths = """() => [...document.querySelectorAll(".xw-frame")].map((e) => e.offsetWidth)"""
    widget.settle()
    sizes = widget.page.evaluate(widths)
    assert len(sizes) == 4
    for pane in range(4):
        widget.page.mouse.move(*widget.frame_point(0.5, 0.5, pane))
        widget.settle()
        assert widget.page.evaluate(widths) == sizes, "panes keep their width under the pointer"
    panel = [box for name, box in places(widget).items() if name.startswith("Viridis")]
    widget.root.get_by_role("radio", name="Importance").click()
    widget.page.mouse.move(2, 2)
    assert moved(before, places(widget)) == {}
    assert panel == [box for name, box in before.items() if name.startswith("Viridis")], "the panel has one place"


@pytest.mark.parametrize("width", [1000, 1400])
def test_a_laptop_shows_picture_slider_and_buttons_at_once(standin: Start, width: int) -> None:
    widget = started(standin, width=width, height=720)
    widget.root.get_by_role("button", name="Got it").click()
    for part in (
        widget.root.locator(".xw-frame"),
        widget.root.get_by_role("slider", name="Opacity"),
        widget.root.get_by_role("button", name="Save"),
    ):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 720
    frame = widget.root.locator(".xw-frame").bounding_box()
    assert frame is not None
    assert 240 <= frame["height"] <= 0.7 * 720


def test_the_page_scrolls_through_by_wheel_alone(standin: Start) -> None:
    widget = started(standin, width=1000, height=420)
    end = widget.page.evaluate("document.documentElement.scrollHeight - innerHeight")
    assert end > 200
    for x in (200, 500, 850):
        widget.page.evaluate("scrollTo(0, 0)")
        widget.page.mouse.move(x, 210)
        for _ in range(40):
            widget.page.mouse.wheel(0, 60)
        widget.page.wait_for_function("(end) => scrollY >= end - 1", arg=end)
        for _ in range(40):
            widget.page.mouse.wheel(0, -60)
        widget.page.wait_for_function("scrollY === 0")
    assert widget.page.evaluate("model.state.zoom ?? null") is None


def test_the_header_says_what_is_explained(standin: Start) -> None:
    widget = started(standin, width=1400)
    expect(widget.root.locator(".xw-predicted")).to_contain_text(
        "predicted: star 90 % · a class with quite a long name of its own 6 % · ring 3 %"
    )
    expect(widget.root.locator(".xw-predicted")).to_contain_text("✓ label: star")
    expect(widget.root.locator(".xw-method")).to_contain_text("demo:shapes-cnn · RELAX")
    thumb = widget.page.evaluate(
        """() => { const c = document.querySelector(".xw-plain-thumb canvas");
            return [...c.getContext("2d").getImageData(c.width * 0.35, c.height * 0.4, 1, 1).data]; }"""
    )
    red, green, blue, _ = thumb
    assert red > green + 40 > blue, "the plain picture in its own colours"
    widget.root.get_by_role("radio", name="LRP").click()
    box = widget.root.get_by_role("combobox", name="Class")
    expect(box).to_have_value("predicted: star")
    box.click()
    options = widget.root.get_by_role("listbox", name="Class").get_by_role("option")
    expect(options).to_have_text(
        ["predicted: star", "star90 %", "a class with quite a long name of its own6 %", "ring3 %", "heart1 %"]
    )
    widths = [
        float(re.findall(r"[\d.]+", bar)[0])
        for bar in options.locator(".xw-share-bar").evaluate_all("all => all.map(e => e.style.width)")
    ]
    assert widths == pytest.approx([90, 6, 3, 1], abs=0.01)


def test_any_of_64_images_in_two_actions(standin: Start) -> None:
    widget = started(standin)
    asked = "(count) => model.sent.filter(m => m.type === 'compute').length >= count"
    number = widget.root.get_by_label("Image number")
    number.fill("47")
    number.press("Enter")
    widget.page.wait_for_function(asked, arg=1)
    assert widget.computes[-1]["image"] == 46
    widget.root.get_by_role("button", name="All", exact=True).click()
    widget.root.get_by_role("option", name="Image 13:").click()
    widget.page.wait_for_function(asked, arg=2)
    assert widget.computes[-1]["image"] == 12
    widget.root.get_by_label("Which images").select_option("wrong")
    shown = widget.root.get_by_role("listbox", name="Images").get_by_role("option")
    # Each fifth answer, but for the first: of that image the prediction itself is here, and it is right.
    expect(shown).to_have_count(len(range(5, 64, 5)))
    expect(shown.first).to_have_attribute("aria-label", "Image 6: heart 90 %, wrong: ring")
    shown.first.focus()
    widget.page.keyboard.press("End")
    widget.page.wait_for_function("model.sent.at(-1).image === 60")
    number.fill("999")
    number.press("Enter")
    expect(number).to_have_value("61")


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_can_be_read(standin: Start, dark: bool) -> None:
    widget = started(standin, dark=dark, width=1100)
    assert widget.page.evaluate(CONTRAST) == []
    widget.root.get_by_role("button", name="What is “Opacity”?").click()
    expect(widget.root.get_by_role("note")).to_have_text("How strongly the map covers the picture.")
    widget.update(status={"state": "error", "message": "it broke", "hint": "mend it"})
    assert widget.page.evaluate(CONTRAST) == []
    widget.page.keyboard.press("Escape")
    expect(widget.root.get_by_role("note")).to_have_count(0)
    expect(widget.root.get_by_role("button", name="What is “Opacity”?")).to_be_focused()
