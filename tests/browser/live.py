"""A real overlay under a stand-in page: what the page says is heard in Python, what Python says is received by the page, turn by turn."""

from __future__ import annotations

import base64
import json
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

from tests.widgets.conftest import Recorded

from .standin import PAGE, StandIn, serve

_QUIET = {"layout", "tabbable", "tooltip", "snapshot"}


class Live(StandIn):
    """A page with a running overlay, and the overlay itself as ``widget``."""

    def __init__(self, page: Page, widget: Recorded) -> None:
        super().__init__(page)
        self.widget = widget
        self._heard = self._saved = self._sent = 0
        self._state: dict[str, Any] = {}

        def log(message: ConsoleMessage) -> None:
            # The tests themselves read pixels back.
            if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
                self.errors.append(message.text)

        page.on("console", log)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        serve(page, PAGE)
        self._state = self._traits()
        page.evaluate("(state) => start(state, [], 1, false)", self._state)
        self.turn()

    def turn(self, turns: int = 60) -> None:
        """Let both talk until neither has anything to say."""
        for _ in range(turns):
            # A change rests for a moment before it is written.
            self.rest()
            if not self.exchange():
                return

    def exchange(self) -> bool:
        """What each has said since the last time reaches the other; whether there was anything."""
        saved = self.page.evaluate("(from) => model.saved.slice(from)", self._saved)
        sent = self.page.evaluate("(from) => model.sent.slice(from)", self._heard)
        self._saved += len(saved)
        self._heard += len(sent)
        for traits in saved:
            self.widget._hears = True
            self.widget.set_state(traits)
            self.widget._hears = False
            self._state |= traits
        for message in sent:
            self.widget.hear(**message)
        assert self.widget.wait(60)
        now = self._traits()
        changed = {name: value for name, value in now.items() if value != self._state.get(name)}
        self._state = now
        for name, value in changed.items():
            self.page.evaluate("([name, value]) => model.update(name, value)", [name, value])
        fresh = self.widget.sent[self._sent :]
        self._sent += len(fresh)
        for content, buffers in fresh:
            message = {"content": content, "buffers": [base64.b64encode(part).decode() for part in buffers]}
            self.page.evaluate("({content, buffers}) => model.receive(content, buffers)", message)
        return bool(saved or sent or changed or fresh)

    def _traits(self) -> dict[str, Any]:
        names = [name for name in self.widget.keys if not name.startswith("_") and name not in _QUIET]
        state: dict[str, Any] = json.loads(json.dumps({name: getattr(self.widget, name) for name in names}))
        return state
