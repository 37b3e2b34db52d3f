"""Where a notebook is shown: whether widgets run there, and what stands in for them where none do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from xaiwidgets.errors import unknown

__all__ = ["VARIABLE", "WITHOUT_WIDGETS", "Options", "options", "present", "shows_static"]

VARIABLE = "XAIWIDGETS_STATIC"
"""The environment variable that says it for every kernel that is started with it."""
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

WITHOUT_WIDGETS: dict[str, tuple[str, str]] = {
    "Kaggle, a version that is saved": ("KAGGLE_KERNEL_RUN_TYPE", "Batch"),
    "Quarto": ("QUARTO_EXECUTE_INFO", ""),
    "Read the Docs": ("READTHEDOCS", "True"),
}
"""Places where nobody is there to ask a kernel: a variable that they set, and its value ("" for any). Only what is certain stands here;
nbconvert, papermill and Sphinx start kernels as a person's JupyterLab does, and cannot be told apart from it."""


@dataclass(frozen=True)
class Options:
    """What `options` has set."""

    static: bool | None = None
    images: Literal["this", "all"] = "this"


class _Set:
    """What was set, and in ``with`` the way back to what was before."""

    def __init__(self, before: Options, now: Options) -> None:
        self._before, self._now = before, now

    def __enter__(self) -> Options:
        return self._now

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _Present.options = self._before

    def __repr__(self) -> str:
        return f"xaiwidgets.options(static={self._now.static!r}, images={self._now.images!r})"


class _Present:
    options = Options()


_SAME: Literal["same"] = "same"


def options(*, static: bool | Literal["same"] | None = _SAME, images: Literal["this", "all", "same"] = _SAME) -> _Set:
    """Choose how widgets are shown from here on, or in ``with xw.options(static=True):`` only there.

    Args:
        static: True puts out each widget as a page of its own that needs no kernel (`Widget.static`), for nbconvert, Quarto and other
            places that run no widgets; False puts out live widgets everywhere; None, as at first, asks the environment variable
            ``XAIWIDGETS_STATIC`` (1 or 0), and else puts out pages where it is certain that no kernel will be there:
            `xaiwidgets.widgets.hosts.WITHOUT_WIDGETS`.
        images: what a page holds: the image on screen ("this"), or all of them, as many as there is room for.

    Raises:
        ValueError: anything else.

    Example:
        >>> with xw.options(static=True):
        ...     widget = xw.HeatmapOverlay(xw.LRP(model), x)  # shown within, it is a page that needs no kernel
        >>> widget.wait()
        True
    """
    before = _Present.options
    if static not in (True, False, None, _SAME):
        raise ValueError(f"static={static!r} must be True, False or None")
    if images not in ("this", "all", _SAME):
        raise unknown("images", images, ("this", "all"))
    now = Options(
        before.static if static == _SAME else static,
        before.images if images == _SAME else images,
    )
    _Present.options = now
    return _Set(before, now)


def present() -> Options:
    """What is set now."""
    return _Present.options


def shows_static(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a widget that is displayed is put out as a page without a kernel.

    Raises:
        ValueError: the environment variable says neither yes nor no.
    """
    chosen = _Present.options.static
    if chosen is not None:
        return chosen
    said = environment.get(VARIABLE, "").strip().lower()
    if said in _YES or said in _NO:
        return said in _YES
    if said:
        raise ValueError(f"the environment variable {VARIABLE}={said!r} is not known; give 1 for static pages, or 0")
    return any(
        name in environment and (not value or environment[name] == value) for name, value in WITHOUT_WIDGETS.values()
    )
