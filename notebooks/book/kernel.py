"""The kernels that run the book's pages: a widget shown there becomes its saved page, a file that works without Python."""

from __future__ import annotations

import ast
import hashlib
import html
import os
import platform
import re
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["FIGURE", "SCHEME", "cache_of", "fingerprint", "fresh", "prepare", "show_pages"]

SCHEME = "xw-page:"
"""Begins the address of a saved page in what a cell put out; ``book.pages`` makes it a relative one."""
FIGURE = "xw-figure:"
"""The same of a figure's picture."""
LARGEST = 5_000_000
"""Bytes of a page with all images; what would take more shows the image on screen only."""
_FOLDER = "XAIWIDGETS_BOOK_PAGES"
_STARTUP = "from book.kernel import show_pages\n\nshow_pages()\n"


def cache_of(build: Path) -> Path:
    """The folder in ``build`` that keeps what pages put out: one for the package, the kernels and the versions they run with now."""
    here = Path(__file__).resolve().parent
    root = here.parents[1]
    return (
        build
        / "cache"
        / f"{fingerprint(root / 'xaiwidgets', here / 'kernel.py', here / 'figures.py')}-{_versions(root)}"
    )


def _versions(root: Path) -> str:
    """Changes with the version of Python and of whatever the package names as needed or of use, there or not."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    found = {"python": platform.python_version()}
    for name in {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in named} - {project["name"]}:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:8]


def fingerprint(*sources: Path) -> str:
    """Changes with what some files, or all in a folder, do: pages that were run with others are run again. Words alone change nothing."""
    seen = hashlib.sha256()
    for source in sources:
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.suffix in {".py", ".js", ".css", ".html", ".safetensors"}:
                data = _steps(path.read_text(encoding="utf-8")) if path.suffix == ".py" else path.read_bytes()
                seen.update(f"{path.relative_to(source.parent)}\0".encode() + data)
    return seen.hexdigest()[:16]


def _steps(source: str) -> bytes:
    """A module without its comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                line for line in body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
    return ast.dump(tree).encode()


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
    # A small model is not faster for a pool of threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def show_pages() -> None:
    """In a kernel: show every widget of ours as its saved page, and every figure for light and for dark pages."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    bundles = shell.display_formatter.mimebundle_formatter
    bundles.for_type_by_name("xaiwidgets.widgets.base", "Widget", _page)
    bundles.for_type_by_name("matplotlib.figure", "Figure", _figure)
    # A page is read when it is done: bars of progress show nothing.
    shell.display_formatter.ipython_display_formatter.for_type_by_name("tqdm.notebook", "TqdmHBox", lambda bar: None)


def fresh() -> None:
    """In a kernel that runs several pages: begin anew, with nothing defined, in a folder of its own."""
    from IPython import get_ipython
    from ipywidgets import Widget

    Widget.close_all()
    get_ipython().run_line_magic("reset", "-f")
    os.chdir(tempfile.mkdtemp(dir=os.environ.setdefault("XAIWIDGETS_BOOK_WORK", os.getcwd())))


def _page(widget: Any) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = widget.save(Path(folder) / "page.html", images="all")
        if path.stat().st_size > LARGEST:
            path = widget.save(path)
        text = path.read_text(encoding="utf-8")
    name = hashlib.sha256(text.encode()).hexdigest()[:20]
    Path(os.environ[_FOLDER], f"{name}.html").write_text(text, encoding="utf-8")
    kind = type(widget).__name__
    title = html.escape(widget.title or kind, quote=True)
    frame = f'<iframe class="xw-page" data-kind="{kind}" src="{SCHEME}{name}" title="{title}" loading="lazy"></iframe>'
    # The book shows the frame; what every other place would show stands beside it, to be looked at.
    shown = widget._repr_mimebundle_() or {}
    data = shown[0] if isinstance(shown, tuple) else shown
    return {**data, "text/html": frame, "text/plain": f"<{kind}>"}


def _figure(figure: Any) -> dict[str, str]:
    # The theme shows what is so marked when it is light, or dark.
    from book.figures import drawn, words

    *pictures, width = drawn(figure)
    shown = []
    for look, picture in zip(("light", "dark"), pictures, strict=True):
        name = hashlib.sha256(picture).hexdigest()[:20]
        Path(os.environ[_FOLDER], f"{name}.png").write_bytes(picture)
        text = html.escape(words(figure), quote=True)
        shown.append(f'<img class="xw-figure only-{look}" src="{FIGURE}{name}" alt="{text}" width="{width}">')
    return {"text/html": "".join(shown), "text/plain": f"<{type(figure).__name__}>"}
