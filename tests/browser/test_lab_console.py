"""What the tests in JupyterLab call an error: all of ours, whoever catches it and reports it; not what JupyterLab says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from .jupyterlab import Lab, Notebook, is_its_own
from .still import put_off

pytestmark = pytest.mark.browser
BASE = "http://127.0.0.1:8899"
CORE = f"{BASE}/static/lab/5531.abc.js"
# A widget that is loaded as ours are, and fails in every way: heard by nobody, by anywidget, by JupyterLab's core.
CELL = """
import anywidget, traitlets
class Broken(anywidget.AnyWidget):
    _esm = '''
    export default {
        render({ model, el }) {
            model.on("change:count", () => { throw new Error("in a change"); });
            const named = {
                click: () => { throw new Error("in a click"); },
                promise: () => { Promise.reject(new Error("in a promise")); },
                signal: () => {
                    // The core calls this, catches what it throws, and reports it.
                    const { shell } = window.jupyterapp;
                    const throws = () => { throw new Error("in a signal"); };
                    shell.currentChanged.connect(throws);
                    shell.currentChanged.emit({ oldValue: null, newValue: shell.currentWidget });
                    shell.currentChanged.disconnect(throws);
                },
                said: () => { console.error("said in the console"); },
            };
            for (const [name, act] of Object.entries(named)) {
                const button = document.createElement("button");
                button.className = `broken-${name}`;
                button.onclick = act;
                el.append(button, name);
            }
        },
    };
    '''
    count = traitlets.Int(0).tag(sync=True)
broken = Broken()
broken
"""


@pytest.fixture
def broken(chromium: Browser, lab: Lab) -> Iterator[Notebook]:
    context = chromium.new_context()
    opened = Notebook.open(context.new_page(), lab, lab.write("broken.ipynb", [CELL]))
    opened.run_all()
    expect(opened.page.locator(".broken-said")).to_be_visible(timeout=60_000)
    yield opened
    context.close()


def test_every_error_of_a_widget_is_heard(broken: Notebook) -> None:
    page = broken.page
    assert broken.errors == []
    acts: dict[str, Callable[[], object]] = {
        "in a click": lambda: page.locator(".broken-click").click(),
        "in a promise": lambda: page.locator(".broken-promise").click(),
        "in a signal": lambda: page.locator(".broken-signal").click(),
        "said in the console": lambda: page.locator(".broken-said").click(),
        "in a change": lambda: broken.ask("broken.set_trait('count', 1)"),
    }
    for text, act in acts.items():
        before = len(broken.errors)
        act()
        put_off(page)
        assert any(text in error for error in broken.errors[before:]), text


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        (
            "Could not restore the debugger state: Canceled future for debug_request message before replies were done",
            CORE,
        ),
        (f"Error: Canceled future for info_request message before replies were done\n at dispose ({CORE}:1:20)", CORE),
        ("Failed to load resource: the server responded with a status of 404 (Not Found)", f"{BASE}/favicon.ico"),
    ],
)
def test_what_jupyterlab_says_of_itself_is_not(said: str, origin: str) -> None:
    assert is_its_own(said, origin, BASE)


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ("Error: x\n at draw (blob:http://127.0.0.1:8899/1f:3:5)", CORE),
        (
            f"Error: Canceled future\n at save ({BASE}/lab/extensions/anywidget/static/1.js:1:9)\n at f ({CORE}:1:2)",
            CORE,
        ),
        ("Error displaying widget: model not found", CORE),
        ("Could not restore the debugger state", "blob:http://127.0.0.1:8899/1f"),
        ("Could not restore the debugger state", f"{BASE}/lab/extensions/anywidget/static/1.js"),
        ("Could not restore the debugger state", ""),
        ("Could not restore the debugger state", "http://elsewhere.example/static/lab/1.js"),
    ],
)
def test_what_may_be_ours_is_an_error(said: str, origin: str) -> None:
    assert not is_its_own(said, origin, BASE)
