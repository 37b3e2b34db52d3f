"""The flipping viewer in a real JupyterLab: what is on screen against the kernel's arrays, and what hands can do to it."""

from __future__ import annotations

import contextlib
import csv
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, expect

from tests.widgets.conftest import until

from .files import save
from .flipping_page import image_of, numbers, pixels, radio, rows_on_screen, settled, widget
from .jupyterlab import Lab, Notebook
from .still import put_off

pytestmark = pytest.mark.browser

SETUP = """
import time, torch, xaiwidgets as xw
from xaiwidgets.demo import Shapes
torch.set_num_threads(1)
model = xw.load("demo:shapes-cnn")
batch = Shapes(12).batch(range(12))
methods = {"LRP": xw.LRP(model), "gradient × input": xw.GradientXInput(model), "truth": batch.masks.float()}
"""
SHOW = """
w = xw.FlippingViewer(model, (batch.x, batch.labels), methods, perturb="mean", hidden=["truth"])
w
"""
# So many images that some are left to explain whenever the explainer is told to fail.
SLOW = """
many = Shapes(48).batch(range(48))
def slow(x, target):
    time.sleep(1)
    if fail:
        raise RuntimeError("the explainer broke <b>mid-run</b>")
    return x.abs().sum(1)
fail = False
v = xw.FlippingViewer(model, many.x, {"fast": many.masks.float(), "slow": slow}, perturb="mean", order="morf")
v
"""


@pytest.fixture(scope="module")
def viewer(chromium, lab: Lab) -> Iterator[Notebook]:  # type: ignore[no-untyped-def]
    """A viewer of two methods and one that is hidden, all computed."""
    lab.write("flipping.ipynb", [SETUP, SHOW])
    context = chromium.new_context(viewport={"width": 1500, "height": 1300}, accept_downloads=True)
    found = Notebook.open(context.new_page(), lab, "flipping.ipynb")
    found.run_all()
    expect(found.page.locator(".xw-flipping .xw-chart").first).to_be_visible(timeout=60_000)
    found.wait_until_run()
    settled(found)
    widget(found.page).scroll_into_view_if_needed()
    yield found
    errors = found.errors
    context.close()
    assert errors == []


def test_the_table_says_what_the_arrays_say(viewer: Notebook) -> None:
    page = viewer.page
    radio(page, "This image").click()
    auc = viewer.ask(
        "{m: [float(w.result.auc_of('morf')[m][w.image]), float(w.result.auc_of('lerf')[m][w.image])] "
        "for m in w.result.methods}"
    )
    shown = rows_on_screen(page)
    for method, (morf, lerf) in auc.items():
        assert shown[method] == pytest.approx([morf, lerf, lerf - morf], abs=6e-4), method
    assert shown["random"][0] == pytest.approx(
        viewer.ask("float(w.result.auc_of('morf')['random'][w.image])"), abs=6e-4
    )

    radio(page, "Mean of 12").click()
    table = viewer.ask(
        "{r.method: [v for e in (*r.auc.values(), r.gap) if e for v in (e.mean, e.low, e.high)] for r in w.result.table()}"
    )
    until(lambda: len(rows_on_screen(page)["LRP"]) == 9)
    shown = rows_on_screen(page)
    for method in ("LRP", "gradient × input"):
        assert shown[method] == pytest.approx(table[method], abs=6e-4), method
    ranked = [row.get_attribute("data-method") for row in widget(page).locator("tbody tr").all()]
    assert ranked[:2] == viewer.ask("list(w.result.ranking)")
    until(lambda: viewer.ask("w.scope") == "mean")
    radio(page, "This image").click()


