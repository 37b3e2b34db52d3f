"""The concept browser in a real JupyterLab: everything a person does, and the numbers on screen against the kernel's."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from .jupyterlab import Lab, Notebook
from .still import put_off

pytestmark = pytest.mark.browser

CELL = """
import torch, xaiwidgets as xw
from xaiwidgets.demo import Shapes, examples
torch.set_num_threads(1)
model = xw.load("{model}"{options})
crp = xw.CRP(model)
x = model.prepare([sample.image for sample in examples(3)])
data = Shapes({length}, size=model.input_size[0])
index = xw.ReferenceIndex.build(crp, data, "index-{name}", layers={layers}, progress=False)
browser = xw.ConceptBrowser(crp, x, index=index, dataset=data)
browser
"""
ODD_NAME = "<script>document.title = 'taken'</script> 🦓 stripes"
BACKGROUND = "features.conv5"


class View:
    """The browser on the page, by what a person sees."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".xw-concepts").first

    def ask(self, expression: str) -> Any:
        return self.notebook.ask(expression)

    @property
    def rows(self) -> Locator:
        return self.root.get_by_role("listbox", name="Concepts").get_by_role("option")

    @property
    def detail(self) -> Locator:
        return self.root.get_by_role("region", name="Concept", exact=True)

    @property
    def nodes(self) -> Locator:
        return self.root.get_by_role("button", name=re.compile("^Go down to"))

    def choose(self, label: str, text: str) -> None:
        """Type into a box and take what is offered first."""
        box = self.root.get_by_role("combobox", name=label, exact=True)
        box.click()
        box.fill(text)
        box.press("Enter")

    def shares(self) -> list[tuple[int, float]]:
        """Concepts in the list, in their order, with the numbers behind their bars."""
        found = self.rows.evaluate_all("rows => rows.map(r => [Number(r.dataset.concept), Number(r.dataset.value)])")
        return [(int(concept), value) for concept, value in found]

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 12) -> None:
        """Drag over the image; both points as shares of it."""
        area = self.root.locator(".xw-box-layer")
        area.scroll_into_view_if_needed()
        frame = area.bounding_box()
        assert frame is not None
        mouse = self.page.mouse

        def to(x: float, y: float) -> None:
            mouse.move(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])

        to(*start)
        mouse.down()
        for step in range(1, steps + 1):
            to(*(a + (b - a) * step / steps for a, b in zip(start, end, strict=True)))
        mouse.up()

    def settle(self) -> None:
        """Until the state has reached Python, and Python has answered what the screen asks."""
        put_off(self.page)
        until(lambda: not self.ask("browser._runner.busy"), 120)
        expect(self.root.locator("[data-stale=true]")).to_have_count(0)


