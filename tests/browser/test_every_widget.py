"""What holds of all widgets as they first appear: what is explained is written there, a laptop shows them, the page scrolls, all can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.guards import JS
from xaiwidgets import ImageModel

from .real import IMAGES, WIDGETS, contents, open_real
from .standin import StandIn
from .test_heatmap_layout import CONTRAST

pytestmark = pytest.mark.browser
Show = Callable[..., StandIn]

SLIDERS = {"heatmap": "Opacity", "concepts": "Opacity", "flipping": "Step"}
METHODS = {"heatmap": "RELAX", "concepts": "CRP", "flipping": "Pixel flipping"}
AXE = """async () => {
    const found = await axe.run(document.querySelector(".xw"), { resultTypes: ["violations"] });
    return found.violations.filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => [id, nodes.map((node) => node.html.slice(0, 120))]);
}"""


@pytest.fixture(scope="module")
def made(cnn: ImageModel) -> dict[str, dict[str, Any]]:
    return contents(cnn)


@pytest.fixture
def show(chromium: Browser, made: dict[str, dict[str, Any]]) -> Iterator[Show]:
    """Opens a widget; nothing in its console may be an error."""
    opened = []

    def start(name: str, width: int = 1200, height: int = 900, dark: bool = False, **traits: Any) -> StandIn:
        scheme: Any = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        opened.append((context, found := open_real(context.new_page(), name, made[name], **traits)))
        return found

    yield start
    for context, found in opened:
        context.close()
        assert found.errors == []


@pytest.mark.parametrize("name", WIDGETS)
def test_it_says_what_is_explained(show: Show, name: str, made: dict[str, dict[str, Any]]) -> None:
    widget = show(name)
    said = next(m["content"] for m in made[name]["messages"] if m["content"]["type"] == "prediction")
    label = made[name]["state"]["class_names"][said["label"]]
    expect(widget.root.locator(".xw-predicted")).to_contain_text("predicted:")
    expect(widget.root.locator(".xw-predicted")).to_contain_text(f"label: {label}")
    expect(widget.root.locator(".xw-method")).to_contain_text(METHODS[name])
    expect(widget.root.locator(".xw-method")).to_contain_text(made[name]["state"]["model_name"])
    expect(widget.root.locator(".xw-sentence").first).not_to_be_empty()
    expect(widget.root.locator(".xw-first-use")).to_be_visible()
    painted = """() => { const c = document.querySelector(".xw-plain-thumb canvas");
        return new Set(c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size; }"""
    assert widget.page.evaluate(painted) > 20
    widget.root.get_by_role("button", name=f"What is “{METHODS[name]}”?").click()
    expect(widget.root.get_by_role("note").get_by_role("link")).to_be_visible()


@pytest.mark.parametrize("name", WIDGETS)
def test_any_image_in_two_actions(show: Show, name: str) -> None:
    widget = show(name)
    films = widget.root.get_by_role("listbox", name="Images").get_by_role("option")
    expect(films).to_have_count(IMAGES)
    number = widget.root.get_by_label("Image number")
    number.fill("7")
    number.press("Enter")
    widget.page.wait_for_function("model.saved.some((values) => values.image === 6)")
    films.nth(10).click()
    widget.page.wait_for_function("model.saved.some((values) => values.image === 10)")
    widget.root.get_by_label("Which images").select_option("wrong")
    expect(films).to_have_count(1)
    expect(films).to_have_attribute("aria-label", films.get_attribute("aria-label") or "")
    assert "wrong: " in (films.get_attribute("aria-label") or "")


@pytest.mark.parametrize("width", [1000, 1400])
@pytest.mark.parametrize("name", WIDGETS)
def test_a_laptop_shows_picture_slider_and_buttons_at_once(show: Show, name: str, width: int) -> None:
    widget = show(name, width=width, height=720)
    widget.root.get_by_role("button", name="Got it").click()
    parts = {
        "picture": widget.root.locator(".xw-frame").first,
        "slider": widget.root.get_by_role("slider", name=SLIDERS[name]),
        "buttons": widget.root.get_by_role("button", name="Save"),
    }
    for part, locator in parts.items():
        box = locator.bounding_box()
        assert box is not None
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= 720, f"{part} ends at {box['y'] + box['height']:.0f}"
    frame = parts["picture"].bounding_box()
    assert frame is not None
    assert 100 <= frame["height"] <= 0.7 * 720


@pytest.mark.parametrize("name", WIDGETS)
def test_the_page_scrolls_through_by_wheel_alone(show: Show, name: str) -> None:
    widget = show(name, width=1000, height=420)
    page = widget.page
    end = page.evaluate("document.documentElement.scrollHeight - innerHeight")
    assert end > 200
    for x in (150, 420, 800):
        page.evaluate("scrollTo(0, 0)")
        page.mouse.move(x, 210)
        for way, there in ((90, f"scrollY >= {end} - 1"), (-90, "scrollY === 0")):
            for _ in range(150):
                page.mouse.wheel(0, way)
                # A list inside scrolls first; at its end the page takes over once the wheel has rested.
                page.wait_for_timeout(20)
                if page.evaluate(there):
                    break
                if not page.evaluate("() => window.before !== (window.before = scrollY)"):
                    page.wait_for_timeout(120)
            assert page.evaluate(there), f"at {x}, towards {way}: {page.evaluate('scrollY')} of {end}"
    assert page.evaluate("model.saved.filter((values) => 'zoom' in values || 'opacity' in values)") == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", WIDGETS)
def test_all_can_be_read_and_reached(show: Show, name: str, dark: bool) -> None:
    widget = show(name, dark=dark)
    assert widget.page.evaluate(CONTRAST) == []
    widget.page.add_script_tag(path=JS / "node_modules" / "axe-core" / "axe.min.js")
    assert widget.page.evaluate(AXE) == []
    widget.update(status={"state": "error", "message": "it broke", "hint": "mend it"})
    expect(widget.root.get_by_role("alert")).to_contain_text("it broke")
    assert widget.page.evaluate(AXE) == []