def test_hovering_the_chart_reads_the_curve_and_links(viewer: Notebook) -> None:
    page = viewer.page
    chart = widget(page).locator(".xw-chart").first
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.5)
    reading = widget(page).locator(".xw-reading")
    expect(reading).to_be_visible()
    step = int(re.findall(r"step (\d+) of", reading.inner_text())[0])
    for method in ("LRP", "gradient × input"):
        line = reading.locator("> div", has_text=method).inner_text()
        assert numbers(line)[0] == pytest.approx(
            viewer.ask(f"float(w.result.scores[{method!r}][w.image, {step}])"), abs=6e-4
        )
    # Over a line of the table, its curve stands out and the others step back.
    widget(page).locator("tbody tr[data-method='LRP']").hover()
    states = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('.xw-chart')[0].querySelectorAll('.xw-line')]"
        ".map((line) => [line.dataset.method, line.dataset.state]))"
    )
    assert states == {"LRP": "pointed", "gradient × input": "dim", "random": "dim"}
    # Over a curve, its line in the table is marked.
    at = viewer.ask("float(w.result.scores['LRP'][w.image, 3])")
    circles = page.evaluate(
        "() => [...document.querySelectorAll('.xw-chart')[1].querySelectorAll('.xw-line[data-method=LRP] .xw-curve')]"
        ".map((path) => { const p = path.getPointAtLength(path.getTotalLength() * 0.3);"
        " const box = path.ownerSVGElement.getBoundingClientRect(); return [box.x + p.x, box.y + p.y]; })[0]"
    )
    assert at is not None
    page.mouse.move(*circles)
    expect(widget(page).locator("tbody tr[data-pointed='true']")).to_have_count(1)


def test_hovering_a_patch_says_when_each_method_flips_it(viewer: Notebook) -> None:
    page = viewer.page
    frame = widget(page).locator("[data-pane='heat'] canvas").bounding_box()
    assert frame is not None
    row, column = 3, 4
    page.mouse.move(frame["x"] + (column + 0.5) / 8 * frame["width"], frame["y"] + (row + 0.5) / 8 * frame["height"])
    tooltip = widget(page).locator("[data-pane='heat'] .xw-tooltip")
    expect(tooltip).to_contain_text("patch in row 4, column 5")
    counts = viewer.ask("list(w.result.setup.schedule.counts)")
    for method in ("LRP", "gradient × input"):
        rank = viewer.ask(f"int(w.result.ranks[{method!r}][w.image, {row * 8 + column}])")
        morf = next(step for step, count in enumerate(counts) if rank < count)
        lerf = next(step for step, count in enumerate(counts) if 63 - rank < count)
        expect(tooltip).to_contain_text(f"{method}: flipped at MoRF step {morf}, LeRF step {lerf}")
    page.mouse.click(frame["x"] + (column + 0.5) / 8 * frame["width"], frame["y"] + (row + 0.5) / 8 * frame["height"])
    until(lambda: viewer.ask("w.selection") == {"row": row, "column": column})
    viewer.run("w.selection = None")


def test_scrubbing_shows_what_the_model_saw(viewer: Notebook) -> None:
    page = viewer.page
    slider = widget(page).get_by_role("slider", name="Step")
    for step in (3, 6, 1):
        slider.fill(str(step))
        expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"step {step} of 9"))
        for order in ("morf", "lerf"):
            wanted = viewer.ask(image_of("LRP", step, order))

            def close(order: str = order, wanted: Any = wanted) -> bool:
                return all(
                    abs(a - b) <= 1
                    for one, two in zip(pixels(page, order), wanted, strict=True)
                    for a, b in zip(one, two, strict=True)
                )

            until(close)
        score = viewer.ask(f"float(w.result.curves['lerf']['LRP'][w.image, {step}])")
        assert numbers(widget(page).locator("[data-pane='lerf'] .xw-under").inner_text())[0] == pytest.approx(
            score, abs=6e-4
        )
    until(lambda: viewer.ask("w.step") == 1)
    viewer.run("w.step = 4")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("step 4 of 9"))
    # The chart's own cursor: arrows, and dragging, which snaps to steps and tells Python once.
    chart = widget(page).locator(".xw-chart").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("step 5 of 9"))
    viewer.count_messages()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    page.mouse.down()
    for move in range(30):
        page.mouse.move(box["x"] + 60 + (box["width"] - 90) * move / 29, box["y"] + 100)
    assert [message for message in viewer.messages() if message.get("method") == "update"] == []
    page.mouse.up()
    until(lambda: viewer.ask("w.step") >= 8)
    # The legend puts another method's frames on screen.
    widget(page).get_by_role("button", name="gradient × input").click()
    expect(widget(page).locator("[data-pane='heat'] .xw-caption")).to_contain_text("gradient × input")
    until(lambda: viewer.ask("w.method") == "gradient × input")
    widget(page).get_by_role("button", name="LRP").click()


