"""``python -m tests.book``: makes a site of the book in build/book/html, without a network, and checks it.

Warnings are errors. Pages run once, and again when they or the sources of the package have changed; ``--fresh`` runs all anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["BUILD", "SITE", "addresses", "build", "executed", "is_current", "main", "wrong"]

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "book"
SITE = BUILD / "html"
LARGEST = 40_000_000
"""Bytes that the site may take."""
_MADE_OF = BUILD / "made_of"


def main(arguments: list[str]) -> int:
    """Build and check; 0 when all is well."""
    if unknown := [argument for argument in arguments if argument != "--fresh"]:
        print(f"unknown arguments {unknown}; --fresh runs all pages anew", flush=True)
        return 2
    begin = time.monotonic()
    status = build(fresh="--fresh" in arguments)
    if status:
        return status
    found = wrong(SITE)
    for line in found:
        print(line, flush=True)
    count = len(list((BUILD / "doctrees").rglob("*.doctree")))
    print(
        f"{count} pages, {size(SITE) / 1e6:.1f} MB, {time.monotonic() - begin:.0f} s: {SITE / 'index.html'}",
        flush=True,
    )
    return 1 if found else 0


def build(*, fresh: bool = False) -> int:
    """Call Sphinx; its exit status."""
    if fresh:
        shutil.rmtree(BUILD, ignore_errors=True)
    # What is left of pages that are gone would pass for pages.
    shutil.rmtree(SITE, ignore_errors=True)
    _MADE_OF.unlink(missing_ok=True)
    sources = _sources()
    options = ["-b", "html", "-q", "-W", "--keep-going", "-E", "-d", str(BUILD / "doctrees")]
    status = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "notebooks", str(SITE)], cwd=ROOT, check=False
    ).returncode
    if status == 0:
        _MADE_OF.write_text(sources, encoding="utf-8")
    return status


def is_current() -> bool:
    """Whether the site was built, without a warning, of the sources and the versions that are here now."""
    return SITE.is_dir() and _MADE_OF.is_file() and _MADE_OF.read_text(encoding="utf-8") == _sources()


def executed(notebook: Path) -> Any:
    """A notebook with what its cells put out when the book was built; None where its code, the package's or a version is another now."""
    import nbformat
    from jupyter_cache import get_cache

    folder = _kernel().cache_of(BUILD)
    if not folder.is_dir():
        return None
    try:
        return get_cache(folder).merge_match_into_notebook(nbformat.read(notebook, as_version=4))[1]
    except KeyError:
        return None


def _kernel() -> ModuleType:
    """``notebooks/book/kernel.py``, which stands in no package of ours."""
    spec = importlib.util.spec_from_file_location("book_kernel", ROOT / "notebooks" / "book" / "kernel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _sources() -> str:
    """Changes with whatever the site is made of, words included."""
    seen = hashlib.sha256(_kernel().cache_of(BUILD).name.encode())
    paths = [path for path in ROOT.iterdir() if path.suffix in (".md", ".cff", ".toml") or path.name == "LICENSE"]
    for folder in ("notebooks", "xaiwidgets"):
        paths += [path for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    for path in sorted(path for path in paths if path.is_file()):
        seen.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()


def size(folder: Path) -> int:
    """Bytes in all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def wrong(site: Path) -> list[str]:
    """What is wrong with a site: links to nothing, things that a browser would fetch from elsewhere, its size."""
    found = []
    # The theme leaves a template of its own among its files.
    pages = (path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts)
    read = {path: _Page.of(path) for path in pages}
    for path, page in read.items():
        name = path.relative_to(site)
        for kind, address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme in ("data", "mailto", "blob"):
                continue
            if parts.scheme or parts.netloc:
                if kind != "link":
                    found.append(f"{name}: fetches {address}")
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if not target.is_file():
                found.append(f"{name}: {address} is not there")
            elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].names:
                found.append(f"{name}: {address} has no such place")
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(site)}: fetches {address}" for address in addresses(text)]
    if (bytes_ := size(site)) > LARGEST:
        found.append(f"the site takes {bytes_ / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}")
    return found


def addresses(styles: str) -> list[str]:
    """Addresses elsewhere that a style sheet would fetch."""
    return re.findall(r"""(?:url\(|@import\s+)\s*["']?((?:https?:)?//[^"')\s]+)""", styles)


class _Page(HTMLParser):
    """The addresses and the named places of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[tuple[str, str]] = []
        self.names = {"", "top"}

    @classmethod
    def of(cls, path: Path) -> _Page:
        """A page read."""
        page = cls()
        page.feed(path.read_text(encoding="utf-8"))
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, links, and what is fetched without a click."""
        self.addresses += [(kind, address) for kind, address in _told(tag, dict(attrs))]
        self.names |= {value for name, value in attrs if name in ("id", "name") and value}


def _told(tag: str, attributes: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    for name in ("href", "src", "data", "poster"):
        value = attributes.get(name)
        if not value or (name == "data" and tag != "object"):
            continue
        # Where a page is at home is said, not fetched.
        said = tag == "a" or (tag == "link" and attributes.get("rel") in ("canonical", "license"))
        yield ("link" if said else "fetched", value)
    for entry in (attributes.get("srcset") or "").split(","):
        if entry.strip():
            yield ("fetched", entry.split()[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
