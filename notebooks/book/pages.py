"""Saved pages of widgets in the site: copied beside it, framed by relative addresses, as tall as what they show.

A page that somebody saves holds all it needs. Many pages in one folder need the widget's code once: here it is a script that all pages of
a kind of widget share, and what a page says of its own is packed (gzip). From files a plain script may be fetched, a module may not.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from book.kernel import FIGURE, SCHEME

__all__ = ["FOLDER", "framed", "parted", "setup"]

FOLDER = "_widgets"
"""Of the site: where saved pages lie."""
# A frame as tall as its content has no window of its own to fit: pictures get one height for all. A frame is asked by the page around it
# to be light or dark, as a system would ask; scripts that wait for the page (type="module") find the question answered that way.
_INSIDE = """<style>
html, body { background: transparent; }
body { padding: 0; max-width: none; overflow: hidden; }
.xw { --xw-tall: 340px !important; }
</style>
<script>
(() => {
  const system = matchMedia.bind(window);
  const question = "(prefers-color-scheme: dark)";
  const scheme = new EventTarget();
  let dark = system(question).matches;
  Object.defineProperty(scheme, "matches", { get: () => dark });
  window.matchMedia = (query) => (query === question ? scheme : system(query));
  addEventListener("message", ({ data, source }) => {
    if (source !== parent || typeof data?.dark !== "boolean") return;
    dark = data.dark;
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    scheme.dispatchEvent(new Event("change"));
  });
  new ResizeObserver(() => parent.postMessage({ xaiwidgets: document.body.scrollHeight }, "*")).observe(document.body);
})();
</script>
</body>"""


# What all pages of a kind of widget run before their own code: styles and bundle take their places, the content is unpacked.
_SHARED = """(() => {{
  const style = document.createElement("style");
  style.textContent = {css};
  document.head.append(style);
  document.getElementById("bundle").textContent = {bundle};
  const content = document.getElementById("content");
  const packed = Uint8Array.from(atob(content.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  window.unpacked = new Response(stream).text().then((text) => {{ content.textContent = text; }});
}})();
"""
_CSS = r"<style>(?P<css>(?:(?!</style>).)*)</style>(?=\s*</head>)"
_CONTENT = r'(?<=<script type="application/json" id="content">)(?P<content>[^<]*)'
_BUNDLE = r'(?<=<script type="text/plain" id="bundle">)(?P<bundle>[^<]*)</script>'
_START = r'<script type="module">(?=\n)'
_PARTS = {"its style": _CSS, "its content": _CONTENT, "its bundle": _BUNDLE, "its start": _START}


def parted(page: str) -> tuple[str, str, str]:
    """A saved page without the code of its widget and with its content packed; the name of the script that brings the code; the script.

    Raises:
        ValueError: a page that is not made as saved pages are.
    """
    found = {name: re.findall(pattern, page, re.DOTALL) for name, pattern in _PARTS.items()}
    if wrong := [name for name, parts in found.items() if len(parts) != 1]:
        raise ValueError(f"a saved page in which {wrong[0]} is not there once: is standalone.html another one now?")
    [css], [content], [bundle], _ = found.values()
    script = _SHARED.format(css=json.dumps(css.replace("<\\/", "</")), bundle=json.dumps(bundle))
    name = f"{hashlib.sha256(script.encode()).hexdigest()[:20]}.js"
    # Without the time of packing: the same page is the same bytes.
    packed = base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()
    page = re.sub(_CSS, "", page, flags=re.DOTALL)
    page = re.sub(_CONTENT, packed, page)
    page = re.sub(_BUNDLE, f'</script>\n<script src="{name}"></script>', page)
    return re.sub(_START, '<script type="module">\nawait unpacked;', page), name, script


def framed(page: str) -> str:
    """A saved page that tells the page around it how tall it is."""
    before, end, after = page.rpartition("</body>")
    if not end:
        raise ValueError("a saved page without </body>")
    return before + _INSIDE + after


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("source-read", _listed)
    app.connect("doctree-resolved", _place)
    app.connect("html-page-context", _without_state, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _listed(app: Sphinx, docname: str, content: list[str]) -> None:
    """A line "@pattern" of a list of pages stands for the pages so named, if there are any."""

    def names(found: re.Match[str]) -> str:
        pages = sorted(path.stem for path in Path(app.srcdir).glob(found[1]) if path.suffix in (".md", ".ipynb"))
        return "\n".join(page for page in pages if page != docname)

    content[0] = re.sub(r"^@([\w*?\[\]-]+)$", names, content[0], flags=re.MULTILINE)


def _place(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    kept = Path(app.config.nb_execution_cache_path) / "pages"
    target = Path(app.outdir) / FOLDER

    def address(found: re.Match[str]) -> str:
        name = f"{found['name']}.{'html' if found['scheme'] == SCHEME else 'png'}"
        if not (kept / name).is_file():
            raise ExtensionError(f"{docname} shows {name}, which is gone: build with --fresh")
        target.mkdir(parents=True, exist_ok=True)
        if found["scheme"] == SCHEME:
            page, code, script = parted((kept / name).read_text(encoding="utf-8"))
            (target / code).write_text(script, encoding="utf-8")
            (target / name).write_text(framed(page), encoding="utf-8")
        else:
            (target / name).write_bytes((kept / name).read_bytes())
        return "../" * docname.count("/") + f"{FOLDER}/{name}"

    for block in doctree.findall(nodes.literal_block):
        # Columns stand in several lines; two spaces in one are a sentence's.
        columns = [line for line in block.astext().splitlines() if re.search(r"\S {2,}\S", line)]
        if "output" in block["classes"] and len(columns) < 2:
            block["classes"].append("xw-sentences")
    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        placed = re.sub(rf"(?P<scheme>{SCHEME}|{FIGURE})(?P<name>\w+)", address, text)
        if placed != text:
            node.replace_self(nodes.raw("", placed, format="html", classes=node["classes"]))


def _without_state(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Widgets are here as pages: their state, as ipywidgets would keep it, is of no use without a kernel or a CDN."""
    scripts = context.get("script_files", [])
    kind = "application/vnd.jupyter.widget-state+json"
    context["script_files"] = [entry for entry in scripts if getattr(entry, "attributes", {}).get("type") != kind]
