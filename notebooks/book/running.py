"""Runs the pages that have code, before Sphinx reads them, as many kernels beside each other as there are cores.

Notebooks (.ipynb) have a kernel each: they are run as people run them. All Markdown pages share one: a kernel a page, as MyST-NB would
start, imports torch once a page, which takes longer than most pages. There each page begins with nothing defined, in a folder of its own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

__all__ = ["setup"]

MOST = 4
"""Kernels at once."""
_LOG = logging.getLogger(__name__)
_FRESH = "from book.kernel import fresh\n\nfresh()"


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this; MyST-NB has made its settings by then."""
    app.connect("builder-inited", _run, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _run(app: Sphinx) -> None:
    cache = get_cache(app.config.nb_execution_cache_path)
    waiting = [(path, page) for path, page in _pages(app) if not _is_there(cache, page)]
    if waiting:
        asyncio.run(_run_all(app, cache, waiting))


async def _run_all(app: Sphinx, cache: Any, waiting: list[tuple[Path, NotebookNode]]) -> None:
    gate = asyncio.Semaphore(min(os.cpu_count() or 1, MOST))

    async def in_turn(job: Awaitable[None]) -> None:
        async with gate:
            await job

    texts = [(path, page) for path, page in waiting if path.suffix == ".md"]
    jobs: list[Awaitable[None]] = [_run_texts(app, cache, texts)] if texts else []
    jobs += [_run_notebook(app, cache, path, page) for path, page in waiting if path.suffix == ".ipynb"]
    # All are run, so that one build tells of every notebook that does not.
    ended = await asyncio.gather(*map(in_turn, jobs), return_exceptions=True)
    wrong = [result for result in ended if result is not None]
    if wrong:
        raise ExtensionError("\n\n".join(map(str, wrong))) from wrong[0]


async def _run_notebook(app: Sphinx, cache: Any, path: Path, page: NotebookNode) -> None:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(page, resources={"metadata": {"path": folder}}, **_options(app))
        try:
            await client.async_execute()
        except Exception as error:
            raise _told(app, path, error) from error
    _keep(app, cache, path, page, time.monotonic() - begin)


async def _run_texts(app: Sphinx, cache: Any, pages: list[tuple[Path, NotebookNode]]) -> None:
    options = _options(app) | {"store_widget_state": False}
    client = NotebookClient(nbformat.v4.new_notebook(), kernel_name="python3", **options)
    with tempfile.TemporaryDirectory() as folder:
        async with client.async_setup_kernel(cwd=folder):
            for path, page in pages:
                begin = time.monotonic()
                client.reset_execution_trackers()
                try:
                    # A cell that is run takes its place in the client's notebook: the page's own cells stay what they are.
                    client.nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_FRESH)])
                    await client.async_execute_cell(client.nb.cells[0], 0)
                    client.nb = page
                    for number, cell in enumerate(page.cells):
                        await client.async_execute_cell(cell, number)
                except Exception as error:
                    raise _told(app, path, error) from error
                # What MyST-NB colours code by.
                page.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
                _keep(app, cache, path, page, time.monotonic() - begin)


def _options(app: Sphinx) -> dict[str, Any]:
    # Times of cells would be part of what a page is found by.
    return {"timeout": app.config.nb_execution_timeout, "record_timing": False}


def _told(app: Sphinx, path: Path, error: Exception) -> ExtensionError:
    return ExtensionError(f"{path.relative_to(app.srcdir)} does not run:\n{error}")


def _keep(app: Sphinx, cache: Any, path: Path, page: NotebookNode, took: float) -> None:
    cache.cache_notebook_bundle(
        CacheBundleIn(page, str(path), data={"execution_seconds": took}), check_validity=False, overwrite=True
    )
    _LOG.info("ran %s in %.1f s", path.relative_to(app.srcdir), took)


def _pages(app: Sphinx) -> Iterator[tuple[Path, NotebookNode]]:
    """The pages with code, read as MyST-NB reads them."""
    env: Any = app.env
    for name in sorted(app.project.discover(app.config.exclude_patterns)):
        path = Path(env.doc2path(name))
        if path.suffix in (".md", ".ipynb"):
            text = path.read_text(encoding="utf-8")
            reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
            if reader is not None:
                yield path, reader.read(text)


def _is_there(cache: Any, page: NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(page)
    except KeyError:
        return False
    return True
