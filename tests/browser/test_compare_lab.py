"""Compare, gallery and depth in a real JupyterLab with a real kernel: opened by clicks, on screen and in the kernel alike."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from .jupyterlab import Lab, Notebook
from .test_quickstart import until, widget

pytestmark = pytest.mark.browser

CELL = """
import time, torch, xaiwidgets as xw
from xaiwidgets.demo import Shapes
cnn, vit = xw.load("demo:shapes-cnn"), xw.load("demo:shapes-vit")
x = torch.stack([Shapes(24)[i][0] for i in range(24)])
class Unhurried(xw.LRP):
    def __call__(self, x, target=None, **asked):
        time.sleep(pause)
        return super().__call__(x, target, **asked)
pause = 0.0
overlay = xw.HeatmapOverlay({"CNN": Unhurried(cnn), "ViT": xw.LRP(vit), "gradient": xw.GradientXInput(cnn)}, x)
overlay
"""
SHOWN = "[[q.image, q.method, q.target] for q in overlay._shown()]"
THERE = "sum(q in overlay._answers and overlay._answers[q].final for q in overlay._shown())"


def choose(root: Locator, by: str) -> Locator:
    """Choose what is compared; gives the open popup."""
    box = root.get_by_role("dialog", name="Compare")
    if box.count() == 0:
        root.get_by_role("button", name="Compare").click()
    box.get_by_role("radio", name=by, exact=True).click()
    return box


def pictures(notebook: Notebook) -> list[int]:
    """Of every map on screen: how many different colours it has."""
    found: list[int] = notebook.page.evaluate(
        """() => [...document.querySelectorAll('.xw-heatmap :is(.xw-frame, .xw-gallery-frame) canvas')].map((c) => new Set(
            new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size)"""
    )
    return found


def redness(notebook: Notebook, pane: int, places: list[list[int]]) -> list[int]:
    """Red minus blue at pixels (row, column) of the 64 × 64 of a map on screen."""
    found: list[int] = notebook.page.evaluate(
        """([pane, places]) => {
            const c = document.querySelectorAll('.xw-heatmap .xw-frame canvas')[pane];
            return places.map(([y, x]) => {
                const at = (i, n) => Math.floor(((i + 0.5) / 64) * n);
                const [r, , b] = c.getContext('2d').getImageData(at(x, c.width), at(y, c.height), 1, 1).data;
                return r - b;
            });
        }""",
        [pane, places],
    )
    return found


def complete(notebook: Notebook, count: int) -> None:
    """Wait until all that is shown is there: in the kernel, and on screen."""
    until(lambda: notebook.ask(f"len(overlay._shown()) == {count} and {THERE} == {count}"), 30)
    expect(widget(notebook.page).locator(".xw-frame[data-stale=true]")).to_have_count(0)


def signs_agree(notebook: Notebook, pane: int, values: str, bound: str) -> None:
    """The strongest pixels of an array in the kernel, of both signs, have their colours on screen: those over a fifth of the scale."""
    found = notebook.ask(
        f"(lambda v, b: [[[int(i) // 64, int(i) % 64], float(v.flatten()[i])] for i in torch.cat("
        f"[v.flatten().topk(12).indices, (-v).flatten().topk(12).indices]) if v.flatten()[i].abs() > 0.2 * b])({values}, {bound})"
    )
    assert len(found) >= 8
    places, signs = [place for place, _ in found], [value for _, value in found]

    def agree() -> bool:
        return all(red * sign > 0 for red, sign in zip(redness(notebook, pane, places), signs, strict=True))

    until(agree, 10)


def test_compare_gallery_and_depth_by_clicks(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    lab.write("compared.ipynb", [CELL])
    found = notebook("compared.ipynb")
    found.run_all()
    root = widget(found.page)
    expect(root).to_be_visible(timeout=60_000)
    root.get_by_role("button", name="Got it").click()
    captions = root.locator(".xw-caption-label")

    # Models, and their difference: the screen has the kernel's numbers.
    box = choose(root, "Model")
    expect(captions).to_have_count(3)
    box.get_by_role("checkbox", name="Difference").check()
    expect(captions.last).to_contain_text("CNN − ViT")
    complete(found, 2)
    found.page.keyboard.press("Escape")
    assert found.ask("[overlay.show, overlay.difference]") == ["models", [0, 1]]
    answers = "{q.method: a.maps['relevance'] for q, a in overlay._answers.items() if q.image == 0 and a.maps}"
    maps = [f"({answers})[{name!r}]" for name in ("CNN", "ViT")]
    shared = f"max({maps[0]}.abs().max(), {maps[1]}.abs().max())"
    both = f"({maps[0]} - {maps[1]})"
    for pane, values, bound in ((1, maps[0], shared), (2, maps[1], shared), (3, both, f"{both}.abs().max()")):
        signs_agree(found, pane, values, bound)

    # Methods: of another kind they have a scale of their own.
    choose(root, "Method")
    expect(captions).to_have_count(4)
    complete(found, 3)
    assert found.ask(SHOWN) == [[0, "CNN", None], [0, "ViT", None], [0, "gradient", None]]
    expect(root.locator(".xw-scales")).to_contain_text("between kinds compare places")

    # Classes: one more by its name.
    box = choose(root, "Class")
    expect(captions).to_have_count(3)
    before = found.ask("list(overlay.beside)")
    third = found.ask("next(i for i in range(8) if i not in overlay.beside)")
    name = found.ask(f"overlay.class_names[{third}]")
    box.get_by_role("combobox", name="Add").click()
    box.get_by_role("option", name=re.compile(f"^{name}")).click()
    complete(found, 3)
    assert found.ask(SHOWN) == [[0, "CNN", target] for target in [*before, third]]
    expect(captions.last).to_contain_text(name)
    found.page.keyboard.press("Escape")

    # Images: with Shift and a click.
    choose(root, "Nothing")
    found.page.keyboard.press("Escape")
    root.get_by_role("listbox", name="Images").get_by_role("option").nth(2).click(modifiers=["Shift"])
    complete(found, 2)
    assert found.ask(SHOWN) == [[0, "CNN", None], [2, "CNN", None]]
    expect(captions).to_have_text([re.compile("^Image 1"), re.compile("^Image 3")])

    # The gallery: stopped in the middle, looked at, gone on with.
    found.run("pause = 0.3")
    root.get_by_role("button", name="Gallery").click()
    until(lambda: 5 <= found.ask(THERE) < 24, 20)
    root.get_by_role("button", name="Stop").click()
    progress = root.locator(".xw-progress-text")
    expect(progress).to_contain_text(re.compile(r"stopped"))
    until(lambda: found.ask("overlay.status['state'] in ('done', 'stopped')"), 5)
    there = found.ask(THERE)
    assert there < 24
    found.page.wait_for_timeout(700)
    assert found.ask(THERE) == there, "nothing goes on by itself"
    expect(progress).to_contain_text(f"{there} of 24 images")
    expect(root.locator(".xw-gallery-frame[data-there=true]")).to_have_count(there)
    # Those in view are drawn.
    drawn = pictures(found)
    assert drawn
    assert min(drawn) > 40
    found.run("pause = 0.0")
    root.get_by_role("button", name="Go on").click()
    until(lambda: found.ask(THERE) == 24, 20)
    tiles = root.get_by_role("list", name="All images").get_by_role("listitem")
    expect(tiles).to_have_count(24)
    expect(root.locator(".xw-gallery-frame[data-there=true]")).to_have_count(24)
    largest = found.ask("max(float(overlay._answers[q].maps['relevance'].abs().max()) for q in overlay._shown())")
    said = root.locator(".xw-gallery .xw-colorbar").get_attribute("aria-label") or ""
    assert float(said.rsplit("to ", 1)[1]) == pytest.approx(largest, rel=0.02)
    tiles.nth(5).get_by_role("button").click()
    until(lambda: found.ask("[overlay.image, overlay.show]") == [5, "relevance"])

    # Depth: the layers of the image that was opened.
    way = root.get_by_role("slider", name="Depth")
    way.focus()
    found.page.keyboard.press("ArrowLeft")
    expect(root.locator(".xw-depth-place")).to_contain_text("of the relevance", timeout=20_000)
    found.page.keyboard.press("Home")
    names = found.ask("list(overlay.layer_maps.names)")
    expect(root.locator(".xw-layer-chip")).to_contain_text(names[0])
    until(lambda: found.ask("overlay.depth") == names[0])
    root.get_by_role("button", name=re.compile("^Play the way")).click()
    expect(root.locator(".xw-layer-chip")).to_have_count(0, timeout=20_000)
    until(lambda: found.ask("overlay.depth") is None)
    heat = "overlay.result.heatmap[0]"
    signs_agree(found, 0, heat, f"{heat}.abs().max()")
    assert root.get_by_role("alert").count() == 0