def test_playing_runs_to_the_end_and_tells_python_then(viewer: Notebook) -> None:
    page = viewer.page
    viewer.run("w.step = 6")
    slider = widget(page).get_by_role("slider", name="Step")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("step 6 of 9"))
    widget(page).get_by_role("button", name="Play").click()
    expect(widget(page).get_by_role("button", name="Pause")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", re.compile("step 9 of 9"))
    expect(widget(page).get_by_role("button", name="Play")).to_be_visible()
    until(lambda: viewer.ask("w.step") == 9)
    widget(page).locator(".xw-chart").first.focus()
    page.keyboard.press(" ")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("step [12] of 9"))
    page.keyboard.press(" ")
    expect(widget(page).get_by_role("button", name="Play")).to_be_visible()


def test_methods_are_added_by_hand_and_from_python(viewer: Notebook) -> None:
    page = viewer.page
    assert viewer.ask("list(w.result.methods)") == ["LRP", "gradient × input"]
    widget(page).get_by_role("checkbox", name="Show truth").check()
    until(lambda: "truth" in viewer.ask("list(w.result.methods)"))
    settled(viewer)
    expect(widget(page).locator(".xw-chart").first.locator(".xw-line[data-method='truth']")).to_have_count(1)
    viewer.run("w.add('absLRP', xw.AbsLRP(model))")
    until(lambda: "absLRP" in viewer.ask("list(w.result.methods)"))
    settled(viewer)
    expect(widget(page).locator("tbody tr[data-method='absLRP'] .xw-rank")).to_have_text(re.compile(r"\d"))
    widget(page).get_by_role("checkbox", name="Show absLRP").uncheck()
    expect(widget(page).locator(".xw-line[data-method='absLRP']")).to_have_count(0)
    until(lambda: viewer.ask("w.hidden") == ["absLRP"])
    widget(page).get_by_role("checkbox", name="Show absLRP").check()


def test_sorting_the_table(viewer: Notebook) -> None:
    page = viewer.page
    radio(page, "Mean of 12").click()
    gaps = viewer.ask("{r.method: r.gap.mean for r in w.result.table() if r.gap}")

    def shown() -> list[str | None]:
        rows = [row.get_attribute("data-method") for row in widget(page).locator("tbody tr").all()]
        return [row for row in rows if row in gaps]

    widget(page).get_by_role("button", name="Gap").click()
    # The best comes first: the widest gap, the lowest area with the most relevant first.
    assert shown() == sorted(gaps, key=lambda method: -gaps[method])
    expect(widget(page).locator("th[data-column='gap']")).to_have_attribute("aria-sort", "descending")
    until(lambda: viewer.ask("[w.sort_by, w.descending]") == ["gap", True])
    widget(page).get_by_role("button", name="Gap").click()
    assert shown() == sorted(gaps, key=lambda method: gaps[method])
    widget(page).get_by_role("button", name="AUC MoRF").click()
    expect(widget(page).locator("th[data-column='morf']")).to_have_attribute("aria-sort", "ascending")
    until(lambda: viewer.ask("[w.sort_by, w.descending]") == ["morf", False])
    viewer.run("w.sort_by = 'rank'; w.descending = False")
    expect(widget(page).locator("th[data-column='rank']")).to_have_attribute("aria-sort", "ascending")


