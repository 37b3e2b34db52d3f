"""Colab, imitated: ipywidgets 7 in the kernel and in the page, buffers as ``Uint8Array``, messages that open a widget lose theirs.

The page is the classic notebook (package ``nbclassic``) with the manager of ipywidgets 7, which Colab's own is made from. What a
kernel says goes through a filter that does to its buffers what Colab does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .capabilities import PATIENCE, Capabilities, Opened, has_numbers
from .servers import Server, free_port, notebook

pytestmark = pytest.mark.browser

PACKAGES = ["ipywidgets==7.7.1", "widgetsnbextension==3.6.10", "nbclassic==1.3.3"]
NEEDS = ["ipython-genutils", "nest-asyncio"]

AS_COLAB = """() => new Promise((done) => requirejs(["services/kernels/kernel"], ({ Kernel }) => {
    window.colabBuffers = { lost: 0, bytes: 0 };
    const finish = Kernel.prototype._finish_ws_message;
    Kernel.prototype._finish_ws_message = function (message) {
        const buffers = message.buffers ?? [];
        if (message.header.msg_type === "comm_open") {
            window.colabBuffers.lost += buffers.length;
            message.buffers = [];
        } else {
            window.colabBuffers.bytes += buffers.length;
            message.buffers = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength));
        }
        return finish.call(this, message);
    };
    done();
}))"""


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> str:
    """The Python of an environment like the present one, with ipywidgets 7."""
    assert request.config.cache is not None
    home = request.config.cache.mkdir("colab-environment")
    found = home / "bin" / "python"
    if (home / "complete").is_file():
        return str(found)
    venv.create(home, with_pip=True, clear=True)
    (packages,) = home.glob("lib/python*/site-packages")
    shared = [place for place in sys.path if place.endswith("site-packages")]
    (packages / "shared.pth").write_text("\n".join(shared), encoding="utf-8")
    for more in (["--no-deps", *PACKAGES], NEEDS):
        got = subprocess.run([found, "-m", "pip", "install", "-q", *more], capture_output=True, text=True, check=False)
        if got.returncode != 0:
            pytest.skip(f"ipywidgets 7 could not be installed beside what is here: {got.stderr[-300:]}")
    # Of anywidget the present environment has the module for the classic notebook.
    here = Path(sys.prefix)
    for part in ("share/jupyter/nbextensions/anywidget", "etc/jupyter/nbconfig/notebook.d"):
        shutil.copytree(here / part, home / part, dirs_exist_ok=True)
    (home / "complete").touch()
    return str(found)


@pytest.fixture(scope="module")
def opened(chromium: Browser, python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("colab")
    notebook(folder)
    url = f"http://127.0.0.1:{(port := free_port())}"
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token="]
    options += [f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    environment = {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PATH": ""}
    server = Server(folder, [python, "-m", "nbclassic", *options], url, environment)
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()

    def ready() -> None:
        page.wait_for_function("() => window.Jupyter?.notebook?.kernel?.is_connected()", timeout=PATIENCE * 1000)
        page.evaluate(AS_COLAB)

    def reopen() -> None:
        page.evaluate("async () => { await Jupyter.notebook.save_notebook(); }")
        page.reload()
        ready()

    found = Opened(page, folder, reopen)
    page.goto(f"{url}/nbclassic/notebooks/host.ipynb")
    ready()
    page.evaluate("() => { Jupyter.notebook.execute_all_cells(); }")
    yield found
    context.close()
    server.close()


class TestColab(Capabilities):
    def test_it_is_like_colab(self, opened: Opened) -> None:
        opened.show("LRP")
        has_numbers(opened)
        assert opened.ask("__import__('ipywidgets').__version__").startswith("7.")
        buffers = opened.page.evaluate("() => window.colabBuffers")
        assert buffers["bytes"] > 0
