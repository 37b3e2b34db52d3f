"""One picture of the house: its rooms in floors, and who imports whom, read from the sources when the site is built."""

from __future__ import annotations

import ast
import html
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tests.imports import imports_of

__all__ = ["House", "drawn", "floors", "rooms_of", "setup"]

_WIDTH, _HEIGHT, _GAP, _ROOM = 132, 46, 58, 900
_DOOR = ("model", "lrp")
"""`ImageModel.check()` is a convenience for `lrp.check(model)`: drawn, but nobody's foundation."""


def rooms_of(package: Path) -> dict[str, set[str]]:
    """room -> the rooms that it imports from; the public face, which imports all of them, is left out."""
    found: dict[str, set[str]] = {}
    for name, others in imports_of(package).items():
        room = _room(name)
        if room:
            found.setdefault(room, set()).update(other for other in map(_room, others) if other and other != room)
    return found


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def floors(rooms: dict[str, set[str]]) -> list[list[str]]:
    """Rooms by floor, the ground first: one above the highest room that is imported."""
    height: dict[str, int] = {}

    def of(room: str) -> int:
        if room not in height:
            height[room] = 1 + max((of(other) for other in rooms[room] if (room, other) != _DOOR), default=-1)
        return height[room]

    for room in rooms:
        of(room)
    return [sorted(room for room in rooms if height[room] == floor) for floor in range(max(height.values()) + 1)]


def drawn(package: Path) -> str:
    """The picture as SVG, in the colours of the page that it stands in."""
    rooms = rooms_of(package)
    storeys = floors(rooms)
    tall = len(storeys) * (_HEIGHT + _GAP)
    place: dict[str, tuple[float, float]] = {}
    for floor, row in enumerate(storeys):
        step = _ROOM / len(row)
        for number, room in enumerate(row):
            place[room] = ((number + 0.5) * step, tall - floor * (_HEIGHT + _GAP) - _HEIGHT / 2 - 6)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="xw-house" viewBox="0 0 {_ROOM} {tall}" role="img" '
        'aria-label="Rooms of the package and what they import">',
        '<defs><marker id="xw-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>',
    ]
    for room, others in sorted(rooms.items()):
        for other in sorted(others):
            parts.append(_line(place[room], place[other], (room, other) == _DOOR))
    for room, (x, y) in place.items():
        said = html.escape(_said(package, room))
        parts.append(
            f'<g><title>{said}</title><rect x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" height="{_HEIGHT}" '
            f'rx="6"/><text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{room}</text></g>'
        )
    return "\n".join([*parts, "</svg>"])


def _line(start: tuple[float, float], end: tuple[float, float], door: bool) -> str:
    up = -1 if end[1] < start[1] else 1
    x1, y1, x2, y2 = start[0], start[1] + up * _HEIGHT / 2, end[0], end[1] - up * (_HEIGHT / 2 + 2)
    bend = up * abs(y2 - y1) * 0.45
    dashes = ' stroke-dasharray="5 4"' if door else ""
    return (
        f'<path class="xw-edge" d="M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}" '
        f'marker-end="url(#xw-tip)"{dashes}/>'
    )


def _said(package: Path, room: str) -> str:
    """The first sentence of a room's docstring."""
    path = package / room / "__init__.py" if (package / room).is_dir() else package / f"{room}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or room
    return " ".join(text.split("\n\n")[0].split())


class House(SphinxDirective):
    """``.. house::``: the picture."""

    def run(self) -> list[nodes.Node]:
        """One raw node."""
        package = Path(self.env.srcdir).parent / "xaiwidgets"
        for path in package.rglob("*.py"):
            self.env.note_dependency(str(path))
        return [nodes.raw("", drawn(package), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("house", House)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
