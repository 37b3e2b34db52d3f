"""Figures on pages that may be light or dark: each is drawn twice, with no ground of its own.

Neutral colours are turned: black ink becomes light; white is the ground, which shows through. Hues stay, as they mean something, and so
does everything that lies on a picture, since the picture stays as well.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

__all__ = ["DENSITY", "darkened", "drawn", "turned", "words"]

DENSITY = 1.5
"""Pixels of a picture for each of the page: lectures are shown on large screens."""
_DPI = 100
_INK, _GROUND = 0.91, 0.10
"""What black and white become: the ink and the ground of the theme when it is dark."""
_WHITE = 0.97
_NEUTRAL = 0.12
"""Most that red, green and blue of a neutral colour lie apart."""

_COLOURS: dict[type[Artist], tuple[str, ...]] = {
    Text: ("color", "path_effects"),
    Line2D: ("color", "markerfacecolor", "markeredgecolor"),
    Patch: ("facecolor", "edgecolor"),
    Collection: ("facecolor", "edgecolor"),
}


def drawn(figure: Figure) -> tuple[bytes, bytes, int]:
    """A figure as PNG for light pages and for dark ones, and its width on the page in pixels."""
    # The dark one first: the first drawing settles the layout, and both are to have the same.
    with darkened(figure):
        dark = _png(figure)
    light = _png(figure)
    return light, dark, round(int.from_bytes(light[16:20], "big") / DENSITY)


def words(figure: Figure) -> str:
    """What a figure is called by those who do not see it: its titles, else the names of its axes."""
    titles = [figure.get_suptitle(), *(axis.get_title() for axis in figure.axes)]
    named = [title for title in titles if title] or [axis.get_ylabel() or axis.get_xlabel() for axis in figure.axes]
    return "; ".join(dict.fromkeys(" ".join(name.split()) for name in named if name)) or "Figure"


def turned(colour: Any) -> tuple[float, float, float, float]:
    """A neutral colour for dark pages; others as they are."""
    *rgb, alpha = to_rgba(colour)
    if max(rgb) - min(rgb) > _NEUTRAL:
        return (*rgb, alpha)  # type: ignore[return-value]
    value = _INK + (_GROUND - _INK) * sum(rgb) / 3
    return (value, value, value, 0.0 if min(rgb) > _WHITE else alpha)


@contextmanager
def darkened(figure: Figure) -> Iterator[None]:
    """A figure as it looks on dark pages, until the block ends."""
    # Ticks and places of notes are there once it is drawn.
    figure.canvas.draw()
    before = [(put, get()) for artist in _inks(figure) for get, put in _colours(artist)]
    try:
        for put, colour in before:
            put(_turned_alike(colour))
        yield
    finally:
        for put, colour in reversed(before):
            put(colour)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DENSITY * _DPI, bbox_inches="tight", facecolor="none")
    return file.getvalue()


def _inks(figure: Figure) -> Iterator[Artist]:
    """All artists but pictures, scales of colours, and what lies on them or is their ground."""
    kept = {id(artist) for axis in figure.axes for artist in _held(axis)}
    for artist in figure.findobj():
        if id(artist) not in kept:
            yield artist


def _held(axis: Axes) -> Iterator[Artist]:
    if any(_stands_for_values(artist) for artist in axis.collections):
        yield axis.patch
    if not axis.images:
        return
    frame = {id(artist) for part in (axis.xaxis, axis.yaxis, *axis.spines.values()) for artist in part.findobj()}
    area = axis.get_window_extent()
    for artist in axis.findobj():
        # A note beside the picture lies on the page.
        beside = isinstance(artist, Text) and not area.overlaps(artist.get_window_extent())
        if id(artist) not in frame and not beside:
            yield artist


def _stands_for_values(artist: Artist) -> bool:
    return isinstance(artist, Collection) and artist.get_array() is not None


def _colours(artist: Artist) -> Iterator[tuple[Callable[[], Any], Callable[[Any], None]]]:
    """How each colour of an artist is got and put."""
    for kind, names in _COLOURS.items():
        if isinstance(artist, kind) and not _stands_for_values(artist):
            for name in names:
                yield getattr(artist, f"get_{name}"), getattr(artist, f"set_{name}")


def _turned_alike(colour: Any) -> Any:
    """One colour, an array of colours, or strokes around letters: these go, as letters are light on dark."""
    if isinstance(colour, list):
        return []
    return [turned(row) for row in colour] if isinstance(colour, np.ndarray) and colour.ndim == 2 else turned(colour)
