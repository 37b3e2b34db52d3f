"""VS Code: its own widget manager (npm package ``@vscode/jupyter-ipywidgets8``, as it is published) over a kernel.

What is not VS Code's here: the page, which is bare but for the marks that VS Code's themes leave, and the connection to the kernel,
which is that of JupyterLab's page on the same server.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

from tests.browser.servers import jupyter

from .capabilities import Capabilities, Opened
from .notebook import SOURCE, serving

pytestmark = pytest.mark.browser

PACKAGE = "@vscode/jupyter-ipywidgets8@1.0.9"

BARE = """() => {
    window.jupyterapp.shell.node.remove();
    for (const style of document.querySelectorAll("style, link[rel=stylesheet]")) style.remove();
    for (const { name } of [...document.body.attributes]) document.body.removeAttribute(name);
    document.body.className = "vscode-dark";
    document.body.dataset.vscodeThemeKind = "vscode-dark";
    document.body.style.cssText = "background: #1f1f1f; color: #cccccc; margin: 8px; font-family: sans-serif;";
    document.body.innerHTML = '<div id="output"></div>';
}"""

RUN = """async (code) => {
    const script = document.createElement("script");
    script.src = "/vscode/require.js";
    const loaded = new Promise((done) => { script.onload = done; });
    document.head.append(script);
    await loaded;
    // As the extension does: it finds the widgets' modules among the server's nbextensions.
    requirejs.config({ paths: { anywidget: "/vscode/anywidget" } });
    const { activate } = await import("/vscode/ipywidgets.js");
    activate();
    window.vscIPyWidgets8.load();
    const { serviceManager } = window.jupyterapp;
    const session = await serviceManager.sessions.startNew(
        { path: "host.ipynb", name: "host.ipynb", type: "notebook", kernel: { name: "python3" } });
    const output = document.getElementById("output");
    const loader = { widgetsRegisteredInRequireJs: new Set(["anywidget"]), loadWidgetScript: async () => undefined,
        errorHandler: (...told) => console.error("widget", ...told), successHandler: () => undefined };
    const manager = new window.vscIPyWidgets.WidgetManager(session.kernel, output, loader, () => undefined);
    const future = session.kernel.requestExecute({ code });
    const id = new Promise((found, failed) => {
        future.onIOPub = ({ content }) => {
            if (content.ename) failed(new Error(`${content.ename}: ${content.evalue}`));
            const view = content.data?.["application/vnd.jupyter.widget-view+json"];
            if (view) found(view.model_id);
        };
    });
    const model = await manager.get_model(await id);
    const view = await manager.create_view(model, {});
    await manager.display_view({}, view, { node: output });
}"""


@pytest.fixture(scope="module")
def files(request: pytest.FixtureRequest) -> dict[str, Path]:
    """The manager, the loader of modules that the extension uses, and anywidget's module."""
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("vscode-widgets")
    manager = folder / "package" / "dist" / "ipywidgets.js"
    if not manager.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("VS Code's widget manager comes from npm, which is not installed")
        packed = subprocess.run([npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
        if packed.returncode != 0:
            pytest.skip(f"VS Code's widget manager could not be loaded: npm pack {PACKAGE}")
        with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
            archive.extractall(folder, filter="data")
    shared = Path(sys.prefix) / "share" / "jupyter"
    found = {
        "ipywidgets.js": manager,
        "require.js": shared / "voila" / "templates" / "base" / "static" / "require.min.js",
        "anywidget.js": shared / "nbextensions" / "anywidget" / "index.js",
    }
    for name, path in found.items():
        if not path.is_file():
            pytest.skip(f"{name} is not here: pip install 'xaiwidgets[hosts]'")
    return found


@pytest.fixture(scope="module")
def opened(chromium: Browser, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("vscode")
    server = jupyter(folder, "jupyterlab")
    context = chromium.new_context(viewport={"width": 1100, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    found = Opened(page, folder, lambda: None)

    def give(route: Route) -> None:
        path = files[route.request.url.rsplit("/", 1)[1]]
        route.fulfill(body=path.read_text(encoding="utf-8"), content_type="text/javascript")

    page.route("**/vscode/*.js", give)
    page.goto(f"{server.url}/lab")
    page.wait_for_function("() => window.jupyterapp?.serviceManager?.isReady", timeout=120_000)
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.evaluate(BARE)
    page.evaluate(RUN, SOURCE + serving(folder) + "overlay")
    yield found
    context.close()
    server.close()


class TestVSCode(Capabilities):
    cannot = {"survives_reload": "what VS Code does when its window is loaded again is not in the package"}  # noqa: RUF012

    def test_looks_dark_where_the_host_is(self, opened: Opened) -> None:
        assert opened.root.get_attribute("data-xw-theme") == "dark"
        assert opened.root.get_attribute("data-xw-host") == "none"