def test_other_questions(viewer: Notebook) -> None:
    page = viewer.page
    viewer.run("w.step = 4")
    radio(page, "MoRF").click()
    until(lambda: viewer.ask("[w.order, w.step]") == ["morf", 4])
    settled(viewer)
    expect(widget(page).locator(".xw-chart")).to_have_count(1)
    expect(widget(page).get_by_role("button", name="Gap")).to_have_count(0)
    widget(page).get_by_role("combobox", name="Hide with").select_option("gray")
    patch = widget(page).get_by_label("Patch", exact=True)
    patch.fill("16")
    patch.press("Enter")
    until(lambda: viewer.ask("[w.perturb, w.patch]") == ["gray", 16])
    settled(viewer)
    expect(widget(page).get_by_role("slider", name="Step")).to_have_attribute(
        "aria-valuetext", re.compile(r"of 5 · .*(of 16 patches|all grey)")
    )
    radio(page, "Probability").click()
    box = widget(page).get_by_role("combobox", name="Class")
    box.click()
    box.fill("hear")
    box.press("Enter")
    until(lambda: viewer.ask("[w.score, w.target]") == ["probability", viewer.ask("model.class_names.index('heart')")])
    settled(viewer)
    expect(widget(page).locator("[data-pane='morf'] .xw-under")).to_contain_text("probability")
    # What cannot be is said, and mended.
    patch.fill("100")
    patch.press("Enter")
    expect(widget(page).get_by_role("alert")).to_contain_text("patch=100 is larger than the image of 64×64")
    patch.fill("8")
    patch.press("Enter")
    settled(viewer)
    expect(widget(page).get_by_role("alert")).to_have_count(0)
    viewer.run("w.order = 'both'; w.perturb = 'mean'; w.score = 'logit'; w.target = None")
    until(lambda: viewer.ask("w.result is not None and w.result.final"))
    settled(viewer)
    radio(page, "This image").click()


def test_saved_files_hold_what_is_on_screen(viewer: Notebook, tmp_path: Path) -> None:
    page = viewer.page
    viewer.run("w.step = 3")
    viewer.run(f"w.result.to_csv({str(tmp_path / 'python.csv')!r})")
    ours = save(widget(page), "CSV", tmp_path)
    until(lambda: (tmp_path / "python.csv").exists() and viewer.ask("True"))
    with ours.open(newline="") as a, (tmp_path / "python.csv").open(newline="") as b:
        mine, theirs = list(csv.reader(a)), list(csv.reader(b))
    assert len(mine) == len(theirs)
    assert mine[0] == theirs[0]
    for row, other in zip(mine[1:], theirs[1:], strict=True):
        assert row[:7] == other[:7]
        assert [float(v) for v in row[7:]] == pytest.approx([float(v) for v in other[7:]], rel=1e-6)
    svg = save(widget(page), "SVG", tmp_path).read_text()
    assert "Most relevant first" in svg
    area = viewer.ask("float(w.result.auc_of('morf')['LRP'][w.image])")
    assert f"LRP · AUC {area:.3f}" in svg
    assert save(widget(page), "PNG", tmp_path).stat().st_size > 20_000
    # The page works offline, from the first step to the last, and says the same.
    path = save(widget(page), "HTML", tmp_path)
    wanted = viewer.ask(image_of("LRP", 6, "morf"))
    browser = page.context.browser
    assert browser is not None
    away = browser.new_context(offline=True, viewport={"width": 1500, "height": 1300})
    offline = away.new_page()
    problems: list[str] = []
    offline.on("pageerror", lambda error: problems.append(str(error)))
    try:
        offline.goto(path.as_uri())
        expect(offline.locator(".xw-flipping .xw-chart").first).to_be_visible()
        assert rows_on_screen(offline) == rows_on_screen(page)
        offline.get_by_role("slider", name="Step").fill("6")
        until(lambda: pixels(offline, "morf") == wanted)
        offline.get_by_role("radio", name="Mean of 12").click()
        expect(offline.get_by_role("combobox", name="Hide with")).to_be_disabled()
    finally:
        away.close()
    assert problems == []


