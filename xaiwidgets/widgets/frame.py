"""A saved page as the output of a cell, for places that run no widgets."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["MOST_BYTES", "StaticPage"]

MOST_BYTES = 5_000_000
"""Most bytes of a page in a cell's output: notebooks of more than some ten MB open slowly, and GitHub shows none of them."""

# Scripts, and what a person asks for: files that are saved, papers that are opened. Not the notebook around it, nor its cookies.
_SANDBOX = "allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox"


@cache
def _beside() -> str:
    """The script beside a frame: gives it the height of its page, and tells the page whether the notebook is dark."""
    return (Path(__file__).parent / "static" / "frame.js").read_text(encoding="utf-8").strip().replace("</", "<\\/")


@dataclass(frozen=True)
class StaticPage:
    """What a widget shows, live without a kernel, as the output of a cell.

    It is what `Widget.save` writes, in a frame (``<iframe srcdoc>``) that keeps page and notebook apart. A page that would be larger than
    `MOST_BYTES` is not put out; its picture is, with a line that says so.
    """

    title: str
    page: str = field(repr=False)
    """The whole page, HTML."""
    picture: bytes = field(repr=False)
    """The same as a PNG, for places that show no pages."""
    height: int = 640
    """Pixels of the frame until its page says how tall it is."""

    @property
    def fits(self) -> bool:
        """Whether the page is small enough for a notebook."""
        return self.size <= MOST_BYTES

    @property
    def size(self) -> int:
        """Bytes of the page."""
        return len(self.page.encode())

    def __repr__(self) -> str:
        return f"StaticPage({self.title!r}, {self.size / 1e6:.2g} MB)"

    def _repr_html_(self) -> str:
        if not self.fits:
            return self._figure(
                f"The live page of this picture is {self.size / 1e6:.3g} MB, too large for a notebook: w.save('page.html') writes it."
            )
        # A notebook that is not trusted, as one that was downloaded, loses frame, style and script: the picture remains, and says so.
        still = self._figure("The live page is left out here: trust the notebook, or run the cell again.")
        return (
            f'<iframe class="xaiwidgets-page" title="{html.escape(self.title)}" sandbox="{_SANDBOX}"'
            ' allow="fullscreen; clipboard-write"'
            f' style="display:block;width:100%;height:{self.height}px;border:0;color-scheme:normal"'
            f' srcdoc="{html.escape(self.page)}"></iframe>{still}'
            f"<style>.xaiwidgets-page+.xaiwidgets-picture{{display:none}}</style><script>{_beside()}</script>"
        )

    def _figure(self, said: str) -> str:
        """The picture, and a line of words."""
        source = f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"
        name = html.escape(self.title)
        return (
            f'<figure class="xaiwidgets-picture"><img src="{source}" alt="{name}" style="max-width:100%">'
            f"<figcaption>{said}</figcaption></figure>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The frame, the picture and a word: each place takes what it can show."""
        return {
            "text/html": self._repr_html_(),
            "image/png": base64.b64encode(self.picture).decode(),
            "text/plain": repr(self),
        }
