"""Where no widgets run, a page that needs no kernel is put out in their place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from torch import Tensor

import xaiwidgets as xw
from tests.widgets.conftest import Recorded
from xaiwidgets.widgets import hosts
from xaiwidgets.widgets.hosts import VARIABLE, WITHOUT_WIDGETS, shows_static

LIVE = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def as_at_first(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (VARIABLE, *(variable for variable, _ in WITHOUT_WIDGETS.values())):
        monkeypatch.delenv(name, raising=False)
    yield
    xw.options(static=None, images="this")


def bundle(widget: Any) -> dict[str, Any]:
    made = widget._repr_mimebundle_()
    return made[0] if isinstance(made, tuple) else made


def test_the_option_puts_out_pages(overlay: Callable[..., Recorded], images: Tensor, heat: Tensor) -> None:
    assert LIVE in bundle(overlay({"a": heat}, images))
    with xw.options(static=True):
        w = overlay({"a": heat}, images)
        assert w.comm is None, "nobody is told of a widget that nobody runs"
        shown = bundle(w)
    assert set(shown) == {"text/html", "image/png", "text/plain"}
    assert 'sandbox="allow-scripts' in shown["text/html"]
    assert "allow-same-origin" not in shown["text/html"]
    # Afterwards the same widget is live.
    assert LIVE in bundle(w)
    assert "text/html" not in bundle(w)


def test_options_stay_until_they_are_changed() -> None:
    assert repr(xw.options(static=True)) == "xaiwidgets.options(static=True, images='this')"
    xw.options(images="all")
    assert hosts.present() == hosts.Options(True, "all")
    with xw.options(static=False) as inside:
        assert inside == hosts.Options(False, "all")
        assert not shows_static({VARIABLE: "1"})
    assert shows_static({})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"static": "yes"}, "static='yes' must be True, False or None"),
        ({"images": "some"}, "images='some' is not known"),
    ],
)
def test_other_options_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        xw.options(**given)
    assert hosts.present() == hosts.Options()


def test_the_environment_says_it() -> None:
    assert not shows_static({})
    assert shows_static({VARIABLE: "1"})
    assert shows_static({VARIABLE: "True"})
    assert not shows_static({VARIABLE: "0", "READTHEDOCS": "True"})
    with pytest.raises(ValueError, match="XAIWIDGETS_STATIC='maybe' is not known; give 1 for static pages, or 0"):
        shows_static({VARIABLE: "maybe"})


@pytest.mark.parametrize("place", WITHOUT_WIDGETS)
def test_places_that_are_known(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, value = WITHOUT_WIDGETS[place]
    monkeypatch.setenv(name, value or "anything")
    assert shows_static(os.environ)
    if value:
        monkeypatch.setenv(name, "Interactive")
        assert not shows_static(os.environ)
