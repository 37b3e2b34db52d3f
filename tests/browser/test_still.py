"""What the browser tests wait by: a page that draws, moves or is about to is not at rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page

from .still import REST, WATCH, put_off, still

pytestmark = pytest.mark.browser
CHAIN = """(length) => {
    window.left = length;
    const step = () => requestAnimationFrame(() => setTimeout(() => { if (--window.left > 0) step(); }));
    step();
}"""
BOX = """<style>@keyframes turn { to { rotate: 1turn; } } div { width: 40px; height: 40px; } #turns { animation: turn 1s infinite; }
#slides { transition: margin-left 250ms; }</style><div id="turns"></div><div id="slides"></div>"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto("about:blank")
    page.set_content(BOX)
    yield page
    context.close()


def test_frame_after_frame(page: Page) -> None:
    page.evaluate(CHAIN, 12)
    assert page.evaluate("left") > 0
    still(page)
    assert page.evaluate("left") == 0


def test_what_is_called_after_a_frame(page: Page) -> None:
    page.evaluate(
        """() => {
            window.drawn = false;
            new ResizeObserver(() => requestAnimationFrame(() => setTimeout(() => { window.drawn = true; }, 30)))
                .observe(document.querySelector("#slides"));
        }"""
    )
    still(page)
    assert page.evaluate("drawn") is True


def test_what_slides_and_not_what_turns_for_ever(page: Page) -> None:
    page.evaluate("document.querySelector('#slides').style.marginLeft = '100px'")
    still(page)
    assert page.evaluate("document.querySelector('#slides').getBoundingClientRect().left") >= 100


def test_what_is_put_off_longer_only_where_it_is_asked_for(page: Page) -> None:
    page.evaluate(
        "() => { window.written = 0; setTimeout(() => { window.written = 1; }, 400); setTimeout(() => {}, 60_000); }"
    )
    still(page)
    assert page.evaluate("written") == 0
    still(page, REST)
    assert page.evaluate("written") == 1


def test_what_is_called_off_is_not_waited_for(page: Page) -> None:
    page.evaluate(
        "() => { clearTimeout(setTimeout(() => {}, 90)); cancelAnimationFrame(requestAnimationFrame(() => {})); }"
    )
    still(page)


def test_a_page_that_never_rests_is_told(page: Page) -> None:
    page.evaluate("() => { const again = () => requestAnimationFrame(again); again(); }")
    with pytest.raises(Error, match="does not come to rest: 1 frames, 0 timers"):
        still(page, patience=0.5)


def test_a_page_with_timers_of_its_own(page: Page) -> None:
    page.evaluate(
        """() => {
            window.written = false;
            setInterval(() => {}, 20);
            setTimeout(() => { window.written = true; }, 300);
            // Busy until after both are due.
            setTimeout(() => { const end = performance.now() + 900; while (performance.now() < end); });
        }"""
    )
    put_off(page)
    assert page.evaluate("written") is True
