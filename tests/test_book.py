"""What the check of the site notices, and what its pages are made of. `tests/browser/test_book.py` opens the site itself."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sphinx.errors import ExtensionError

import xaiwidgets as xw
from tests.book import addresses, wrong
from tests.pictures import FIRST

pytestmark = pytest.mark.sources

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"


@pytest.fixture(scope="module")
def parts() -> Iterator[dict[str, ModuleType]]:
    """The modules of `notebooks/book` that need no site around them."""
    sys.path.insert(0, str(NOTEBOOKS))
    from book import figures, formulas, house, kernel, pages

    yield {"figures": figures, "formulas": formulas, "house": house, "kernel": kernel, "pages": pages}
    sys.path.remove(str(NOTEBOOKS))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "fetches https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', "fetches //cdn.example/x.css"),
        ('<img srcset="https://cdn.example/x.png 2x">', "fetches https://cdn.example/x.png"),
        ('<iframe src="_widgets/none.html"></iframe>', "_widgets/none.html is not there"),
        ('<a href="none.html">x</a>', "none.html is not there"),
        ('<a href="#none">x</a>', "#none has no such place"),
        ('<a href="other.html#none">x</a>', "other.html#none has no such place"),
    ],
)
def test_what_is_wrong_with_a_site_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "index.html").write_text('<a href="https://example.org">out</a> <a href="other.html#here">in</a>')
    (tmp_path / "other.html").write_text('<p id="here">')
    assert wrong(tmp_path) == []
    (tmp_path / "index.html").write_text(line)
    assert wrong(tmp_path) == [f"index.html: {said}"]


def test_what_styles_would_fetch() -> None:
    assert addresses("a { background: url('data:x') } b { background: url(../x.png) }") == []
    styles = '@import "https://a.example/x.css"; b { src: url(//b.example/x.woff) }'
    assert addresses(styles) == ["https://a.example/x.css", "//b.example/x.woff"]


def test_words_alone_run_no_page_again(parts: dict[str, ModuleType], tmp_path: Path) -> None:
    fingerprint = parts["kernel"].fingerprint
    source = tmp_path / "one.py"
    source.write_text('"""One."""\ndef one():\n    """Gives 1."""\n    return 1\n')
    first = fingerprint(tmp_path)
    source.write_text('"""1."""\ndef one():\n    # The first.\n    return 1\n')
    assert fingerprint(tmp_path) == first
    source.write_text("def one():\n    return 2\n")
    assert fingerprint(tmp_path) != first
    source.write_text("def one():\n    return 1\n")
    (tmp_path / "one.css").write_text("a {}")
    assert fingerprint(tmp_path) != first


def test_the_picture_of_the_house_shows_every_room(parts: dict[str, ModuleType]) -> None:
    house = parts["house"]
    rooms = house.rooms_of(ROOT / "xaiwidgets")
    folders = {path.name for path in (ROOT / "xaiwidgets").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= set(rooms)
    storeys = house.floors(rooms)
    height = {room: floor for floor, row in enumerate(storeys) for room in row}
    assert sorted(height) == sorted(rooms)
    for room, others in rooms.items():
        for other in others:
            assert height[other] < height[room] or (room, other) == ("model", "lrp")
    drawing = house.drawn(ROOT / "xaiwidgets")
    assert re.findall(r">(\w+)</text>", drawing) == [room for row in storeys for room in row]
    assert drawing.count('class="xw-edge"') == sum(map(len, rooms.values()))


def test_a_framed_page_tells_its_height(parts: dict[str, ModuleType]) -> None:
    page = parts["pages"].framed("<html><body><p>x</p></body></html>")
    assert page.startswith("<html><body><p>x</p>")
    assert page.endswith("</body></html>")
    assert "postMessage" in page
    with pytest.raises(ValueError, match="without </body>"):
        parts["pages"].framed("<p>x</p>")


def test_formulas_are_understood_or_refused(parts: dict[str, ModuleType]) -> None:
    mathml = parts["formulas"].mathml
    table = mathml(r"\begin{aligned} a &= 1 \\ b &= 2 \end{aligned}", "block")
    assert table.count("<mtr>") == 2
    assert table.count("<mtd") == 4
    assert "&amp;" not in table
    assert "<mi>&<" not in table
    with pytest.raises(ExtensionError, match="not understood as a formula"):
        mathml(r"\begin{gathered} a &= 1 \end{gathered}")


def saved(title: str) -> str:
    """The page of a widget with a finished map."""
    heatmap = torch.linspace(-1, 1, 64 * 64).reshape(1, 64, 64)
    model = xw.load("demo:shapes-cnn")
    widget = xw.HeatmapOverlay({"map": heatmap}, torch.zeros(1, 3, 64, 64), model=model, title=title)
    with tempfile.TemporaryDirectory() as folder:
        page = widget.save(Path(folder) / "page.html").read_text(encoding="utf-8")
    widget.close()
    return page


def test_pages_share_their_widgets_code_and_lose_nothing(parts: dict[str, ModuleType]) -> None:
    first, second = saved("one"), saved("</other>")
    (page, name, script), (other, other_name, _) = parts["pages"].parted(first), parts["pages"].parted(second)
    assert name == other_name
    assert page != other
    assert len(page) < len(first) / 6
    assert f'<script src="{name}"></script>' in page
    assert page.count("<style>") == first.count("<style>") - 1

    def between(text: str, before: str, after: str) -> str:
        return text.partition(before)[2].partition(after)[0]

    content, bundle = 'id="content">', 'id="bundle">'
    packed = gzip.decompress(base64.b64decode(between(page, content, "</script>"))).decode()
    assert packed == between(first, content, "</script>")
    assert between(page, bundle, "</script>") == ""
    assert json.dumps(between(first, bundle, "</script>")) in script
    style = first.split("<style>")[2].split("</style>")[0]
    assert json.dumps(style.replace("<\\/", "</")) in script
    with pytest.raises(ValueError, match="its bundle is not there once"):
        parts["pages"].parted(first.replace('id="bundle"', 'id="code"'))


def test_a_figure_is_drawn_for_light_and_for_dark_pages(parts: dict[str, ModuleType]) -> None:
    figures = parts["figures"]
    figure = Figure(figsize=(4, 2))
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], color="black")
    left.bar([0, 1], [1, 2], color="#d55e00")
    left.set_title("a line", color="#202020")
    shown = right.imshow(torch.rand(8, 8).numpy())
    right.text(1, 1, "on it", color="white")
    note = right.text(0, 1.5, "above it", color="black", transform=right.transAxes)
    bar = figure.colorbar(shown)
    colours = [
        left.lines[0].get_color(),
        left.patches[0].get_facecolor(),
        left.title.get_color(),
        left.patch.get_facecolor(),
    ]
    with figures.darkened(figure):
        assert min(to_rgb(left.lines[0].get_color())) > 0.8
        assert left.patches[0].get_facecolor() == colours[1], "hues mean something"
        assert min(to_rgb(left.title.get_color())) > 0.7
        assert left.patch.get_facecolor()[3] == 0, "the page shows through"
        assert right.texts[0].get_color() == "white", "the picture beneath stays"
        assert min(to_rgb(note.get_color())) > 0.8
        assert min(to_rgb(right.spines["left"].get_edgecolor())) > 0.8
        assert bar.ax.patch.get_facecolor() == (1, 1, 1, 1), "a scale is that of its picture"
    assert colours == [
        left.lines[0].get_color(), left.patches[0].get_facecolor(), left.title.get_color(), left.patch.get_facecolor(),
    ]  # fmt: skip
    light, dark, width = figures.drawn(figure)
    assert 0.7 * 400 < width < 1.1 * 400
    assert ink(light) < 0.2
    assert ink(dark) > 0.7
    assert figures.words(figure) == "a line"
    assert figures.words(Figure()) == "Figure"


def ink(png: bytes) -> float:
    """The mean brightness of what is opaque and neutral, outside of the picture."""
    pixels = plt.imread(io.BytesIO(png))
    pixels = pixels[:, : pixels.shape[1] // 2]
    drawn = (pixels[..., 3] > 0.9) & (np.ptp(pixels[..., :3], axis=2) < 0.05) & (abs(pixels[..., 0] - 0.5) > 0.35)
    return float(pixels[..., 0][drawn & (pixels[..., 0] < 1)].mean())


def test_every_method_and_every_way_has_its_page() -> None:
    headings = {"## Formula", "## Live"}
    for path in (NOTEBOOKS / "methods").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        if path.stem == "index":
            continue
        for heading in headings:
            assert heading in text, f"{path.name} has no {heading}"
        assert re.search(r"\*\*Sources?\.\*\*", text), f"{path.name} names no source"
        assert re.search(r"^## When to use (it|them)$", text, re.MULTILINE), path.name
        assert re.search(r"^## What (it|they) gets? wrong$", text, re.MULTILINE), path.name
        assert "```{code-cell}" in text, f"{path.name} shows nothing that runs"


def test_what_a_message_means_is_said_of_messages_that_are_there() -> None:
    """Troubleshooting quotes messages: each is in the sources, word for word between its gaps."""
    text = (NOTEBOOKS / "howto" / "troubleshooting.md").read_text(encoding="utf-8")
    sources = " ".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8")) for path in (ROOT / "xaiwidgets").rglob("*.py")
    )
    hosts = ("Error displaying widget: model not found", "No version of module anywidget is registered")
    quoted = [found for found in re.findall(r"^\*\*.*?\"(.+?)\".*\*\*$", text, re.MULTILINE) if found not in hosts]
    assert len(quoted) >= 8
    for message in quoted:
        for part in filter(None, (part.strip(" .=?") for part in message.split("…"))):
            assert part in sources, f"no message says {part!r}"


def test_pictures_are_there_and_small() -> None:
    shown = set(re.findall(r"notebooks/pictures/(\w+\.png)", (ROOT / "README.md").read_text(encoding="utf-8")))
    shown |= set(re.findall(r"\(pictures/(\w+\.png)\)", (NOTEBOOKS / "first_look.md").read_text(encoding="utf-8")))
    there = {path.name for path in (NOTEBOOKS / "pictures").glob("*.png")}
    assert shown == there == {f"{name}.png" for name in ("overlay", *FIRST)}
    for path in (NOTEBOOKS / "pictures").glob("*.png"):
        assert path.stat().st_size <= 200_000, path.name