def test_gae_is_computed_on_request(viewer: Notebook) -> None:
    page = viewer.page
    widget(page).get_by_role("button", name="Compute GAE").click()
    until(lambda: viewer.ask("w.gae_result is not None and w.gae_result.final"), 60)
    settled(viewer)
    cell = widget(page).locator("tbody tr[data-method='LRP'] td[data-column='gae']")
    wanted = viewer.ask("(lambda e: [e.mean, e.low, e.high])(w.gae_result.estimate('LRP'))")
    assert numbers(cell.inner_text()) == pytest.approx(wanted, abs=6e-4)


def test_two_hundred_random_actions(viewer: Notebook) -> None:
    page = viewer.page
    root = widget(page)
    dice = random.Random(7)
    charts = root.locator(".xw-chart")
    films = root.get_by_role("listbox", name="Images").get_by_role("option")

    def anywhere(target: Locator, press: bool = False) -> None:
        box = target.first.bounding_box()
        if box is None:
            return
        page.mouse.move(box["x"] + dice.random() * box["width"], box["y"] + dice.random() * box["height"])
        if press:
            page.mouse.down()
            page.mouse.move(box["x"] + dice.random() * box["width"], box["y"] + dice.random() * box["height"])
            page.mouse.up()

    def tick() -> None:
        boxes = root.locator("tbody input[type=checkbox]")
        boxes.nth(dice.randrange(boxes.count())).click()

    def either(*names: str) -> None:
        radio(page, dice.choice(names)).click()

    def patch() -> None:
        box = root.get_by_label("Patch", exact=True)
        box.fill(dice.choice(["6", "8", "11", "16", "64", "65"]))
        box.press("Enter")

    actions: list[Callable[[], Any]] = [
        lambda: either("MoRF", "LeRF", "Both", "Random"),
        lambda: either("Logit", "Probability"),
        lambda: either("This image", "Mean of 12"),
        lambda: root.get_by_role("combobox", name="Hide with").select_option(
            dice.choice(["mean", "gray", "zero", "inpaint", "random"])
        ),
        lambda: root.get_by_role("slider", name="Step").press(dice.choice(["ArrowLeft", "ArrowRight", "Home", "End"])),
        lambda: anywhere(charts),
        lambda: anywhere(charts, press=True),
        lambda: anywhere(root.locator(".xw-frame"), press=True),
        lambda: root.locator(".xw-chip").first.click() if root.locator(".xw-chip").count() else None,
        tick,
        patch,
        lambda: root.locator("thead button").nth(dice.randrange(root.locator("thead button").count())).click(),
        lambda: root.get_by_role("button", name=re.compile("Play|Pause")).click(force=True),
        lambda: films.nth(dice.randrange(12)).click(force=True),
        lambda: either("Grey", "Colour", "None"),
        lambda: either("Colours", "Outlines"),
        lambda: (
            root.get_by_role("button", name="Stop").click() if root.get_by_role("button", name="Stop").count() else None
        ),
        lambda: page.keyboard.press(dice.choice(["ArrowUp", "ArrowDown", " ", "Escape"])),
    ]
    for _ in range(200):
        # A button that went away between looking and pressing is no fault.
        with contextlib.suppress(PlaywrightError):
            dice.choice(actions)()
    pause = root.get_by_role("button", name="Pause")
    if pause.count():
        pause.click()
    put_off(page)
    settled(viewer)
    # The browser and Python agree on every trait, and on the curves.
    state = viewer.ask(
        "{n: getattr(w, n) for n in ('order', 'perturb', 'patch', 'target', 'score', 'scope', 'image', 'hidden', 'sort_by')}"
    )
    assert radio(
        page, {"morf": "MoRF", "lerf": "LeRF", "both": "Both", "random": "Random"}[state["order"]]
    ).is_checked()
    assert root.get_by_role("combobox", name="Hide with").input_value() == state["perturb"]
    assert root.get_by_label("Patch", exact=True).input_value() == str(state["patch"])
    expect(root.get_by_label("Image number")).to_have_value(str(state["image"] + 1))
    for name in ("LRP", "gradient × input", "truth", "random"):
        box = root.get_by_role("checkbox", name=f"Show {'random order' if name == 'random' else name}", exact=True)
        if box.count():
            assert box.is_checked() == (name not in state["hidden"])
    viewer.run("w.hidden = []; w.patch = 8; w.order = 'both'; w.perturb = 'mean'; w.scope = 'image'; w.score = 'logit'")
    viewer.run("w.compute()")
    until(lambda: viewer.ask("w.result is not None and w.result.final"), 60)
    settled(viewer)
    auc = viewer.ask("float(w.result.auc_of('morf')['LRP'][w.image])")
    until(lambda: rows_on_screen(page)["LRP"][:1] == pytest.approx([auc], abs=6e-4))