def until(said: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def start(
    chromium: Browser, lab: Lab, model: str, *, layers: list[str] | None = None, options: str = "", length: int = 96
) -> Notebook:
    short = re.split("[:-]", model)[-1]
    cell = CELL.format(model=model, name=short, layers=layers, options=options, length=length)
    name = lab.write(f"concepts-{short}.ipynb", [cell])
    context = chromium.new_context(viewport={"width": 1400, "height": 1500}, accept_downloads=True)
    notebook = Notebook.open(context.new_page(), lab, name)
    notebook.run_all()
    expect(notebook.page.locator(".xw-concepts")).to_be_visible(timeout=60_000)
    notebook.wait_until_run()
    notebook.page.locator(".xw-concepts").scroll_into_view_if_needed()
    return notebook


@pytest.fixture(scope="module")
def view(chromium: Browser, lab: Lab) -> Iterator[View]:
    """A browser over the demo CNN, one for all tests that leave it usable."""
    notebook = start(chromium, lab, "demo:shapes-cnn")
    yield View(notebook)
    errors = notebook.errors
    notebook.page.context.close()
    assert errors == []


def approx(rows: list[list[float]]) -> list[tuple[int, Any]]:
    return [(int(concept), pytest.approx(value, abs=1e-6)) for concept, value in rows]


def ranking(view: View, count: int, by: str = "relevance") -> list[tuple[int, Any]]:
    """The first concepts as Python ranks them."""
    ranked = f"crp.rank(x[browser.image, None], browser.selection['target'], browser.layer, by={by!r})"
    values = "share" if by == "relevance" else "relevance"
    return approx(view.ask(f"(lambda r: list(zip(r.concepts[0].tolist(), r.{values}[0].tolist())))({ranked})")[:count])


def test_first_view_is_whole_and_its_numbers_are_pythons(view: View) -> None:
    view.settle()
    expect(view.rows).to_have_count(20)
    assert view.shares() == ranking(view, 20)
    expect(view.detail.locator(".xw-reference canvas")).to_have_count(8)
    expect(view.root.locator(".xw-thumb[data-state=coming]")).to_have_count(0)
    concept = view.ask("browser.selection['concept']")
    expect(view.detail).to_have_attribute("data-concept", str(concept))
    top = view.ask(f"(lambda r: [r.samples.tolist(), r.scores.tolist()])(index.top(browser.layer, {concept}, n=8))")
    shown = view.detail.locator(".xw-reference").evaluate_all(
        "all => all.map(e => [e.dataset.sample, e.dataset.score])"
    )
    assert [[int(sample), float(score)] for sample, score in shown] == [
        [sample, pytest.approx(score, rel=1e-5)] for sample, score in zip(*top, strict=True)
    ]
    share = view.ask("float(browser.result.ranking.share[0, 0])")
    expect(view.rows.first).to_contain_text(f"{share:.1%}".replace("%", " %"))
    score = view.ask("float(browser.result.ranking.output[0, browser.selection['target']])")
    expect(view.root.get_by_role("region", name="Image", exact=True)).to_contain_text(f"score {score:.2f}")


def test_class_contrast_layer_and_order(view: View) -> None:
    view.choose("Class", "ring")
    until(lambda: view.ask("browser.target") == view.ask("model.class_names.index('ring')"))
    view.settle()
    assert view.shares() == ranking(view, 20)
    view.choose("Against", "circle")
    view.settle()
    against = "x[0, None], 'ring', browser.layer, against='circle'"
    contrast = view.ask(f"(lambda r: list(zip(r.concepts[0].tolist(), r.share[0].tolist())))(crp.rank({against}))")
    assert view.shares() == approx(contrast[:20])
    view.choose("Against", "nothing")
    view.choose("Class", "predicted")
    view.choose("Layer", "conv3")
    until(lambda: view.ask("browser.layer") == "features.conv3")
    view.settle()
    assert view.shares() == ranking(view, 20)
    view.root.get_by_role("radio", name="Activation").click()
    view.settle()
    assert view.shares() == ranking(view, 20, "activation")
    view.root.get_by_role("radio", name="Relevance").click()
    view.choose("Layer", "conv6")
    until(lambda: view.ask("browser.layer") == "features.conv6")


def test_clicking_a_concept_shows_its_heatmap_and_references(view: View) -> None:
    view.settle()
    row = view.rows.nth(4)
    concept = int(row.get_attribute("data-concept") or -1)
    row.click()
    expect(row).to_have_attribute("aria-selected", "true")
    expect(view.detail).to_have_attribute("data-concept", str(concept))
    until(lambda: view.ask("browser.concept") == concept)
    view.settle()
    low, high = view.ask("(lambda h: [h.min().item(), h.max().item()])(browser.result.concept_heatmap)")
    bound = max(-low, high)
    legend = view.detail.get_by_role("img", name=re.compile("^Colours")).get_attribute("aria-label") or ""
    assert float(legend.rsplit(" ", 1)[1]) == pytest.approx(bound, rel=0.005)
    # The keyboard goes through the list as well.
    row.press("ArrowDown")
    expect(view.rows.nth(5)).to_have_attribute("aria-selected", "true")
    view.detail.get_by_role("radio", name="ActMax").click()
    view.settle()
    samples = view.ask("index.top(browser.layer, browser.concept, n=8, by='activation').samples.tolist()")
    shown = view.detail.locator(".xw-reference").evaluate_all("all => all.map(e => Number(e.dataset.sample))")
    assert shown == samples
    view.detail.get_by_role("radio", name="RelMax").click()
    used = view.detail.get_by_role("group", name="Classes that use it").get_by_role("button")
    leading = view.ask("index.classes(browser.layer, browser.concept)[0].name")
    expect(used.first).to_contain_text(leading)
    used.first.click()
    until(lambda: view.ask("browser.reference_class") == view.ask(f"model.class_names.index({leading!r})"))
    view.settle()
    of_class = view.ask(f"index.top(browser.layer, browser.concept, n=8, target={leading!r}).samples.tolist()")
    shown = view.detail.locator(".xw-reference").evaluate_all("all => all.map(e => Number(e.dataset.sample))")
    assert shown == of_class[: len(shown)]
    used.first.click()


def test_a_box_ranks_the_concepts_inside_it(view: View) -> None:
    view.settle()
    before = view.shares()
    view.drag((0.2, 0.2), (0.45, 0.5))
    view.settle()
    box = view.ask("browser.box")
    assert box is not None
    assert [abs(a - b) <= 1 for a, b in zip(box, (12, 12, 29, 32), strict=True)] == [True] * 4
    expect(view.root.get_by_role("listbox", name="Concepts")).to_have_attribute("data-region", ",".join(map(str, box)))
    region = "crp.region(x[browser.image, None], tuple(browser.box), layers=[browser.layer])"
    inside = view.ask(
        f"(lambda r: [[int(c), float(r.share[browser.layer][0, c])] for c in r.top(browser.layer, 20)[0]])({region})"
    )
    assert view.shares() == approx(inside)
    assert view.shares() != before
    # Moved by keys, resized by keys, taken away by a key.
    area = view.root.locator(".xw-box-layer")
    area.focus()
    area.press("ArrowRight")
    area.press("Shift+ArrowDown")
    view.settle()
    assert view.ask("browser.box") == [box[0] + 2, box[1], box[2] + 2, box[3] + 2]
    area.press("Escape")
    view.settle()
    assert view.ask("browser.box") is None
    assert view.shares() == before


def test_python_moves_the_browser(view: View) -> None:
    view.notebook.run(
        "browser.selection = {'image': 1, 'layer': 'features.conv4', 'concept': 7, 'box': (4, 4, 40, 50)}"
    )
    expect(view.detail).to_have_attribute("data-concept", "7")
    expect(view.root.get_by_label("Image number")).to_have_value("2")
    view.settle()
    expect(view.root.get_by_text("Concepts inside 36 × 46 px")).to_be_visible()
    assert view.ask("browser.selection['layer']") == "features.conv4"
    view.root.get_by_role("button", name="Clear box").click()
    view.root.get_by_role("option", name="Image 1:").click()
    view.choose("Layer", "conv6")
    until(lambda: view.ask("[browser.image, browser.box, browser.layer]") == [0, None, "features.conv6"])


def test_walking_the_graph_down_and_up(view: View) -> None:
    view.settle()
    view.rows.first.click()
    view.settle()
    way = [view.ask("[browser.layer, browser.concept]")]
    for _ in range(3):
        view.nodes.first.click()
        view.settle()
        way.append(view.ask("[browser.layer, browser.concept]"))
        assert view.ask("browser.trail") == way[:-1]
    assert [layer for layer, _ in way] == ["features.conv6", "features.conv5", "features.conv4", "features.conv3"]
    graph = view.ask(
        "[[n.layer, n.concept, n.relevance] for n in crp.graph(x[:1], None, browser.layer, browser.concept).nodes[1:]]"
    )
    shown = view.nodes.evaluate_all(
        "all => all.map(e => [e.dataset.layer, Number(e.dataset.concept), Number(e.dataset.relevance)])"
    )
    assert sorted(shown) == [[layer, unit, pytest.approx(value, rel=1e-4)] for layer, unit, value in sorted(graph)]
    up = view.root.get_by_role("button", name="Up", exact=True)
    up.click()
    until(lambda: view.ask("[browser.layer, browser.concept]") == way[2])
    view.root.get_by_role("navigation", name="Way down").get_by_role("button").nth(1).click()
    until(lambda: view.ask("[browser.layer, browser.concept]") == way[0])
    expect(up).to_be_disabled()


def test_names_are_text_and_found_across_layers(view: View) -> None:
    view.settle()
    view.rows.nth(2).click()
    view.settle()
    layer, concept = view.ask("[browser.layer, browser.concept]")
    name = view.detail.get_by_role("textbox", name=re.compile("^Name"))
    name.fill(ODD_NAME)
    name.press("Enter")
    note = view.detail.get_by_role("textbox", name=re.compile("^Note"))
    note.fill("seen on zebras\nand <b>crossings</b>")
    note.blur()
    until(lambda: view.ask("browser.names.note(browser.layer, browser.concept)").endswith("</b>"))
    assert view.ask("browser.names[browser.layer, browser.concept]") == ODD_NAME
    expect(view.rows.nth(2)).to_contain_text(ODD_NAME)
    assert "taken" not in view.page.title()
    assert view.root.locator("script").count() == 0
    written = (view.notebook.lab.folder / "index-cnn" / "names.json").read_text(encoding="utf-8")
    assert "🦓 stripes" in written, "readable by people"
    # Found from another layer, by a word of its note.
    view.choose("Layer", "conv2")
    until(lambda: view.ask("browser.layer") == "features.conv2")
    view.choose("Search", "zebras")
    until(lambda: view.ask("[browser.layer, browser.concept]") == [layer, concept])
    view.notebook.run(f"browser.names[{BACKGROUND!r}, 3] = 'edge'")
    view.choose("Search", "edge")
    until(lambda: view.ask("[browser.layer, browser.concept]") == [BACKGROUND, 3])
    expect(view.detail.get_by_role("textbox", name=re.compile("^Name"))).to_have_value("edge")


def test_reload_and_a_new_kernel_lose_nothing(view: View) -> None:
    view.settle()
    view.notebook.run(f"browser.names['features.conv6', 1] = {ODD_NAME!r}; browser.names[{BACKGROUND!r}, 3] = 'edge'")
    view.choose("Search", "edge")
    view.settle()
    selected = view.ask("browser.selection")
    before = len(view.notebook.errors)
    view.notebook.reload()
    expect(view.root).to_be_visible()
    expect(view.detail).to_have_attribute("data-concept", str(selected["concept"]))
    view.settle()
    assert view.ask("browser.selection") == selected
    expect(view.detail.get_by_role("textbox", name=re.compile("^Name"))).to_have_value("edge")
    view.page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart(); }"
    )
    time.sleep(1)
    view.notebook.run_all()
    view.page.wait_for_timeout(500)
    view.notebook.wait_until_run()
    until(lambda: view.ask("'browser' in globals()"), 60)
    expect(view.root).to_be_visible()
    view.settle()
    assert view.ask("browser.names['features.conv5', 3]") == "edge"
    assert view.ask("browser.names['features.conv6', 1]") == ODD_NAME
    view.choose("Search", "stripes")
    until(lambda: view.ask("browser.names.label(browser.layer, browser.selection['concept']).name") == ODD_NAME)
    # JupyterLab complains of what the kernel says while a page is still loading.
    after = view.notebook.errors[before:]
    view.notebook.errors[before:] = [error for error in after if not error.startswith("Comm not found")]


