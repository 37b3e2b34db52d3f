"""The heatmap widget in a real browser, on a stand-in model: what it draws, and how it is steered."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from .standin import (
    LRP_METHOD,
    RELAX_METHOD,
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


class TestPicture:
    def test_asks_once_and_draws_picture_and_map(self, standin: Start) -> None:
        widget = standin(state={"opacity": 1.0})
        assert [message["type"] for message in widget.sent] == ["ready"]
        red, green, blue = widget.pixel(0.42, 0.45)
        assert (red > 200, green > 180, blue < 80) == (True, True, True), "the most important pixel is viridis yellow"
        assert widget.errors == []

    def test_opacity_mixes_picture_and_map(self, standin: Start) -> None:
        widget = standin(state={"opacity": 0.0, "picture": "colour"})
        picture = known_picture()[100, 10]
        assert np.allclose(widget.pixel(10.5 / 224, 100.5 / 224), picture, atol=6)
        slider = widget.root.get_by_role("slider", name="Opacity")
        slider.fill("0.5")
        expect(widget.root.get_by_text("50 %")).to_be_visible()
        half = np.array(widget.pixel(10.5 / 224, 100.5 / 224))
        slider.fill("1")
        full = np.array(widget.pixel(10.5 / 224, 100.5 / 224))
        assert np.allclose(half, (picture.astype(float) + full) / 2, atol=6)

    def test_float32_and_grey_pictures(self, standin: Start) -> None:
        maps = {name: m.astype(np.float32) for name, m in known_maps().items() if name != "relevance"}
        grey = known_picture()[..., :1]
        widget = standin(state={"opacity": 0.0}, messages=[picture_message(grey), maps_message(maps)])
        red, green, blue = widget.pixel(0.1, 0.1)
        assert red == green == blue

    def test_map_of_one_value_and_map_with_nan(self, standin: Start) -> None:
        flat = {name: np.full((32, 32), 0.5, np.float32) for name in ("importance", "uncertainty", "standard_error")}
        flat["importance"][:, 16:] = np.nan
        widget = standin(
            size=32,
            state={"opacity": 1.0, "picture": "colour"},
            messages=[picture_message(known_picture(32)), maps_message(flat)],
        )
        assert np.allclose(widget.pixel(0.8, 0.1), known_picture(32)[3, 25], atol=25), "no value, no colour"
        assert widget.errors == []

    def test_wide_picture_keeps_its_shape(self, standin: Start) -> None:
        picture = np.zeros((60, 120, 3), np.uint8)
        maps = {"importance": np.zeros((60, 120), np.float16), "uncertainty": np.ones((60, 120), np.float16)}
        widget = standin(messages=[picture_message(picture), maps_message(maps)])
        box = widget.root.locator(".xw-frame canvas").bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(2, abs=0.02)


class TestViews:
    def test_switching_views_by_click_and_arrow_key(self, standin: Start) -> None:
        widget = standin()
        show = widget.root.get_by_role("radiogroup", name="Show")
        show.get_by_role("radio", name="Uncertainty").click()
        expect(widget.root.locator(".xw-caption-label")).to_contain_text("Uncertainty")
        widget.page.keyboard.press("ArrowRight")
        expect(show.get_by_role("radio", name="U-RELAX")).to_have_attribute("aria-checked", "true")
        expect(show.get_by_role("radio", name="U-RELAX")).to_be_focused()
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.saved == [{"show": "u_relax"}], "both clicks in one write"

    def test_side_by_side_shows_every_view_with_its_own_legend(self, standin: Start) -> None:
        widget = standin(width=1500, state={"opacity": 1.0, "threshold": 0.3, "picture": "colour"})
        widget.root.get_by_role("radio", name="Side by side").click()
        expect(widget.root.locator(".xw-frame canvas")).to_have_count(4)
        assert np.allclose(widget.pixel(0.9, 0.1, pane=0), known_picture()[22, 201], atol=12), "the picture itself"
        legends = widget.root.locator(".xw-colorbar[role=img]")
        expect(legends.nth(0)).to_have_attribute(
            "aria-label", re.compile(r"Importance \(cosine\) from 0\.5\d+ to 0\.8")
        )
        expect(legends.nth(1)).to_have_attribute("aria-label", re.compile("Uncertainty from 0.002"))
        # Only U-RELAX is filtered: on the right, where it is unsure, the picture shows.
        assert widget.pixel(0.9, 0.1, pane=3) != widget.pixel(0.9, 0.1, pane=1)
        assert np.allclose(widget.pixel(0.9, 0.1, pane=3), known_picture()[22, 201], atol=12)

    def test_methods_are_compared_side_by_side(self, standin: Start) -> None:
        relax = {name: m for name, m in known_maps().items() if name != "relevance"}
        widget = standin(
            width=1500,
            state={"methods": [RELAX_METHOD, LRP_METHOD]},
            messages=[picture_message(known_picture()), maps_message(relax)],
        )
        widget.root.get_by_role("button", name="Compare").click()
        widget.root.get_by_role("radio", name="Method").click()
        widget.page.keyboard.press("Escape")
        expect(widget.root.locator(".xw-frame canvas")).to_have_count(3)
        widget.page.wait_for_function("model.sent.some(m => m.type === 'compute')")
        [request] = widget.computes
        assert (request["method"], request["parameters"]) == ("lrp", {})
        expect(widget.root.get_by_text("waiting for the first result")).to_be_visible()
        relevance = {"relevance": known_maps()["relevance"]}
        widget.receive(maps_message(relevance, "lrp", request=request["id"]))
        red, _, blue = widget.pixel(0.42, 0.45, pane=2)
        assert red > blue + 60, "positive relevance is red"
        red, _, blue = widget.pixel(0.75, 0.7, pane=2)
        assert blue > red + 30, "negative relevance is blue"


class TestThreshold:
    def test_dragging_the_histogram_hides_what_is_unsure(self, standin: Start) -> None:
        widget = standin(state={"show": "u_relax", "opacity": 1.0, "picture": "colour"})
        before = widget.pixel(0.9, 0.2)
        widget.drag(widget.track_point(0.95), widget.track_point(0.5))
        slider = widget.root.get_by_role("slider", name="Uncertainty threshold")
        expect(slider).to_have_attribute("aria-valuetext", re.compile(r"surest 50 % of pixels, uncertainty ≤ 0\.00409"))
        assert np.allclose(widget.pixel(0.9, 0.2), known_picture()[45, 201], atol=12)
        assert widget.pixel(0.9, 0.2) != before
        sure = widget.pixel(0.42, 0.45)
        assert sure[0] > 200
        assert sure[2] < 80
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.saved[-1]["threshold"] == pytest.approx(0.5, abs=0.02)

    @pytest.mark.parametrize("quantile", [0.1, 0.37, 0.5, 0.9])
    def test_shows_exactly_the_pixels_up_to_the_quantile(self, standin: Start, quantile: float) -> None:
        widget = standin(state={"show": "u_relax", "opacity": 1.0, "picture": "colour", "threshold": quantile})
        uncertainty = known_maps()["uncertainty"].astype(np.float64)
        expected = uncertainty <= np.quantile(uncertainty, quantile)
        boundary = np.quantile(uncertainty[112], quantile)
        column = int(np.argmax(~expected[112]))  # in this row, shown up to this column
        assert 0 < column < 223
        assert boundary > 0
        picture = known_picture()[112].astype(int)
        assert np.abs(np.array(widget.pixel((column + 6) / 224, 112.5 / 224)) - picture[column + 6]).max() < 30
        shown = np.array(widget.pixel((column - 6) / 224, 112.5 / 224))
        assert np.abs(shown - picture[column - 6]).max() > 30

    def test_keyboard_steps_one_per_cent(self, standin: Start) -> None:
        widget = standin(state={"show": "u_relax", "threshold": 0.5})
        slider = widget.root.get_by_role("slider", name="Uncertainty threshold")
        slider.focus()
        steps = {"ArrowLeft": "49", "ArrowUp": "50", "PageUp": "60", "PageDown": "50", "End": "100", "Home": "0"}
        for key, value in steps.items():
            widget.page.keyboard.press(key)
            expect(slider).to_have_attribute("aria-valuenow", value)

    def test_typing_a_share_and_fading(self, standin: Start) -> None:
        widget = standin(state={"show": "u_relax", "opacity": 1.0, "picture": "colour"})
        box = widget.root.get_by_label("Surest share of the pixels")
        box.fill("25")
        box.press("Enter")
        hidden = np.array(widget.pixel(0.9, 0.2))
        widget.root.get_by_role("radio", name="Fade").click()
        faded = np.array(widget.pixel(0.9, 0.2))
        assert 8 < np.abs(faded - hidden).max() < 120
        box.fill("250")
        box.press("Enter")
        expect(box).to_have_value("25")

    def test_moving_the_cut_goes_to_the_view_that_uses_it(self, standin: Start) -> None:
        widget = standin(state={"show": "importance"})
        widget.drag(widget.track_point(0.9), widget.track_point(0.4))
        expect(widget.root.get_by_role("radio", name="U-RELAX")).to_have_attribute("aria-checked", "true")


class TestColours:
    def test_colour_map_choice_changes_pixels_and_legend(self, standin: Start) -> None:
        widget = standin(state={"opacity": 1.0})
        legend = widget.root.locator(".xw-ramp")
        before = widget.pixel(0.42, 0.45), legend.get_attribute("style")
        widget.root.get_by_role("combobox", name="Colours").select_option("greys")
        red, green, blue = widget.pixel(0.42, 0.45)
        assert red == green == blue
        assert legend.get_attribute("style") != before[1]

    def test_diverging_data_gets_diverging_maps_centred_at_zero(self, standin: Start) -> None:
        widget = standin(state=lrp_state(opacity=1.0), messages=lrp_messages())
        options = widget.root.get_by_role("combobox", name="Colours").locator("option").all_text_contents()
        assert options == ["Red – blue", "Purple – orange"]
        widget.root.get_by_role("radiogroup", name="Picture").get_by_role("radio", name="None").click()
        assert min(widget.pixel(0.02, 0.95)) > 225, "alone, no relevance is near white"
        expect(widget.root.locator(".xw-colorbar")).to_have_attribute("aria-label", "Colours: Relevance from −1 to 1")

    def test_clip_saturates_the_ends(self, standin: Start) -> None:
        widget = standin()
        legend = widget.root.locator(".xw-colorbar")
        before = legend.get_attribute("aria-label")
        widget.root.get_by_role("slider", name="Clip").fill("90")
        expect(legend).not_to_have_attribute("aria-label", before or "")

    def test_fixed_range_starts_from_what_is_shown_and_is_typed(self, standin: Start) -> None:
        widget = standin()
        widget.root.get_by_role("radio", name="Fixed").click()
        low, high = widget.root.get_by_role("spinbutton", name="from"), widget.root.get_by_role("spinbutton", name="to")
        assert float(low.input_value()) == pytest.approx(0.55, abs=0.03)
        low.fill("0")
        low.press("Enter")
        high.fill("1")
        high.press("Enter")
        expect(widget.root.locator(".xw-colorbar")).to_have_attribute("aria-label", re.compile("from 0 to 1$"))
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.page.evaluate("model.state.fixed_range") == [0, 1]

    def test_shared_scale_uses_the_range_of_all_images(self, standin: Start) -> None:
        maps = {name: m for name, m in known_maps().items() if name != "relevance"}
        message = maps_message(maps, shared_range={"importance": [-1.0, 3.0]})
        widget = standin(state={"images": 2}, messages=[picture_message(known_picture()), message])
        widget.root.get_by_role("radio", name="Shared").click()
        expect(widget.root.locator(".xw-colorbar")).to_have_attribute("aria-label", re.compile("from −1 to 3$"))


class TestReading:
    def test_hover_reads_value_and_error(self, standin: Start) -> None:
        widget = standin()
        widget.page.mouse.move(*widget.frame_point(100.5 / 224, 50.5 / 224))
        value = float(known_maps()["importance"][50, 100])
        tooltip = widget.root.locator(".xw-tooltip")
        expect(tooltip).to_contain_text(f"{value:.3f} ± 0.012")
        expect(tooltip).to_contain_text("row 50, column 100")
        rank = float((known_maps()["uncertainty"] <= known_maps()["uncertainty"][50, 100]).mean())
        expect(tooltip).to_contain_text(f"surest {round(rank * 100)} %")
        live = widget.root.locator("[aria-live=polite].xw-hidden")
        expect(live).to_contain_text(f"Importance {value:.3f} ± 0.012, row 50, column 100")
        widget.page.mouse.move(2, 2)
        expect(tooltip).to_have_count(0)

    def test_click_pins_and_a_second_click_frees(self, standin: Start) -> None:
        widget = standin()
        widget.page.mouse.click(*widget.frame_point(100.5 / 224, 50.5 / 224))
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.saved == [{"selection": {"x": 100, "y": 50}}]
        widget.page.mouse.move(2, 2)
        expect(widget.root.locator(".xw-pin")).to_be_visible()
        expect(widget.root.locator(".xw-caption-value")).to_contain_text("± 0.012")
        widget.page.mouse.click(*widget.frame_point(100.5 / 224, 50.5 / 224))
        expect(widget.root.locator(".xw-pin")).to_have_count(0)

    def test_keys_pin_move_and_free(self, standin: Start) -> None:
        widget = standin()
        widget.root.locator(".xw-frame").focus()
        widget.page.keyboard.press("Enter")
        widget.page.keyboard.press("Shift+ArrowRight")
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.page.evaluate("model.state.selection") == {"x": 116, "y": 112}
        widget.page.keyboard.press("Escape")
        expect(widget.root.locator(".xw-pin")).to_have_count(0)


class TestZoom:
    def test_wheel_zooms_around_the_pointer(self, standin: Start) -> None:
        widget = standin(state={"opacity": 1.0})
        point = widget.frame_point(0.3, 0.6)
        widget.page.mouse.move(*point)
        before = widget.root.locator(".xw-tooltip").inner_text()
        widget.page.keyboard.down("Control")
        for _ in range(4):
            widget.page.mouse.wheel(0, -240)
            widget.settle()
        widget.page.keyboard.up("Control")
        widget.page.mouse.move(point[0] + 1, point[1])
        widget.page.mouse.move(*point)
        expect(widget.root.locator(".xw-tooltip")).to_have_text(re.compile(re.escape(before.split("\n")[1])))
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.page.evaluate("model.state.zoom[0]") == pytest.approx(np.exp(4 * 240 * 0.002), rel=0.01)
        assert len(widget.saved) == 1

    def test_drag_pans_and_double_click_resets(self, standin: Start) -> None:
        widget = standin(state={"zoom": [4, 0.5, 0.5]})
        widget.drag(widget.frame_point(0.5, 0.5), widget.frame_point(0.7, 0.5))
        widget.page.wait_for_function("model.saved.length > 0")
        scale, x, y = widget.page.evaluate("model.state.zoom")
        assert (scale, y) == (4, 0.5)
        assert x == pytest.approx(0.45, abs=0.005)
        assert widget.page.evaluate("model.state.selection ?? null") is None, "a drag pins nothing"
        widget.page.mouse.dblclick(*widget.frame_point(0.5, 0.5))
        widget.page.wait_for_function("model.state.zoom[0] === 1")

    def test_keys_zoom_move_and_reset(self, standin: Start) -> None:
        widget = standin()
        widget.root.locator(".xw-frame").focus()
        for key in ["+", "+", "+", "ArrowRight"]:
            widget.page.keyboard.press(key)
        widget.page.wait_for_function("model.saved.length > 0")
        scale, x, _ = widget.page.evaluate("model.state.zoom")
        assert scale == pytest.approx(1.25**3)
        assert x > 0.5
        widget.page.keyboard.press("-")
        widget.page.keyboard.press("0")
        widget.page.wait_for_function("model.state.zoom[0] === 1")

    def test_two_fingers_zoom(self, standin: Start) -> None:
        widget = standin()
        touch = widget.page.context.new_cdp_session(widget.page)

        def fingers(kind: str, spread: float) -> None:
            points = [widget.frame_point(0.5 - spread, 0.5), widget.frame_point(0.5 + spread, 0.5)]
            where = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)] if kind != "touchEnd" else []
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

        fingers("touchStart", 0.1)
        for step in range(1, 9):
            fingers("touchMove", 0.1 + step * 0.025)
        assert widget.saved == []
        fingers("touchEnd", 0)
        widget.page.wait_for_function("model.saved.length > 0")
        assert widget.page.evaluate("model.state.zoom[0]") == pytest.approx(3, rel=0.1)
        assert widget.page.evaluate("model.state.selection ?? null") is None

    def test_the_wheel_is_the_pages_until_the_picture_is_pressed(self, standin: Start) -> None:
        widget = standin(height=400)
        widget.page.mouse.move(*widget.frame_point(0.5, 0.3))
        widget.page.mouse.wheel(0, 200)
        widget.page.wait_for_function("scrollY > 0")
        widget.page.mouse.wheel(0, -200)
        widget.page.wait_for_function("scrollY === 0")
        assert widget.page.evaluate("model.state.zoom ?? null") is None
        widget.page.mouse.click(*widget.frame_point(0.5, 0.3))
        widget.page.mouse.wheel(0, -200)
        chip = widget.root.get_by_role("button", name="zoomed: show the whole picture")
        expect(chip).to_contain_text("1.5×")
        assert widget.page.evaluate("scrollY") == 0
        # Away and back: the press is forgotten.
        widget.page.mouse.move(2, 2)
        widget.page.mouse.move(*widget.frame_point(0.5, 0.3))
        widget.page.mouse.wheel(0, 200)
        widget.page.wait_for_function("scrollY > 0")
        expect(chip).to_contain_text("1.5×")
        chip.click()
        expect(chip).to_have_count(0)
        widget.page.wait_for_function("model.state.zoom?.[0] === 1")
