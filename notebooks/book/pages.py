"""Saved pages of widgets in the site: copied beside it, framed by relative addresses, as tall as what they show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from book.kernel import SCHEME

__all__ = ["FOLDER", "framed", "setup"]

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
        name = f"{found[1]}.html"
        if not (kept / name).is_file():
            raise ExtensionError(f"{docname} shows a widget whose page {name} is gone: build with --fresh")
        target.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(framed((kept / name).read_text(encoding="utf-8")), encoding="utf-8")
        return "../" * docname.count("/") + f"{FOLDER}/{name}"

    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        if SCHEME in text:
            placed = re.sub(rf"{SCHEME}(\w+)", address, text)
            node.replace_self(nodes.raw("", placed, format="html", classes=node["classes"]))


def _without_state(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Widgets are here as pages: their state, as ipywidgets would keep it, is of no use without a kernel or a CDN."""
    scripts = context.get("script_files", [])
    kind = "application/vnd.jupyter.widget-state+json"
    context["script_files"] = [entry for entry in scripts if getattr(entry, "attributes", {}).get("type") != kind]
