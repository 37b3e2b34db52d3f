"""What all widgets share: the bundle, messages, jobs, errors on screen, saving."""

from __future__ import annotations

import atexit
import base64
import contextlib
import html
import io
import json
import re
import weakref
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from xaiwidgets.errors import check_keywords
from xaiwidgets.widgets.jobs import JobRunner
from xaiwidgets.widgets.wire import Packet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATIC = Path(__file__).parent / "static"


_OPEN: weakref.WeakSet[Widget] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Workers must end before the interpreter takes its modules, and torch its tensors, away from them."""
    for widget in list(_OPEN):
        with contextlib.suppress(Exception):
            widget.close()


def bundle(name: str) -> str:
    """The text of a built browser file.

    Raises:
        FileNotFoundError: the package was not built; says how to.
    """
    path = STATIC / name
    if not path.is_file():
        raise FileNotFoundError(
            f"the browser bundle {name} is missing; run 'pip install -e .' in the checkout, which builds it"
        )
    return path.read_text(encoding="utf-8")


_EVERY = ("theme", "title", "picture", "overlay")
"""Names of the traits that a person may give to the constructor of every widget."""


class Widget(anywidget.AnyWidget):
    """Base of the widgets: a subclass names its bundle, handles messages in ``_on_<type>``, runs long work as jobs."""

    theme = traitlets.Enum(["auto", "light", "dark"], "auto").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    picture = traitlets.Enum(["grey", "colour", "none"], "grey").tag(sync=True)
    """How the picture lies beneath a heatmap: without colours, so that none is taken for relevance; in colour; not at all."""
    overlay = traitlets.Enum(["colours", "outlines"], "colours").tag(sync=True)
    """How a heatmap lies over its picture: in colours, or as outlines of its strongest 5, 10 and 20 % of pixels."""
    status = traitlets.Dict({"state": "idle"}).tag(sync=True)
    """What the widget is doing, and what went wrong: written by Python, shown in the browser."""

    _hears = False
    """Whether a message of the browser is being read."""
    view_traits: Sequence[str] = ()
    """Names of the traits that a person may give to the constructor, beside those of every widget."""

    def __init__(self, **view: Any) -> None:
        check_keywords(type(self).__name__, view, [*_EVERY, *self.view_traits])
        super().__init__(**view)
        self._runner = JobRunner(f"{type(self).__name__} worker")
        _OPEN.add(self)
        self.on_msg(self._receive)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _handle_msg(self, msg: dict[str, Any]) -> None:
        self._hears = True
        try:
            super()._handle_msg(msg)
        finally:
            self._hears = False

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Set several traits at once. What the browser says and Python refuses is shown, and taken back there too."""
        try:
            super().set_state(sync_data)
        except (traitlets.TraitError, ValueError) as error:
            if not self._hears:
                raise
            self._show_error(error)
            self.send_state(list(sync_data))

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        """Hand a message to its handler; one that fails shows its error in the widget, where people look."""
        kind = content.get("type") if isinstance(content, dict) else None
        handler = getattr(self, f"_on_{kind}", None)
        if handler is None:
            return
        try:
            handler(content)
        except Exception as error:
            self._show_error(error)

    def _post(self, packet: Packet) -> None:
        """Send a packet to every view."""
        if self.comm is not None:
            self.send(packet.content, list(packet.buffers))

    def _on_stop(self, content: dict[str, Any]) -> None:
        self.stop()

    def _on_export(self, content: dict[str, Any]) -> None:
        answer: dict[str, Any] = {
            "type": "export",
            "id": content.get("id"),
            "format": "html",
            "name": f"{_file_name(self.title)}.html",
        }
        try:
            self._post(Packet(answer, (self._page().encode(),)))
        except Exception as error:
            self._post(Packet({**answer, "error": str(error)}, (b"",)))

    def _show_error(self, error: Exception) -> None:
        message = str(error) or type(error).__name__
        said: dict[str, Any] = {
            **self.status,
            "state": "error",
            "message": message,
            "hint": _hint(error),
            "seconds_left": None,
        }
        self.status = said

    # -- work --------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop what is being computed, after its present batch; what is there so far stays."""
        self._runner.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being computed; False when ``timeout`` seconds were not enough."""
        return self._runner.wait(timeout)

    def close(self) -> None:
        """Stop, free everything, and remove the widget from the page."""
        # A widget whose arguments were refused has no runner yet, and is closed all the same when it is collected.
        _OPEN.discard(self)
        runner = vars(self).get("_runner")
        if runner is not None:
            runner.close()
        super().close()

    # -- pictures and pages --------------------------------------------------------------------------------------------

    @abstractmethod
    def _figure(self) -> Figure:
        """What the widget shows, as a matplotlib figure."""

    @abstractmethod
    def _recorded(self) -> list[Packet]:
        """Messages from which a page without a kernel can show everything computed so far."""

    def save(self, path: str | Path) -> Path:
        """Write what the widget shows: ``.html`` (interactive, one offline file), ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            ValueError: another file name extension.
        """
        path = Path(path).expanduser()
        kind = path.suffix.lower()
        if kind in (".html", ".htm"):
            path.write_text(self._page(), encoding="utf-8")
        elif kind in (".png", ".svg", ".pdf"):
            self._figure().savefig(path, dpi=200, bbox_inches="tight")
        else:
            raise ValueError(f"path={str(path)!r} ends in {kind or 'nothing'}; choose .html, .png, .svg or .pdf")
        return path

    def _page(self) -> str:
        """One self-contained page: the same bundle on a stand-in for the kernel."""
        state = {name: getattr(self, name) for name in self.keys if not name.startswith("_")}
        for name in ("layout", "tabbable", "tooltip", "snapshot"):
            state.pop(name, None)
        content = {"state": state, "messages": [packet.recorded() for packet in self._recorded()]}
        parts = {
            "title": html.escape(self.title or type(self).__name__),
            "css": self._style().replace("</", "<\\/"),
            # No text in the content may end the script element that it stands in.
            "content": json.dumps(content).replace("<", "\\u003c"),
            "bundle": base64.b64encode(self._script().encode()).decode(),
        }
        # In one pass, so that a title that says {{css}} stays what it is.
        return re.sub(r"\{\{(\w+)\}\}", lambda found: parts.get(found[1], ""), bundle("standalone.html"))

    def _script(self) -> str:
        return str(self._esm)

    def _style(self) -> str:
        return str(self._css)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live widget, and a PNG for places that show none: GitHub, nbviewer, printed notebooks."""
        made = super()._repr_mimebundle_(**options)
        if made is None:
            return None
        data, metadata = made if isinstance(made, tuple) else (made, {})
        picture = io.BytesIO()
        self._figure().savefig(picture, format="png", dpi=100, bbox_inches="tight")
        data = {**data, "image/png": base64.b64encode(picture.getvalue()).decode()}
        return data, metadata


def _hint(error: Exception) -> str:
    """Where the error comes from, for those who can mend it."""
    error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    place = Path(trace.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} in {place}, line {trace.tb_lineno}"


def _file_name(title: str) -> str:
    return re.sub(r"[^\w.-]+", "-", title).strip("-").lower() or "widget"
