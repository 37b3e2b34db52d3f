"""The heatmap widget in a real browser: what it asks of Python, what it makes of the answers, and silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from .standin import (
    StandIn,
    known_maps,
    known_picture,
    known_snapshot,
    lrp_messages,
    lrp_state,
    maps_message,
)

pytestmark = pytest.mark.browser
Start = Callable[..., StandIn]


class TestClasses:
    def test_search_among_a_thousand_names(self, standin: Start) -> None:
        widget = standin(state=lrp_state(), messages=lrp_messages())
        box = widget.root.get_by_role("combobox", name="Class")
        expect(box).to_have_value("predicted class")
        box.click()
        expect(widget.root.get_by_role("listbox").get_by_role("option")).to_have_count(60)
        box.fill("tabby")
        expect(widget.root.get_by_role("listbox").get_by_role("option")).to_have_count(1)
        box.press("Enter")
        expect(box).to_have_value("tabby cat")
        widget.page.wait_for_function("model.sent.some(m => m.type === 'compute')")
        [request] = widget.computes
        question = {key: value for key, value in request.items() if key not in ("type", "id")}
        assert question == {"image": 0, "method": "lrp", "target": 999, "against": None, "parameters": {}}
        assert widget.page.evaluate("model.state.target") == 999

    def test_names_are_text_never_markup(self, standin: Start) -> None:
        widget = standin(state=lrp_state(title="<b>bold</b><script>1</script>"), messages=lrp_messages())
        box = widget.root.get_by_role("combobox", name="Against")
        box.click()
        box.fill("onerror")
        expect(widget.root.get_by_role("listbox").get_by_role("option")).to_have_text("<img src=x onerror=alert(1)>")
        expect(widget.root.locator("img, h2 b")).to_have_count(0)

    def test_settings_ask_when_they_rest(self, standin: Start) -> None:
        widget = standin(state=lrp_state(), messages=lrp_messages())
        slider = widget.root.get_by_role("slider", name="γ")
        # Moved within the page: through the driver, a busy machine would make a rest of every step.
        slider.evaluate(
            """(slider) => {
                for (let position = 60; position < 120; position += 5) {
                    slider.value = position;
                    slider.dispatchEvent(new Event("input", { bubbles: true }));
                }
            }"""
        )
        widget.page.wait_for_function("model.sent.some(m => m.type === 'compute')")
        assert len(widget.computes) == 1
        assert widget.computes[0]["parameters"]["gamma"] == pytest.approx(0.001 * (10 / 0.001) ** (115 / 200), rel=0.01)
        widget.root.get_by_label("Composite").select_option("attn_lrp")
        widget.root.get_by_label("Absolute values").check()
        widget.page.wait_for_function("model.sent.at(-1).parameters?.absolute === true")
        changed = widget.computes[-1]["parameters"]
        assert (changed["composite"], changed["absolute"]) == ("attn_lrp", True)
        assert "depth" not in changed, "what was not changed is Python's to know"

    def test_the_next_image(self, standin: Start) -> None:
        widget = standin(state=lrp_state(images=3), messages=lrp_messages())
        first = widget.root.get_by_role("option", name="Image 1")
        expect(first).to_have_attribute("aria-selected", "true")
        first.focus()
        widget.page.keyboard.press("ArrowRight")
        expect(widget.root.get_by_role("option", name="Image 2")).to_have_attribute("aria-selected", "true")
        expect(widget.root.get_by_label("Image number")).to_have_value("2")
        widget.page.wait_for_function("model.sent.some(m => m.type === 'compute')")
        assert widget.computes[0]["image"] == 1
        expect(widget.root.get_by_text("waiting for the picture")).to_be_visible()


class TestComputing:
    def test_progress_stop_and_more(self, standin: Start) -> None:
        running = {
            "state": "running",
            "done": 640,
            "total": 3000,
            "unit": "masks",
            "largest_error": 0.0131,
            "seconds_left": 4,
        }
        widget = standin(state={"status": running})
        expect(widget.root.get_by_text("640 of 3000 masks · largest s.e. 0.013 · 4 s left")).to_be_visible()
        expect(widget.root.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "21")
        expect(widget.root.get_by_role("button", name="More")).to_be_disabled()
        widget.root.get_by_role("button", name="Stop").click()
        assert widget.sent[-1] == {"type": "stop"}
        widget.update(status=running | {"state": "stopped"})
        expect(widget.root.get_by_text("stopped")).to_be_visible()
        widget.root.get_by_role("button", name="More").click()
        assert widget.sent[-1] == {"type": "more"}

    def test_partial_results_sharpen_in_place(self, standin: Start) -> None:
        widget = standin(state={"opacity": 1.0, "status": {"state": "running"}})
        maps = {name: m for name, m in known_maps().items() if name != "relevance"}
        before = widget.pixel(0.42, 0.45)
        for step in range(3):
            flipped = {name: m[:, ::-1] if step % 2 == 0 else m for name, m in maps.items()}
            widget.receive(maps_message(flipped, final=False))
        assert widget.pixel(0.58, 0.45)[0] > 200
        assert widget.pixel(0.42, 0.45) != before

    def test_error_is_shown_with_what_to_do_and_the_picture_stays(self, standin: Start) -> None:
        widget = standin(state={"opacity": 1.0})
        before = widget.pixel(0.42, 0.45)
        error = {"state": "error", "message": "encoder returned a tuple", "hint": "name a layer with layer=…"}
        widget.update(status=error)
        alert = widget.root.get_by_role("alert")
        expect(alert).to_contain_text("encoder returned a tuple")
        expect(alert).to_contain_text("name a layer with layer=…")
        assert widget.pixel(0.42, 0.45) == before
        widget.root.get_by_role("button", name="Dismiss").click()
        expect(alert).to_have_count(0)
        widget.update(status=error | {"message": "and again"})
        expect(alert).to_contain_text("and again")

    def test_stale_and_unknown_messages_are_ignored(self, standin: Start) -> None:
        widget = standin(state=lrp_state(opacity=1.0), messages=lrp_messages())
        before = widget.pixel(0.42, 0.45)
        box = widget.root.get_by_role("combobox", name="Class")
        for asked, name in enumerate(("class 5", "class 77")):
            box.click()
            box.fill(name)
            box.press("Enter")
            widget.page.wait_for_function(f"model.sent.filter(m => m.type === 'compute').length > {asked}")
        first, second = widget.computes
        late = {"relevance": -known_maps()["relevance"]}
        widget.receive(maps_message(late, "lrp", request=first["id"], target=5))
        assert widget.pixel(0.42, 0.45) == before
        widget.receive({"content": {"type": "from the future"}, "buffers": []})
        wanted = {"relevance": known_maps()["relevance"][::-1]}
        widget.receive(maps_message(wanted, "lrp", request=second["id"], target=77))
        red, _, blue = widget.pixel(0.42, 0.55)
        assert red > blue + 60


class TestTraffic:
    @pytest.mark.parametrize("size", [224, 1024])
    def test_two_hundred_slider_moves_send_nothing(self, standin: Start, size: int, capsys: Any) -> None:
        """The time from input to pixels is printed, not asserted: it depends on the machine."""
        widget = standin(size=size, state={"show": "u_relax"})
        sent = len(widget.sent)
        mouse = widget.page.mouse
        mouse.move(*widget.track_point(0.9))
        mouse.down()
        widget.page.evaluate("performance.clearMeasures()")
        for i in range(200):
            mouse.move(*widget.track_point(0.5 + 0.4 * np.sin(i / 9)))
        widget.settle()
        measures = widget.measures()
        assert len(measures) > 100
        assert (len(widget.sent), widget.saved) == (sent, []), "nothing while the pointer is down"
        mouse.up()
        widget.page.wait_for_function("model.saved.length > 0")
        widget.rest()
        assert len(widget.sent) == sent
        assert [list(entry) for entry in widget.saved] == [["threshold"]]
        total = np.percentile([m["duration"] for m in measures], [50, 95])
        work = np.percentile([m["work"] for m in measures], [50, 95])
        with capsys.disabled():
            print(f"\n{size}×{size}: input to pixels {total[0]:.1f} ms, p95 {total[1]:.1f} ms")
            print(f"  (drawing alone {work[0]:.1f} ms, p95 {work[1]:.1f} ms; {len(measures)} frames)")

    def test_view_state_is_written_once_after_the_gesture(self, standin: Start) -> None:
        widget = standin()
        slider = widget.root.get_by_role("slider", name="Opacity")
        box = slider.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        widget.page.mouse.move(box["x"] + 0.7 * box["width"], y)
        widget.page.mouse.down()
        for i in range(30):
            widget.page.mouse.move(box["x"] + (0.7 - i / 60) * box["width"], y)
        widget.page.wait_for_timeout(600)
        assert widget.saved == [], "resting with the button down is still the gesture"
        widget.page.mouse.up()
        widget.page.wait_for_function("model.saved.length > 0")
        assert len(widget.saved) == 1
        assert list(widget.saved[0]) == ["opacity"]


class TestViewsOfOneModel:
    def test_two_views_agree_and_ask_once(self, standin: Start) -> None:
        widget = standin(views=2, height=1600, state={"opacity": 1.0})
        assert [message["type"] for message in widget.sent] == ["ready"]
        widget.root.get_by_role("radio", name="Uncertainty").click()
        second = widget.page.locator(".xw").nth(1)
        expect(second.get_by_role("radio", name="Uncertainty")).to_have_attribute("aria-checked", "true")
        assert widget.pixel(0.3, 0.3, view=0) == widget.pixel(0.3, 0.3, view=1)

    def test_python_changes_what_is_shown(self, standin: Start) -> None:
        widget = standin(state={"opacity": 1.0})
        widget.update(show="uncertainty", threshold=0.25, colormap="greys", selection={"x": 10, "y": 20})
        expect(widget.root.get_by_role("radio", name="Uncertainty")).to_have_attribute("aria-checked", "true")
        expect(widget.root.get_by_role("slider", name="Uncertainty threshold")).to_have_attribute("aria-valuenow", "25")
        red, green, blue = widget.pixel(0.9, 0.5)
        assert red == green == blue
        expect(widget.root.locator(".xw-pin")).to_be_visible()
        assert widget.saved == [], "no echo"

    def test_removing_a_view_frees_it_and_closing_frees_all(self, standin: Start) -> None:
        widget = standin(views=2)
        widget.page.evaluate("disposeViews[0]()")
        expect(widget.page.locator(".xw")).to_have_count(1)
        widget.root.get_by_role("radio", name="Uncertainty").click()
        widget.page.evaluate("disposeViews[1]()")
        widget.page.evaluate("disposeModel()")
        assert widget.page.evaluate("model.listenerCount") == 0
        widget.receive(maps_message({"importance": known_maps()["importance"]}))
        assert widget.errors == []


class TestWithoutKernel:
    def test_saved_picture_stays_usable(self, standin: Start) -> None:
        widget = standin(
            answer=False, state={"snapshot": known_snapshot(), "opacity": 1.0, "show": "u_relax", "picture": "colour"}
        )
        assert widget.pixel(0.42, 0.45)[0] > 200, "there before any answer"
        expect(widget.root.get_by_text("Kernel not connected: showing the saved picture")).to_be_visible()
        widget.drag(widget.track_point(0.9), widget.track_point(0.3))
        assert np.allclose(widget.pixel(0.9, 0.2), known_picture()[45, 201], atol=12)
        expect(widget.root.get_by_role("button", name="More")).to_have_count(0)

    def test_an_empty_selection_reads_nothing(self, standin: Start) -> None:
        widget = standin(state={"selection": {}})
        expect(widget.root.locator(".xw-caption-value")).to_have_text("")
        expect(widget.root.locator(".xw-pin")).to_have_count(0)

    def test_no_kernel_and_nothing_saved_says_so(self, standin: Start) -> None:
        widget = standin(answer=False)
        expect(widget.root.get_by_text("no picture was saved")).to_be_visible()
