"""``python -m tests.book``: makes a site of the book in build/book/html, without a network, and checks it.

Warnings are errors. Pages run once, and again when they or the sources of the package have changed; ``--fresh`` runs all anew.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["BUILD", "SITE", "addresses", "build", "main", "wrong"]

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "book"
SITE = BUILD / "html"
LARGEST = 40_000_000
"""Bytes that the site may take."""


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
    options = ["-b", "html", "-q", "-W", "--keep-going", "-E", "-d", str(BUILD / "doctrees")]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "notebooks", str(SITE)], cwd=ROOT, check=False
    ).returncode


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
