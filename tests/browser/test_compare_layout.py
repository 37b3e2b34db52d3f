"""The overlay's popup Compare: it hears at once, stays in its window, and nothing jumps or goes blank by it."""

from __future__ import annotations

import pytest

from .comparing import Open, compare, frames, labels_of
from .test_heatmap_layout import PLACES, moved

pytestmark = pytest.mark.browser


def test_what_changes_places_is_never_blank(opened: Open) -> None:
    live = opened(difference=[0, 1], show="models")
    live.root.get_by_role("button", name="Compare").click()
    ends = live.root.get_by_role("combobox", name="Difference of")
    seen = ends.evaluate(
        """async (ends) => {
            const frames = document.querySelectorAll(".xw-frame canvas");
            const blank = () => [...frames].filter((c) => !c.getContext("2d").getImageData(9, 9, 1, 1).data[3]).length;
            const found = [];
            ends.selectedIndex = 1;
            ends.dispatchEvent(new Event("change", { bubbles: true }));
            for (let i = 0; i < 8; i++) {
                await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                found.push(blank());
            }
            return found;
        }"""
    )
    assert labels_of(live)[-1] == "ViT − CNN"
    assert seen == [0] * 8


def test_a_key_right_after_the_click_is_heard(opened: Open) -> None:
    button = opened().root.get_by_role("button", name="Compare")
    there = button.evaluate(
        """async (button) => {
            const found = [];
            for (const act of [() => button.click(), () => button.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }))]) {
                act();
                // What follows without a frame, a timer or another event between.
                for (let i = 0; i < 20; i++) await null;
                found.push(button.parentElement.querySelector("[role=dialog]") !== null);
            }
            return found;
        }"""
    )
    assert there == [True, False]


@pytest.mark.parametrize("width", [640, 1000, 1400])
def test_nothing_jumps(opened: Open, width: int) -> None:
    live = opened(width=width)

    def places() -> dict[str, list[float]]:
        live.page.mouse.move(2, 2)
        live.settle()
        return {name: box for name, *box in live.page.evaluate(PLACES)}

    before = places()
    frame = live.root.locator(".xw-frame").bounding_box()
    for by in ("Model", "Method", "Image", "Class"):
        box = compare(live, by)
        sizes = {tuple(frame.evaluate("(e) => [e.offsetWidth, e.offsetHeight]")) for frame in frames(live)}
        assert len(sizes) == 1, "all frames are of one size"
        box.get_by_role("checkbox", name="Difference").check()
        live.turn()
        wide = live.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, by
        box.get_by_role("radio", name="Nothing").click()
        live.turn()
        live.page.keyboard.press("Escape")
        assert moved(before, places()) == {}, by
        assert live.root.locator(".xw-frame").bounding_box() == frame
    live.root.get_by_role("button", name="Gallery").click()
    live.turn(60)
    live.root.get_by_role("button", name="Gallery").click()
    live.turn()
    assert moved(before, places()) == {}, "gallery and back"


@pytest.mark.parametrize(("width", "height"), [(640, 720), (1200, 720)])
def test_the_popup_fits_a_small_window_whole(opened: Open, width: int, height: int) -> None:
    live = opened(width=width, height=height)
    live.root.get_by_role("button", name="Compare").click()
    box = live.root.get_by_role("dialog", name="Compare")
    ways = box.get_by_role("radio").all()
    assert len(ways) >= 4
    for way in ways:
        way.check()
        live.turn()
        if box.get_by_role("checkbox", name="Difference").count():
            box.get_by_role("checkbox", name="Difference").check()
            live.turn()
        live.settle()
        place = box.bounding_box()
        assert place is not None
        name = way.get_attribute("value") or way.inner_text()
        assert place["x"] >= 0, name
        assert place["x"] + place["width"] <= width, name
        assert place["height"] <= height, name
        # All of it can be reached by keys, and stands in the window then.
        for control in box.locator("input:visible, select:visible, button:visible").all():
            control.focus()
            there = control.bounding_box()
            assert there is not None
            assert there["y"] >= -1, name
            assert there["y"] + there["height"] <= height + 1, name
            assert there["x"] >= 0, name
            assert there["x"] + there["width"] <= width, name
        # A name is not cut where there is room for it on a line.
        cut = """(select) => {
            const copy = select.cloneNode(true);
            copy.style.cssText = "position: absolute; visibility: hidden; width: auto; max-width: none; flex: none";
            select.after(copy);
            const natural = copy.offsetWidth;
            copy.remove();
            return natural > select.offsetWidth + 1 && select.offsetWidth < select.parentElement.clientWidth - 2;
        }"""
        for select in box.locator(".xw-difference select").all():
            assert not select.evaluate(cut), name
    assert live.errors == []
