"""A real JupyterLab for tests: a server in a folder of its own, a page in Chromium, a kernel to ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import ConsoleMessage, Error, Page

from tests.browser.servers import jupyter

_RESOURCE = re.compile(r"favicon|404|mathjax|source map|Failed to load resource")
_NOT_CORE = re.compile(r"blob:|/lab/extensions/|widget", re.IGNORECASE)
_QUIET = ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url="]


class Lab:
    """A JupyterLab server over a folder of notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = jupyter(folder, "jupyterlab", options=_QUIET)
        self.url = self._server.url

    def close(self) -> None:
        """End the server and its kernels."""
        self._server.close()

    def write(self, name: str, cells: Sequence[str]) -> str:
        """A notebook of code cells; gives its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return name


def is_its_own(said: str, origin: str, base: str) -> bool:
    """Whether JupyterLab speaks of itself: a resource that is missing, or its core in trouble, as when a kernel goes while it is asked.

    An error of ours that the core catches and reports is not: its stack names the module it comes from (``blob:``, as anywidget loads
    bundles) or the extension that called it (``/lab/extensions/``).

    Args:
        said: what the console or an uncaught error says, its stack included. origin: the address of the script that said so. base: the
            server's.
    """
    if _RESOURCE.search(said):
        return True
    return origin.startswith(f"{base}/static/lab/") and not _NOT_CORE.search(said)


@dataclass
class Notebook:
    """A notebook open in the browser. ``ask`` evaluates in its kernel, beside whatever the cells do."""

    page: Page
    lab: Lab
    name: str
    errors: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, page: Page, lab: Lab, name: str) -> Notebook:
        notebook = cls(page, lab, name)
        page.on("console", notebook._heard)
        page.on("pageerror", notebook._failed)
        page.goto(f"{lab.url}/lab/tree/{name}?reset")
        notebook._ready()
        return notebook

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not is_its_own(message.text, message.location["url"], self.lab.url):
            self.errors.append(message.text)

    def _failed(self, error: Error) -> None:
        # Where it was thrown: the first address of its stack.
        stack = error.stack or ""
        origin = re.search(r"https?://[^\s)]+|blob:[^\s)]+", stack)
        if not is_its_own(f"{error}\n{stack}", origin[0] if origin else "", self.lab.url):
            self.errors.append(f"{error}\n{stack}")

    def _ready(self) -> None:
        # Without the wait for both, a "Select Kernel" dialog blocks everything.
        self.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context", timeout=60_000)
        self.page.evaluate(
            """async () => {
                const { context } = window.jupyterapp.shell.currentWidget;
                await context.ready;
                await context.sessionContext.ready;
            }"""
        )

    def run_all(self) -> None:
        """Run all cells, without waiting for them."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def wait_until_run(self, timeout: float = 120) -> None:
        """Wait until the kernel is idle and no cell waits."""
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp.shell.currentWidget;
                const cells = panel.content.widgets.filter((c) => c.model.type === 'code');
                const idle = panel.context.sessionContext.session?.kernel?.status === 'idle';
                return idle && cells.every((c) => c.model.sharedModel.getSource() === '' || c.model.executionCount !== null);
            }""",
            timeout=timeout * 1000,
        )

    def run(self, code: str) -> None:
        """Run code in the notebook's kernel without waiting, as a cell would."""
        self.page.evaluate(
            """(code) => {
                const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
                kernel.requestExecute({ code, silent: false, store_history: false });
            }""",
            code,
        )

    def run_new_cell(self, source: str) -> None:
        """Add a cell after the first and run it, without waiting."""
        self.page.evaluate(
            """(source) => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.model.sharedModel.insertCell(1, { cell_type: 'code', source });
                content.activeCellIndex = 1;
                window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            source,
        )

    def ask(self, expression: str) -> Any:
        """The value of a Python expression (plain data) in the kernel, once it is free."""
        text = self.page.evaluate(
            """async (expression) => {
                const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
                const code = `import json as _json\\n_answer = _json.dumps(${expression})`;
                const future = kernel.requestExecute({
                    code, silent: true, store_history: false, user_expressions: { answer: '_answer' },
                });
                const reply = await future.done;
                if (reply.content.status !== 'ok') throw new Error(`${reply.content.ename}: ${reply.content.evalue}`);
                return reply.content.user_expressions.answer.data['text/plain'];
            }""",
            expression,
        )
        import ast
        import json

        return json.loads(ast.literal_eval(text))

    def reload(self) -> None:
        """Reload the page, as a person would, after saving."""
        self.page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
        self.page.reload()
        self._ready()

    def count_messages(self) -> None:
        """Begin to count what the browser sends to the kernel about widgets."""
        self.page.evaluate(
            """() => {
                const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
                window.sentMessages = [];
                kernel.anyMessage.connect((_, { direction, msg }) => {
                    if (direction === 'send' && msg.header.msg_type.startsWith('comm_')) window.sentMessages.push(msg.content.data);
                });
            }"""
        )

    def messages(self) -> list[Any]:
        """What was counted so far."""
        sent: list[Any] = self.page.evaluate("() => window.sentMessages")
        return sent