def test_reload_keeps_the_widget(viewer: Notebook) -> None:
    viewer.run("w.step = 5; w.method = 'truth'")
    viewer.reload()
    page = viewer.page
    expect(widget(page).locator(".xw-chart").first).to_be_visible()
    expect(widget(page).get_by_role("slider", name="Step")).to_have_attribute(
        "aria-valuetext", re.compile("step 5 of 9")
    )
    expect(widget(page).locator("[data-pane='heat'] .xw-caption")).to_contain_text("truth")
    wanted = viewer.ask(image_of("truth", 5, "morf"))
    until(
        lambda: (
            max(
                abs(a - b) for p, q in zip(pixels(page, "morf"), wanted, strict=True) for a, b in zip(p, q, strict=True)
            )
            <= 1
        ),
        15,
    )


def test_changing_while_computing_stopping_and_errors(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    lab.write("slow-flipping.ipynb", [SETUP, SLOW])
    open_ = notebook("slow-flipping.ipynb", 1300, 1300)
    page = open_.page
    open_.run_all()
    root = widget(page)
    expect(root.locator(".xw-chart").first).to_be_visible(timeout=60_000)
    stop = root.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    expect(root.locator(".xw-progress-text")).to_contain_text(re.compile(r"of \d+ frames"))
    # Curves grow while the explainer works; another order and perturbation take the job's place at once.
    expect(root.locator(".xw-line[data-method='fast']")).to_have_count(1)
    radio(page, "LeRF").click()
    root.get_by_role("combobox", name="Hide with").select_option("zero")
    until(lambda: open_.ask("[v.order, v.perturb, v.status['state']]") == ["lerf", "zero", "running"])
    until(lambda: open_.ask("v.result is not None and v.result.done > 0"))
    expect(root.get_by_text("Least relevant first").first).to_be_visible()
    stop.click()
    until(lambda: open_.ask("v.status['state']") == "stopped")
    stopped = open_.ask("v.result.done")
    time.sleep(0.6)
    assert open_.ask("v.result.done") == stopped
    open_.run("fail = True")
    root.get_by_role("button", name="Go on").click()
    alert = root.get_by_role("alert")
    expect(alert).to_contain_text("slow: the explainer broke <b>mid-run</b>")
    assert root.locator(".xw-alert b b, .xw-message b b").count() == 0
    expect(root.locator(".xw-line[data-method='fast']")).to_have_count(1)
    # Without the broken one the rest is computed to its end.
    root.get_by_role("checkbox", name="Show slow").uncheck()
    until(lambda: open_.ask("v.status['state']") == "done")
    expect(alert).to_have_count(0)


def test_first_points_come_within_a_second(lab: Lab, notebook: Callable[..., Notebook]) -> None:
    lab.write("first-flipping.ipynb", [SETUP])
    open_ = notebook("first-flipping.ipynb")
    page = open_.page
    open_.run_all()
    open_.wait_until_run()
    began = time.monotonic()
    open_.run_new_cell('w = xw.FlippingViewer(model, batch.x, methods | {"RELAX": xw.RELAX(model)}); w')
    expect(widget(page)).to_be_visible()
    shown = time.monotonic()
    expect(widget(page).locator(".xw-markers").first).to_be_visible()
    print(f"run to display {shown - began:.2f} s, display to first points {time.monotonic() - shown:.2f} s")
    open_.run("w.stop()")
