"""Asking by pointing, in a real JupyterLab: a region clicked, a box drawn, a detected box picked, phrases side by side; the screen against
the kernel's numbers and colours."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.targets.nets import BLUE, RED, SIDE

from .jupyterlab import Lab, Notebook
from .test_quickstart import until, widget

pytestmark = pytest.mark.browser

SEGMENTS = """
import torch, xaiwidgets as xw
from xaiwidgets import targets as T
from xaiwidgets.plots.overlays import composed
from tests.targets.nets import colour_segmenter, two_things
model, x = colour_segmenter(), torch.cat([two_things(), two_things().flip(3)])
overlay = xw.HeatmapOverlay(xw.LRP(model, "gradient_x_input"), x)
overlay
"""
BOXES = """
import torch, xaiwidgets as xw
from xaiwidgets import targets as T
from xaiwidgets.plots.overlays import composed
from tests.targets.nets import colour_detector, two_things
model, x = colour_detector(), two_things()
rise = xw.RISE(model, cells=8, n_masks=512)
overlay = xw.HeatmapOverlay(rise, x)
overlay
"""
PHRASES = """
import torch, xaiwidgets as xw
from xaiwidgets import targets as T
from xaiwidgets.plots.overlays import composed
from xaiwidgets.demo import Pairs
model = xw.load("demo:shapes-clip")
batch = Pairs(1, seed=3).batch([0])
x, phrases = batch.x, batch.pairs[0].phrases
overlay = xw.HeatmapOverlay(xw.LRP(model), x, target={phrase: T.similarity(model.text(phrase)) for phrase in phrases})
overlay
"""
COLOURS = """[
    [int(round(255 * float(c))) for c in composed(pane, overlay._look())[{y}, {x}]]
    for pane in overlay._panes()
]"""


def opened(lab: Lab, notebook: Callable[..., Notebook], name: str, cell: str) -> Notebook:
    lab.write(f"{name}.ipynb", [cell])
    found = notebook(f"{name}.ipynb")
    found.run_all()
    expect(widget(found.page)).to_be_visible(timeout=60_000)
    until(lambda: bool(found.ask("overlay.status['state'] in ('done', 'error')")), 60)
    widget(found.page).locator(".xw-panes").scroll_into_view_if_needed()
    return found


def at(notebook: Notebook, x: float, y: float, pane: int = 0) -> tuple[float, float]:
    """The place of the page over a pixel of a picture of SIDE pixels."""
    box = widget(notebook.page).locator(".xw-frame").nth(pane).bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) / SIDE * box["width"], box["y"] + (y + 0.5) / SIDE * box["height"]


def drag(notebook: Notebook, start: tuple[int, int], end: tuple[int, int]) -> None:
    mouse = notebook.page.mouse
    mouse.move(*at(notebook, *start))
    mouse.down()
    for step in range(1, 6):
        mouse.move(*at(notebook, start[0] + (end[0] - start[0]) * step / 5, start[1] + (end[1] - start[1]) * step / 5))
    mouse.up()


def drawn(notebook: Notebook, x: int, y: int) -> list[list[int]]:
    """The colour of every picture on screen at a pixel."""
    script = """([u, v]) => [...document.querySelectorAll('.xw-heatmap .xw-frame canvas')].map((c) =>
        [...c.getContext('2d').getImageData(Math.floor(u * c.width), Math.floor(v * c.height), 1, 1).data].slice(0, 3))"""
    found: list[list[int]] = notebook.page.evaluate(script, [(x + 0.5) / SIDE, (y + 0.5) / SIDE])
    return found


def colours_agree(notebook: Notebook, *pixels: tuple[int, int]) -> bool:
    """Whether what is on screen has the colours that Python draws."""
    for x, y in pixels:
        expected = notebook.ask(COLOURS.format(x=x, y=y))
        found = drawn(notebook, x, y)
        if len(found) != len(expected):
            return False
        if any(
            abs(a - b) > 6 for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=True)
        ):
            return False
    return True


def is_asked(notebook: Notebook, name: str) -> None:
    until(lambda: bool(notebook.ask("overlay.target is not None and overlay.class_names[overlay.target]") == name))
    until(lambda: bool(notebook.ask("overlay.result is not None and overlay.status['state'] == 'done'")))


def same_as(notebook: Notebook, target: str, explainer: str, image: int = 0) -> bool:
    """Whether the result on screen is what calling the explainer gives."""
    call = f"{explainer}(x[{image}:{image + 1}], {target}).heatmap"
    return bool(notebook.ask(f"torch.allclose(overlay.result.heatmap, {call}, atol=1e-6)"))


def test_a_region_clicked_and_a_box_drawn(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    found = opened(lab, notebook, "asked_segments", SEGMENTS)
    root = widget(found.page)
    lrp = "xw.LRP(model, 'gradient_x_input')"
    rows = root.get_by_role("list", name="Regions")
    expect(rows.get_by_role("button")).to_have_count(3)
    share = found.ask("[float((model.output(x[:1]).argmax(1) == k).float().mean()) for k in range(3)]")
    expect(rows).to_contain_text(f"{share[1] * 100:.1f} % of the picture")
    # Lines around the two squares are those of the background too; the line around what is asked is one more.
    expect(root.locator(".xw-places g[data-kind='found']")).to_have_count(2)

    # A click on the blue square.
    x, y = BLUE[0] + 9, BLUE[1] + 12
    found.page.mouse.move(*at(found, x, y))
    expect(root.locator(".xw-places g[data-kind='pointed']")).to_have_count(1)
    expect(root.locator(".xw-tooltip")).to_contain_text("predicted: blue square")
    found.page.mouse.click(*at(found, x, y))
    is_asked(found, f"blue square at ({x}, {y})")
    assert same_as(found, f"T.region(2, ({x}, {y}))", lrp)
    score = found.ask(
        f"float(T.score_of(model, model.output(x[:1]), T.region(2, ({x}, {y})), x[:1])(model.output(x[:1])))"
    )
    expect(root.locator(".xw-notes-line")).to_contain_text(f"blue square at ({x}, {y}), score {score:.4g}")
    expect(root.locator(".xw-places g[data-kind='asked']")).to_have_count(1)
    found.page.mouse.move(2, 2)
    red, _, blue = drawn(found, x, y)[0]
    assert red > blue + 40, "what speaks for it is red"
    until(lambda: colours_agree(found, (x, y), (10, 10), (60, 5)))

    # A box over both squares: about the one that fills more of it.
    drag(found, (20, 20), (60, 58))
    name = "blue square in (20, 20, 61, 59)"
    is_asked(found, name)
    assert same_as(found, "T.region(2, (20, 20, 61, 59))", lrp)
    found.page.mouse.move(2, 2)
    until(lambda: colours_agree(found, (x, y), (10, 10)))
    # About a class that is chosen: the same box again.
    rows.get_by_role("button", name=re.compile("^red square")).click()
    until(lambda: found.ask("overlay.target") == 1)
    drag(found, (20, 20), (60, 58))
    is_asked(found, "red square in (20, 20, 61, 59)")
    assert same_as(found, "T.region(1, (20, 20, 61, 59))", lrp)

    # All that was asked has a name in the list, in this image; elsewhere it is not offered.
    targets = root.get_by_role("list", name="Targets")
    expect(targets.get_by_role("button")).to_have_count(3)
    targets.get_by_role("button", name=name).click()
    is_asked(found, name)
    root.locator(".xw-film").nth(1).click()
    until(lambda: found.ask("overlay.image") == 1)
    expect(root.get_by_role("list", name="Targets")).to_have_count(0)
    until(lambda: found.ask("overlay.target") is None)
    expect(root.get_by_role("alert")).to_have_count(0)

    # The keys alone: the pin in the middle, then the region there.
    root.locator(".xw-frame").first.focus()
    found.page.keyboard.press("Enter")
    found.page.keyboard.press("Enter")
    is_asked(found, "__background__ at (32, 32)")

    # Nothing that is none: one clear line, and all goes on.
    found.run("overlay._receive(None, {'type': 'ask', 'image': 1, 'box': [5, 5, 900, 9]}, [])")
    expect(root).to_contain_text("reaches outside the image, which is 64 wide and 64 high")
    targets.get_by_role("button").first.click()
    until(lambda: found.ask("overlay.status['state']") == "done")


def test_a_box_of_a_detector(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    found = opened(lab, notebook, "asked_boxes", BOXES)
    root = widget(found.page)
    rows = root.get_by_role("list", name="Boxes")
    expect(rows.get_by_role("button")).to_have_count(2)
    expect(rows).to_contain_text("red square")
    boxes = root.locator(".xw-frame .xw-found")
    expect(boxes).to_have_count(2)
    for box, label in ((RED, "red square"), (BLUE, "blue square")):
        place = boxes.filter(has_text=label).bounding_box()
        frame = root.locator(".xw-frame").bounding_box()
        assert place is not None
        assert frame is not None
        scale = frame["width"] / SIDE
        assert place["x"] - frame["x"] == pytest.approx(box[0] * scale, abs=1.5)
        assert place["width"] == pytest.approx((box[2] - box[0]) * scale, abs=1.5)
    boxes.filter(has_text="blue square").click()
    is_asked(found, "blue square, box 1")
    assert same_as(found, f"T.box({tuple(map(float, BLUE))}, 2)", "rise")
    expect(rows.get_by_role("button", name=re.compile("^blue"))).to_have_attribute("aria-pressed", "true")
    expect(root.locator(".xw-notes-line")).to_contain_text("blue square, box 1, score 1")
    found.page.mouse.move(2, 2)
    until(lambda: colours_agree(found, (50, 50), (14, 14), (32, 8)))
    high, low = found.ask("[float(overlay.result.importance[0, 50, 50]), float(overlay.result.importance[0, 14, 14])]")
    assert high > low

    rows.get_by_role("button", name=re.compile("^red")).click()
    is_asked(found, "red square, box 0")
    assert same_as(found, f"T.box({tuple(map(float, RED))}, 1)", "rise")
    root.get_by_role("checkbox", name="Boxes").uncheck()
    expect(boxes).to_have_count(0)
    until(lambda: found.ask("overlay.found") is False)


def test_phrases_side_by_side(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    found = opened(lab, notebook, "asked_phrases", PHRASES)
    root = widget(found.page)
    first, second = found.ask("list(phrases)")
    targets = root.get_by_role("list", name="Targets")
    expect(targets.get_by_role("button")).to_have_count(2)
    targets.get_by_role("button", name=second, exact=True).click()
    is_asked(found, second)
    assert same_as(found, f"T.similarity(model.text({second!r}))", "xw.LRP(model)")

    root.get_by_role("button", name="Side by side").click()
    expect(root.locator(".xw-frame canvas")).to_have_count(3)  # the plain picture first
    for number, phrase in enumerate((first, second), 1):
        expect(root.locator(".xw-caption-label").nth(number)).to_contain_text(phrase)
    until(lambda: int(found.ask("len(overlay._shown())")) == 2 and int(found.ask("len(overlay._panes())")) == 3)
    expect(root.locator(".xw-scales")).to_contain_text(
        "One scale for all (of the cosine): equal colours are equal numbers."
    )
    # One scale: the largest value of both is at the end of both.
    spans = found.ask("[list(pane.span) for pane in overlay._panes()[1:]]")
    largest = found.ask("max(float(a.maps['relevance'].abs().max()) for a in overlay._answers.values())")
    assert spans[0] == spans[1] == pytest.approx([-largest, largest])
    spots = [
        tuple(found.ask(f"[int(v) for v in batch.masks[0, {k}].nonzero().float().mean(0).flip(0)]")) for k in (0, 1)
    ]
    found.page.mouse.move(2, 2)
    until(lambda: colours_agree(found, *spots))
    # Each phrase is red on its own object, more than the other is there.
    shares = [
        found.ask(
            f"[float((r.heatmap[0].clamp(min=0) * m).sum()) for m in batch.masks[0]]"
            f" if (r := xw.LRP(model)(x, T.similarity(model.text({phrase!r})))) else 0"
        )
        for phrase in (first, second)
    ]
    assert shares[0][0] / sum(shares[0]) >= 0.7
    assert shares[1][0] / sum(shares[1]) <= 0.3
    # One fewer, and back to one picture.
    targets.get_by_role("checkbox", name=f"{first} side by side").uncheck()
    expect(root.locator(".xw-frame canvas")).to_have_count(2)
    until(lambda: found.ask("overlay.beside") == [found.ask(f"overlay.class_names.index({second!r})")])
    root.get_by_role("button", name="Side by side").click()
    expect(root.locator(".xw-frame canvas")).to_have_count(1)
