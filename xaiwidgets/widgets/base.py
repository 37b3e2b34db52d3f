"""What all widgets share: the bundle, messages, jobs, errors on screen, saving."""

from __future__ import annotations

import atexit
import base64
import contextlib
import html
import io
import json
import math
import re
import weakref
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anywidget
import traitlets

from xaiwidgets.errors import check_keywords
from xaiwidgets.widgets import hosts
from xaiwidgets.widgets.album import Album
from xaiwidgets.widgets.frame import MOST_BYTES, StaticPage
from xaiwidgets.widgets.jobs import Job, JobRunner
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


_SAVING = 9
"""The lane of pages being written: what is on screen is computed first."""
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
    model_name = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Dict({"state": "idle"}).tag(sync=True)
    """What the widget is doing, and what went wrong: written by Python, shown in the browser."""

    _hears = False
    """Whether a message of the browser is being read."""
    _tall = 640
    """About how many pixels tall a page is, until it says so itself."""
    view_traits: Sequence[str] = ()
    """Names of the traits that a person may give to the constructor, beside those of every widget."""

    def __init__(self, **view: Any) -> None:
        check_keywords(type(self).__name__, view, [*_EVERY, *self.view_traits])
        super().__init__(**view)
        self._album: Album | None = None
        self._told: set[int] = set()
        self._runner = JobRunner(f"{type(self).__name__} worker")
        _OPEN.add(self)
        self.on_msg(self._receive)

    def open(self) -> None:
        """Tell the browser that there is a widget; where none runs nobody is told, and no state goes into the notebook."""
        if not hosts.shows_static():
            super().open()

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
        answer = {
            "type": "export",
            "id": content.get("id"),
            "format": "html",
            "name": f"{_file_name(self._called())}.html",
        }
        images = self._images("all" if content.get("images") == "all" else "this")

        def written() -> Iterator[None]:
            yield from self._missing(images)
            self._post(Packet(answer, (self._page(images).encode(),)))

        def failed(error: Exception) -> None:
            self._post(Packet({**answer, "error": str(error) or type(error).__name__}, (b"",)))

        stopped = RuntimeError("stopped before the page was complete")
        self._runner.submit(Job(start=written, on_stop=lambda: failed(stopped), on_error=failed, lane=_SAVING))

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

    # -- the images ----------------------------------------------------------------------------------------------------

    def _introduce(self, image: int) -> Iterator[None]:
        """Tell what the model says of an image, then of all of them with small pictures: a message a step, none twice."""
        album = self._album
        if album is None:
            return
        if self._tell(album.prediction(image)):
            yield
        for page in album.pages():
            if self._tell(page):
                yield

    def _tell(self, packet: Packet | None) -> bool:
        """Post what is said of images, unless it was; whether it was news."""
        if packet is None or id(packet) in self._told:
            return False
        self._told.add(id(packet))
        self._post(packet)
        return True

    def _known_images(self) -> list[Packet]:
        """What was said of images so far: a new view has heard none of it."""
        return [] if self._album is None else self._album.known()

    def _complete(self, images: Sequence[int]) -> list[Packet]:
        """What is said of some images, whether it was or not: a page begins with it."""
        return [] if self._album is None else self._album.complete(images)

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
        # Out[] keeps the widget itself for as long as the kernel lives; its images may go.
        self._album = None
        super().close()

    # -- pictures and pages --------------------------------------------------------------------------------------------

    @abstractmethod
    def _figure(self) -> Figure:
        """What the widget shows, as a matplotlib figure."""

    @abstractmethod
    def _recorded(self, images: Sequence[int] | None = None, room: float = math.inf) -> list[Packet]:
        """Messages from which a page without a kernel can show what was computed so far, of all images or of some.

        Args:
            room: most bytes of what is not on screen.
        """

    def _missing(self, images: Sequence[int]) -> Iterator[None]:
        """Compute what a page of these images is to show and is not there yet, step by step, in the worker."""
        yield from ()

    def save(self, path: str | Path, *, images: Literal["this", "all"] = "this") -> Path:
        """Write what the widget shows, when what is being computed is there.

        Args:
            path: ``.html`` (interactive, one offline file), ``.png``, ``.svg`` or ``.pdf``: what is on screen.
            images: what a page holds: the image on screen, or all of them, computing what is missing.

        Raises:
            ValueError: another file name extension, or other images. RuntimeError: what is to be shown could not be computed.
        """
        path = Path(path).expanduser()
        kind = path.suffix.lower()
        if kind not in (".html", ".htm", ".png", ".svg", ".pdf"):
            raise ValueError(f"path={str(path)!r} ends in {kind or 'nothing'}; choose .html, .png, .svg or .pdf")
        rows = self._images(images)
        self._finish(rows if images == "all" else ())
        if kind in (".html", ".htm"):
            path.write_text(self._page(rows), encoding="utf-8")
        else:
            self._figure().savefig(path, dpi=200, bbox_inches="tight")
        return path

    def static(self, *, images: Literal["this", "all"] = "this") -> StaticPage:
        """What the widget shows as the output of a cell that needs no kernel, when what is being computed is there.

        Put it last in a cell, for nbconvert, Quarto and other places that run no widgets; `xaiwidgets.options` does so for all widgets.

        Args:
            images: what the page holds: the image on screen, or all of them, computing what is missing, as many as there is room for.

        Raises:
            ValueError: other images. RuntimeError: what is to be shown could not be computed.
        """
        rows = self._images(images)
        self._finish(rows if images == "all" else ())
        return StaticPage(self._called(), self._small_page(rows), self._png(), self._tall)

    def _called(self) -> str:
        """What files and pages are called."""
        return self.title or type(self).__name__

    def _images(self, images: str) -> Sequence[int]:
        """The numbers of the images on screen, or of all."""
        if images not in ("this", "all"):
            raise ValueError(f"images={images!r} is not known; give 'this' for the image on screen, or 'all'")
        present, count = getattr(self, "image", 0), getattr(self, "images", 1)
        return range(count) if images == "all" else (present,)

    def _finish(self, images: Sequence[int]) -> None:
        """Wait for what is being computed, and compute what else these images need."""
        failed: list[Exception] = []
        if images:
            self._runner.submit(Job(start=lambda: self._missing(images), on_error=failed.append, lane=_SAVING))
        self.wait()
        if failed:
            raise RuntimeError(f"nothing was saved: {failed[0]}") from failed[0]

    def _small_page(self, images: Sequence[int]) -> str:
        """A page of as many of the images as a notebook has room for, the one on screen first."""
        present = getattr(self, "image", 0)
        wanted = [present, *(image for image in images if image != present)]
        held, room = wanted, MOST_BYTES / 2
        while True:
            page = self._page(held, room=room, asked=len(wanted))
            share = MOST_BYTES / len(page.encode())
            if share >= 1 or (len(held) == 1 and room == 0):
                return page
            if len(held) == 1:
                room = 0
            held = held[: max(1, int(0.9 * share * len(held)))]

    def _page(self, images: Sequence[int], *, room: float = math.inf, asked: int | None = None) -> str:
        """One self-contained page of some images: the same bundle on a stand-in for the kernel.

        Args:
            room: most bytes of answers that are not on screen.
            asked: how many images were asked for, where there may be no room for all of them.
        """
        state = {name: getattr(self, name) for name in self.keys if not name.startswith("_")}
        for name in ("layout", "tabbable", "tooltip", "snapshot"):
            state.pop(name, None)
        if state["status"].get("state") == "running":
            # Pictures may still be coming; a page waits for none.
            state["status"] = {"state": "idle"}
        told = [*self._complete(images), *self._recorded(images, room)]
        messages = json.dumps([packet.recorded() for packet in told])
        bundled, style = base64.b64encode(self._script().encode()).decode(), self._style().replace("</", "<\\/")
        saved: dict[str, Any] = {
            "date": date.today().isoformat(),
            "bytes": len(messages) + len(bundled) + len(style),
        }
        if asked is not None and len(images) < asked:
            saved["images"] = [len(images), asked]
        content = f'{{"state": {json.dumps(state)}, "saved": {json.dumps(saved)}, "messages": {messages}}}'
        parts = {
            "title": html.escape(self._called()),
            "css": style,
            # No text in the content may end the script element that it stands in.
            "content": content.replace("<", "\\u003c"),
            "bundle": bundled,
        }
        # In one pass, so that a title that says {{css}} stays what it is.
        return re.sub(r"\{\{(\w+)\}\}", lambda found: parts.get(found[1], ""), bundle("standalone.html"))

    def _script(self) -> str:
        return str(self._esm)

    def _style(self) -> str:
        return str(self._css)

    def _png(self) -> bytes:
        """What is on screen, for places that show no pages."""
        picture = io.BytesIO()
        self._figure().savefig(picture, format="png", dpi=100, bbox_inches="tight")
        return picture.getvalue()

    # ipywidgets 7, which Colab has, would show the widget by itself, without what stands beside it.
    _ipython_display_ = None

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live widget, and a PNG for places that show none: GitHub, nbviewer, printed notebooks.

        Where no widgets run, the page that needs no kernel stands in for it: see `xaiwidgets.options`.
        """
        if hosts.shows_static():
            return self.static(images=hosts.present().images)._repr_mimebundle_()
        if self.comm is None and self in _OPEN:
            # Made where no widgets run, shown where they do.
            self.open()
        made = super()._repr_mimebundle_(**options)
        if made is None:
            return None
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, "image/png": base64.b64encode(self._png()).decode()}, metadata


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
