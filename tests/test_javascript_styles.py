"""Each widget's styles are its own. `js/styles.mjs` guards it, and here the guard is shown to bite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guards import JS, Guard, guard_of
from xaiwidgets.widgets.base import bundle

pytestmark = pytest.mark.sources

WIDGETS = ("heatmap", "concepts", "flipping")


@pytest.fixture(scope="module")
def guard() -> Guard:
    """Runs the guard over a folder."""
    return guard_of("styles.mjs")


def written(folder: Path, changes: dict[str, str]) -> Path:
    sound = {
        "shared/styles/base.css": ".xw, .xw *, .xw::after { margin: 0; }\n@keyframes xw-slide { to { left: 0; } }\n",
        "heatmap/views/styles.css": (
            "/* .xw-main { } in words is no rule */\n.xw-heatmap .xw-main { display: grid; "
            "grid-template-columns: minmax(0, 1fr) clamp(280px, 38%, 400px); }\n"
            '@container xw (max-width: 680px) { .xw-heatmap:is([data-a="1"], .b) { content: "}"; } }\n'
        ),
        "flipping/views/styles.css": ".xw-flipping .xw-main { display: none; }\n",
    }
    for name, text in {**sound, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_widgets_styles_are_their_own(guard: Guard) -> None:
    ran = guard(JS / "src")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{len(list((JS / 'src').rglob('*.css')))} style sheets")


def test_sound_styles_pass(guard: Guard, tmp_path: Path) -> None:
    ran = guard(written(tmp_path, {}))
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("heatmap/views/a.css", ".xw-main { left: 0; }", ".xw-main does not begin with .xw-heatmap"),
        ("heatmap/views/a.css", ".xw-heatmap .b, .xw-c { left: 0; }", ".xw-c does not begin with .xw-heatmap"),
        ("heatmap/views/a.css", ".xw-heatmaps .b { left: 0; }", ".xw-heatmaps .b does not begin with"),
        ("heatmap/views/a.css", ".xw-flipping .b { left: 0; }", ".xw-flipping .b does not begin with .xw-heatmap"),
        ("heatmap/views/a.css", '[data-xw-theme="dark"] .b { left: 0; }', "does not begin with .xw-heatmap"),
        ("heatmap/views/a.css", "@media print { .xw-b { left: 0; } }", ".xw-b does not begin with .xw-heatmap"),
        ("heatmap/views/a.css", "@keyframes xw-slide { to { left: 0; } }", "animation xw-slide"),
        ("shared/styles/a.css", "button { left: 0; }", "button does not begin with a class xw"),
        ("shared/styles/a.css", ".xw-heatmap .b { left: 0; }", ".xw-heatmap .b does not begin with a class xw"),
        ("shared/styles/a.css", ".xwhat { left: 0; }", ".xwhat does not begin with a class xw"),
        ("shared/styles/a.css", ".xw-a { display: grid; gap: 1px; }", "a grid without columns widens"),
        ("shared/styles/a.css", ".xw-a { grid-template-columns: 1fr auto; }", "a column of 1fr widens"),
        ("shared/styles/a.css", ".xw-a { grid-template-columns: repeat(2, 1fr); }", "a column of 1fr widens"),
    ],
)
def test_what_reaches_others_or_jumps_is_named(guard: Guard, tmp_path: Path, file: str, text: str, said: str) -> None:
    ran = guard(written(tmp_path, {file: text}))
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert line.startswith(f"{file}: ")
    assert said in line


@pytest.mark.parametrize("widget", WIDGETS)
def test_no_selector_of_a_built_bundle_leaves_its_widget(widget: str) -> None:
    """The shared styles too, which the build gives to each widget by itself."""
    css = re.sub(r"@keyframes [^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", bundle(f"{widget}.css"))
    preludes = [part.strip() for part in re.findall(r"([^{};]+)\{", css) if not part.strip().startswith("@")]
    assert len(preludes) > 100
    assert 'aria-checked="true"' in css.replace("aria-checked=true", 'aria-checked="true"'), "selectors are kept whole"
    foreign = [
        prelude for prelude in preludes if any(f".xw-{other}" in prelude for other in WIDGETS if other != widget)
    ]
    assert foreign == []
    loose = []
    for prelude in preludes:
        for selector in re.split(r",(?![^(]*\))", prelude):
            if not re.match(
                rf"(\.xw:where\(\.xw-{widget}\)|:where\(\.xw-{widget}\) |\.xw-{widget}\b)", selector.strip()
            ):
                loose.append(selector)
    assert loose == []
