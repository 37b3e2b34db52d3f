"""Runs the Markdown pages that have code, one after the other in one kernel, before Sphinx reads them.

A kernel a page, as MyST-NB would start, imports torch once a page, which takes longer than most pages. Each page begins with nothing
defined, in a folder of its own. Notebooks (.ipynb) keep a kernel each: they are run as people run them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

__all__ = ["setup"]

_LOG = logging.getLogger(__name__)
_FRESH = "from book.kernel import fresh\n\nfresh()"


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this; MyST-NB has made its settings by then."""
    app.connect("builder-inited", _run, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _run(app: Sphinx) -> None:
    cache = get_cache(app.config.nb_execution_cache_path)
    waiting = [(path, page) for path, page in _pages(app) if not _is_there(cache, page)]
    if not waiting:
        return
    # Times of cells would be part of what a page is found by.
    options = {"timeout": app.config.nb_execution_timeout, "store_widget_state": False, "record_timing": False}
    client = NotebookClient(nbformat.v4.new_notebook(), kernel_name="python3", **options)
    with tempfile.TemporaryDirectory() as folder, client.setup_kernel(cwd=folder):
        for path, page in waiting:
            begin = time.monotonic()
            client.reset_execution_trackers()
            try:
                # A cell that is run takes its place in the client's notebook: the page's own cells stay what they are.
                client.nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_FRESH)])
                client.execute_cell(client.nb.cells[0], 0)
                client.nb = page
                for number, cell in enumerate(page.cells):
                    client.execute_cell(cell, number)
            except CellExecutionError as error:
                raise ExtensionError(f"{path.relative_to(app.srcdir)} does not run:\n{error}") from error
            took = time.monotonic() - begin
            # What MyST-NB colours code by.
            page.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
            cache.cache_notebook_bundle(
                CacheBundleIn(page, str(path), data={"execution_seconds": took}), check_validity=False, overwrite=True
            )
            _LOG.info("ran %s in %.1f s", path.relative_to(app.srcdir), took)


def _pages(app: Sphinx) -> Iterator[tuple[Path, nbformat.NotebookNode]]:
    """The Markdown pages with code, read as MyST-NB reads them."""
    env: Any = app.env
    for name in sorted(app.project.discover(app.config.exclude_patterns)):
        path = Path(env.doc2path(name))
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
            if reader is not None:
                yield path, reader.read(text)


def _is_there(cache: Any, page: nbformat.NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(page)
    except KeyError:
        return False
    return True
