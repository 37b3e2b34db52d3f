"""The book's site, opened from files with the network off: nothing is missing, formulas are drawn, widgets are alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, Route, expect

from tests import book
from tests.browser.files import save
from tests.lessons.played import LESSONS

from .still import REST, still

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
FITS = "() => document.body.scrollHeight <= innerHeight && innerHeight <= document.body.scrollHeight + 4"
SIZES = {"light": (1300, 1000), "dark": (1300, 1000), "phone": (390, 800)}
LECTURE = {"light lecture": (640, 900), "dark lecture": (640, 900)}


@pytest.fixture(scope="session")
def site() -> Path:
    """The site, made anew unless it is of these sources; pages that ran before are not run again."""
    assert book.is_current() or book.build() == 0, "the site does not build: python -m tests.book"
    return book.SITE


@pytest.fixture
def open_page(chromium: Browser, site: Path) -> Iterator[Open]:
    """Opens a page from its file. Whatever the console calls an error, or asks of a network, fails the test."""
    opened, wrong = [], []

    def route(request: Route) -> None:
        wrong.append(f"asked for {request.request.url}")
        request.abort()

    def start(name: str, look: str = "light") -> Page:
        width, height = (SIZES | LECTURE)[look]
        scheme: Any = "dark" if look.startswith("dark") else "light"
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
        context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), route)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        opened.append(context)
        page.goto((site / f"{name}.html").as_uri())
        return page

    yield start
    for context in opened:
        context.close()
    assert wrong == []


def frames(page: Page) -> list[Frame]:
    """The saved pages in a page, each scrolled to and drawn."""
    found = []
    for element in page.locator("iframe.xw-page").all():
        element.scroll_into_view_if_needed()
        handle = element.element_handle()
        frame = handle.content_frame() if handle else None
        assert frame is not None
        frame.wait_for_selector(".xw canvas")
        still(frame)
        found.append(frame)
    return found


def painted(frame: Frame) -> list[int]:
    """How many different bytes each canvas of a frame holds; one of one colour holds few."""
    return frame.evaluate(
        """() => [...document.querySelectorAll(".xw canvas")].filter((c) => c.width > 1 && c.offsetParent).map((c) => {
            const data = c.getContext("2d")?.getImageData(0, 0, c.width, c.height).data;
            return new Set(data).size; })"""
    )


def picture(frame: Frame) -> str:
    """What is drawn in a frame's first pane."""
    drawn: str = frame.evaluate("document.querySelector('.xw-frame canvas').toDataURL()")
    return drawn


PAGES = [
    "index",
    "lessons",
    "methods/relax",
    "methods/crp",
    "methods/pixel_flipping",
    "howto/own_model",
    "api/front",
    "comparison",
    "how_it_works",
]


