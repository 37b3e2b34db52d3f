"""Colab, imitated: ipywidgets 7 in the kernel and in the page, buffers as ``Uint8Array``, messages that open a widget lose theirs.

The page is the classic notebook (package ``nbclassic``) with the manager of ipywidgets 7, which Colab's own is made from; the view it
makes stands alone in the page. What a kernel says goes through a filter that does to its buffers what Colab does.
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

from tests.browser.servers import Server, free_port

from .capabilities import PATIENCE, Capabilities, Opened, has_numbers
from .notebook import SOURCE, notebook, serving

pytestmark = pytest.mark.browser

PACKAGES = ["ipywidgets==7.7.1", "widgetsnbextension==3.6.10", "nbclassic==1.3.3"]
NEEDS = ["ipython-genutils", "nest-asyncio"]

AS_COLAB = """() => new Promise((done) => requirejs(["services/kernels/kernel"], ({ Kernel }) => {
    const count = (kind, more) => { sessionStorage[kind] = Number(sessionStorage[kind] ?? 0) + more; };
    const finish = Kernel.prototype._finish_ws_message;
    Kernel.prototype._finish_ws_message = function (message) {
        const buffers = message.buffers ?? [];
        if (message.header.msg_type === "comm_open") {
            count("lost", buffers.length);
            message.buffers = [];
        } else {
            count("bytes", buffers.length);
            message.buffers = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength));
        }
        return finish.call(this, message);
    };
    done();
}))"""

VIEW = """async (id) => {
    const manager = Jupyter.notebook.kernel.widget_manager;
    const view = await manager.create_view(await manager.get_model(id), {});
    const place = document.createElement("div");
    place.append(view.el);
    document.body.replaceChildren(place);
    document.body.style.cssText = "overflow: auto; background: white;";
    view.trigger("displayed");
}"""


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
        shutil.copytree(
            here / part, home / part, dirs_exist_ok=True, ignore=shutil.ignore_patterns("voila*", "jupyter-v*")
        )
    # The server of today looks for them here.
    shutil.copytree(home / "etc/jupyter/nbconfig", home / "etc/jupyter/serverconfig", dirs_exist_ok=True)
    (home / "complete").touch()
    return str(found)


@pytest.fixture(scope="module")
def opened(chromium: Browser, python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("colab")
    notebook(folder, [SOURCE + serving(folder)])
    url = f"http://127.0.0.1:{(port := free_port())}"
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token="]
    options += [f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    environment = {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PATH": ""}
    server = Server(folder, [python, "-m", "nbclassic", *options], url, environment)
    context = chromium.new_context(viewport={"width": 1300, "height": 1100}, accept_downloads=True)
    page = context.new_page()

    found = Opened(page, folder, lambda: None)

    def open_() -> None:
        page.goto(f"{url}/nbclassic/notebooks/host.ipynb")
        page.wait_for_function("() => window.Jupyter?.notebook?.kernel?.is_connected()", timeout=PATIENCE * 1000)
        page.evaluate(AS_COLAB)

    def show() -> None:
        model = found.ask("overlay.model_id")
        page.wait_for_function(
            "(id) => Jupyter.notebook.kernel.widget_manager?._models[id]", arg=model, timeout=PATIENCE * 1000
        )
        page.evaluate(VIEW, model)

    def reopen() -> None:
        open_()
        show()

    found.reopen = reopen
    open_()
    page.evaluate("() => { Jupyter.notebook.execute_all_cells(); }")
    show()
    yield found
    context.close()
    server.close()


class TestColab(Capabilities):
    def test_buffers_are_as_in_colab(self, opened: Opened) -> None:
        opened.show("LRP")
        has_numbers(opened)
        assert opened.ask("__import__('ipywidgets').__version__").startswith("7.")
        for kind in ("bytes", "lost"):
            assert int(opened.page.evaluate("(kind) => sessionStorage[kind]", kind)) > 0, kind
