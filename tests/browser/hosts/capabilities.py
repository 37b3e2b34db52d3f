"""What a widget is to do in every host, as tests that act in the page and compare its numbers with the kernel's arrays.

A host's test file has a class that inherits `Capabilities` and a fixture ``opened`` for the module; what the host cannot do stands in
``cannot``, with the reason. The table in notebooks/hosts.md is held against these classes.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.servers import Server

from .notebook import answered, ready, run_all, save_and_reload

CAPABILITIES = ("shows", "computes", "streams", "stops", "saves", "survives_reload")
PATIENCE = 90.0
"""Seconds; on a machine with other work everything takes its time."""
# Hosts grumble about themselves; a complaint is ours where it, its trace or its place names us or the module that we are in.
_THEIRS = re.compile("Yjs was already imported")
_OURS = re.compile(r"widget|blob:|data:text/javascript|\bxw-", re.IGNORECASE)


def until(said: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)


@dataclass
class Opened:
    """A widget open in a host's page."""

    page: Page
    folder: Path
    reopen: Callable[[], object]
    """Reloads the page, and does what a person does then."""
    view: str = ".xw-heatmap"
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self._told(f"{error} {error.stack}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._told(f"{message.text} {message.location.get('url')}")

    def _told(self, text: str) -> None:
        if _OURS.search(text) and not _THEIRS.search(text):
            self.errors.append(text)

    @property
    def root(self) -> Locator:
        """The widget."""
        return self.page.locator(self.view).first

    def ask(self, expression: str) -> Any:
        """The value of a Python expression in the kernel."""
        file = answered(self.folder)
        until(file.is_file, "the kernel says where it can be asked")
        request = urllib.request.Request(file.read_text(encoding="utf-8"), expression.encode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            said = json.loads(reply.read())
        assert "error" not in said, said["error"]
        return said["value"]

    def show(self, method: str) -> None:
        """Click a method's name."""
        button = self.root.get_by_role("radio", name=method, exact=True)
        expect(button).to_be_visible(timeout=PATIENCE * 1000)
        button.click()
        until(lambda: self.ask("overlay.method") == method, f"the kernel shows {method}")


def bound(root: Locator) -> list[float]:
    """The numbers at the ends of the colour bar."""
    label = root.locator(".xw-colorbar").first.get_attribute("aria-label") or ""
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", label.replace("−", "-").split("from")[-1])]


def read_pixel(page: Page, root: Locator, row: int, column: int, side: int = 64) -> float:
    """The value under the pointer, as the widget tells it."""
    canvas = root.locator(".xw-frame canvas").first
    canvas.scroll_into_view_if_needed()
    canvas.hover(position=_place(canvas, row, column, side))
    caption = root.locator(".xw-caption-value").first
    expect(caption).not_to_be_empty()
    (number, *_) = re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", caption.inner_text().replace("−", "-"))
    return float(number)


def _place(canvas: Locator, row: int, column: int, side: int) -> Any:
    box = canvas.bounding_box()
    assert box is not None
    return {"x": (column + 0.5) / side * box["width"], "y": (row + 0.5) / side * box["height"]}


def has_numbers(opened: Opened) -> None:
    """Colour bar and the value under the pointer are those of the kernel's array."""
    page, root = opened.page, opened.root
    until(lambda: opened.ask("overlay.result is not None and overlay.status['state'] == 'done'"), "the answer is there")
    heat = np.array(
        opened.ask("overlay.result.heatmap[overlay.image if len(overlay.result.heatmap) > 1 else 0].tolist()")
    )
    largest = float(np.abs(heat).max())
    until(
        lambda: len(bound(root)) == 2 and bound(root) == pytest.approx([-largest, largest], rel=2e-3),
        f"the colour bar ends at ±{largest:.4g}",
    )
    row, column = (int(n) for n in np.unravel_index(np.abs(heat).argmax(), heat.shape))
    assert read_pixel(page, root, row, column) == pytest.approx(heat[row, column], rel=6e-3)


def visited(
    chromium: Browser, server: Server, folder: Path, address: str, *, jupyter: bool = False, height: int = 1100
) -> Iterator[Opened]:
    """A page of the server, which both end with it; of Jupyter a notebook, all cells of which are run."""
    context = chromium.new_context(viewport={"width": 1300, "height": height}, accept_downloads=True)
    page = context.new_page()
    found = Opened(page, folder, (lambda: save_and_reload(page)) if jupyter else page.reload)
    page.goto(address, timeout=120_000)
    if jupyter:
        ready(page)
        run_all(page)
    yield found
    context.close()
    server.close()


class Capabilities:
    """The tests; each begins from whatever the one before left."""

    cannot: ClassVar[dict[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _possible(self, request: pytest.FixtureRequest) -> None:
        reason = self.cannot.get(request.node.originalname.removeprefix("test_"))
        if reason:
            pytest.skip(reason)

    def test_shows(self, opened: Opened) -> None:
        expect(opened.root).to_be_visible(timeout=PATIENCE * 1000)
        expect(opened.root.locator(".xw-frame canvas").first).to_be_visible(timeout=PATIENCE * 1000)
        opened.show("LRP")
        has_numbers(opened)
        # A slider is dragged here, and Python knows where it ended.
        slider = opened.root.get_by_role("slider", name="Opacity")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box is not None
        mouse = opened.page.mouse
        mouse.move(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
        mouse.down()
        for step in range(6):
            mouse.move(box["x"] + (0.8 - 0.1 * step) * box["width"], box["y"] + box["height"] / 2)
        mouse.up()
        shown = float(slider.evaluate("(slider) => slider.valueAsNumber"))
        assert shown < 0.6
        until(lambda: abs(opened.ask("overlay.opacity") - shown) < 1e-6, "Python knows the opacity")

    def test_computes(self, opened: Opened) -> None:
        opened.show("LRP")
        until(lambda: opened.ask("overlay.result is not None"), "there is an answer")
        other = (int(opened.ask("int(overlay.result.target[0])")) + 1) % 8
        name = opened.ask(f"model.class_names[{other}]")
        box = opened.root.get_by_role("combobox", name="Class", exact=True)
        box.fill(name)
        box.press("Enter")
        until(lambda: opened.ask("overlay.target") == other, "Python knows the class")
        until(
            lambda: opened.ask("overlay.result is not None and int(overlay.result.target[0])") == other,
            "it is explained",
        )
        has_numbers(opened)

    def test_streams(self, opened: Opened) -> None:
        opened.show("RELAX")
        said = opened.root.locator(".xw-progress-text")

        def masks() -> int:
            found = re.match(r"([\d\s]+) of ", said.inner_text())
            return int(re.sub(r"\s", "", found[1])) if found else 0

        until(lambda: masks() > 0, "masks are counted")
        first = masks()
        until(lambda: masks() > first, "more masks are counted")
        assert masks() <= opened.ask("overlay.result.n_masks")

    def test_stops(self, opened: Opened) -> None:
        opened.show("RELAX")
        if opened.ask("overlay.status['state']") != "running":
            opened.root.get_by_role("button", name="More").click()
        stop = opened.root.get_by_role("button", name="Stop")
        expect(stop).to_be_enabled(timeout=PATIENCE * 1000)
        stop.click()
        until(lambda: opened.ask("overlay.status['state']") == "stopped", "it is stopped")
        count = opened.ask("overlay.result.n_masks")
        assert 0 < count < 20_000
        expect(opened.root.locator(".xw-progress-text")).to_contain_text(re.compile("stopped", re.IGNORECASE))
        assert opened.ask("overlay.wait(5)")
        assert opened.ask("overlay.result.n_masks") == count

    def test_saves(self, opened: Opened, chromium: Browser, tmp_path: Path) -> None:
        opened.show("LRP")
        has_numbers(opened)
        ends = bound(opened.root)
        opened.root.get_by_role("button", name=re.compile("^Save")).click()
        with opened.page.expect_download(timeout=PATIENCE * 1000) as download:
            opened.page.get_by_role("menuitem", name=re.compile("^HTML")).first.click()
        path = tmp_path / "saved.html"
        download.value.save_as(path)
        context = chromium.new_context(offline=True)
        saved = context.new_page()
        wrong: list[str] = []
        saved.on("pageerror", lambda error: wrong.append(str(error)))
        saved.goto(path.as_uri())
        expect(saved.locator(".xw-frame canvas").first).to_be_visible()
        assert bound(saved.locator(".xw-heatmap")) == ends
        context.close()
        assert wrong == []

    def test_survives_reload(self, opened: Opened) -> None:
        opened.show("LRP")
        kernel = opened.ask("id(overlay)")
        opened.reopen()
        expect(opened.root).to_be_visible(timeout=PATIENCE * 1000)
        assert opened.ask("id(overlay)") == kernel, "the same widget"
        has_numbers(opened)

    def test_nothing_is_said_in_the_console(self, opened: Opened) -> None:
        assert opened.errors == []