class Monkey:
    """Does whatever can be done, at random."""

    def __init__(self, view: View, seed: int) -> None:
        self.view, self.dice = view, random.Random(seed)

    def act(self) -> None:
        often = [self.row, self.row, self.drag, self.drag, self.node, self.up, self.layer, self.target, self.radio]
        rarely = [self.image, self.name, self.key, self.search, self.python, self.more, self.clear]
        self.dice.choice([*often, *rarely])()

    def row(self) -> None:
        rows = self.view.rows
        if count := rows.count():
            rows.nth(self.dice.randrange(min(count, 12))).click()

    def drag(self) -> None:
        point = lambda: (self.dice.uniform(-0.05, 1.05), self.dice.uniform(-0.05, 1.05))  # noqa: E731
        start = (self.dice.random(), self.dice.random())
        self.view.drag(start, point(), self.dice.randrange(1, 15))

    def node(self) -> None:
        self._any(self.view.nodes)

    def up(self) -> None:
        self._any(self.view.root.get_by_role("navigation", name="Way down").get_by_role("button"))

    def layer(self) -> None:
        self.view.choose("Layer", self.dice.choice(["conv1", "conv2", "conv4", "conv5", "conv6", "classifier"]))

    def target(self) -> None:
        self.view.choose(
            self.dice.choice(["Class", "Against"]), self.dice.choice(["star", "ring", "heart", "predicted", "nothing"])
        )

    def radio(self) -> None:
        self._any(self.view.root.get_by_role("radio"))

    def image(self) -> None:
        self._any(self.view.root.get_by_role("listbox", name="Images").get_by_role("option"))

    def name(self) -> None:
        box = self.view.detail.get_by_role("textbox").first
        if box.count():
            box.fill(self.dice.choice(["", "a", "<b>b</b>", "c 🦓", "d" * 150]))
            box.press("Enter")

    def key(self) -> None:
        area = self.view.root.locator(".xw-box-layer")
        if area.count():
            area.focus()
            area.press(
                self.dice.choice(["Enter", "ArrowLeft", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp", "Escape"])
            )

    def search(self) -> None:
        self.view.choose("Search", str(self.dice.randrange(40)))

    def python(self) -> None:
        concept = self.dice.randrange(16)
        self.view.notebook.run(f"browser.selection = {{'layer': 'features.conv3', 'concept': {concept}}}")

    def more(self) -> None:
        self._any(self.view.root.get_by_role("button", name=re.compile(r"^\d+ more$")))

    def enlarge(self) -> None:
        self._any(self.view.root.locator(".xw-reference-frame"))
        self._any(self.view.root.get_by_role("button", name=re.compile("(Next|Previous) reference|^Close$")))

    def undo(self) -> None:
        self._any(self.view.root.get_by_role("button", name="Undo"))

    def clear(self) -> None:
        self._any(self.view.root.get_by_role("button", name="Clear box"))

    def _any(self, found: Locator) -> None:
        enabled = [button for button in found.all() if button.is_enabled()]
        if enabled:
            self.dice.choice(enabled).click()


def test_two_hundred_random_actions(view: View) -> None:
    view.settle()
    monkey = Monkey(view, seed=4)
    for _ in range(200):
        monkey.act()
    view.settle()
    view.settle()
    state = view.ask("browser.selection")
    assert view.ask("browser.status['state']") in ("idle", "done")
    expect(view.root.get_by_role("alert")).to_have_count(0)
    expect(view.detail).to_have_attribute("data-layer", state["layer"])
    expect(view.detail).to_have_attribute("data-concept", str(state["concept"]))
    expect(view.root.get_by_label("Image number")).to_have_value(str(state["image"] + 1))
    rows = view.shares()
    values = (
        "browser.result.region / browser.result.region.abs().sum()"
        if state["box"]
        else "browser._focus().relevance[browser.layer] / browser._focus().relevance[browser.layer].abs().sum()"
        if view.ask("browser.order") == "relevance"
        else "browser._focus().activation(browser.layer)"
    )
    expected = view.ask(f"({values}).tolist()")
    order = sorted(range(len(expected)), key=lambda unit: -abs(expected[unit]))
    assert rows == [(unit, pytest.approx(expected[unit], rel=1e-4, abs=1e-6)) for unit in order[: len(rows)]]
    names = view.ask("[[*key, name] for key, name in browser.names.items()]")
    known = view.ask("browser.labels")
    assert names == [[label["layer"], label["concept"], label["name"]] for label in known if label["name"]]


TIMM = "timm:vit_small_patch16_224"


@pytest.mark.parametrize(
    ("model", "heads", "hidden"),
    [
        ("demo:shapes-vit", "blocks.3.attn:heads", "blocks.3.mlp.fc1"),
        pytest.param(TIMM, "blocks.11.attn:heads", "blocks.11.mlp.fc1", marks=pytest.mark.slow),
    ],
)
def test_heads_and_hidden_features_of_transformers(
    chromium: Browser, lab: Lab, model: str, heads: str, hidden: str
) -> None:
    small = model == TIMM
    options, length = (", pretrained=False", 8) if small else ("", 48)
    view = View(start(chromium, lab, model, layers=[heads, hidden], options=options, length=length))
    try:
        for layer, kind in ((heads, "head"), (hidden, "feature")):
            view.choose("Layer", layer)
            until(lambda: view.ask("browser.layer") == layer)  # noqa: B023 - asked at once
            view.settle()
            units = view.ask("crp.units(browser.layer)")
            count = min(20, units)
            assert view.shares() == ranking(view, count)
            view.rows.nth(1).click()
            view.settle()
            expect(view.detail).to_contain_text(f"{layer} · {kind}")
            expect(view.detail.locator(".xw-reference canvas")).not_to_have_count(0)
            assert view.ask("bool(browser.result.concept_heatmap.any())")
            view.drag((0.3, 0.3), (0.6, 0.6))
            view.settle()
            region = "browser.result.region / browser.result.region.abs().sum()"
            inside = view.ask(f"({region}).tolist()")
            assert view.shares() == [(unit, pytest.approx(inside[unit], abs=1e-5)) for unit, _ in view.shares()]
            assert 3 <= view.nodes.count() <= 16
            view.root.get_by_role("button", name="Clear box").click()
        expect(view.root.get_by_role("alert")).to_have_count(0)
        assert view.notebook.errors == []
    finally:
        view.page.context.close()
