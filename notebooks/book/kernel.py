"""The kernels that run the book's pages: a widget shown there becomes its saved page, a file that works without Python."""

from __future__ import annotations

import hashlib
import html
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["SCHEME", "fingerprint", "prepare", "show_pages"]

SCHEME = "xw-page:"
"""Begins the address of a saved page in what a cell put out; ``book.pages`` makes it a relative one."""
_FOLDER = "XAIWIDGETS_BOOK_PAGES"
_STARTUP = "from book.kernel import show_pages\n\nshow_pages()\n"


def fingerprint(*folders: Path) -> str:
    """Changes with the sources of a folder: what was run with other sources is run again."""
    seen = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".py", ".js", ".css", ".html", ".safetensors"}:
                seen.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]


def prepare(home: Path, pages: Path, parts: Path) -> None:
    """Tell the kernels started from here to keep widgets as pages in a folder.

    Args:
        home: a folder for IPython's start-up file. pages: where saved pages go. parts: the folder that ``book`` lies in.
    """
    startup = home / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "pages.py").write_text(_STARTUP, encoding="utf-8")
    pages.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("PYTHONPATH", "")
    paths = [str(parts), str(parts.parent), *([before] if before else [])]
    os.environ.update({"IPYTHONDIR": str(home), _FOLDER: str(pages), "PYTHONPATH": os.pathsep.join(paths)})
    # A small model is not faster for a pool of threads, and pages are run beside each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def show_pages() -> None:
    """In a kernel: show every widget of ours as its saved page."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    bundles = shell.display_formatter.mimebundle_formatter
    bundles.for_type_by_name("xaiwidgets.widgets.base", "Widget", _page)


def _page(widget: Any) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        text = widget.save(Path(folder) / "page.html", images="all").read_text(encoding="utf-8")
    name = hashlib.sha256(text.encode()).hexdigest()[:20]
    Path(os.environ[_FOLDER], f"{name}.html").write_text(text, encoding="utf-8")
    kind = type(widget).__name__
    title = html.escape(widget.title or kind, quote=True)
    frame = f'<iframe class="xw-page" data-kind="{kind}" src="{SCHEME}{name}" title="{title}" loading="lazy"></iframe>'
    return {"text/html": frame, "text/plain": f"<{kind}>"}