@pytest.mark.parametrize("look", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_and_fits(open_page: Open, name: str, look: str) -> None:
    page = open_page(name, look)
    for frame in frames(page):
        expect(frame.locator(".xw").first).to_have_attribute("data-xw-theme", "dark" if look == "dark" else "light")
        assert max(painted(frame)) > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[look][0]


def test_every_widget_of_the_site_is_drawn(open_page: Open, site: Path) -> None:
    shown = 0
    for path in sorted(site.rglob("*.html")):
        if 'class="xw-page"' not in path.read_text(encoding="utf-8"):
            continue
        page = open_page(str(path.relative_to(site).with_suffix("")))
        for frame in frames(page):
            assert max(painted(frame)) > 20, path
            assert frame.locator(".xw-error:visible").count() == 0, path
            shown += 1
        page.close()
    assert shown >= 15


IN_THE_DARK = """() => [...document.querySelectorAll(".bd-article *")].filter((e) => {
    const [r, g, b, a = 1] = getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).map(Number);
    return e.offsetParent && !e.closest(".sd-card, .tooltip") && a > 0.5 && Math.min(r, g, b) > 160;
}).map((e) => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 60)}`)"""
"""What is bright on a page, pictures aside."""
TOO_WIDE = """() => [...document.querySelectorAll(".bd-article *")].filter((e) => {
    // What is code, or a formula, is scrolled by itself.
    return e.offsetParent && !e.closest("pre, math, .xw-formula, iframe") && e.getBoundingClientRect().right > innerWidth + 1;
}).map((e) => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 60)}`)"""


@pytest.mark.parametrize("look", LECTURE)
@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_fit_to_be_shown(open_page: Open, lesson: int, look: str) -> None:
    """At 640 pixels, light and dark: nothing leaves the page, nothing glares, pictures are as they were put out."""
    page = open_page(LESSONS[lesson].stem, look)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    assert page.evaluate(TOO_WIDE) == []
    dark = look.startswith("dark")
    if dark:
        assert page.evaluate(IN_THE_DARK) == []
    pictures = page.locator(".cell_output img")
    assert pictures.evaluate_all("all => all.filter((e) => getComputedStyle(e).filter !== 'none').length") == 0
    figures = {of: page.locator(f"img.xw-figure.only-{of}").count() for of in ("light", "dark")}
    shown = {of: page.locator(f"img.xw-figure.only-{of}:visible").count() for of in figures}
    assert figures["light"] == figures["dark"]
    assert shown == {"light": 0, "dark": figures["dark"]} if dark else {"light": figures["light"], "dark": 0}
    loaded = page.locator("img.xw-figure:visible").evaluate_all("all => all.map((e) => [e.naturalWidth, e.alt])")
    assert all(width > 100 and len(text) > 3 for width, text in loaded)
    assert bool(loaded) is (lesson in (4, 5, 6, 7))


def test_a_widget_of_the_site_saves_a_page_that_stands_alone(open_page: Open, tmp_path: Path) -> None:
    """Its code lies beside the site's pages; what it saves holds it."""
    page = open_page("index")
    [frame] = frames(page)
    kept = save(frame.locator(".xw").first, "HTML", tmp_path)
    alone = open_page("index")
    alone.goto(kept.as_uri())
    alone.wait_for_selector(".xw canvas")
    assert max(painted(alone.main_frame)) > 20
    assert "<script src=" not in kept.read_text(encoding="utf-8")


def test_a_live_widget_is_dragged(open_page: Open) -> None:
    page = open_page("index")
    [frame] = frames(page)
    before = picture(frame)
    slider = frame.get_by_role("slider", name="Opacity")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    still(frame, REST)
    assert 20 <= float(slider.input_value()) * (100 if float(slider.input_value()) <= 1 else 1) <= 40
    dragged = picture(frame)
    assert dragged != before
    frame.get_by_role("listbox", name="Images").get_by_role("option").nth(2).click()
    still(frame, REST)
    assert picture(frame) != dragged
    assert frame.get_by_text("needs a kernel").count() == 0


def test_frames_are_as_tall_as_what_they_show(open_page: Open) -> None:
    page = open_page("methods/relax")
    [frame] = frames(page)
    frame.wait_for_function(FITS)
    page.set_viewport_size({"width": 700, "height": 900})
    frame.wait_for_function("() => innerWidth < 700")
    frame.wait_for_function(FITS)


def test_the_switch_of_the_site_is_the_widgets_too(open_page: Open) -> None:
    page = open_page("index")
    [frame] = frames(page)
    assert frame.evaluate("document.querySelector('.xw').dataset.xwTheme") == "light"
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(frame.locator(".xw").first).to_have_attribute("data-xw-theme", "dark")


def test_formulas_are_drawn_and_the_search_finds(open_page: Open) -> None:
    page = open_page("methods/relax")
    assert all(
        box["height"] > 8 for box in (math.bounding_box() for math in page.locator(".xw-formula math").all()) if box
    )
    assert page.locator("math").count() > 8
    page = open_page("search")
    page.goto(page.url + "?q=hadamard")
    expect(page.locator("#search-results li").first).to_be_visible()
    expect(page.locator("#search-results")).to_contain_text("RELAX")
